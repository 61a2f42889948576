"""Records that define something (grants, segments, fields): checked when they are written, not when they are needed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.app.loading import field_definition
from crmkit.app.outcomes import Tally
from crmkit.errors import InvalidDefinition, InvalidRecord, Problem
from crmkit.permissions import Rule, check
from crmkit.query import Expr
from crmkit.query.bind import Binder
from crmkit.query.json_form import from_json, to_json
from crmkit.query.lift import lift
from crmkit.query.text import parse
from crmkit.records import CustomField, CustomObject
from crmkit.schema import Field, Record
from crmkit.schema.custom import to_field
from crmkit.sdk.change import Change

if TYPE_CHECKING:
    from crmkit.app.session import Session

__all__ = ["DEFINITIONS", "Fields", "Objects", "check_definition", "stored"]

DEFINITIONS = frozenset({"custom_field", "grant", "segment", "stage"})
"""The record types whose records are checked against the schema when they are written."""


def stored(values: Mapping[str, Any] | Record) -> Mapping[str, Any] | Record:
    """The values with expressions, written as Python or as text in ``where``, in the form in which they are stored."""
    if isinstance(values, Record):
        return values
    where = values.get("where")
    if isinstance(where, str):
        where = parse(where)
    return {**values, "where": to_json(where)} if isinstance(where, Expr) else values


def check_definition(session: "Session", change: Change) -> None:
    """Raises InvalidDefinition, InvalidQuery or InvalidRecord for a definition that means nothing."""
    if change.kind == "delete":
        if change.type_key == "custom_field":
            _empty(session, change.before)
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
            if change.before is not None and change.changed & {"column", "slot", "unique_slot"}:
                _empty(session, change.before)
        case "stage":
            _check_required_fields(session, values["required_fields"])


def _check_field(session: "Session", values: Mapping[str, Any], record_id: UUID) -> None:
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


def _empty(session: "Session", field: Any) -> None:
    """What a field leaves behind could become another field's values, or be lost unnoticed; in history it is safe."""
    holders = [r.id for r in session.system_reader.records(field.on) if r[field.key] is not None]
    rows = ((i, record_id, {field.key: None}) for i, record_id in enumerate(holders))
    session.writes(trusted=True).update(field.on, rows, Tally(stop=True))


def _check_required_fields(session: "Session", keys: Any) -> None:
    if keys is None:
        return
    known = session.type_of("deal").by_key
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in known for key in keys):
        raise InvalidRecord(
            [Problem("unknown_field", "required_fields lists keys of fields of deals", "required_fields")]
        )


@attrs.frozen
class Fields:
    """``me.fields``: the custom fields of the tenant."""

    session: "Session"

    def add(self, on: str, key: str, type: Any, **options: Any) -> CustomField:
        """Add a field; see ``crmkit.app.commands.define.AddField``."""
        from crmkit.app.commands.define import AddField

        made: CustomField = self.session.do(AddField(on, key, type, **options))
        return made

    def change(self, on: str, key: str, type: Any = None, **options: Any) -> CustomField:
        """Change a field; see ``crmkit.app.commands.define.ChangeField``."""
        from crmkit.app.commands.define import ChangeField

        changed: CustomField = self.session.do(ChangeField(on, key, type, **options))
        return changed

    def remove(self, on: str, key: str) -> None:
        """Remove a field; see ``crmkit.app.commands.define.RemoveField``."""
        from crmkit.app.commands.define import RemoveField

        self.session.do(RemoveField(on, key))

    def list(self, on: str) -> tuple[Field, ...]:
        """The custom fields of a record type."""
        return self.session.type_of(on).custom


@attrs.frozen
class Objects:
    """``me.objects``: the record types the tenant made."""

    session: "Session"

    def add(self, key: str, *, plural: str, label: str) -> CustomObject:
        """Add a record type; see ``crmkit.app.commands.define.AddObject``."""
        from crmkit.app.commands.define import AddObject

        made: CustomObject = self.session.do(AddObject(key, plural, label))
        return made
