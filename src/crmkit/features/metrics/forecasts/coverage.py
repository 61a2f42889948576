"""Pipeline coverage: is what is open enough to reach the quota.

The open amount expected to close in the period, divided by what is left of the quota (``remaining``) or by all of it
(``full``). What is needed is one over the win rate, by amount and from the same point of entry. Sources: winsabove and
kpitree. Traps: a quota that is met has no coverage, not an infinite one; overdue deals are no cover; deals that will be
created and closed within the rest of the period are not in it.
"""

from collections.abc import Iterable
from typing import Any, Literal

import attrs

from crmkit.errors import UsageError
from crmkit.features.metrics.forecasts.attainment import ended_part, goal_of
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_period, one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered, within
from crmkit.features.metrics.tallies.totals import Totals, TotalsFold, money_in, money_of, settled
from crmkit.values import Money, Period

__all__ = [
    "Coverage",
    "CoverageTally",
    "Variant",
    "coverage",
    "coverage_of",
    "needed_coverage",
    "tally",
]

Variant = Literal["remaining", "full"]


@attrs.frozen
class CoverageTally:
    """``open`` is expected to close in the period, from today on, ``won`` was closed in it.

    ``parts`` are ``open`` and ``won``, and the reasons ``lost``, ``disqualified``, ``overdue`` (expected before today),
    ``no_expected_close``, ``no_closed_on`` and ``outside_period``.
    """

    open: Totals = attrs.field(factory=Totals)
    won: Totals = attrs.field(factory=Totals)
    parts: Parts = attrs.field(factory=Parts)

    def __add__(self, other: "CoverageTally") -> "CoverageTally":
        if not isinstance(other, CoverageTally):
            return NotImplemented
        return CoverageTally(self.open + other.open, self.won + other.won, self.parts + other.parts)


@attrs.frozen(kw_only=True)
class Coverage:
    """How often the open pipeline covers the quota, or what is left of it, and what it was told from.

    ``met`` says that nothing is left; the coverage of what remains then has no value. ``remaining`` is the quota less
    what is won, below zero when it is exceeded.
    """

    coverage: Metric
    open: Metric
    won: Metric
    quota: Money
    remaining: Money
    met: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "coverage": self.coverage.to_dict(),
            "open": self.open.to_dict(),
            "won": self.won.to_dict(),
            "quota": str(self.quota),
            "remaining": str(self.remaining),
            "met": self.met,
        }


def tally(deals: Iterable[DealFact], period: Period | None, frame: Frame) -> CoverageTally:
    """The open deals expected to close in the period, and those won in it; a period of None is all time."""
    check_period(period)
    today = frame.today
    parts, still_open, won = PartsFold(frame), TotalsFold(), TotalsFold()
    for deal in deals:
        part: str
        if deal.outcome != "open":
            part = ended_part(deal, period)
        elif deal.expected_close is None:
            part = "no_expected_close"
        elif deal.expected_close < today:
            part = "overdue"
        else:
            part = "open" if within(period, deal.expected_close) else "outside_period"
        parts.add(part, deal.id)
        if part == "open":
            still_open.add(deal.amount, None)
        elif part == "won":
            won.add(deal.amount, deal.closed_on)
    return CoverageTally(still_open.done(), won.done(), parts.done())


def coverage_of(
    counted: CoverageTally, quota: Money, frame: Frame, variant: Variant = "remaining", period: Period | None = None
) -> Coverage:
    """The coverage of a quota by a tally of that period. The quota, if in another currency, is told at today's rate.

    Raises :class:`~crmkit.errors.UsageError` with code ``unknown_variant``, :class:`~crmkit.errors.InvalidValue` with
    code ``negative_quota``, and what :meth:`~crmkit.features.metrics.tallies.totals.Totals.worth` does.
    """
    one_of(variant, Variant, "coverage")
    goal = goal_of(quota)
    frame = settled(frame, counted.open, counted.won, goal)
    open_worth, won_worth, whole = counted.open.worth(frame), counted.won.worth(frame), goal.worth(frame)
    remaining = whole - won_worth
    currency = frame.currency or quota.currency
    base = whole if variant == "full" else remaining
    n = counted.open.counted
    exact = open_worth / base if n and base > 0 else None
    excluded = counted.parts.without("open", "won")
    if counted.open.without or counted.won.without:
        excluded["no_amount"] = counted.open.without + counted.won.without
    common: dict[str, Any] = {
        "frame": frame, "period": covered(period, frame), "excluded": excluded, "members": counted.parts.members(frame)
    }  # fmt: skip
    return Coverage(
        coverage=Metric(
            name="pipeline_coverage",
            variant=variant,
            unit="ratio",
            value=None if exact is None else float(exact),
            exact=exact,
            n=n,
            numerator=money_of(open_worth, frame),
            denominator=money_of(base, frame),
            notes=("the quota is met",) if remaining <= 0 else (),
            **common,
        ),
        open=_worth("open_pipeline", "expected_close", counted.open, frame, common),
        won=_worth("closed_won", "closed_on", counted.won, frame, common),
        quota=money_in(whole, currency),
        remaining=money_in(remaining, currency),
        met=remaining <= 0,
    )


def coverage(
    deals: Iterable[DealFact], quota: Money, period: Period | None, frame: Frame, variant: Variant = "remaining"
) -> Coverage:
    """How often the open deals expected to close in the period cover the quota. Raises as :func:`coverage_of` does."""
    return coverage_of(tally(deals, period, frame), quota, frame, variant, period)


def needed_coverage(win_rate: Metric) -> Metric:
    """How much open pipeline one unit of quota needs: one over the win rate, best that by amount.

    Raises :class:`~crmkit.errors.UsageError` with code ``not_a_win_rate``.
    """
    if win_rate.name != "win_rate":
        raise UsageError(f"{win_rate.name} is no win rate", code="not_a_win_rate", hint="closed_amount fits best")
    exact = 1 / win_rate.exact if win_rate.exact else None
    return attrs.evolve(
        win_rate,
        name="needed_coverage",
        value=None if exact is None else float(exact),
        exact=exact,
        numerator=win_rate.denominator,
        denominator=win_rate.numerator,
        interval=None,
        notes=("one over the win rate",),
    )


def _worth(name: str, variant: str, totals: Totals, frame: Frame, common: dict[str, Any]) -> Metric:
    exact = totals.worth(frame) if totals.counted else None
    return Metric(
        name=name, variant=variant, unit="money", value=totals.money(frame), exact=exact, n=totals.counted, **common
    )
