"""Records that define something (grants, segments, fields): checked when they are written, not when they are needed."""

from collections.abc import Callable, Iterator, Mapping
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
from crmkit.query.lift import Lifted, equal_to, lift
from crmkit.query.text import parse
from crmkit.records import BASE_OBJECT
from crmkit.schema import Record, Schema
from crmkit.schema.custom import ObjectDefinition, object_type, to_field
from crmkit.schema.index_room import check_room
from crmkit.sdk.change import Change
from crmkit.store.write.locks import lock
from crmkit.values import fold

__all__ = ["DEFINITIONS", "check_definition", "check_dependants", "placing_fields", "stored"]

DEFINITIONS = frozenset({"custom_field", "custom_object", "grant", "pipeline", "segment", "stage", "stage_gate", "tag"})
"""The record types whose records are checked against the schema when they are written."""


@contextmanager
def placing_fields(session: Work) -> Iterator[None]:
    """Inside, who writes custom fields has found a place for their values."""
    before, session.placing = session.placing, True
    try:
        yield
    finally:
        session.placing = before


def stored(values: Mapping[str, Any] | Record) -> Mapping[str, Any] | Record:
    """The values with expressions, written as Python or as text in ``where``, in the form in which they are stored."""
    if not isinstance(values, Mapping):
        return values
    where = values.get("where")
    if isinstance(where, str):
        where = parse(where)
    return {**values, "where": to_json(where)} if isinstance(where, Expr) else values


def check_definition(session: Work, change: Change) -> None:
    """Raises InvalidDefinition, InvalidQuery or InvalidRecord for a definition that means nothing, or for what others
    rely on (``in_use``).
    """
    if change.type_key == "tag":
        _check_unnamed(session, change)
    if change.kind == "delete":
        if change.type_key == "custom_object":
            _check_empty(session, change.before)
        return
    values = change.values
    _check_kept(session, change)
    match change.type_key:
        case "grant":
            _check_grant(session, {**values, "id": change.id})
        case "segment":
            _check_condition(session, from_json, values["where"], values["on"])
            if not session.undoing and values["kind"] != "snapshot" and change.changed & {"on", "where"}:
                # Who could define it by what is hidden would be told by who comes and goes.
                session.reader.check(values["on"], lift(from_json(values["where"]), session.actor.ids))
        case "custom_field":
            _check_field(session, values, change.id)
        case "custom_object":
            _check_object(session, values, change.id)
        case "stage":
            _check_required_fields(session, values["required_fields"])
            _check_lived_in(session, change)
        case "pipeline":
            _check_loss_reasons(values["loss_reasons"])
        case "stage_gate":
            _check_gate(session, values)


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

    for what, check_it, _ in _relying(session):
        still(what, check_it)
    if problems:
        raise InvalidRecord(problems)


def _relying(session: Work) -> Iterator[tuple[str, Callable[[], None], Callable[[], Expr] | None]]:
    """Everything stored that relies on definitions: what it is, its check, and its condition if it has one."""
    reader = session.system_reader
    roles = {role.id: role.name for role in reader.records("role")}
    for grant in reader.records("grant"):
        where = None if grant.where is None else partial(from_json, grant.where)
        yield f"a grant of the role {roles.get(grant.role)}", partial(_check_grant, session, grant), where
    for segment in reader.records("segment"):
        check_it = partial(_check_condition, session, from_json, segment.where, segment.on)
        yield f"the segment {segment.name}", check_it, partial(from_json, segment.where)
    for record_type in session.schema.types.values():
        for f in record_type.custom:
            if f.check is not None:
                check_it = partial(_check_condition, session, parse, f.check, record_type.key)
                yield f"the check of {record_type.key}.{f.key}", check_it, partial(parse, f.check)
    for stage in reader.records("stage"):
        yield f"the stage {stage.name}", partial(_check_required_fields, session, stage.required_fields), None
    for gate in reader.records("stage_gate"):
        where = None if gate.where is None else partial(from_json, gate.where)
        yield f"the gate {gate.label or gate.id}", partial(_check_gate, session, gate), where


def _check_grant(session: Work, row: Any) -> None:
    check(Rule.from_row(row), session.schema, session.crm.actions, session.tenant_schema.segment)


def _check_condition(session: Work, read: Callable[[Any], Expr], written: Any, type_key: str) -> None:
    session.judge.evaluation.check(read(written), type_key)


def _check_required_fields(session: Work, keys: Any) -> None:
    if keys is None:
        return
    known = session.type_of("deal").by_key
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in known for key in keys):
        raise InvalidRecord(
            [Problem("unknown_field", "required_fields lists keys of fields of deals", "required_fields")]
        )


def _check_loss_reasons(reasons: Any) -> None:
    if reasons is None:
        return
    if not isinstance(reasons, list) or not all(isinstance(reason, str) and reason.strip() for reason in reasons):
        raise InvalidRecord(
            "loss_reasons is a list of texts",
            code="not_a_list_of_texts",
            field="loss_reasons",
            hint='such as ["price", "no budget"]',
        )


def _check_lived_in(session: Work, change: Change) -> None:
    """What the deals of a stage are, and where they have been, does not change behind their backs."""
    if change.before is None or not change.changed & {"kind", "pipeline"}:
        return
    reader, hint = session.system_reader, "make another stage and move them there"
    # Who moves a deal there meanwhile is waited for, and counts.
    lock(reader, "stage", equal_to("id", change.id), referring=True)
    there = bool(reader.count("deal", equal_to("stage", change.id)))
    if there and "kind" in change.changed:
        raise InvalidRecord("there are deals in the stage", code="in_use", field="kind", hint=hint)
    if "pipeline" in change.changed and (there or reader.count("stage_interval", equal_to("stage", change.id))):
        raise InvalidRecord("there are or were deals in the stage", code="in_use", field="pipeline", hint=hint)


def _check_unnamed(session: Work, change: Change) -> None:
    """Conditions know a tag by its name: under another one they would be empty, and a deny would deny nothing."""
    before: Any = change.before
    if before is None or (change.kind != "delete" and fold(change.values["name"]) == fold(before.name)):
        return
    wanted = fold(before.name)
    problems = [
        Problem("in_use", f"{what} names the tag {before.name}", "name", hint="change it first")
        for what, _, condition in _relying(session)
        if condition is not None and any(fold(name) == wanted for name in _tags_named(lift(condition())))
    ]
    if problems:
        raise InvalidRecord(problems)


def _tags_named(lifted: Lifted) -> Iterator[str]:
    """The names of the tags in a condition, those within others too."""
    shapes: list[Any] = [lifted.shape]
    while shapes:
        shape = shapes.pop()
        match shape:
            case ("tag", int(index)):
                yield lifted.values[index]
            case tuple():
                shapes += shape


def _check_gate(session: Work, gate: Any) -> None:
    if gate["where"] is not None:
        _check_condition(session, from_json, gate["where"], "deal")
    if gate["action"] is not None:
        session.crm.actions.checked(gate["action"])
