"""``crmkit deals list``, ``crmkit deals show``: the same for every record type there is, made from the schema."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import click

from crmkit.cli.access import Access, access_options, as_of_option, format_option
from crmkit.cli.output import Column, Format, Table, write, write_document
from crmkit.cli.titles import Titles
from crmkit.records import BUILTIN_RECORDS, CustomRecord
from crmkit.schema import Field, RecordType, record_type_of
from crmkit.schema.schema import suggestion
from crmkit.schema.types import Address, DateTime, Decimal, Integer, Json, LongText, Money, Reference

if TYPE_CHECKING:
    from crmkit.kernel.session.session import Session

__all__ = ["NOUNS", "columns_of", "noun_group"]

NOUNS = tuple(
    record_type_of(record).plural
    for record in BUILTIN_RECORDS
    if not record_type_of(record).link and record is not CustomRecord
)
"""The plurals of the record types that every tenant has."""

_NUMBERS = (Integer, Decimal, Money)
_LONG = (Address, Json, LongText)
_PAGE = 50
_COLUMNS = 8
"""Of a table nobody chose the fields of: what fits on a screen."""


def _limit(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """A number of records, or ``all``, which is None."""
    if value == "all":
        return None
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor 'all'", ctx, param) from None


@attrs.frozen
class _Wanted:
    """What of a record type is to be listed; ``limit`` None is no limit, ``keys`` None the usual fields."""

    where: str | None
    order: str | None
    limit: int | None
    keys: str | None


def noun_group(plural: str) -> click.Group:
    """The commands of a record type. Whether a custom object of that plural exists shows when they run."""
    words = _words(plural)
    group = click.Group(plural, help=f"List {words}, or show one.")
    group.add_command(_list_command(plural, words))
    group.add_command(_show_command(plural, words))
    return group


def _list_command(plural: str, words: str) -> click.Command:
    @click.command("list", help=f"List {words} that you may see.")
    @click.option("--where", metavar="TEXT", help="A condition, such as 'name == \"ACME\"'; docs/querying.md has all.")
    @click.option(
        "--order", metavar="KEYS", help="Fields to sort by; '-recorded_at,name' is latest first, then by name."
    )
    @click.option(
        "--limit", metavar="N", callback=_limit, default=str(_PAGE), help=f"At most so many, or 'all'; else {_PAGE}."
    )
    @click.option("--fields", "keys", metavar="KEYS", help="The fields to print, such as 'id,name'.")
    @as_of_option
    @format_option
    @access_options
    def command(
        access: Access,
        where: str | None,
        order: str | None,
        limit: int | None,
        keys: str | None,
        as_of: Any,
        form: Format,
    ) -> None:
        with access.session(as_of=as_of) as me:
            _list(me, plural, _Wanted(where, order, limit, keys), form)

    return command


def _show_command(plural: str, words: str) -> click.Command:
    @click.command("show", help=f"Show one of the {words}.")
    @click.argument("record_id", metavar="ID")
    @as_of_option
    @format_option
    @access_options
    def command(access: Access, record_id: str, as_of: Any, form: Format) -> None:
        with access.session(as_of=as_of) as me:
            _show(me, plural, record_id, form)

    return command


def _list(me: "Session", plural: str, wanted: _Wanted, form: Format) -> None:
    records = me.records(plural)
    query = records.where(*() if wanted.where is None else (wanted.where,))
    if wanted.order is not None:
        query = query.order_by(*_split(wanted.order))
    fields = _fields(me, records.type, wanted.keys)
    found: Iterable[Any] = query if wanted.limit is None else query.limit(wanted.limit)
    if form != "table":
        write(_table(fields, found), form)
        return
    page = list(found)
    if wanted.keys is None:
        fields = _telling(records.type, fields, page)
    write(_table(fields, page, Titles.of(me, fields, page)), form, empty=f"no {_words(plural)}")
    if page:
        click.echo(f"{len(page):,} of {query.count():,} {_words(plural)}")


def _show(me: "Session", plural: str, record_id: str, form: Format) -> None:
    records = me.records(plural)
    record = records.get(record_id)
    fields = _fields(me, records.type, None)
    if form == "csv":
        write(_table(fields, [record]), form)
    elif form == "json":
        write_document({f.key: None if record[f.key] is None else f.type.dump(record[f.key]) for f in fields})
    else:
        filled = [f for f in fields if record[f.key] is not None]
        columns = columns_of(filled, Titles.of(me, filled, [record]))
        rows = [(c.key, c.heading, c.to_screen(record[c.key])) for c in columns]
        write(Table.of("field label value", rows), form)


def _fields(me: "Session", record_type: RecordType, keys: str | None) -> list[Field]:
    """The fields of these keys, or all, of those that the actor may read. Raises InvalidQuery."""
    readable = {f.key: f for f in me.readable_fields(record_type.key)}
    if keys is None:
        return list(readable.values())
    unknown = [key for key in _split(keys) if key not in readable]
    if unknown:
        hint = suggestion(unknown[0], readable)
        raise click.UsageError(f"{record_type.plural} have no field {unknown[0]!r}; {hint}")
    return [readable[key] for key in _split(keys)]


def _telling(record_type: RecordType, fields: Sequence[Field], page: Sequence[Any]) -> list[Field]:
    """The id, the title, and the first fields that say something of any record of the page."""
    first = [f for f in fields if f.key in ("id", record_type.title)]
    others = [
        f
        for f in fields
        if f not in first
        and not f.system
        and not isinstance(f.type, _LONG)
        and any(record[f.key] is not None for record in page)
    ]
    return [*first, *others][:_COLUMNS]


def _table(fields: Sequence[Field], records: Iterable[Any], titles: Titles | None = None) -> Table:
    return Table(columns_of(fields, titles, clipped=True), ([record[f.key] for f in fields] for record in records))


def columns_of(fields: Iterable[Field], titles: Titles | None = None, *, clipped: bool = False) -> list[Column]:
    """A column for each field: JSON and CSV as the field's type writes them, for people with names for references."""
    return [
        Column(
            f.key,
            f.label(),
            right=isinstance(f.type, _NUMBERS),
            to_json=f.type.dump,
            to_cell=f.type.to_text,
            to_screen=_screen_of(f, titles),
            whole=f.key == "id",
            clipped=clipped,
        )
        for f in fields
    ]


def _screen_of(field: Field, titles: Titles | None) -> Callable[[Any], str]:
    match field.type:
        case Reference() if titles is not None:
            return titles.of_id
        case Money():
            return lambda value: f"{value.amount:,f} {value.currency}"
        case DateTime():
            return lambda value: str(value.isoformat(sep=" ", timespec="seconds"))
    return partial(type(field.type).to_text, field.type)


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def _words(plural: str) -> str:
    return plural.replace("_", " ")
