"""What commands print: tables for people, JSON and CSV for programs.

A table on a terminal is drawn by rich where that is installed; everywhere else columns are aligned with spaces, so that
a file or a pipe gets whole cells. Values come from records: nothing in them is read as markup, and no control character
reaches the terminal.
"""

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import attrs
import click

__all__ = ["Column", "Format", "Table", "as_json", "drawn", "plain", "visible", "write", "write_document"]

Format = Literal["table", "json", "csv"]

_JOINERS = "\u200c\u200d"
_WIDEST = 60
_COPIED = frozenset({"changeset", "id"})


def plain(value: Any) -> Any:
    """A value as JSON: texts, numbers, true, false and null as they are, lists of those, the rest as text."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def cell(value: Any) -> str:
    """A value as a CSV cell; several are joined by a semicolon."""
    if isinstance(value, list | tuple):
        return "; ".join(map(cell, value))
    if isinstance(value, Mapping):
        return json.dumps(plain(value), ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(plain(value))


def _screen(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return cell(value)


@attrs.frozen
class Column:
    """A column: its name for programs, its heading for people, and how a value is written for each.

    None is never asked about: it is null in JSON and nothing elsewhere. Numbers stand at the right. ``clipped`` columns
    are cut where they are very long, ``whole`` ones never, however narrow the terminal: ids are copied from there.
    """

    key: str
    heading: str = attrs.field(default=attrs.Factory(lambda self: self.key.replace("_", " "), takes_self=True))
    right: bool = False
    to_json: Callable[[Any], Any] = plain
    to_cell: Callable[[Any], str] = cell
    to_screen: Callable[[Any], str] = _screen
    clipped: bool = False
    whole: bool = False


@attrs.frozen
class Table:
    """Rows under columns. ``rows`` may be an iterator, which JSON and CSV take row by row."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]

    @classmethod
    def of(cls, keys: str, rows: Iterable[Sequence[Any]]) -> "Table":
        """A table of plain values with columns named in one text."""
        return cls([Column(key, whole=key in _COPIED) for key in keys.split()], rows)


def write(table: Table, form: Format, *, empty: str = "nothing") -> None:
    """Prints the table; ``empty`` is what people read when it has no rows.

    A sign the output cannot hold is written out in JSON, as JSON does it. CSV has no way to: raises ClickException.
    """
    if form == "json":
        for line in _json_lines(table):
            click.echo(line)
    elif form == "csv":
        for line in _csv_lines(table):
            if not _fits(line):
                raise _does_not_fit()
            click.echo(line, nl=False)
    else:
        for line in drawn(table, empty):
            click.echo(line)


def write_document(document: Any) -> None:
    """Prints one JSON document."""
    click.echo(_json(plain(document), indent=2))


def as_json(columns: Sequence[Column], row: Sequence[Any]) -> dict[str, Any]:
    """A row as a JSON object."""
    return {c.key: None if value is None else c.to_json(value) for c, value in zip(columns, row, strict=True)}


def _json_lines(table: Table) -> Iterator[str]:
    """One array, an element on each line."""
    before = "["
    for row in table.rows:
        yield before if before == "[" else f"{before},"
        before = _json(as_json(table.columns, row))
    if before == "[":
        yield "[]"
    else:
        yield before
        yield "]"


def _json(document: Any, indent: int | None = None) -> str:
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return text if _fits(text) else json.dumps(document, indent=indent)


def _fits(text: str) -> bool:
    """Whether the output can hold every sign: one that it cannot would be replaced."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _does_not_fit() -> click.ClickException:
    encoding = sys.stdout.encoding
    return click.ClickException(
        f"the output is in {encoding}, which lacks a sign of this CSV: set PYTHONIOENCODING=utf-8, or ask for JSON"
    )


def _csv_lines(table: Table) -> Iterator[str]:
    buffer = io.StringIO()
    # A line feed ends a row, but a carriage return in a cell must be quoted as well.
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        yield _emptied(buffer)
        writer.writerow(
            ["" if value is None else column.to_cell(value) for column, value in zip(table.columns, row, strict=True)]
        )
    yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> str:
    text = buffer.getvalue().removesuffix("\r\n") + "\n"
    buffer.seek(0)
    buffer.truncate()
    return text


# --------------------------------------------------------------------------------------------------------- for people


def drawn(table: Table, empty: str = "nothing") -> Iterator[str]:
    """The lines of a table for people."""
    rows = [[_shown(column, value) for column, value in zip(table.columns, row, strict=True)] for row in table.rows]
    if not rows:
        yield empty
        return
    rich = _rich(table, rows)
    yield from _aligned(table, rows) if rich is None else rich


def _shown(column: Column, value: Any) -> str:
    if value is None:
        return ""
    text = visible(column.to_screen(value))
    return _clipped(text) if column.clipped else text


def visible(text: str) -> str:
    """The text on one line, with every character that would move the cursor or change its meaning written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else _written_out(c) for c in text)


def _written_out(character: str) -> str:
    if character in "\r\n\t":
        return {"\r": "", "\n": " ⏎ ", "\t": " "}[character]
    return character.encode("unicode_escape").decode("ascii")


def _clipped(text: str) -> str:
    if _width(text) <= _WIDEST:
        return text
    while _width(text) > _WIDEST - 1:
        text = text[:-1]
    return f"{text}…"


def _width(text: str) -> int:
    """How many places of a terminal the text takes; Chinese, Japanese and Korean signs take two."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _aligned(table: Table, rows: list[list[str]]) -> Iterator[str]:
    headings = [visible(column.heading) for column in table.columns]
    widths = [max(map(_width, cells)) for cells in zip(headings, *rows, strict=True)]
    yield _line(table, headings, widths)
    yield "  ".join("-" * width for width in widths)
    for row in rows:
        yield _line(table, row, widths)


def _line(table: Table, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = []
    for column, text, width in zip(table.columns, cells, widths, strict=True):
        space = " " * (width - _width(text))
        padded.append(f"{space}{text}" if column.right else f"{text}{space}")
    return "  ".join(padded).rstrip()


def _rich(table: Table, rows: list[list[str]]) -> list[str] | None:
    """The lines as rich draws them; None if rich is not there, or nobody is looking."""
    try:
        from rich.box import ROUNDED
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ModuleNotFoundError:
        return None
    console = Console(soft_wrap=False)
    if not console.is_terminal:
        return None
    rich_table = RichTable(box=ROUNDED)
    for column, cells in zip(table.columns, zip(*rows, strict=True), strict=True):
        rich_table.add_column(
            Text(visible(column.heading)),
            justify="right" if column.right else "left",
            min_width=max(map(_width, cells)) if column.whole else None,
        )
    for row in rows:
        rich_table.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(rich_table)
    return captured.get().splitlines()
