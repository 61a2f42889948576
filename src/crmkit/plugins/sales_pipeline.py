"""Deals keep to their pipeline: a stage decides the outcome, and the day of closing comes and goes with it."""

from collections.abc import Mapping
from typing import Any

from crmkit.sdk import Change, Veto, hookimpl

__all__ = ["concerned", "crmkit_before_change", "listens_to", "name"]

name = "sales_pipeline"
listens_to = ("deal",)


@hookimpl
def crmkit_before_change(session: Any, changes: tuple[Change, ...]) -> list[Change | Veto] | None:
    """A new deal starts in the first stage of its (or the first) pipeline; a stage elsewhere is refused."""
    if not any(change.kind == "create" or change.changed & _OURS for change in changes):
        return None
    stages = {stage.id: stage for stage in session.system_reader.records("stage")}
    first = _first_stages(session, stages)
    return [answer for change in changes if (answer := _answer(session, change, stages, first)) is not None]


_OURS = frozenset({"stage", "pipeline", "outcome", "closed_on"})


def concerned(values: Mapping[str, Any]) -> bool:
    """Only a change of stage, pipeline, outcome or day of closing matters here."""
    return not _OURS.isdisjoint(values)


def _first_stages(session: Any, stages: dict[Any, Any]) -> dict[Any, Any]:
    """The first stage of each pipeline, the oldest pipeline first."""
    first: dict[Any, Any] = {}
    for stage in sorted(stages.values(), key=lambda s: (s.pipeline, s.position)):
        first.setdefault(stage.pipeline, stage)
    return first


def _answer(session: Any, change: Change, stages: dict[Any, Any], first: dict[Any, Any]) -> Change | Veto | None:
    if change.kind == "delete" or (change.before is not None and not change.changed & _OURS):
        return None
    values = change.values
    pipeline, stage = values["pipeline"], stages.get(values["stage"])
    if stage is None and values["stage"] is None:
        stage = first.get(pipeline) if pipeline is not None else next(iter(first.values()), None)
    if stage is None:
        return Veto(change.row, "there is no such stage", "stage", "no_stage", "make a pipeline with stages first")
    if pipeline is not None and stage.pipeline != pipeline:
        moved = change.before is not None and change.before["pipeline"] != pipeline
        return Veto(
            change.row,
            "the stage belongs to another pipeline",
            "stage",
            "other_pipeline",
            "name a stage of the new pipeline too" if moved else None,
        )
    return change.amended(**_follows(session, change, stage))


def _follows(session: Any, change: Change, stage: Any) -> dict[str, Any]:
    """Everything that follows from the stage."""
    values = change.values
    follows: dict[str, Any] = {"pipeline": stage.pipeline, "stage": stage.id, "outcome": stage.kind}
    moved = change.before is None or change.before["stage"] != stage.id
    if moved and "probability" not in change.given:
        follows["probability"] = stage.probability
    if stage.kind == "open":
        follows["closed_on"] = None
        follows["loss_reason"] = None if moved and "loss_reason" not in change.given else values["loss_reason"]
    elif values["closed_on"] is None or (moved and "closed_on" not in change.given):
        follows["closed_on"] = session.today
    return follows
