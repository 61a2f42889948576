"""What it takes to move a deal: the tenant's gates hold for a verb, a bulk verb, an import and a plugin alike."""

from collections.abc import Mapping
from typing import Any

from crmkit.sdk import Change, Veto, hookimpl

__all__ = ["concerned", "crmkit_before_change", "listens_to", "name"]

name = "stage_gates"
listens_to = ("deal",)


@hookimpl
def crmkit_before_change(session: Any, changes: tuple[Change, ...]) -> list[Veto] | None:
    """Refuses a move where a condition is not met, a right is missing, or a strict pipeline has no way."""
    moved = [c for c in changes if c.kind != "delete" and (c.before is None or "stage" in c.changed)]
    if not moved:
        return None
    gates: dict[Any, list[Any]] = {}
    for gate in session.configuration("stage_gate"):
        gates.setdefault(gate.to_stage, []).append(gate)
    # What was undone goes back the way it came, wherever the pipeline leads.
    pipelines = () if session.undoing else session.configuration("pipeline")
    strict = {pipeline.id for pipeline in pipelines if pipeline.strict}
    if not gates and not strict:
        return None
    return [veto for change in moved if (veto := _veto(session, change, gates, strict)) is not None]


def concerned(values: Mapping[str, Any]) -> bool:
    """Only a change of stage passes a gate."""
    return "stage" in values or "pipeline" in values


def _veto(session: Any, change: Change, gates: dict[Any, list[Any]], strict: set[Any]) -> Veto | None:
    came_from = None if change.before is None else change.before["stage"]
    ways = [g for g in gates.get(change.values["stage"], ()) if g.from_stage in (None, came_from)]
    if came_from is not None and not ways and change.values["pipeline"] in strict:
        return Veto(change.row, "no way leads from its stage to that one", "stage", "no_way", "go by another stage")
    row = {**change.values, "id": change.id}
    for gate in ways:
        label = gate.label or "the gate"
        if gate.action is not None and not session.may_do("deal", gate.action, change.before or row):
            return Veto(change.row, f"{label}: you may not {gate.action} this deal", "stage", "gate_denied")
        if gate.where is not None and not session.meets("deal", gate.where, row):
            return Veto(change.row, f"{label}: the deal does not meet its condition", "stage", "gate_condition")
    return None
