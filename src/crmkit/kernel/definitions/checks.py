"""Records that define fields, objects and rights: checked when they are written, not when they are needed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import CrmkitError, InvalidDefinition, InvalidRecord, Problem, StorageError
from crmkit.kernel.definitions.tenant_schema import field_definition
from crmkit.kernel.session.unit_of_work import Work
from crmkit.permissions import Rule, check
from crmkit.query import Expr
from crmkit.query.json_form import from_json, to_json
from crmkit.query.text import parse
from crmkit.records import BASE_OBJECT
from crmkit.schema import Record, RecordType, Schema
from crmkit.schema.custom import ObjectDefinition, object_type, to_field
from crmkit.schema.index_room import check_room
from crmkit.schema.types import Json
from crmkit.sdk.change import Change
from crmkit.sdk.definitions import Dependant, refusals
from crmkit.sdk.plugins import checked_refusals

__all__ = [
    "CHECK",
    "check_condition",
    "check_definition",
    "check_dependants",
    "is_checked",
    "placing_fields",
    "refused",
    "relying",
    "stored",
]

CHECK = "crmkit_check"
"""The hook by which plugins check their own record types."""
_DEPENDANTS = "crmkit_dependants"
_OWN = frozenset({"custom_field", "custom_object", "grant"})
"""The record types that make schema and rights."""


def is_checked(session: Work, type_key: str) -> bool:
    """Whether records of the type are checked, one by one, when they are written."""
    return type_key in _OWN or any(True for _ in session.listeners(CHECK, type_key))


@contextmanager
def placing_fields(session: Work) -> Iterator[None]:
    """Inside, who writes custom fields has found a place for their values."""
    before, session.placing = session.placing, True
    try:
        yield
    finally:
        session.placing = before


def stored(record_type: RecordType, values: Mapping[str, Any] | Record) -> Mapping[str, Any] | Record:
    """The values with expressions, written as Python or as text in ``where``, in the form in which they are stored."""
    where_field = record_type.by_key.get("where")
    if not isinstance(values, Mapping) or where_field is None or not isinstance(where_field.type, Json):
        return values
    where = values.get("where")
    if isinstance(where, str):
        where = parse(where)
    return {**values, "where": to_json(where)} if isinstance(where, Expr) else values


def check_definition(session: Work, change: Change) -> None:
    """Raises InvalidDefinition, InvalidQuery or InvalidRecord for a definition that means nothing, or for what others
    rely on (``in_use``).
    """
    if change.kind == "delete":
        if change.type_key == "custom_object":
            _check_empty(session, change.before)
        return
    values = change.values
    _check_kept(session, change)
    match change.type_key:
        case "grant":
            _check_grant(session, {**values, "id": change.id})
        case "custom_field":
            _check_field(session, values, change.id)
        case "custom_object":
            _check_object(session, values, change.id)


def refused(session: Work, changes: Sequence[Change], *, by_hand: bool) -> dict[int, CrmkitError]:
    """Which changes of one record type are refused by what checks it, by row."""
    found: dict[int, CrmkitError] = {}
    if changes[0].type_key in _OWN:
        found = {refusal.row: refusal.error for refusal in refusals(changes, partial(check_definition, session))}
    for plugin in session.listeners(CHECK, changes[0].type_key):
        left = tuple(change for change in changes if change.row not in found)
        answers = session.crm.plugins.gather(plugin, CHECK, session=session, changes=left, by_hand=by_hand)
        found |= {refusal.row: refusal.error for refusal in checked_refusals(plugin, left, answers)}
    return found


_PLACED = {"type", "options", "required", "unique", "indexed", "column", "slot", "unique_slot"}
"""What the values of a custom field hang on: how they are read, where they lie, that they are there and single."""


def _check_kept(session: Work, change: Change) -> None:
    """What stored values hang on stays as it is, or values would be read as what they are not."""
    fixed: set[str] = set()
    if change.type_key == "custom_object" and change.before is not None:
        fixed = {"key"}
    elif change.type_key == "custom_field":
        fixed = {"on"} if change.before is not None else set()
        if not (session.placing or session.undoing):
            fixed = fixed | _PLACED
    hint = "me.fields.add(...) finds a place for the values of a field, me.fields.change(...) converts them"
    problems = [Problem("fixed", f"{key} is not set by hand", key, hint=hint) for key in sorted(change.changed & fixed)]
    if problems:
        raise InvalidDefinition(problems)


def _check_object(session: Work, values: Mapping[str, Any], record_id: UUID) -> None:
    """The record type is one the schema can have, under names nobody else has."""
    base = session.crm.declared.types[BASE_OBJECT]
    made = object_type(ObjectDefinition(values["key"], values["plural"], values["label"]), base)
    own = {o.key for o in session.system_reader.records("custom_object") if o.id == record_id}
    others = [base, *(t for key, t in session.schema.types.items() if key not in own)]
    taken = {name for t in others for name in (t.key, t.plural)}
    if made.key in taken or made.plural in taken or made.plural in dir(session):
        raise InvalidDefinition(
            f"there is something of the name {made.key!r} or {made.plural!r} already", code="duplicate_type"
        )


def _check_empty(session: Work, going: Any) -> None:
    """No record and no field would be left behind without its record type."""
    reader = session.system_reader
    left = reader.count(going.key), sum(f.on == going.key for f in reader.records("custom_field"))
    problems = [
        Problem("in_use", f"there are {what} of {going.key}", "key", hint=hint)
        for n, (what, hint) in zip(left, _LEFT, strict=True)
        if n
    ]
    if problems:
        raise InvalidRecord(problems)


_LEFT = (("records", "delete them first"), ("custom fields", "remove them first: me.fields.remove(...)"))


def _check_field(session: Work, values: Mapping[str, Any], record_id: UUID) -> None:
    """The field is one the schema can have: a known type, a key and slots nobody else has."""
    definition = field_definition(values)
    if definition.on == "custom_field":
        raise InvalidDefinition("what describes fields has no custom ones itself", code="not_extensible", field="on")
    made = to_field(definition, session.crm.field_types)
    if made.default is not None and (made.indexed or made.unique):
        check_room(made.type, made.type.parse(made.default))
    record_type = session.type_of(definition.on)
    others = [f for f in session.system_reader.records("custom_field") if f.on == definition.on and f.id != record_id]
    if made.key in {f.key for f in others} or made.key in {f.key for f in record_type.declared}:
        raise InvalidDefinition(f"{definition.on} has {made.key!r} already", code="duplicate_field", field=made.key)
    held = {slot for f in others for slot in (f.slot, f.unique_slot) if slot is not None}
    if held & {made.slot, made.unique_slot}:
        raise InvalidDefinition("another field holds the slot", code="slot_taken", field=made.key)
    if made.check is not None:
        kept = [to_field(field_definition(f), session.crm.field_types) for f in others]
        types = {**session.schema.types, record_type.key: record_type.with_custom([*kept, made])}
        attrs.evolve(session.judge.evaluation, schema=Schema(types), remember=None).check(
            parse(made.check), record_type.key
        )


def check_dependants(session: Work) -> None:
    """Raises InvalidRecord (``in_use``) for what meant something in the schema and, after a change of it, does not."""
    problems: list[Problem] = []

    def still(what: str, check_it: Callable[[], None]) -> None:
        try:
            check_it()
        except StorageError:
            raise
        except CrmkitError as error:
            reason = error.problems[0].message
            problems.append(Problem("in_use", f"{what} would mean nothing: {reason}", hint="change it first"))

    for dependant in relying(session):
        still(dependant.what, dependant.check)
    if problems:
        raise InvalidRecord(problems)


def relying(session: Work) -> Iterator[Dependant]:
    """Everything stored that relies on definitions."""
    reader = session.system_reader
    roles = {role.id: role.name for role in reader.records("role")}
    for grant in reader.records("grant"):
        where = None if grant.where is None else partial(from_json, grant.where)
        yield Dependant(f"a grant of the role {roles.get(grant.role)}", partial(_check_grant, session, grant), where)
    for record_type in session.schema.types.values():
        for f in record_type.custom:
            if f.check is not None:
                condition = partial(parse, f.check)
                check_it = partial(check_condition, session, condition, record_type.key)
                yield Dependant(f"the check of {record_type.key}.{f.key}", check_it, condition)
    for plugin in session.crm.plugins.implementing(_DEPENDANTS):
        yield from session.crm.plugins.gather(plugin, _DEPENDANTS, session=session)


def _check_grant(session: Work, row: Any) -> None:
    check(Rule.from_row(row), session.schema, session.crm.actions, session.tenant_schema.segment)


def check_condition(session: Work, condition: Callable[[], Expr], type_key: str) -> None:
    """Raises what the condition raises if it means nothing on records of the type."""
    session.judge.evaluation.check(condition(), type_key)
