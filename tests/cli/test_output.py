"""Tables, JSON and CSV of any values."""

import csv
import io
import json
import sys
from datetime import UTC, date, datetime
from uuid import UUID

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from crmkit.cli.output import Column, Table, drawn, visible, write

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
texts = st.text(st.characters(exclude_categories=["Cs"]))


def printed(table: Table, form: str) -> str:
    """What a command that writes the table prints, to the byte."""

    @click.command()
    def command() -> None:
        write(table, form)  # type: ignore[arg-type]

    return CliRunner().invoke(command).stdout_bytes.decode()


def table(*rows: tuple[object, ...], keys: str = "name value") -> Table:
    return Table.of(keys, rows)


def test_columns_are_aligned_also_where_signs_are_wide() -> None:
    lines = list(drawn(Table([Column("name"), Column("n", right=True)], [("ACME", 5), ("北京", 12), ("Zoë", None)])))
    assert lines == ["name   n", "----  --", "ACME   5", "北京  12", "Zoë"]


def test_a_table_without_rows_is_what_its_reader_is_told() -> None:
    assert list(drawn(table(), "no deals")) == ["no deals"]


@given(texts)
def test_no_text_moves_the_cursor_or_begins_another_line(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c in "\u200c\u200d" for c in shown)
    assert len(list(drawn(table((text, 1))))) == 3


def test_what_is_written_out_can_be_recognised() -> None:
    assert visible("a\x1b[31mb\nc\td\u202e") == "a\\x1b[31mb ⏎ c d\\u202e"
    assert visible("👩\u200d🚀 नमस्ते 展会") == "👩\u200d🚀 नमस्ते 展会"


def test_long_cells_are_cut_only_where_a_column_says_so() -> None:
    long = "字" * 100
    cut, whole = (next(reversed(list(drawn(Table([Column("a", clipped=c)], [(long,)]))))) for c in (True, False))
    assert cut == "字" * 29 + "…"
    assert whole == long


@pytest.mark.parametrize(
    ("value", "in_json", "in_csv"),
    [
        (None, None, ""),
        (True, True, "true"),
        (12, 12, "12"),
        ("北京", "北京", "北京"),
        (date(2024, 5, 1), "2024-05-01", "2024-05-01"),
        (datetime(2024, 5, 1, 8, tzinfo=UTC), "2024-05-01T08:00:00+00:00", "2024-05-01T08:00:00+00:00"),
        (ID, str(ID), str(ID)),
        (("a", "b"), ["a", "b"], "a; b"),
        ({"k": [1, None]}, {"k": [1, None]}, '{"k": [1, null]}'),
    ],
)
def test_a_value_in_json_and_csv(value: object, in_json: object, in_csv: str) -> None:
    assert json.loads(printed(table((value, 1)), "json")) == [{"name": in_json, "value": 1}]
    assert list(csv.reader(io.StringIO(printed(table((value, 1)), "csv"), newline=""))) == [
        ["name", "value"],
        [in_csv, "1"],
    ]


@given(st.lists(st.tuples(texts, st.none() | st.integers()), max_size=5))
def test_json_is_one_document_and_csv_gives_every_text_back(rows: list[tuple[str, int | None]]) -> None:
    document = json.loads(printed(Table.of("name value", iter(rows)), "json"))
    assert document == [{"name": name, "value": value} for name, value in rows]
    cells = list(csv.reader(io.StringIO(printed(Table.of("name value", iter(rows)), "csv"), newline="")))
    assert cells[1:] == [[name, "" if value is None else str(value)] for name, value in rows]


def test_rich_draws_on_a_terminal_and_reads_nothing_as_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    lines = list(drawn(table(("[red]展会[/red]", 1))))
    assert any(line.startswith("│ [red]展会[/red]") for line in lines)
    assert "╭" in lines[0]


def test_an_id_is_whole_on_the_narrowest_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    lines = list(drawn(Table.of("id name town", [(ID, "展会 " * 9, "Baden-Baden " * 5)])))
    assert any(str(ID) in line for line in lines)


def test_without_rich_there_is_a_plain_table_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for name in ("rich", "rich.box"):
        monkeypatch.setitem(sys.modules, name, None)
    assert list(drawn(table(("展会", 1)))) == ["name  value", "----  -----", "展会  1"]
