"""Move a deal to another stage: the way a sale advances, is won, lost or reopened."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from crmkit.errors import InvalidRecord, NotFound
from crmkit.kernel.collections.naming import named
from crmkit.records import Deal, Stage
from crmkit.sdk.command import Command, Target, command

__all__ = ["MoveDeal"]


@command("deal.move")
class MoveDeal(Command[Deal]):
    """``me.deals.move(deal, to="proposal")``: the deal in another stage of its pipeline.

    ``to`` is a stage, its id or its name. ``on`` is the day a closed deal was closed (today, unless told),
    ``loss_reason`` why it was lost, ``since`` the instant at which it came there (now, unless told).

    Raises NotFound (``unknown_stage``), and what an update raises.
    """

    deal: Target
    to: Stage | UUID | str
    on: date | None = None
    loss_reason: str | None = None
    since: datetime | None = None

    def run(self, me: Any) -> Deal:
        deal = self.deal if isinstance(self.deal, Deal) else me.deals.get(self.deal)
        values: dict[str, Any] = {"stage": _stage(me, deal, self.to)}
        if self.on is not None:
            values["closed_on"] = self.on
        if self.loss_reason is not None:
            values["loss_reason"] = self.loss_reason
        if self.since is not None:
            values["stage_since"] = self.since
        moved: Deal = me.deals.update(deal, values)
        return moved


def _stage(me: Any, deal: Deal, to: Stage | UUID | str) -> UUID:
    if deal.pipeline is None:
        raise InvalidRecord("the deal is in no pipeline", code="no_pipeline", field="pipeline")
    stages = list(me.system_reader.referring("stage", "pipeline", [deal.pipeline]))
    found = named(stages, to)
    if found is not None:
        return found.id  # type: ignore[no-any-return]
    names = ", ".join(stage.name for stage in sorted(stages, key=lambda s: s.position))
    raise NotFound(
        f"the pipeline has no stage {to!s:.80}", code="unknown_stage", field="stage", hint=f"it has: {names}"
    )
