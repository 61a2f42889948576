"""Sales velocity, money won per day, and the sales cycle it rests on.

``n x average won value x win rate / cycle days`` (Salesforce's and HubSpot's definition). With the open deals as ``n``
it is a projection; with the closed ones it is nothing but the amount won divided by the cycle. Both are called sales
velocity, so each is named. Trap: the usual cycle, the mean of deals won, leaves out those that take long and are open
still; the Kaplan-Meier median beside it does not.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import attrs

from crmkit.errors import InvalidValue
from crmkit.features.metrics.figures.win_curve import ClosingFold, ClosingTally
from crmkit.features.metrics.figures.win_rate import WinFold, WinTally, rate_of
from crmkit.features.metrics.statistics.quantile import mean, median
from crmkit.features.metrics.statistics.survival import kaplan_meier
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered
from crmkit.features.metrics.tallies.shares import added
from crmkit.features.metrics.tallies.totals import money_of, settled
from crmkit.values import Period

__all__ = [
    "SalesCycle",
    "SalesVelocity",
    "Variant",
    "VelocityTally",
    "cycle_of",
    "per_day",
    "sales_cycle",
    "sales_velocity",
    "tally",
    "velocity_of",
]

Variant = Literal["open", "closed"]


@attrs.frozen
class VelocityTally:
    """What velocity rests on: ``wins`` are the deals closed in the period, ``cycle`` ``{days: n}`` of those won in it.

    ``undated`` says how many won in the period are not in ``cycle``, by reason (``closed_before_created``,
    ``no_closed_on``). ``closing`` are all deals by age, whenever they closed, those open still as censored.
    """

    wins: WinTally
    cycle: Mapping[int, int]
    undated: Parts
    closing: ClosingTally

    def __add__(self, other: "VelocityTally") -> "VelocityTally":
        if not isinstance(other, VelocityTally):
            return NotImplemented
        cycle = added(self.cycle, other.cycle)
        undated = self.undated + other.undated
        return VelocityTally(self.wins + other.wins, cycle, undated, self.closing + other.closing)

    def beside(self, wins: WinTally, ageless: Parts) -> "VelocityTally":
        """The same with deals that have no age, ``ageless`` and already counted in ``wins``: no cycle, won or open
        nevertheless.
        """
        known, won = self.wins.parts, wins.parts
        ids = won.ids.get("won", frozenset()) - known.ids.get("won", frozenset())
        missing = won["won"] - known["won"]
        undated = Parts({"no_start": missing}, {"no_start": ids} if ids else {}) if missing else Parts()
        closing = self.closing + ClosingTally(parts=ageless)
        return VelocityTally(wins, self.cycle, self.undated + undated, closing)


@attrs.frozen(kw_only=True)
class SalesCycle:
    """Days from creation to close: ``mean`` and ``median`` of the deals won in the period, and of all deals, whatever
    they close as, the Kaplan-Meier median, which counts those open still."""

    mean: Metric
    median: Metric
    kaplan_meier_median: Metric

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "mean": self.mean.to_dict(),
            "median": self.median.to_dict(),
            "kaplan_meier_median": self.kaplan_meier_median.to_dict(),
        }


@attrs.frozen(kw_only=True)
class SalesVelocity:
    """Money per day and its four levers; ``opportunities`` are the open or the closed deals, as the variant says."""

    velocity: Metric
    opportunities: Metric
    average_won_value: Metric
    win_rate: Metric
    cycle: SalesCycle

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "velocity": self.velocity.to_dict(),
            "opportunities": self.opportunities.to_dict(),
            "average_won_value": self.average_won_value.to_dict(),
            "win_rate": self.win_rate.to_dict(),
            "cycle": self.cycle.to_dict(),
        }


def per_day(
    opportunities: int,
    average_value: Fraction | Decimal | int,
    win_rate: Fraction | Decimal | int,
    cycle_days: Fraction | Decimal | int,
) -> Fraction | None:
    """The formula by itself, exact: money per day, or None where the cycle takes no time.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``negative_duration``, or ``out_of_range`` for a win rate
    outside 0 to 1 or fewer than no opportunities.
    """
    if cycle_days < 0:
        raise InvalidValue("a sales cycle is no less than 0 days", code="negative_duration")
    if not 0 <= win_rate <= 1 or opportunities < 0:
        raise InvalidValue("a win rate runs from 0 to 1, and opportunities from 0 up", code="out_of_range")
    if cycle_days == 0:
        return None
    return opportunities * Fraction(average_value) * Fraction(win_rate) / Fraction(cycle_days)


def tally(deals: Iterable[DealFact], period: Period | None, frame: Frame) -> VelocityTally:
    """The deals closed in the period, the cycle of those won in it, and all deals by age; None is all time."""
    wins, closing = WinFold(period, frame), ClosingFold(frame)
    cycle: dict[int, int] = {}
    undated = PartsFold(frame)
    for deal in deals:
        part = wins.add(deal)
        reason, days = closing.add(deal)
        if part == "won" and reason == "won":
            cycle[days] = cycle.get(days, 0) + 1
        elif part == "won":
            undated.add(reason, deal.id)
    return VelocityTally(wins.done(), cycle, undated.done(), closing.done())


def cycle_of(counted: VelocityTally, frame: Frame, period: Period | None = None) -> SalesCycle:
    """The sales cycle of a tally of that period."""
    exact = mean(counted.cycle)
    middle = median(counted.cycle)
    n = sum(counted.cycle.values())
    parts = counted.wins.parts.moved("won", counted.undated)
    common: dict[str, Any] = {"name": "sales_cycle", "unit": "days", "frame": frame}
    won: dict[str, Any] = {
        **common,
        "n": n,
        "excluded": parts.without("won"),
        "members": parts.members(frame),
        "period": covered(period, frame),
    }
    ended = counted.closing.days("won", "lost", "disqualified")
    ages = {days: (ended.get(days, 0), counts.get(None, 0)) for days, counts in counted.closing.ages.items()}
    curve = kaplan_meier(ages)
    days = curve.median
    return SalesCycle(
        mean=Metric(variant="won_mean", value=None if exact is None else float(exact), exact=exact, **won),
        median=Metric(variant="won_median", value=None if middle is None else float(middle), exact=middle, **won),
        kaplan_meier_median=Metric(
            variant="kaplan_meier_median",
            value=days,
            exact=None if days is None else Fraction(days),
            n=curve.n,
            censored=curve.n_censored,
            excluded=counted.closing.parts.without("won", "lost", "disqualified", "open"),
            members=counted.closing.parts.members(frame),
            notes=("of all deals, whenever and as whatever they close",),
            **common,
        ),
    )


def velocity_of(
    counted: VelocityTally, frame: Frame, variant: Variant = "open", period: Period | None = None
) -> SalesVelocity:
    """The sales velocity of a tally of that period, in the frame's currency per day.

    Value, rate and cycle are those of the deals closed in the period; the cycle is the mean of those won. Raises
    :class:`~crmkit.errors.UsageError` with code ``unknown_variant``, and what
    :meth:`~crmkit.features.metrics.tallies.totals.Totals.worth` does.
    """
    one_of(variant, Variant, "velocity")
    frame = settled(frame, counted.wins.won)
    parts = counted.wins.parts
    rate = rate_of(counted.wins, frame, "closed_count", period)
    cycle = cycle_of(counted, frame, period)
    average = _average(counted, frame, period)
    n = parts["open"] if variant == "open" else parts["won"] + parts["lost"]
    exact = None
    if average.exact is not None and rate.exact is not None and cycle.mean.exact is not None:
        exact = per_day(n, average.exact, rate.exact, cycle.mean.exact)
    common: dict[str, Any] = {"frame": frame, "period": covered(period, frame), "members": parts.members(frame)}
    counted_as = ("open",) if variant == "open" else ("won", "lost")
    velocity = Metric(
        name="sales_velocity",
        variant=variant,
        unit="money per day",
        value=None if exact is None or n == 0 else money_of(exact, frame),
        exact=exact if n else None,
        n=n,
        # The levers besides are of the deals won and lost, and say themselves which of those they leave out.
        excluded=parts.without("won", "lost", *counted_as),
        notes=(_NOTES[variant],),
        **common,
    )
    opportunities = Metric(
        name="opportunities",
        variant=variant,
        unit="deals",
        value=n or None,
        n=n,
        excluded=parts.without(*counted_as),
        **common,
    )
    return SalesVelocity(
        velocity=velocity, opportunities=opportunities, average_won_value=average, win_rate=rate, cycle=cycle
    )


_NOTES: Mapping[str, str] = {
    "open": "a projection: the deals open now, at the value, rate and cycle of those closed in the period",
    "closed": "of the closed deals: the amount won in the period divided by the cycle",
}


def sales_cycle(deals: Iterable[DealFact], period: Period | None, frame: Frame) -> SalesCycle:
    """Days from creation to close of the deals won in the period, and the median of all; None is all time."""
    return cycle_of(tally(deals, period, frame), frame, period)


def sales_velocity(
    deals: Iterable[DealFact], period: Period | None, frame: Frame, variant: Variant = "open"
) -> SalesVelocity:
    """Money won per day; a period of None is all time. Raises as :func:`velocity_of` does."""
    return velocity_of(tally(deals, period, frame), frame, variant, period)


def _average(counted: VelocityTally, frame: Frame, period: Period | None) -> Metric:
    won = counted.wins.won
    exact = won.worth(frame) / won.counted if won.counted else None
    return Metric(
        name="average_won_value",
        variant="won",
        unit="money",
        value=None if exact is None else money_of(exact, frame),
        exact=exact,
        n=won.counted,
        numerator=won.money(frame),
        denominator=won.counted,
        excluded={**counted.wins.parts.without("won"), **({"no_amount": won.without} if won.without else {})},
        members=counted.wins.parts.members(frame),
        frame=frame,
        period=covered(period, frame),
    )
