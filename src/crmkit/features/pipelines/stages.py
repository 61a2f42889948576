"""What a deal leaves behind as it moves: an interval for each stay in a stage, in the changeset of the move."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from crmkit.errors import Conflict
from crmkit.features.pipelines.intervals import follow
from crmkit.kernel.session.unit_of_work import Work
from crmkit.sdk.change import Change, Create, Update

__all__ = ["intervals_of"]

_DECIDES = "sales_pipeline"
"""The plugin by which the stage decides the outcome and the pipeline."""


def intervals_of(session: Any, changes: Sequence[Change]) -> list[Create | Update]:
    """The intervals that follow from changes of deals that were just written. Raises Conflict where a stage was changed
    meanwhile: now that deals refer to it, nobody can change what they are.
    """
    moved = [c for c in changes if c.kind != "delete" and c.values["stage"] is not None and _moved(c)]
    if not moved:
        return []
    known = _intervals(session, [c.id for c in moved if c.before is not None])
    changed: list[Create | Update] = []
    begun: list[Create | Update] = []
    stages = _stages(session, {c.values["stage"] for c in moved})
    decided = _DECIDES in session.listeners("crmkit_before_change", "deal")
    for change in moved:
        stage = stages[change.values["stage"]]
        if decided:
            _check_stage(change, stage)
        step = follow(known.get(change.id, ()), change.values["stage"], change.values["stage_since"])
        stays = {stay.id: stay for stay in known.get(change.id, ())}
        changed += (Update("stage_interval", i, values, stays[i]) for i, values in step.changed)
        if step.begins:
            begun.append(Create("stage_interval", _begun(session, change, stage)))
    return changed + begun


def _moved(change: Change) -> bool:
    return change.before is None or bool(change.changed & {"stage", "stage_since"})


def _intervals(session: Work, deals: Sequence[UUID]) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {}
    if deals:
        for interval in session.system_reader.referring("stage_interval", "deal", deals):
            found.setdefault(interval.deal, []).append(interval)
    return found


def _stages(session: Any, ids: Iterable[UUID]) -> dict[UUID, Any]:
    """The stages as they are now: where others may have changed them meanwhile, read after deals refer to them."""
    found = session.configuration("stage") if session.alone else session.system_reader.by_ids("stage", sorted(ids))
    return {stage.id: stage for stage in found}


def _check_stage(change: Change, stage: Any) -> None:
    if (change.values["outcome"], change.values["pipeline"]) != (stage.kind, stage.pipeline):
        raise Conflict(
            f"the stage {stage.name} was changed by somebody else", code="conflict", field="stage", hint="run it again"
        )


def _begun(session: Work, change: Change, stage: Any) -> dict[str, Any]:
    actor = session.actor
    return {
        "deal": change.id,
        "stage": stage.id,
        "position": stage.position,
        "kind": stage.kind,
        "entered": change.values["stage_since"],
        "amount": change.values["amount"],
        "by": actor.id,
    }
