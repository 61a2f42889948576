"""Where the records of a session lie: live rows, rows as of an instant, or every version there ever was.

Each occurrence of a record type in a statement carries its own bound tenant; in a union, each arm does.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias
from uuid import UUID

import attrs
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from crmkit.query.context import Source
from crmkit.query.terms import as_is
from crmkit.schema import Field, Kind, RecordType, Schema
from crmkit.schema.forms import Form
from crmkit.store.sql.json_parts import id_text, json_part
from crmkit.store.tables.columns import Codec
from crmkit.store.tables.record_tables import Tables

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
    forms: Mapping[str, tuple[Form, ...]] = attrs.field(factory=dict)

    def part(self, field: Field, index: int) -> ColumnElement[Any]:
        """A part of a field as a column expression; in versions of the past, in the forms that are of its type."""
        if not field.custom:
            return self.selectable.c[field.part_columns()[index]]
        forms = [form for form in self.forms.get(field.key, ()) if type(form.field.type) is type(field.type)]
        parts = [self.former_part(form, index) for form in forms]
        if len(parts) > 1:
            return func.coalesce(*parts)
        return parts[0] if parts else self._lying(field, index)

    def former_part(self, form: Form, index: int) -> ColumnElement[Any]:
        """A part of a field in rows of the form's time: before and after, its slot may be another's."""
        part = self._lying(form.field, index)
        if form.field.slot is None or index != form.field.type.compare:
            return part
        since, until = self.selectable.c["recorded_at"], self.selectable.c["superseded_at"]
        begun = since >= literal(form.since)
        if form.until is None:
            return case((or_(until.is_(None), begun), part))
        return case((and_(until.is_not(None), begun, since < literal(form.until)), part))

    def _lying(self, field: Field, index: int) -> ColumnElement[Any]:
        columns = self.selectable.c
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
        return as_is


def _hex(value: UUID) -> str:
    return value.hex


@attrs.frozen
class TableSources:
    """Opens the record types of a tenant's schema on the tables."""

    tables: Tables
    schema: Schema
    codec: Codec
    reading: Reading = "live"
    forms: Mapping[str, Mapping[str, tuple[Form, ...]]] = attrs.field(factory=dict)

    def open(self, type_key: str) -> Source:
        """A fresh occurrence of the type, confined to the tenant."""
        record_type = self.schema.type(type_key)
        live = self.tables.live_of(record_type)
        if self.reading == "live":
            alias = live.alias()
            return TableSource(record_type, alias, _confined(alias, record_type), self.codec)
        history, forms = self.tables.history_of(record_type), self.forms.get(type_key, {})
        if self.reading == "ended":
            former = history.alias()
            return TableSource(record_type, former, _confined(former, record_type), self.codec, forms)
        if self.reading == "past":
            past = union_all(*_past(live, history, record_type)).subquery()
            return TableSource(record_type, past, (), self.codec)
        versions = union_all(*_versions(live, history, record_type)).subquery()
        return TableSource(record_type, versions, (), self.codec, forms)


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
