"""What is checked of pipelines, stages and gates when they are written, and what they rely on."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from crmkit.errors import InvalidRecord, Problem
from crmkit.kernel.definitions.checks import check_condition
from crmkit.query.json_form import from_json
from crmkit.query.lift import equal_to
from crmkit.sdk.change import Change
from crmkit.sdk.definitions import Dependant
from crmkit.store.write.locks import lock

__all__ = ["check_definition", "definitions_relying"]


def check_definition(session: Any, change: Change) -> None:
    """Raises InvalidRecord, or what a condition raises, for a pipeline, stage or gate that means nothing, or for what
    deals rely on (``in_use``).
    """
    if change.kind == "delete":
        return
    match change.type_key:
        case "stage":
            _check_required_fields(session, change.values["required_fields"])
            _check_lived_in(session, change)
        case "pipeline":
            _check_loss_reasons(change.values["loss_reasons"])
        case "stage_gate":
            _check_gate(session, change.values)


def definitions_relying(session: Any) -> Iterator[Dependant]:
    """The stages and gates, which rely on the fields they name."""
    reader = session.system_reader
    for stage in reader.records("stage"):
        yield Dependant(f"the stage {stage.name}", partial(_check_required_fields, session, stage.required_fields))
    for gate in reader.records("stage_gate"):
        where = None if gate.where is None else partial(from_json, gate.where)
        yield Dependant(f"the gate {gate.label or gate.id}", partial(_check_gate, session, gate), where)


def _check_required_fields(session: Any, keys: Any) -> None:
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


def _check_lived_in(session: Any, change: Change) -> None:
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


def _check_gate(session: Any, gate: Any) -> None:
    if gate["where"] is not None:
        check_condition(session, partial(from_json, gate["where"]), "deal")
    if gate["action"] is not None:
        session.crm.actions.checked(gate["action"])
