"""How many deals of a stage go on to a later one: by stock, by flow and by cohort.

The three answer different questions and are never one number. A stock ratio compares two heaps as they lie today and
is no conversion. A flow counts what moved on within a period, of deals of all ages (Sightfull's progression rate). A
cohort follows the deals that first entered within a period; its young ones have not had their time, so only the
matured are counted here, and :mod:`~crmkit.features.metrics.figures.cohort_curve` tells how the share grows with time.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from fractions import Fraction

import attrs

from crmkit.features.metrics.tallies.facts import DealFact, Spell
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journey, Journeys
from crmkit.features.metrics.tallies.ladder import Order, ladder
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_mature
from crmkit.features.metrics.tallies.periods import covered
from crmkit.features.metrics.tallies.shares import added, bounds_of, count, joined, listed, share
from crmkit.values import Period, to_micros
from crmkit.values.clock import DAY_MICROS

__all__ = [
    "ConversionTally",
    "StockTally",
    "cohort_conversion",
    "conversion_of",
    "first_entries",
    "flow_conversion",
    "stock_ratio",
    "stock_ratio_of",
    "tally_cohort",
    "tally_flow",
    "tally_stock",
]


@attrs.frozen(kw_only=True)
class StockTally:
    """How many open deals are in each stage now; ``members`` are their ids, if asked for."""

    stages: Mapping[Hashable, int] = attrs.field(factory=dict)
    excluded: Mapping[str, int] = attrs.field(factory=dict)
    members: Mapping[Hashable, frozenset[Hashable]] = attrs.field(factory=dict)

    def __add__(self, other: "StockTally") -> "StockTally":
        if not isinstance(other, StockTally):
            return NotImplemented
        return StockTally(
            stages=added(self.stages, other.stages),
            excluded=added(self.excluded, other.excluded),
            members=joined(self.members, other.members),
        )


@attrs.frozen(kw_only=True)
class ConversionTally:
    """How many deals were there, how many of them moved on, and how many are too young to count (``censored``)."""

    moved: int = 0
    there: int = 0
    censored: int = 0
    excluded: Mapping[str, int] = attrs.field(factory=dict)
    members: Mapping[str, frozenset[Hashable]] = attrs.field(factory=dict)

    def __add__(self, other: "ConversionTally") -> "ConversionTally":
        if not isinstance(other, ConversionTally):
            return NotImplemented
        return ConversionTally(
            moved=self.moved + other.moved,
            there=self.there + other.there,
            censored=self.censored + other.censored,
            excluded=added(self.excluded, other.excluded),
            members=joined(self.members, other.members),
        )


# ---------------------------------------------------------------------------------------------------------------- stock


def stock_ratio(deals: Iterable[DealFact], frame: Frame, *, stage: Hashable, onward: Hashable) -> Metric:
    """Open deals in the stage ``onward`` for each in ``stage`` now; see :func:`stock_ratio_of`."""
    return stock_ratio_of(tally_stock(deals, frame), frame, stage=stage, onward=onward)


def tally_stock(deals: Iterable[DealFact], frame: Frame | None = None) -> StockTally:
    """The open deals of each stage; left out are the ``closed`` and those in ``no_stage``."""
    members: dict[Hashable, set[Hashable]] = {}
    stages: dict[Hashable, int] = {}
    excluded: dict[str, int] = {}
    for deal in deals:
        if deal.outcome != "open":
            count(excluded, "closed")
        elif deal.stage is None:
            count(excluded, "no_stage")
        else:
            count(stages, deal.stage)
            if frame is not None and frame.members:
                members.setdefault(deal.stage, set()).add(deal.id)
    ids = {stage: frozenset(own) for stage, own in members.items()}
    return StockTally(stages=stages, excluded=excluded, members=ids)


def stock_ratio_of(tally: StockTally, frame: Frame, *, stage: Hashable, onward: Hashable) -> Metric:
    """The ratio of two heaps: deals in ``onward`` now to deals in ``stage`` now, whole or more than whole.

    Dashboards call it a conversion. It is none: nobody says that the deals of the one heap ever were in the other, and
    it rises when the first stage runs dry.
    """
    here, there = tally.stages.get(stage, 0), tally.stages.get(onward, 0)
    exact = Fraction(there, here) if here else None
    return Metric(
        name="stage_stock_ratio",
        variant="snapshot",
        unit="ratio",
        value=None if exact is None else float(exact),
        exact=exact,
        n=here,
        numerator=there,
        denominator=here,
        excluded=tally.excluded,
        members=listed(
            {"numerator": tally.members.get(onward, ()), "denominator": tally.members.get(stage, ())}, frame
        ),
        frame=frame,
        notes=("a ratio of two stocks, not a conversion",),
    )


# ------------------------------------------------------------------------------------------------------ flow and cohort


def flow_conversion(journeys: Journeys, period: Period, *, stage: Hashable, order: Order = "now") -> Metric:
    """Of the deals that were in the stage at any time of the period, the share that moved on within it.

    Impossible histories are found and left out. Ages are mixed: a deal that came in on the last day had no time. Being
    lost and going back is no moving on. See :func:`tally_flow`.
    """
    return conversion_of(
        tally_flow(journeys, period, stage=stage, order=order), f"flow_{order}", period, journeys.frame
    )


def cohort_conversion(
    journeys: Journeys, period: Period, *, stage: Hashable, mature: int, order: Order = "now"
) -> Metric:
    """Of the deals that first entered the stage in the period, the share that has reached a later one or was won.

    Only those that entered ``mature`` days ago or more count; younger ones are ``censored``, whatever they have done,
    since of them only the quick can have moved. Impossible histories are found and left out. See
    :func:`tally_cohort`.
    """
    folded = tally_cohort(journeys, period, stage=stage, mature=mature, order=order)
    return conversion_of(folded, f"cohort_matured_{order}", period, journeys.frame)


def tally_flow(journeys: Journeys, period: Period, *, stage: Hashable, order: Order = "now") -> ConversionTally:
    """Deals in the stage at any time of the period, and those of them that then entered a later or won stage in it.

    Raises UsageError with code ``unknown_stage`` or ``unknown_variant``.
    """
    rungs = ladder(journeys.stages, order, stage)
    first, after = bounds_of(period, journeys.frame)
    fold = _Fold(journeys.frame)
    for journey in journeys:
        there = next((spell for spell in journey.spells if spell.stage == stage and _within(spell, first, after)), None)
        if journey.left_out:
            count(fold.excluded, journey.left_out)
        elif there is not None:
            fold.add(journey.deal, moved=any(first <= moment < after for moment in rungs.moves_on(journey, there)))
    return fold.done()


def tally_cohort(
    journeys: Journeys, period: Period, *, stage: Hashable, mature: int, order: Order = "now"
) -> ConversionTally:
    """Deals whose first entry to the stage is in the period, ``mature`` days of 86,400 s old or more; see above.

    Raises UsageError with code ``unknown_stage``, ``unknown_variant`` or ``bad_days``.
    """
    check_mature(mature)
    rungs = ladder(journeys.stages, order, stage)
    latest = to_micros(journeys.frame.as_of) - mature * DAY_MICROS
    fold = _Fold(journeys.frame)
    for journey, entry in first_entries(journeys, period, stage, fold.excluded):
        if to_micros(entry.entered) > latest:
            fold.wait(journey.deal)
        else:
            fold.add(journey.deal, moved=bool(rungs.moves_on(journey, entry)))
    return fold.done()


def conversion_of(tally: ConversionTally, variant: str, period: Period, frame: Frame) -> Metric:
    """The share that moved on, with the interval of Wilson; ``variant`` says how the tally was made."""
    running = bounds_of(period, frame)[1] > to_micros(frame.as_of)
    return share(
        "stage_conversion",
        variant,
        tally.moved,
        tally.there,
        frame,
        censored=tally.censored,
        excluded=tally.excluded,
        period=covered(period, frame),
        notes=("the period is not over",) if running else (),
        members=listed(tally.members, frame),
    )


def first_entries(
    journeys: Journeys, period: Period | None, stage: Hashable, excluded: dict[str, int]
) -> Iterator[tuple[Journey, Spell]]:
    """The journeys whose first entry to a stage is in a period (None: ever), with that entry.

    Counts those left out among ``excluded``; a deal that never was in the stage or entered it first at another time is
    not of the cohort, and not counted.
    """
    first, after = bounds_of(period, journeys.frame)
    for journey in journeys:
        if journey.left_out:
            count(excluded, journey.left_out)
            continue
        entry = next((spell for spell in journey.spells if spell.stage == stage), None)
        if entry is not None and first <= to_micros(entry.entered) < after:
            yield journey, entry


def _within(spell: Spell, first: float, after: float) -> bool:
    """Whether a spell has any time, or at least its beginning, between two instants."""
    entered = to_micros(spell.entered)
    return entered < after and (entered >= first or spell.left is None or to_micros(spell.left) > first)


class _Fold:
    """A conversion on its way into a :class:`ConversionTally`."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.moved = self.there = self.censored = 0
        self.excluded: dict[str, int] = {}
        self.members: dict[str, set[Hashable]] = {"numerator": set(), "denominator": set(), "censored": set()}

    def add(self, deal: DealFact, *, moved: bool) -> None:
        self.there += 1
        self.moved += moved
        if self.frame.members:
            self.members["denominator"].add(deal.id)
            if moved:
                self.members["numerator"].add(deal.id)

    def wait(self, deal: DealFact) -> None:
        self.censored += 1
        if self.frame.members:
            self.members["censored"].add(deal.id)

    def done(self) -> ConversionTally:
        members = {part: frozenset(ids) for part, ids in self.members.items()} if self.frame.members else {}
        return ConversionTally(
            moved=self.moved, there=self.there, censored=self.censored, excluded=self.excluded, members=members
        )
