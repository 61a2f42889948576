"""Records grouped by fields, with counts and sums: one statement, and what its rows come to."""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, Text, cast, func, select

from crmkit.errors import InvalidQuery
from crmkit.query.lift import Lifted
from crmkit.query.terms import SUMMABLE, Column
from crmkit.schema import Field, Kind
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.schema.types.numbers import MAX_INTEGER
from crmkit.store.connection.database import Database
from crmkit.store.sql.plans import Draft, Plan, View

__all__ = ["Group", "merged", "summary_plan"]

Names: TypeAlias = tuple[str, ...]
"""A path, by the keys of its fields."""


@attrs.frozen
class Group:
    """One group of a summary: the values grouped by, how many records, and the sum of each summed field.

    A sum of money is a tuple with one Money for each currency met, never a mixture.
    """

    key: tuple[Any, ...]
    count: int
    sums: tuple[Any, ...]


def summary_plan(
    database: Database, view: View, type_key: str, by: tuple[Names, ...], sums: tuple[Names, ...], where: Lifted
) -> Plan:
    """One statement for groups, counts and sums; beside it the columns grouped by and the summed ones."""
    draft = Draft(view, type_key)
    conditions = draft.conditions(where)
    groups = [draft.binder.column(names, type_key) for names in by]
    summed = [draft.binder.column(names, type_key) for names in sums]
    for column in summed:
        if not isinstance(column.field.type, SUMMABLE):
            raise InvalidQuery(
                f"{column.field.key} is a {column.field.type.name} and has no sum",
                code="not_summable",
                field=column.field.key,
            )
    # Terms are computed in a subquery and grouped by name: with parameters in them, PostgreSQL would not recognise
    # the same term in SELECT and GROUP BY.
    named = {
        **{f"g{i}_{n}": part for i, column in enumerate(groups) for n, part in enumerate(_parts(draft, column))},
        **{f"s{i}": column.scalar(draft.context, draft.source)[0] for i, column in enumerate(summed)},
        **{
            f"u{i}": unit
            for i, c in enumerate(summed)
            if (unit := c.scalar(draft.context, draft.source)[1]) is not None
        },
    }
    inner = (
        select(*(term.label(name) for name, term in named.items()), draft.source.part(SYSTEM_FIELDS["id"], 0))
        .where(*conditions)
        .subquery()
    )
    # Five euros and five dollars are two groups.
    compared = [f"g{i}_{n}" for i, c in enumerate(groups) for n in (c.type.compare, c.type.unit) if n is not None]
    units = [inner.c[name] for name in named if name.startswith("u")]
    statement = select(
        # Of parts that differ within a group (spellings of a text), the least is shown.
        *(inner.c[n] if n in compared else func.min(inner.c[n]) for n in named if n.startswith("g")),
        func.count(),
        *(func.sum(inner.c[name]) for name in named if name.startswith("s")),
        *units,
    ).select_from(inner)
    if compared or units:
        statement = statement.group_by(*(inner.c[name] for name in compared), *units)
    return draft.finish(database, statement, (groups, summed))


def merged(rows: list[tuple[Any, ...]], groups: list[Column], summed: list[Column], view: View) -> list[Group]:
    """The groups; rows that differ only in currency become one. Without fields to group by it is one group always."""
    found: dict[tuple[Any, ...], tuple[int, list[dict[Any, int]]]] = {}
    if not groups:
        found[()] = (0, [{} for _ in summed])
    widths = [len(column.field.type.parts) for column in groups]
    for row in rows:
        at, key = 0, []
        for column, width in zip(groups, widths, strict=True):
            key.append(_value(column.field, row[at : at + width], view))
            at += width
        count, totals = found.setdefault(tuple(key), (0, [{} for _ in summed]))
        found[tuple(key)] = (count + row[at], totals)
        units = iter(row[at + 1 + len(summed) :])
        for i, column in enumerate(summed):
            unit = next(units) if column.field.type.unit is not None else None
            value = row[at + 1 + i]
            if value is not None:
                totals[i][unit] = totals[i].get(unit, 0) + int(value)
    return [
        Group(key, count, tuple(_total(column.field, total) for column, total in zip(summed, totals, strict=True)))
        for key, (count, totals) in found.items()
    ]


def _parts(draft: Draft, column: Column) -> list[ColumnElement[Any]]:
    parts = [column.part(draft.context, draft.source, i) for i in range(len(column.type.parts))]
    # PostgreSQL knows no least jsonb.
    return [cast(p, Text) if kind.kind is Kind.JSON else p for p, kind in zip(parts, column.type.parts, strict=True)]


def _value(field: Field, parts: Sequence[Any], view: View) -> Any:
    if parts[field.type.compare] is None:
        return None
    if field.type.parts[0].kind is Kind.ID:
        return UUID(hex=parts[0]) if field.custom else view.codec.id_out(parts[0])
    kinds = [part.kind for part in field.type.parts]
    return field.type.from_parts(*(json.loads(p) if k is Kind.JSON else p for p, k in zip(parts, kinds, strict=True)))


def _total(field: Field, totals: dict[Any, int]) -> Any:
    if any(abs(total) > MAX_INTEGER for total in totals.values()):
        raise InvalidQuery("a total does not fit 64 bits", code="overflow", hint="narrow the query")
    if field.type.unit is not None:
        return tuple(field.type.from_parts(total, unit) for unit, total in sorted(totals.items()))
    return field.type.from_parts(totals[None]) if None in totals else None
