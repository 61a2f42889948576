"""Who is in a list and who is not, as sets: one statement however many records there are.

Each takes a reader, whose view decides what may be read; conditions are those of the query language.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, case, literal, outerjoin, select

from crmkit.query.context import Source
from crmkit.query.lift import Lifted
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.read.reader import Reader
from crmkit.store.sql.lists import among, list_width, listed
from crmkit.store.sql.plans import Draft, Plan
from crmkit.values import from_micros

__all__ = ["NO_TAG", "Standing", "Worn", "entering", "leaving", "standing", "worn"]

NO_TAG = UUID(int=0)
"""The id of no tag: nobody wears it."""


@attrs.frozen
class Worn:
    """A tagging as it is to be taken off: the record, the tagging's id and version."""

    record: UUID
    id: UUID
    version: int


@attrs.frozen
class Standing:
    """A record, whether the action is allowed on it, and the tag as it is on it, expired or not."""

    record: UUID
    allowed: bool
    worn: Worn | None
    origin: str | None
    expires_at: datetime | None


def standing(reader: Reader, type_key: str, where: Lifted, tag: UUID, action: str) -> list[Standing]:
    """The readable records that meet the condition, in order of their ids, and how they stand to the tag."""

    def make() -> Plan:
        draft = Draft(reader.view, type_key)
        conditions = draft.conditions(where)
        allowed = case((draft.compile(draft.binder.allowed(type_key, action)), literal(1)), else_=literal(0))
        identity, tagging = _identity(draft.source), draft.context.sources.open("tagging")
        joined = outerjoin(
            draft.source.selectable,
            tagging.selectable,
            and_(*tagging.conditions, _field(tagging, "tag") == _tag(), _field(tagging, "record") == identity),
        )
        found = select(identity, allowed, *(_field(tagging, key) for key in ("id", "version", "origin", "expires_at")))
        return draft.finish(reader.database, found.select_from(joined).where(*conditions).order_by(identity))

    rows = _rows(reader, ("standing", type_key, where.shape, action), make, where, tag)
    id_out = reader.view.codec.id_out
    return [_standing(id_out(row[0]), row, id_out) for row in rows]


def _standing(record: UUID, row: tuple[Any, ...], id_out: Any) -> Standing:
    worn = None if row[2] is None else Worn(record, id_out(row[2]), row[3])
    return Standing(record, bool(row[1]), worn, row[4], None if row[5] is None else from_micros(row[5]))


def worn(reader: Reader, type_key: str, where: Lifted, tags: Sequence[UUID]) -> list[Worn]:
    """The taggings with any of these tags on the readable records that meet the condition."""
    if not tags:
        return []
    codec = reader.view.codec
    width = list_width(codec, len(tags))

    def make() -> Plan:
        draft = Draft(reader.view, type_key)
        conditions = draft.conditions(where)
        tagging = draft.context.sources.open("tagging")
        link = _field(tagging, "record") == _identity(draft.source)
        found = select(*_worn_columns(tagging)).where(
            *conditions, *tagging.conditions, among(_field(tagging, "tag"), "tag", width), link
        )
        return draft.finish(reader.database, found.order_by(_field(tagging, "id")))

    plan = reader.shelf.get(reader.view.key("worn", type_key, where.shape, width), make)
    binds = reader.view.parameters(plan, where.values) | listed("tag", list(map(codec.id_in, tags)), width)
    return _worn(reader, reader.unit.read(plan.statement, binds))


def entering(reader: Reader, type_key: str, where: Lifted, tag: UUID) -> list[UUID]:
    """The records that meet the condition and are not in the tag's list, in order of their ids."""

    def make() -> Plan:
        draft = Draft(reader.view, type_key)
        conditions = draft.conditions(where)
        tagging, identity = draft.context.sources.open("tagging"), _identity(draft.source)
        inside = select(_field(tagging, "record")).where(*tagging.conditions, _field(tagging, "tag") == _tag())
        found = select(identity).where(*conditions, identity.not_in(inside)).order_by(identity)
        return draft.finish(reader.database, found)

    rows = _rows(reader, ("entering", type_key, where.shape), make, where, tag)
    return [reader.view.codec.id_out(row[0]) for row in rows]


def leaving(reader: Reader, type_key: str, where: Lifted, tag: UUID) -> list[Worn]:
    """The taggings of the tag's list on what does not meet the condition (any more), or is not there."""

    def make() -> Plan:
        draft = Draft(reader.view, type_key)
        conditions = draft.conditions(where)
        tagging = draft.context.sources.open("tagging")
        inside = select(_identity(draft.source)).where(*conditions)
        found = select(*_worn_columns(tagging)).where(
            *tagging.conditions, _field(tagging, "tag") == _tag(), _field(tagging, "record").not_in(inside)
        )
        return draft.finish(reader.database, found.order_by(_field(tagging, "record")))

    return _worn(reader, _rows(reader, ("leaving", type_key, where.shape), make, where, tag))


def _rows(reader: Reader, what: tuple[Any, ...], make: Any, where: Lifted, tag: UUID) -> list[tuple[Any, ...]]:
    plan: Plan = reader.shelf.get(reader.view.key(*what), make)
    binds = reader.view.parameters(plan, where.values)
    return reader.unit.read(plan.statement, {**binds, "tag": reader.view.codec.id_in(tag)})


def _worn(reader: Reader, rows: Sequence[tuple[Any, ...]]) -> list[Worn]:
    id_out = reader.view.codec.id_out
    return [Worn(id_out(row[0]), id_out(row[1]), row[2]) for row in rows]


def _worn_columns(tagging: Source) -> list[ColumnElement[Any]]:
    return [_field(tagging, key) for key in ("record", "id", "version")]


def _identity(source: Source) -> ColumnElement[Any]:
    return source.part(SYSTEM_FIELDS["id"], 0)


def _field(source: Source, key: str) -> ColumnElement[Any]:
    return source.part(SYSTEM_FIELDS.get(key) or source.type.by_key[key], 0)


def _tag() -> BindParameter[Any]:
    return bindparam("tag")
