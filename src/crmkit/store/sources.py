"""Where the records of a session lie: live rows, rows as of an instant, or every version there ever was.

Each occurrence of a record type in a statement carries its own bound tenant; in a union, each arm does.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias
from uuid import UUID

import attrs
from sqlalchemy import BindParameter, ColumnElement, FromClause, Table, bindparam, literal, null, select, union_all

from crmkit.query.context import Source
from crmkit.schema import Field, Kind, RecordType, Schema
from crmkit.store.columns import Codec
from crmkit.store.json_parts import id_text, json_part
from crmkit.store.tables import Tables

__all__ = ["Reading", "TableSources", "tenant_param"]

Reading: TypeAlias = Literal["live", "past", "versions", "ended"]
"""``live``: as things stand. ``past``: as they stood at the parameter ``at``. ``versions``: every version, with
``superseded_at`` and ``superseded_by`` (NULL on live rows). ``ended``: the versions that are no longer current."""


def tenant_param() -> BindParameter[int]:
    """The tenant of the session, in every statement by this name."""
    return bindparam("tenant")


@attrs.frozen
class TableSource:
    """One occurrence of a record type."""

    type: RecordType
    selectable: FromClause
    conditions: tuple[ColumnElement[bool], ...]
    codec: Codec

    def part(self, field: Field, index: int) -> ColumnElement[Any]:
        """A part of a field as a column expression."""
        columns = self.selectable.c
        if not field.custom:
            return columns[field.part_columns()[index]]
        if field.slot is not None and index == field.type.compare:
            return columns[field.slot]
        return json_part(columns["custom"], field.part_columns()[index], field.type.parts[index].kind)

    def record_id(self, like: Field) -> ColumnElement[Any]:
        """The record's id in the form in which the reference field ``like`` holds ids."""
        return id_text(self.selectable.c["id"]) if like.custom else self.selectable.c["id"]

    def encoder(self, field: Field, index: int) -> Callable[[Any], Any]:
        """Turns a primitive into what that column compares with in the driver."""
        if field.type.parts[index].kind is Kind.ID:
            return _hex if field.custom else self.codec.id_in
        return _same


def _same(value: Any) -> Any:
    return value


def _hex(value: UUID) -> str:
    return value.hex


@attrs.frozen
class TableSources:
    """Opens the record types of a tenant's schema on the tables."""

    tables: Tables
    schema: Schema
    codec: Codec
    reading: Reading = "live"

    def open(self, type_key: str) -> Source:
        """A fresh occurrence of the type, confined to the tenant."""
        record_type = self.schema.type(type_key)
        live = self.tables.live_of(record_type)
        if self.reading == "live":
            alias = live.alias()
            return TableSource(record_type, alias, _confined(alias, record_type), self.codec)
        history = self.tables.history_of(record_type)
        if self.reading == "ended":
            former = history.alias()
            return TableSource(record_type, former, _confined(former, record_type), self.codec)
        arms = _past(live, history, record_type) if self.reading == "past" else _versions(live, history, record_type)
        return TableSource(record_type, union_all(*arms).subquery(), (), self.codec)


def _confined(table: FromClause, record_type: RecordType) -> tuple[ColumnElement[bool], ...]:
    tenant = table.c["tenant_id"] == tenant_param()
    if record_type.object_key is None:
        return (tenant,)
    return tenant, table.c["object_key"] == literal(record_type.object_key)


def _past(live: Table, history: Table, record_type: RecordType) -> tuple[Any, ...]:
    columns = [c.name for c in live.columns]
    at: BindParameter[int] = bindparam("at")
    one, other = live.alias(), history.alias()
    return (
        select(*(one.c[name] for name in columns)).where(*_confined(one, record_type), one.c["recorded_at"] <= at),
        select(*(other.c[name] for name in columns)).where(
            *_confined(other, record_type), other.c["recorded_at"] <= at, other.c["superseded_at"] > at
        ),
    )


def _versions(live: Table, history: Table, record_type: RecordType) -> tuple[Any, ...]:
    one, other = live.alias(), history.alias()
    columns = [c.name for c in live.columns]
    return (
        select(
            *(one.c[name] for name in columns),
            *(null().cast(history.c[name].type).label(name) for name in ("superseded_at", "superseded_by")),
        ).where(*_confined(one, record_type)),
        select(*(c for c in other.columns)).where(*_confined(other, record_type)),
    )
