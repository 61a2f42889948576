"""Records that define something (grants, segments, fields): checked when they are written, not when they are needed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crmkit.app.loading import field_definition
from crmkit.app.work import Work
from crmkit.errors import InvalidDefinition, InvalidRecord, Problem
from crmkit.permissions import Rule, check
from crmkit.query import Expr
from crmkit.query.bind import Binder
from crmkit.query.json_form import from_json, to_json
from crmkit.query.lift import lift
from crmkit.query.text import parse
from crmkit.schema import Record
from crmkit.schema.custom import to_field
from crmkit.sdk.change import Change

__all__ = ["DEFINITIONS", "check_definition", "stored"]

DEFINITIONS = frozenset({"custom_field", "grant", "segment", "stage"})
"""The record types whose records are checked against the schema when they are written."""


def stored(values: Mapping[str, Any] | Record) -> Mapping[str, Any] | Record:
    """The values with expressions, written as Python or as text in ``where``, in the form in which they are stored."""
    if not isinstance(values, Mapping):
        return values
    where = values.get("where")
    if isinstance(where, str):
        where = parse(where)
    return {**values, "where": to_json(where)} if isinstance(where, Expr) else values


def check_definition(session: Work, change: Change) -> None:
    """Raises InvalidDefinition, InvalidQuery or InvalidRecord for a definition that means nothing."""
    if change.kind == "delete":
        return
    values = change.values
    match change.type_key:
        case "grant":
            check(Rule.from_row({**values, "id": change.id}), session.schema, session.crm.actions)
        case "segment":
            condition = lift(from_json(values["where"]), session.actor.ids)
            Binder(session.schema, segments=session.tenant_schema.segment, actors=session.actor.ids).bind(
                condition.shape, values["on"]
            )
        case "custom_field":
            _check_field(session, values, change.id)
        case "stage":
            _check_required_fields(session, values["required_fields"])


def _check_field(session: Work, values: Mapping[str, Any], record_id: UUID) -> None:
    """The field is one the schema can have: a known type, a key and slots nobody else has."""
    definition = field_definition(values)
    made = to_field(definition, session.crm.field_types)
    record_type = session.type_of(definition.on)
    others = [f for f in session.system_reader.records("custom_field") if f.on == definition.on and f.id != record_id]
    if made.key in {f.key for f in others} or made.key in {f.key for f in record_type.declared}:
        raise InvalidDefinition(f"{definition.on} has {made.key!r} already", code="duplicate_field", field=made.key)
    held = {slot for f in others for slot in (f.slot, f.unique_slot) if slot is not None}
    if held & {made.slot, made.unique_slot}:
        raise InvalidDefinition("another field holds the slot", code="slot_taken", field=made.key)


def _check_required_fields(session: Work, keys: Any) -> None:
    if keys is None:
        return
    known = session.type_of("deal").by_key
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in known for key in keys):
        raise InvalidRecord(
            [Problem("unknown_field", "required_fields lists keys of fields of deals", "required_fields")]
        )
