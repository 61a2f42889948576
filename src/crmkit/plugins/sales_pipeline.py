"""Deals keep to their pipeline: the stage decides the outcome and what is expected, and closing leaves its marks."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from crmkit.sdk import Change, Veto, hookimpl

__all__ = ["concerned", "crmkit_before_change", "listens_to", "name"]

name = "sales_pipeline"
listens_to = ("deal",)

_FOLLOWS = ("probability", "forecast_category")
"""What a deal has from its stage, and what a person says instead: ``manual_probability``, ``manual_category``."""
_MANUAL = {"probability": "manual_probability", "forecast_category": "manual_category"}
_CATEGORY = {"open": "pipeline", "won": "closed"}
_OURS = frozenset({"stage", "pipeline", "stage_since", "outcome", "closed_on", "loss_reason", "credited_to", *_FOLLOWS})


@hookimpl
def crmkit_before_change(session: Any, changes: tuple[Change, ...]) -> list[Change | Veto] | None:
    """A new deal starts in the first stage of its (or the first) pipeline; a stage elsewhere is refused."""
    # A deal that comes back comes back as it was.
    new = () if session.undoing else ("create",)
    ours = [c for c in changes if c.kind in new or (c.kind == "update" and c.changed & _OURS)]
    if not ours:
        return None
    house = _House(session, ours)
    return [house.answer(change) for change in ours]


def concerned(values: Mapping[str, Any]) -> bool:
    """Only a change of stage, pipeline, outcome or of what follows from them matters here."""
    return not _OURS.isdisjoint(values)


class _House:
    """The pipelines of the tenant as they are now."""

    def __init__(self, session: Any, changes: list[Change]) -> None:
        self.today = session.today
        self.undoing: bool = session.undoing
        self.now: datetime = session.crm.clock.now()
        self.pipelines = {pipeline.id: pipeline for pipeline in session.configuration("pipeline")}
        self.stages = {stage.id: stage for stage in session.configuration("stage")}
        self.first: dict[Any, Any] = {}
        for stage in sorted(self.stages.values(), key=lambda s: (s.pipeline, s.position)):
            if stage.active:
                self.first.setdefault(stage.pipeline, stage)
        self.came_before = _came_before(session, [c for c in changes if _redated(c)])

    def answer(self, change: Change) -> Change | Veto:
        """The change with everything that follows from its stage, or why it cannot be."""
        values = change.values
        pipeline, stage = values["pipeline"], self.stages.get(values["stage"])
        if stage is None and values["stage"] is None:
            stage = self.first.get(pipeline) if pipeline is not None else next(iter(self.first.values()), None)
        if stage is None:
            return Veto(change.row, "there is no such stage", "stage", "no_stage", "make a pipeline with stages first")
        if pipeline is not None and stage.pipeline != pipeline:
            moved = change.before is not None and change.before["pipeline"] != pipeline
            hint = "name a stage of the new pipeline too" if moved else None
            return Veto(change.row, "the stage belongs to another pipeline", "stage", "other_pipeline", hint)
        moved = change.before is None or change.before["stage"] != stage.id
        follows = {"pipeline": stage.pipeline, "stage": stage.id, "outcome": stage.kind}
        follows |= self._marks(change, stage) | self._time(change, moved) | self._expected(change, stage, moved)
        amended = change.amended(**follows)
        # What was there before may be there again.
        return amended if self.undoing else next(self._refusals(change, amended, stage, moved), amended)

    def _marks(self, change: Change, stage: Any) -> dict[str, Any]:
        """What closing leaves: the day, the reason, who is credited. Reopening takes it away; a deal that goes from one
        stage to another of the same outcome was closed when it was closed.
        """
        values = change.values
        if stage.kind == "open":
            return {"closed_on": None, "loss_reason": None, "credited_to": None}
        closed_on, credited = values["closed_on"], values["credited_to"]
        closing = change.before is None or change.before["outcome"] != stage.kind
        if closed_on is None or (closing and "closed_on" not in change.given):
            closed_on = self.today
        if credited is None or (closing and "credited_to" not in change.given):
            credited = values["owner"]
        reason = values["loss_reason"] if stage.kind == "lost" else None
        listed = self.pipelines[stage.pipeline].loss_reasons or ()
        reason = next((r for r in listed if reason is not None and r.casefold() == reason.casefold()), reason)
        return {"closed_on": closed_on, "loss_reason": reason, "credited_to": credited}

    def _time(self, change: Change, moved: bool) -> dict[str, Any]:
        """Since when it is there: now, unless it is said."""
        given = "stage_since" in change.given and change.values["stage_since"] is not None
        since = change.values["stage_since"] if given or not moved else self.now
        return {"stage_since": since or self.now}

    def _expected(self, change: Change, stage: Any, moved: bool) -> dict[str, Any]:
        """What the stage makes one expect of it, as it was when the deal came there."""
        if not moved and change.before is not None:
            return {key: change.before[key] for key in _FOLLOWS if key not in change.given}
        category = stage.forecast_category or _CATEGORY.get(stage.kind, "omitted")
        follows = {"probability": stage.probability, "forecast_category": category}
        return {key: value for key, value in follows.items() if key not in change.given}

    def _refusals(self, said: Change, change: Change, stage: Any, moved: bool) -> Iterator[Veto]:
        row, values = change.row, change.values
        # An empty cell of a file is by now what a deal is by itself.
        agreeing = (stage.kind, "open") if said.before is None else (stage.kind,)
        if "outcome" in said.given and said.values["outcome"] not in agreeing:
            hint = "move the deal to a stage of that kind: me.deals.move(deal, to=...)"
            yield Veto(row, "the outcome follows from the stage", "outcome", "automatic", hint)
        for key in _FOLLOWS:
            if key in change.given and values[key] is not None:
                yield Veto(row, f"{key} follows from the stage", key, "automatic", f"say it in {_MANUAL[key]}")
        if moved and not stage.active:
            yield Veto(row, f"the stage {stage.name} takes no more deals", "stage", "inactive")
        if values["stage_since"] > self.now:
            yield Veto(row, "a deal cannot be in a stage since a time to come", "stage_since", "in_the_future")
        came = change.before["stage_since"] if change.before is not None and moved else self.came_before.get(change.id)
        if came is not None and values["stage_since"] < came:
            hint = f"it came to the stage it leaves at {came.isoformat()}"
            yield Veto(row, "it would leave its stage before it came there", "stage_since", "left_before_entered", hint)
        closed_on = values["closed_on"]
        if closed_on is not None and closed_on > self.today and (moved or "closed_on" in change.changed):
            yield Veto(row, "a deal cannot be closed on a day to come", "closed_on", "in_the_future")
        listed = self.pipelines[stage.pipeline].loss_reasons
        if stage.kind == "lost" and listed and values["loss_reason"] not in listed:
            yield Veto(row, "a loss needs a reason", "loss_reason", "loss_reason", f"one of: {', '.join(listed)}")


def _redated(change: Change) -> bool:
    """A deal that stays where it is, since another time."""
    return change.kind == "update" and "stage_since" in change.changed and "stage" not in change.changed


def _came_before(session: Any, redated: list[Change]) -> dict[Any, datetime]:
    """When deals came to the stage they were in before."""
    since = {change.id: change.before["stage_since"] for change in redated if change.before is not None}
    came: dict[Any, datetime] = {}
    for stay in session.system_reader.referring("stage_interval", "deal", list(since)) if since else ():
        if stay.left == since[stay.deal]:
            came[stay.deal] = max(stay.entered, came.get(stay.deal, stay.entered))
    return came
