"""Deals of one kind at a time on their way into a funnel: what the database counted for each set of stages."""

from collections.abc import Hashable, Sequence
from datetime import datetime

import attrs

from crmkit.features.metrics.figures.funnel import WON, StepTally
from crmkit.features.metrics.tallies.facts import DealFact, Outcome, Spell, StageFact
from crmkit.features.metrics.tallies.journeys import Journey
from crmkit.features.metrics.tallies.ladder import Ladder, Reaching
from crmkit.features.metrics.tallies.totals import Totals

__all__ = ["Masked"]

_SOME_TIME = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_NOWHERE = object()


@attrs.define
class Masked:
    """Deals that were in the same stages, counted together; ``stages`` are those of the bits, from the lowest."""

    stages: Sequence[StageFact]
    rungs: Ladder
    reaching: Reaching
    keys: list[Hashable | None] = attrs.field(init=False)
    steps: dict[Hashable | None, StepTally] = attrs.field(init=False)
    n: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.keys = [*(rung.id for rung in self.rungs.rungs), WON]
        self.steps = {key: StepTally() for key in self.keys}

    def add(self, outcome: Outcome, mask: int, top: int | None, n: int, amounts: Totals) -> None:
        """So many deals of one outcome that were in the stages of the mask, and got as far as ``top``."""
        self.n += n
        deal = DealFact(id=None, outcome=outcome, created_at=_SOME_TIME)
        was = [_spell(stage.id, -1) for i, stage in enumerate(self.stages) if mask >> i & 1]
        been = was if top is None else [*was, _spell(_NOWHERE, top)]
        found = self.rungs.reached(Journey(deal, been), self.reaching)
        if outcome == "won":
            found[WON] = None
        for place, key in enumerate(self.keys):
            if key in found:
                onward = place + 1 < len(self.keys) and self.keys[place + 1] in found
                self.steps[key] += StepTally(
                    outcomes={outcome: n},
                    onward=n if onward else 0,
                    from_first=n if self.keys[0] in found else 0,
                    amounts=amounts,
                )


def _spell(stage: Hashable, position: int) -> Spell:
    return Spell(deal=None, stage=stage, entered=_SOME_TIME, position=position)
