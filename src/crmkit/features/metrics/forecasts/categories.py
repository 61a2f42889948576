"""Forecast by category: what people commit to, told for each category alone or rolled up.

The same label means two numbers, so each is named. Cumulative, the default, is Salesforce's roll-up: Commit Forecast is
commit and closed, Best Case Forecast is best case, commit and closed, Open Pipeline is pipeline, best case and commit
(and nothing that is closed). Single tells each category alone. A category is not a stage: the deal's own comes first,
then the default of its stage. Won deals are ``closed`` whatever their category says, lost and disqualified ones are in
no category.
"""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Any, Literal, get_args

import attrs

from crmkit.errors import InvalidValue
from crmkit.features.metrics.tallies.facts import Category, DealFact, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_period, one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered, within
from crmkit.features.metrics.tallies.shares import added
from crmkit.features.metrics.tallies.totals import Totals, TotalsFold, settled
from crmkit.values import Period
from crmkit.values.text import shown

__all__ = ["CategoryForecast", "CategoryTally", "RollUp", "category_forecast", "forecast_of", "tally"]

RollUp = Literal["cumulative", "single"]

_CATEGORIES: tuple[str, ...] = get_args(Category)
_CUMULATIVE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "omitted": ("omitted", ("omitted",)),
    "pipeline": ("open_pipeline", ("pipeline", "best_case", "commit")),
    "best_case": ("best_case_forecast", ("best_case", "commit", "closed")),
    "commit": ("commit_forecast", ("commit", "closed")),
    "closed": ("closed", ("closed",)),
}


@attrs.frozen
class CategoryTally:
    """Amounts by category.

    ``parts`` are the categories, and the reasons ``lost``, ``disqualified``, ``no_category``, ``closed_but_open`` (an
    open deal of the category closed), ``no_expected_close``, ``no_closed_on`` and ``outside_period``. ``overdue`` says
    how many deals of a category are open and were expected before today.
    """

    totals: Mapping[str, Totals] = attrs.field(factory=dict)
    parts: Parts = attrs.field(factory=Parts)
    overdue: Mapping[str, int] = attrs.field(factory=dict)

    def __add__(self, other: "CategoryTally") -> "CategoryTally":
        if not isinstance(other, CategoryTally):
            return NotImplemented
        totals = dict(self.totals)
        for category, own in other.totals.items():
            totals[category] = totals.get(category, Totals()) + own
        return CategoryTally(totals, self.parts + other.parts, added(self.overdue, other.overdue))


@attrs.frozen(kw_only=True)
class CategoryForecast:
    """One metric for each category, in the frame's currency; ``rollup`` says whether they contain each other.

    Cumulative ones are named ``open_pipeline``, ``best_case_forecast``, ``commit_forecast`` and ``closed``, and do not
    add up; single ones bear the name of the category, and do.
    """

    rollup: RollUp
    omitted: Metric
    pipeline: Metric
    best_case: Metric
    commit: Metric
    closed: Metric

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rollup": self.rollup,
            "omitted": self.omitted.to_dict(),
            "pipeline": self.pipeline.to_dict(),
            "best_case": self.best_case.to_dict(),
            "commit": self.commit.to_dict(),
            "closed": self.closed.to_dict(),
        }


def tally(
    deals: Iterable[DealFact], period: Period | None, frame: Frame, stages: Iterable[StageFact] = ()
) -> CategoryTally:
    """The deals expected to close in the period, if open, or closed in it, if won, by category; None is all time.

    ``stages`` give the category of deals that have none of their own. Raises :class:`~crmkit.errors.InvalidValue` with
    code ``unknown_category``.
    """
    check_period(period)
    defaults = {stage.id: stage.category for stage in stages}
    today = frame.today
    parts = PartsFold(frame)
    folds = {category: TotalsFold() for category in _CATEGORIES}
    overdue: dict[str, int] = {}
    for deal in deals:
        part = _part(deal, period, defaults)
        parts.add(part, deal.id)
        fold = folds.get(part)
        if fold is None:
            continue
        is_open = deal.outcome == "open"
        fold.add(deal.amount, None if is_open else deal.closed_on)
        if is_open and deal.expected_close is not None and deal.expected_close < today:
            overdue[part] = overdue.get(part, 0) + 1
    totals = {category: fold.done() for category, fold in folds.items() if fold.counted or fold.without}
    return CategoryTally(totals, parts.done(), overdue)


def forecast_of(
    counted: CategoryTally, frame: Frame, rollup: RollUp = "cumulative", period: Period | None = None
) -> CategoryForecast:
    """The forecast of a tally of that period.

    Raises :class:`~crmkit.errors.UsageError` with code ``unknown_variant``, and what
    :meth:`~crmkit.features.metrics.tallies.totals.Totals.worth` does.
    """
    one_of(rollup, RollUp, "roll-up")
    frame = settled(frame, *counted.totals.values())
    metrics = {}
    for category in _CATEGORIES:
        name, contained = _CUMULATIVE[category] if rollup == "cumulative" else (category, (category,))
        metrics[category] = _metric(counted, frame, name, rollup, contained, period)
    return CategoryForecast(
        rollup=rollup,
        omitted=metrics["omitted"],
        pipeline=metrics["pipeline"],
        best_case=metrics["best_case"],
        commit=metrics["commit"],
        closed=metrics["closed"],
    )


def category_forecast(
    deals: Iterable[DealFact],
    period: Period | None,
    frame: Frame,
    rollup: RollUp = "cumulative",
    stages: Iterable[StageFact] = (),
) -> CategoryForecast:
    """The forecast of a period by category. Raises as :func:`tally` and :func:`forecast_of` do."""
    return forecast_of(tally(deals, period, frame, stages), frame, rollup, period)


def _part(deal: DealFact, period: Period | None, defaults: Mapping[Hashable, str | None]) -> str:
    if deal.outcome in ("lost", "disqualified"):
        return deal.outcome
    if deal.outcome == "won":
        return _placed("closed", deal.closed_on, "no_closed_on", period)
    category = deal.category if deal.category is not None else defaults.get(deal.stage)
    if category is None:
        return "no_category"
    if category not in _CATEGORIES:
        raise InvalidValue(
            f"deal {deal.id} has the forecast category {shown(category)}",
            code="unknown_category",
            field="category",
            hint=", ".join(_CATEGORIES),
        )
    if category == "closed":
        return "closed_but_open"
    return _placed(category, deal.expected_close, "no_expected_close", period)


def _placed(part: str, day: date | None, missing: str, period: Period | None) -> str:
    if period is None:
        return part
    if day is None:
        return missing
    return part if within(period, day) else "outside_period"


def _metric(
    counted: CategoryTally,
    frame: Frame,
    name: str,
    rollup: RollUp,
    contained: tuple[str, ...],
    period: Period | None,
) -> Metric:
    totals = sum((counted.totals.get(category, Totals()) for category in contained), Totals())
    excluded = counted.parts.without(*contained)
    if totals.without:
        excluded["no_amount"] = totals.without
    late = sum(counted.overdue.get(category, 0) for category in contained)
    return Metric(
        name=name,
        variant=rollup,
        unit="money",
        value=totals.money(frame),
        exact=totals.worth(frame) if totals.counted else None,
        n=totals.counted,
        excluded=excluded,
        members=counted.parts.members(frame),
        frame=frame,
        period=covered(period, frame),
        notes=(f"of the open deals in it, {late} were expected before today",) if late else (),
    )
