"""Weighted pipeline: what the open deals are worth times how likely they are won, and how far it may be off.

``sum(a p)`` over open deals by the month of their expected close, with the spread ``sqrt(sum(a² p (1 - p)))`` of
independent deals that are won or not. Sources: Salesforce's Expected Revenue for the sum, the variance of independent
Bernoulli trials for the spread. Traps: won deals are not a forecast and add nothing, nor do lost ones; overdue deals
are kept apart; deals that depend on each other spread wider; the sum is a mean of many periods and need not be any
outcome of one.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any, TypeAlias

import attrs

from crmkit.errors import InvalidValue
from crmkit.features.metrics.html_table import figure_text, html_table, month_label, subtitle
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_period
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered, within
from crmkit.features.metrics.tallies.shares import added, listed
from crmkit.features.metrics.tallies.totals import Totals, money_of, settled
from crmkit.values import Period
from crmkit.values.money import UNITS_IN_ONE

__all__ = ["Cell", "Sums", "WeightedPipeline", "WeightedTally", "part_of", "pipeline_of", "tally", "weighted_pipeline"]

Cell: TypeAlias = tuple[date | None, str, Fraction]
"""The first day of the month of the expected close (None: overdue), the currency and the probability."""
Sums: TypeAlias = tuple[int, int, int]
"""How many deals, the sum of their amounts in ten-thousandths, and the sum of the squares of these."""


@attrs.frozen
class WeightedTally:
    """Sums of open deals with the same month, currency and probability.

    ``parts`` are ``counted``, ``overdue`` (expected before today, whatever the period) and the reasons ``won``,
    ``lost``, ``disqualified``, ``no_expected_close``, ``outside_period``, ``no_probability`` and ``no_amount``, the
    first of them that applies. ``months`` are those counted, by the month of their expected close (``2026-04``).
    """

    cells: Mapping[Cell, Sums] = attrs.field(factory=dict)
    parts: Parts = attrs.field(factory=Parts)
    months: Parts = attrs.field(factory=Parts)

    def __add__(self, other: "WeightedTally") -> "WeightedTally":
        if not isinstance(other, WeightedTally):
            return NotImplemented
        cells = dict(self.cells)
        for cell, sums in other.cells.items():
            cells[cell] = _plus(cells.get(cell, (0, 0, 0)), sums)
        return WeightedTally(cells, self.parts + other.parts, self.months + other.months)

    @property
    def totals(self) -> Totals:
        """The amounts of all cells, unweighted; open amounts belong to today."""
        return _totals(self.cells)


@attrs.frozen(kw_only=True)
class WeightedPipeline:
    """The weighted pipeline, in the frame's currency.

    ``total`` is the weighted sum of what is expected to close in the period and not overdue, ``spread`` its standard
    deviation and ``variance`` the exact square of that, ``unweighted`` the same deals at full amount. ``months`` are
    the parts of ``total`` by month of expected close, each with its month as period. ``overdue`` is the weighted sum of
    open deals expected before today, in no other figure.
    """

    total: Metric
    spread: Metric
    variance: Fraction
    unweighted: Metric
    months: tuple[Metric, ...]
    overdue: Metric

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "total": self.total.to_dict(),
            "spread": self.spread.to_dict(),
            "variance": str(self.variance),
            "unweighted": self.unweighted.to_dict(),
            "months": [month.to_dict() for month in self.months],
            "overdue": self.overdue.to_dict(),
        }

    def _repr_html_(self) -> str:
        """The months of a forecast as an HTML table, with the total, its spread, and what is overdue."""
        total = self.total
        rows = [(month_label(month.period), figure_text(month), str(month.n)) for month in self.months]
        rows += [
            ("total", figure_text(total), str(total.n)),
            ("spread", figure_text(self.spread), ""),
            ("overdue, not in the total", figure_text(self.overdue), str(self.overdue.n)),
        ]
        return html_table(
            "Forecast: " + subtitle(total.variant, total.n, total.frame, total.period),
            ("month", "weighted amount", "deals"),
            rows,
            total.excluded,
        )


def tally(deals: Iterable[DealFact], period: Period | None, frame: Frame) -> WeightedTally:
    """The open deals expected to close in the period, and those overdue; a period of None is all time.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_probability`` unless it lies between 0 and 1.
    """
    check_period(period)
    today = frame.today
    parts, months = PartsFold(frame), PartsFold(frame)
    cells: dict[Cell, list[int]] = {}
    for deal in deals:
        part = part_of(deal, period, today)
        parts.add(part, deal.id)
        amount, probability, expected = deal.amount, deal.probability, deal.expected_close
        if part not in ("counted", "overdue") or amount is None or probability is None or expected is None:
            continue
        month = None if part == "overdue" else expected.replace(day=1)
        if month is not None:
            months.add(_named(month), deal.id)
        sums = cells.setdefault((month, amount.currency, probability), [0, 0, 0])
        sums[0] += 1
        sums[1] += amount.units
        sums[2] += amount.units * amount.units
    sums_of = {cell: (n, units, squares) for cell, (n, units, squares) in cells.items()}
    return WeightedTally(sums_of, parts.done(), months.done())


def pipeline_of(counted: WeightedTally, frame: Frame, period: Period | None = None) -> WeightedPipeline:
    """The weighted pipeline of a tally of that period, with ``frame`` as it was for the tally.

    Open amounts have no day of closing yet: they are told at the rate of today, or the planned one. Raises what
    :meth:`~crmkit.features.metrics.tallies.totals.Totals.worth` does.
    """
    frame = settled(frame, counted.totals)
    ahead = {cell: sums for cell, sums in counted.cells.items() if cell[0] is not None}
    late = {cell: sums for cell, sums in counted.cells.items() if cell[0] is None}
    parts = counted.parts
    common: dict[str, Any] = {
        "frame": frame,
        "period": covered(period, frame),
        "excluded": parts.without("counted"),
        "members": parts.members(frame),
    }
    variance = _variance(ahead, frame)
    return WeightedPipeline(
        total=_money("weighted_pipeline", "expected_close", _weighted(ahead, frame), ahead, common),
        spread=_money("weighted_pipeline_spread", "independent_deals", None, ahead, common, _root(variance)),
        variance=variance,
        unweighted=_money("open_pipeline", "expected_close", _totals(ahead).worth(frame), ahead, common),
        months=tuple(_months(counted, ahead, frame, period)),
        overdue=_money(
            "weighted_pipeline", "overdue", _weighted(late, frame), late,
            {**common, "excluded": parts.without("overdue")},
        ),
    )  # fmt: skip


def weighted_pipeline(deals: Iterable[DealFact], period: Period | None, frame: Frame) -> WeightedPipeline:
    """The weighted pipeline of the open deals expected to close in the period; None is all time.

    Raises as :func:`tally` and :func:`pipeline_of` do.
    """
    return pipeline_of(tally(deals, period, frame), frame, period)


def part_of(deal: DealFact, period: Period | None, today: date) -> str:
    """The part of a :class:`WeightedTally` a deal comes to. Raises InvalidValue (``bad_probability``)."""
    if deal.probability is not None and not 0 <= deal.probability <= 1:
        raise InvalidValue(
            f"deal {deal.id} cannot be won with a probability of {deal.probability}",
            code="bad_probability",
            field="probability",
            hint="between 0 and 1",
        )
    if deal.outcome != "open":
        return deal.outcome
    if deal.expected_close is None:
        return "no_expected_close"
    overdue = deal.expected_close < today
    if not overdue and not within(period, deal.expected_close):
        return "outside_period"
    if deal.probability is None:
        return "no_probability"
    if deal.amount is None:
        return "no_amount"
    return "overdue" if overdue else "counted"


def _named(month: date) -> str:
    return f"{month.year:04}-{month.month:02}"


def _month(first: date, zone: str) -> Period:
    """The month that begins then. The last one there is, that of the placeholder 9999-12-31, ends a day early: no date
    names the day after it.
    """
    if (first.year, first.month) == (date.max.year, date.max.month):
        return Period(first, date.max, zone)
    return Period.month(first.year, first.month, zone)


def _months(
    counted: WeightedTally, cells: Mapping[Cell, Sums], frame: Frame, period: Period | None
) -> Iterable[Metric]:
    n, left_out = counted.parts["counted"], counted.parts.without("counted")
    for first in sorted({cell[0] for cell in cells if cell[0] is not None}):
        own = {cell: sums for cell, sums in cells.items() if cell[0] == first}
        month = _month(first, frame.zone)
        if period is not None:
            month = Period(max(month.start, period.start), min(month.end, period.end), frame.zone)
        elsewhere = n - sum(sums[0] for sums in own.values())
        common = {
            "frame": frame,
            "period": month,
            "excluded": added(left_out, {"outside_period": elsewhere} if elsewhere else {}),
            "members": listed({"counted": counted.months.ids.get(_named(first), ())}, frame),
        }
        yield _money("weighted_pipeline", "expected_close", _weighted(own, frame), own, common)


def _money(
    name: str,
    variant: str,
    exact: Fraction | None,
    cells: Mapping[Cell, Sums],
    common: dict[str, Any],
    rounded: Fraction = Fraction(0),
) -> Metric:
    n = sum(sums[0] for sums in cells.values())
    return Metric(
        name=name,
        variant=variant,
        unit="money",
        value=money_of(rounded if exact is None else exact, common["frame"]) if n else None,
        exact=exact if n else None,
        n=n,
        **common,
    )


def _weighted(cells: Mapping[Cell, Sums], frame: Frame) -> Fraction:
    """The sum of a p: one total of each probability, weighted and then added."""
    by_probability: dict[Fraction, Totals] = {}
    for cell, sums in cells.items():
        before = by_probability.get(cell[2], Totals())
        by_probability[cell[2]] = before + _totals({cell: sums})
    return sum((p * totals.worth(frame) for p, totals in by_probability.items()), Fraction(0))


def _variance(cells: Mapping[Cell, Sums], frame: Frame) -> Fraction:
    """The sum of a² p (1 - p), exact: a rate of exchange counts twice."""
    found = Fraction(0)
    for (_, currency, p), (_, _, squares) in cells.items():
        rate = Totals({(currency, None): UNITS_IN_ONE}, 1).worth(frame)
        found += Fraction(squares, UNITS_IN_ONE**2) * rate * rate * p * (1 - p)
    return found


def _root(number: Fraction) -> Fraction:
    """The square root, rounded down to a hundred-millionth: below what money tells."""
    places = 10**8
    return Fraction(math.isqrt(number.numerator * places**2 // number.denominator), places)


def _totals(cells: Mapping[Cell, Sums]) -> Totals:
    found = Totals()
    for (_, currency, _), (n, units, _) in cells.items():
        found += Totals({(currency, None): units}, n)
    return found


def _plus(one: Sums, other: Sums) -> Sums:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
