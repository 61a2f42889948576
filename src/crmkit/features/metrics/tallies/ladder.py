"""The ladder of a pipeline: which stages come after which, and which of them a deal reached."""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from typing import Literal

import attrs

from crmkit.errors import UsageError
from crmkit.features.metrics.tallies.facts import Spell, StageFact
from crmkit.features.metrics.tallies.journeys import Journey
from crmkit.features.metrics.tallies.parameters import one_of
from crmkit.values import to_micros
from crmkit.values.text import shown

__all__ = ["Ladder", "Order", "Reaching", "closed_at", "ladder"]

Reaching = Literal["strict", "implied"]
Order = Literal["then", "now"]


@attrs.frozen
class Ladder:
    """The open stages from the first to the last, and how far up a spell is.

    ``heights`` are the positions of the open and won stages today, or None where the positions that spells kept are
    to tell (order ``then``).
    """

    rungs: tuple[StageFact, ...]
    positions: tuple[int, ...]
    ids: frozenset[Hashable]
    heights: dict[Hashable, int] | None

    def height(self, spell: Spell) -> int | None:
        """How far up a spell is; None in a stage where deals end without being won."""
        if self.heights is not None:
            return self.heights.get(spell.stage)
        return spell.position if spell.kind in ("open", "won") else None

    def reached(self, journey: Journey, reaching: Reaching) -> dict[Hashable, Spell | None]:
        """The ids of the rungs a deal reached, each with the first spell by which it did (None: only by being won).

        ``strict`` counts the stages the deal was in, ``implied`` also all before the furthest, and all if the deal is
        won.
        """
        found: dict[Hashable, Spell | None] = {}
        below = 0
        for spell in journey.spells:
            if spell.stage in self.ids:
                found.setdefault(spell.stage, spell)
            if reaching == "implied" and (height := self.height(spell)) is not None:
                passed = bisect_left(self.positions, height)
                for rung in self.rungs[below:passed]:
                    found.setdefault(rung.id, spell)
                below = max(below, passed)
        if reaching == "implied" and journey.deal.outcome == "won":
            for rung in self.rungs:
                found.setdefault(rung.id, None)
        return found

    def moves_on(self, journey: Journey, since: Spell) -> list[int]:
        """The instants, in microseconds, at which a deal went further than a spell after it began, or was won.

        Going back and being lost are no moving on.
        """
        height, start = self.height(since), to_micros(since.entered)
        moves = []
        for spell in journey.spells:
            reached, entered = self.height(spell), to_micros(spell.entered)
            if height is not None and reached is not None and reached > height and entered >= start:
                moves.append(entered)
        if journey.deal.outcome == "won":
            moves.append(closed_at(journey.spells))
        return moves


def closed_at(spells: Sequence[Spell]) -> int:
    """When a closed deal was closed, in microseconds: it entered its last stage then or, if it left that too, left."""
    last = spells[-1]
    return to_micros(last.entered if last.left is None else last.left)


def ladder(stages: Iterable[StageFact], order: Order, stage: Hashable | None = None) -> Ladder:
    """The ladder of a pipeline's stages; of stages with one position the id as text decides which is first.

    Raises UsageError with code ``unknown_variant`` for an order that does not exist, and ``unknown_stage`` if
    ``stage`` is given and no open stage of the pipeline.
    """
    one_of(order, Order, "order")
    stages = list(stages)
    if stage is not None and not any(one.id == stage and one.kind == "open" for one in stages):
        raise UsageError(
            f"{shown(str(stage))} is no open stage", code="unknown_stage", hint="name one of the stages given"
        )
    rungs = sorted((stage for stage in stages if stage.kind == "open"), key=lambda s: (s.position, repr(s.id)))
    heights = {stage.id: stage.position for stage in stages if stage.kind in ("open", "won")}
    return Ladder(
        tuple(rungs),
        tuple(rung.position for rung in rungs),
        frozenset(rung.id for rung in rungs),
        heights if order == "now" else None,
    )
