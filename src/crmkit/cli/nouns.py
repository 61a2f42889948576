"""``crmkit deals list``, ``crmkit deals show``: the same for every record type there is, made from the schema."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import click

from crmkit.app.session import Session
from crmkit.cli.access import Access, access_options, format_option
from crmkit.cli.output import Column, Format, Table, write, write_document
from crmkit.cli.titles import Titles
from crmkit.records import BUILTIN_RECORDS, CustomRecord
from crmkit.schema import Field, RecordType, record_type_of
from crmkit.schema.types import DateTime, Decimal, Integer, Money, Reference

__all__ = ["NOUNS", "columns_of", "noun_group"]

NOUNS = tuple(
    record_type_of(record).plural
    for record in BUILTIN_RECORDS
    if not record_type_of(record).link and record is not CustomRecord
)
"""The plurals of the record types that every tenant has."""

_NUMBERS = (Integer, Decimal, Money)
_PAGE = 50


class _Limit(click.ParamType[int | None]):
    """A number of records, or ``all``."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "all" or value is None:
            return None
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor 'all'", param, ctx)


class _Instant(click.ParamType[Any]):
    """An instant, as the field type reads it."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return DateTime().operand(value)


_as_of = click.option(
    "--as-of", metavar="INSTANT", type=_Instant(), help="As it was then, such as 2026-03-01T00:00:00+00:00."
)


def noun_group(plural: str) -> click.Group:
    """The group of commands of a record type; whether a custom object of that plural exists shows when they run."""
    words = plural.replace("_", " ")
    group = click.Group(plural, help=f"List {words}, and show one.")

    @group.command("list", short_help=f"List {words} that you may see.")
    @click.option("--where", metavar="TEXT", help="A condition, such as 'name.starts_with(\"A\")'; see docs/querying.md.")
    @click.option("--order", metavar="KEYS", help="Fields to sort by, such as 'name' or '-recorded_at,name'.")
    @click.option("--limit", metavar="N", type=_Limit(), default=_PAGE, help="At most so many, or all.  [default: 50]")
    @click.option("--fields", metavar="KEYS", help="The fields to print, such as 'id,name'.")
    @_as_of
    @format_option
    @access_options
    def list_(
        access: Access, where: str | None, order: str | None, limit: int | None, fields: str | None, as_of: Any, form: Any
    ) -> None:
        with access.session(as_of=as_of) as me:
            _list(me, plural, where, order, limit, fields, form)

    @group.command("show", short_help=f"Show one of the {words}.")
    @click.argument("id")
    @_as_of
    @format_option
    @access_options
    def show(access: Access, id: str, as_of: Any, form: Any) -> None:
        with access.session(as_of=as_of) as me:
            _show(me, plural, id, form)

    list_.help = f"List {words} that you may see."
    show.help = f"Show one of the {words}, by its id."
    return group


def _list(
    me: Session, plural: str, where: str | None, order: str | None, limit: int | None, keys: str | None, form: Format
) -> None:
    records = me.records(plural)
    query = records.where(where) if where is not None else records.where()
    if order is not None:
        query = query.order_by(*_split(order))
    fields = _chosen(me, records.type, keys)
    found: Iterable[Any] = query if limit is None else query.limit(limit)
    if form != "table":
        write(_table(fields, found), form)
        return
    page = list(found)
    if keys is None:
        fields = _telling(records.type, fields, page)
    titles = Titles.of(me, fields, page)
    write(_table(fields, page, titles), form, empty=f"no {_words(plural)}")
    if page:
        click.echo(f"{len(page):,} of {query.count():,} {_words(plural)}")


def _show(me: Session, plural: str, record_id: str, form: Format) -> None:
    records = me.records(plural)
    record = records.get(record_id)
    fields = _chosen(me, records.type, None)
    if form == "csv":
        write(_table(fields, [record]), form)
    elif form == "json":
        columns = columns_of(fields)
        write_document({c.key: _json(c, record[c.key]) for c in columns})
    else:
        titles = Titles.of(me, fields, [record])
        columns = columns_of(fields, titles, clipped=False)
        rows = [(f.label(), c.to_screen(record[f.key])) for f, c in zip(fields, columns, strict=True) if record[f.key] is not None]
        write(Table.of("field value", rows), form)
