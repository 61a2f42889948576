"""A part of what the demo tells: for people, and for programs."""

from typing import Any

import attrs
import click

from crmkit import Money
from crmkit.cli.output import Table, as_json, drawn, visible

__all__ = ["Section", "document", "draw", "money"]


@attrs.frozen
class Section:
    """One part of the report; ``key`` names it for programs, ``data`` is what they get instead of the table's rows."""

    key: str
    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    data: Any = None


def money(value: Any) -> str:
    """An amount for people; of none, nothing."""
    return "" if not isinstance(value, Money) else f"{value.amount:,f} {value.currency}"


def draw(section: Section) -> None:
    """Prints a section for people."""
    click.echo()
    click.secho(section.title, bold=True)
    for line in section.lines:
        click.echo(visible(line))
    if section.table is not None:
        for line in drawn(section.table):
            click.echo(line)


def document(section: Section) -> dict[str, Any]:
    """A section for programs."""
    table = section.table
    rows = [] if table is None else [as_json(table.columns, row) for row in table.rows]
    return {"key": section.key, "title": section.title, "lines": section.lines, "data": section.data or rows}
