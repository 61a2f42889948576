"""Move a deal to another stage: the way a sale advances, is won, lost or reopened."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from crmkit.errors import CrmkitError, InputError, InvalidRecord, NotFound
from crmkit.kernel.collections.naming import named
from crmkit.kernel.writes.results import Tally
from crmkit.query.lift import Lifted
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
        moved: Deal = me.deals.update(deal, self._values(_stage(me, deal.pipeline, self.to)))
        return moved

    def run_many(self, me: Any, chosen: Sequence[Lifted], tally: Tally) -> bool:
        """Deals are read and written in blocks, and a stage is looked up once for each pipeline."""
        stages: dict[UUID | None, dict[str, Any] | CrmkitError] = {}
        rows: list[tuple[int, UUID, dict[str, Any]]] = []
        deals = (deal for where in chosen for deal in me.reader.records("deal", where))
        for row, deal in enumerate(deals):
            if deal.pipeline not in stages:
                stages[deal.pipeline] = self._values_in(me, deal.pipeline)
            values = stages[deal.pipeline]
            if isinstance(values, CrmkitError):
                tally.refuse(row, values, deal.id)
            else:
                rows.append((row, deal.id, values))
        me.writes().update("deal", rows, tally)
        return True

    def _values_in(self, me: Any, pipeline: UUID | None) -> dict[str, Any] | CrmkitError:
        try:
            return self._values(_stage(me, pipeline, self.to))
        except InputError as error:
            return error

    def _values(self, stage: UUID) -> dict[str, Any]:
        values: dict[str, Any] = {"stage": stage}
        if self.on is not None:
            values["closed_on"] = self.on
        if self.loss_reason is not None:
            values["loss_reason"] = self.loss_reason
        if self.since is not None:
            values["stage_since"] = self.since
        return values


def _stage(me: Any, pipeline: UUID | None, to: Stage | UUID | str) -> UUID:
    if pipeline is None:
        raise InvalidRecord("the deal is in no pipeline", code="no_pipeline", field="pipeline")
    stages = [stage for stage in me.configuration("stage") if stage.pipeline == pipeline]
    found = named(stages, to)
    if found is not None:
        return found.id  # type: ignore[no-any-return]
    names = ", ".join(stage.name for stage in sorted(stages, key=lambda s: s.position))
    raise NotFound(
        f"the pipeline has no stage {to!s:.80}", code="unknown_stage", field="stage", hint=f"it has: {names}"
    )
