"""Deals with the time they spent in stages: what metrics about stages are folded from, one deal at a time."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import attrs

from crmkit.features.metrics.tallies.facts import DealFact, Spell, StageFact
from crmkit.features.metrics.tallies.faults import Fault, by_deal, faults_of, in_time
from crmkit.features.metrics.tallies.frame import Frame

__all__ = ["IMPOSSIBLE", "UNREADABLE", "Journey", "Journeys", "journey", "together"]

# The reasons under which metrics count the deals they leave out.
IMPOSSIBLE = "impossible_history"
UNREADABLE = "stage_not_readable"


@attrs.frozen
class Journey:
    """A deal and its ``spells``, the first entered first; ``faults`` are what is impossible about them.

    Of a deal that is not ``readable`` the actor may not know where it is or was: it has no spells.
    """

    deal: DealFact
    spells: Sequence[Spell]
    faults: tuple[Fault, ...] = ()
    readable: bool = True

    @property
    def left_out(self) -> str | None:
        """Why metrics leave it out, if they do."""
        if not self.readable:
            return UNREADABLE
        return IMPOSSIBLE if self.faults else None


@attrs.frozen
class Journeys:
    """The journeys of a pipeline's deals, its stages, and the frame that metrics about them are told in.

    ``each`` may read them from somewhere one at a time, again for each metric.
    """

    each: Iterable[Journey]
    stages: Sequence[StageFact]
    frame: Frame

    @classmethod
    def of(
        cls, deals: Iterable[DealFact], spells: Iterable[Spell], stages: Iterable[StageFact], frame: Frame
    ) -> "Journeys":
        """Of plain facts in any order. Spells of deals that are not there are no part of it."""
        stages = tuple(stages)
        known = {stage.id for stage in stages}
        of_deals = by_deal(spells)
        each = [journey(deal, of_deals.get(deal.id, ()), known, frame) for deal in deals]
        return cls(each, stages, frame)

    def __iter__(self) -> Iterator[Journey]:
        return iter(self.each)


def journey(deal: DealFact, spells: Iterable[Spell], known: Collection[Hashable], frame: Frame) -> Journey:
    """The journey of a deal with its spells in any order; ``known`` are the ids of all stages."""
    own = in_time(spells)
    return Journey(deal, own, tuple(faults_of(deal, own, known, frame)))


def together(deals: Iterable[DealFact], spells: Iterable[Spell]) -> Iterator[tuple[DealFact, list[Spell]]]:
    """Each deal with its spells, both in the order of the deals' ids; only those of one deal are held."""
    groups = groupby(spells, key=attrgetter("deal"))
    whose, own = next(groups, (None, iter(())))
    for deal in deals:
        while whose is not None and whose < deal.id:
            whose, own = next(groups, (None, iter(())))
        yield deal, list(own) if whose == deal.id else []
