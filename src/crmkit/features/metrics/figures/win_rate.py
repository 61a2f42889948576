"""Win rate: what share of deals is won. Five numbers go by that name; each is a variant here.

=================  ========================================================  ==================================
variant            numerator / denominator                                   trap
=================  ========================================================  ==================================
closed_count       won / (won + lost), closed in the period                  open losers are not counted yet
narrow             the same, under the name it has beside ``broad``          disqualifying a loser improves it
broad              won / (won + lost + disqualified), closed in the period   depends on what enters the pipeline
closed_amount      amount won / (amount won + amount lost)                   a few large deals decide it
created_cohort     won / all created in the period, open ones included       falls for recent cohorts
=================  ========================================================  ==================================

Sources: Oracle's Win Rate (closed) and Conversion Rate, Varicent's Created Win Rate, and Kellogg's narrow and broad
rates. What share of deals is won in the end, :mod:`~crmkit.features.metrics.figures.win_curve` tells.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Literal

import attrs

from crmkit.errors import UsageError
from crmkit.features.metrics.statistics.proportion import wilson
from crmkit.features.metrics.tallies.facts import DealFact, Outcome
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_period, one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered, within
from crmkit.features.metrics.tallies.totals import Totals, TotalsFold, money_of, settled
from crmkit.values import Period, local_date, zone

__all__ = ["Counting", "Variant", "WinFold", "WinTally", "counted_by", "part_of", "rate_of", "tally", "win_rate"]

Variant = Literal["closed_count", "closed_amount", "created_cohort", "narrow", "broad"]
Counting = Literal["closed", "created"]

_COUNTED: Mapping[str, tuple[str, ...]] = {
    "closed_count": ("won", "lost"),
    "narrow": ("won", "lost"),
    "broad": ("won", "lost", "disqualified"),
    "created_cohort": ("won", "lost", "disqualified", "open"),
}


@attrs.frozen
class WinTally:
    """Deals by outcome, of those closed or created in a period, and what those won and lost are worth.

    ``parts`` are ``won``, ``lost``, ``disqualified`` and ``open``, and the reasons ``outside_period`` and
    ``no_closed_on`` (closed, on an unknown day). Amounts belong to the day of closing.
    """

    by: Counting
    parts: Parts = attrs.field(factory=Parts)
    won: Totals = attrs.field(factory=Totals)
    lost: Totals = attrs.field(factory=Totals)

    def __add__(self, other: "WinTally") -> "WinTally":
        if not isinstance(other, WinTally):
            return NotImplemented
        if self.by != other.by:
            raise UsageError(f"deals {self.by} and deals {other.by} in a period do not add up", code="unlike_tallies")
        return WinTally(self.by, self.parts + other.parts, self.won + other.won, self.lost + other.lost)


class WinFold:
    """Deals on their way into a :class:`WinTally`."""

    __slots__ = ("_by", "_lost", "_parts", "_period", "_won", "_zone")

    def __init__(self, period: Period | None, frame: Frame, by: Counting = "closed") -> None:
        one_of(by, Counting, "way of counting")
        check_period(period)
        self._by: Counting = by
        self._period = period
        self._zone = zone(frame.zone)
        self._parts = PartsFold(frame)
        self._won = TotalsFold()
        self._lost = TotalsFold()

    def add(self, deal: DealFact) -> str:
        """Count a deal; the part it came to."""
        inside = self._by == "closed" or within(self._period, local_date(deal.created_at, self._zone))
        part = part_of(deal.outcome, deal.closed_on, inside, self._period, self._by)
        self._parts.add(part, deal.id)
        if part == "won":
            self._won.add(deal.amount, deal.closed_on)
        elif part == "lost":
            self._lost.add(deal.amount, deal.closed_on)
        return part

    def done(self) -> WinTally:
        """What was counted so far, frozen."""
        return WinTally(self._by, self._parts.done(), self._won.done(), self._lost.done())


def part_of(outcome: Outcome, closed_on: date | None, created_inside: bool, period: Period | None, by: Counting) -> str:
    """The part of a :class:`WinTally` a deal comes to; ``created_inside`` says whether it was created in the period."""
    if period is None:
        return outcome
    if by == "created":
        return outcome if created_inside else "outside_period"
    if outcome == "open":
        return "open"
    if closed_on is None:
        return "no_closed_on"
    return outcome if within(period, closed_on) else "outside_period"


def counted_by(variant: Variant) -> Counting:
    """Whether a variant counts deals closed or deals created in the period.

    Raises :class:`~crmkit.errors.UsageError` with code ``unknown_variant``.
    """
    one_of(variant, Variant, "win rate")
    return "created" if variant == "created_cohort" else "closed"


def tally(deals: Iterable[DealFact], period: Period | None, frame: Frame, by: Counting = "closed") -> WinTally:
    """The deals closed (or created) in the period, by outcome; a period of None is all time.

    Raises :class:`~crmkit.errors.UsageError` with code ``unknown_variant``.
    """
    fold = WinFold(period, frame, by)
    for deal in deals:
        fold.add(deal)
    return fold.done()


def rate_of(
    counted: WinTally,
    frame: Frame,
    variant: Variant = "closed_count",
    period: Period | None = None,
    level: float = 0.95,
) -> Metric:
    """The win rate of a tally of that period, 0 to 1, with a Wilson interval where it counts ended deals.

    Raises :class:`~crmkit.errors.UsageError` with code ``unknown_variant``, ``unlike_tallies`` (the tally counted by
    something else) or ``bad_level``, and what :meth:`~crmkit.features.metrics.tallies.totals.Totals.worth` does.
    """
    if counted_by(variant) != counted.by:
        raise UsageError(f"{variant} is not told from deals {counted.by} in the period", code="unlike_tallies")
    if variant == "closed_amount":
        return _by_amount(counted, frame, period)
    parts = counted.parts
    won, n = parts["won"], sum(parts[part] for part in _COUNTED[variant])
    exact = Fraction(won, n) if n else None
    still_open = parts["open"] if variant == "created_cohort" else 0
    return Metric(
        name="win_rate",
        variant=variant,
        unit="ratio",
        value=None if exact is None else float(exact),
        exact=exact,
        n=n,
        numerator=won,
        denominator=n,
        excluded=parts.without(*_COUNTED[variant]),
        censored=still_open,
        interval=None if still_open else wilson(won, n, level),
        members=parts.members(frame),
        frame=frame,
        period=covered(period, frame),
        notes=("some are open still: it can only rise",) if still_open else (),
    )


def win_rate(
    deals: Iterable[DealFact],
    period: Period | None,
    frame: Frame,
    variant: Variant = "closed_count",
    level: float = 0.95,
) -> Metric:
    """What share of deals is won, 0 to 1, by one of the variants of this module; a period of None is all time.

    Raises as :func:`rate_of`.
    """
    return rate_of(tally(deals, period, frame, counted_by(variant)), frame, variant, period, level)


def _by_amount(counted: WinTally, frame: Frame, period: Period | None) -> Metric:
    frame = settled(frame, counted.won, counted.lost)
    won = counted.won.worth(frame)
    closed = won + counted.lost.worth(frame)
    n = counted.won.counted + counted.lost.counted
    exact = won / closed if n and closed else None
    excluded = counted.parts.without("won", "lost")
    if without := counted.won.without + counted.lost.without:
        excluded["no_amount"] = without
    return Metric(
        name="win_rate",
        variant="closed_amount",
        unit="ratio",
        value=None if exact is None else float(exact),
        exact=exact,
        n=n,
        numerator=money_of(won, frame),
        denominator=money_of(closed, frame),
        excluded=excluded,
        members=counted.parts.members(frame),
        frame=frame,
        period=covered(period, frame),
        notes=() if exact is None or 0 <= exact <= 1 else ("amounts below 0 are among them: it is no share",),
    )
