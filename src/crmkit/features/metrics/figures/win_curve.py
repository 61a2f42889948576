"""Win curve: what share of deals is won, lost and still open at each age, and the naive figures beside it.

The win rate of what is closed forgets those that are open still, and long deals are open longest; so it tells of the
quick ones. Here open deals are censored on the frame's day and lost ones compete with won ones (Aalen-Johansen); the
time to close is by Kaplan-Meier, whatever the deal closes as. Ages are whole days from the day of ``created_at`` in the
frame's zone to ``closed_on``.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

import attrs

from crmkit.features.metrics.html_table import figure_text, html_table, subtitle
from crmkit.features.metrics.statistics.proportion import wilson
from crmkit.features.metrics.statistics.quantile import mean, median
from crmkit.features.metrics.statistics.survival import Incidences, aalen_johansen
from crmkit.features.metrics.tallies.facts import DealFact, Outcome
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_age, check_period, one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered, within
from crmkit.features.metrics.tallies.shares import added
from crmkit.values import Period, local_date, zone

__all__ = ["ClosingFold", "ClosingTally", "WinCurve", "curve_of", "part_of", "tally", "win_curve"]

_CLOSED: tuple[Outcome, ...] = ("won", "lost", "disqualified")
_OUTCOMES: tuple[Outcome, ...] = ("won", "open", "lost", "disqualified")


@attrs.frozen
class ClosingTally:
    """Deals by age: ``ages`` is ``{days: {outcome: n}}``, where None stands for those open still, at their age today.

    ``parts`` are the four outcomes, and the reasons ``closed_before_created``, ``created_after_today`` (and open),
    ``no_closed_on`` (closed, on an unknown day) and ``outside_period`` (created outside it).
    """

    ages: Mapping[int, Mapping[Hashable, int]] = attrs.field(factory=dict)
    parts: Parts = attrs.field(factory=Parts)

    def __add__(self, other: "ClosingTally") -> "ClosingTally":
        if not isinstance(other, ClosingTally):
            return NotImplemented
        ages = dict(self.ages)
        for days, outcomes in other.ages.items():
            ages[days] = added(ages.get(days, {}), outcomes)
        return ClosingTally(ages, self.parts + other.parts)

    def days(self, *outcomes: Outcome) -> dict[int, int]:
        """How many closed as one of the outcomes after how many days, ``{days: n}``."""
        sums = {days: sum(counts.get(outcome, 0) for outcome in outcomes) for days, counts in self.ages.items()}
        return {days: number for days, number in sums.items() if number}


class ClosingFold:
    """Deals on their way into a :class:`ClosingTally`."""

    __slots__ = ("_ages", "_parts", "_period", "_today", "_zone")

    def __init__(self, frame: Frame, period: Period | None = None) -> None:
        check_period(period)
        self._period = period
        self._today = frame.today
        self._zone = zone(frame.zone)
        self._parts = PartsFold(frame)
        self._ages: dict[int, dict[Hashable, int]] = {}

    def add(self, deal: DealFact) -> tuple[str, int]:
        """Count a deal; the part it came to, and its age in days (of no meaning if it was left out)."""
        created = local_date(deal.created_at, self._zone)
        part, days = part_of(
            deal.outcome, created, self._today if deal.outcome == "open" else deal.closed_on, self._period
        )
        self._parts.add(part, deal.id)
        if part == deal.outcome:
            counts = self._ages.setdefault(days, {})
            key = None if part == "open" else part
            counts[key] = counts.get(key, 0) + 1
        return part, days

    def done(self) -> ClosingTally:
        """What was counted so far, frozen."""
        return ClosingTally({days: dict(counts) for days, counts in self._ages.items()}, self._parts.done())


def part_of(outcome: Outcome, created: date, end: date | None, period: Period | None) -> tuple[str, int]:
    """The part of a :class:`ClosingTally` a deal comes to, and its age in days (of no meaning if it is left out).

    ``end`` is the day on which it was closed; of an open deal, today.
    """
    days = 0 if end is None else (end - created).days
    if not within(period, created):
        return "outside_period", days
    if end is None:
        return "no_closed_on", days
    if days < 0:
        return ("created_after_today" if outcome == "open" else "closed_before_created"), days
    return outcome, days


@attrs.frozen(kw_only=True)
class WinCurve:
    """The curve, the figures read from it, and the naive ones of closed deals alone.

    ``win_rate`` is the share won by the greatest age seen, ``median_days_to_close`` the Kaplan-Meier median of all
    deals; each ``naive_`` figure leaves the open ones out, and lies by as much as the two differ.
    """

    curve: Incidences
    counted: ClosingTally
    frame: Frame
    period: Period | None
    win_rate: Metric
    median_days_to_close: Metric
    naive_win_rate: Metric
    naive_median_days: Metric
    naive_mean_days: Metric
    naive_mean_days_won: Metric
    naive_mean_days_lost: Metric

    def share(self, outcome: Outcome, days: int, level: float = 0.95) -> Metric:
        """What share is won (lost, disqualified, open still) at the age of ``days``, 0 to 1, with an interval.

        Raises :class:`~crmkit.errors.UsageError` with code ``unknown_variant``, ``bad_days`` or ``bad_level``.
        """
        one_of(outcome, Outcome, "outcome")
        check_age(days)
        return _share(self.curve, self.counted, self.frame, self.period, outcome, days, level)

    def points(self) -> tuple[dict[str, Any], ...]:
        """The curve as rows: ``days``, ``at_risk``, and the shares ``open``, ``won``, ``lost``, ``disqualified``."""
        curve = self.curve.survival
        shares = [self.curve.values.get(outcome) or (0.0,) * len(curve.times) for outcome in _CLOSED]
        rows: list[dict[str, Any]] = [{"days": 0, "at_risk": curve.n, "open": 1.0, **dict.fromkeys(_CLOSED, 0.0)}]
        for days, risk, still_open, *ended in zip(curve.times, curve.at_risk, curve.values, *shares, strict=True):
            rows.append({"days": days, "at_risk": risk, "open": still_open, **dict(zip(_CLOSED, ended, strict=True))})
        return tuple(rows if curve.times[:1] != (0,) else rows[1:]) if curve.n else ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON: the figures by name, and the points of the curve."""
        figures = attrs.asdict(self, recurse=False, filter=lambda _, value: isinstance(value, Metric))
        return {**{name: metric.to_dict() for name, metric in figures.items()}, "curve": list(self.points())}

    def _repr_html_(self) -> str:
        """The shares at some ages as an HTML table, and below them the figures beside the naive ones."""
        ages = [
            (
                f"{age} days",
                *(figure_text(self.share(outcome, age)) for outcome in ("won", "open", "lost", "disqualified")),
            )
            for age in (30, 60, 90, 180, 365)
        ]
        figures = [
            (
                "win rate in the end",
                figure_text(self.win_rate),
                "of closed deals alone",
                figure_text(self.naive_win_rate),
                "",
            ),
            (
                "median days to close",
                figure_text(self.median_days_to_close),
                "of closed deals alone",
                figure_text(self.naive_median_days),
                "",
            ),
        ]
        return html_table(
            "Win curve: " + subtitle("aalen_johansen", self.win_rate.n, self.frame, self.period),
            ("age", *_OUTCOMES),
            [*ages, *figures],
            self.win_rate.excluded,
        )


def tally(deals: Iterable[DealFact], frame: Frame, period: Period | None = None) -> ClosingTally:
    """The deals by age and outcome; of those created in the period, if there is one."""
    fold = ClosingFold(frame, period)
    for deal in deals:
        fold.add(deal)
    return fold.done()


def curve_of(counted: ClosingTally, frame: Frame, period: Period | None = None, level: float = 0.95) -> WinCurve:
    """The win curve of a tally. Raises :class:`~crmkit.errors.UsageError` with code ``bad_level``."""
    curve = aalen_johansen(counted.ages)
    longest = int(curve.survival.times[-1]) if curve.survival.n else 0
    common: dict[str, Any] = {"frame": frame, "period": covered(period, frame)}
    return WinCurve(
        curve=curve,
        counted=counted,
        frame=frame,
        period=common["period"],
        win_rate=_share(curve, counted, frame, period, "won", longest, level),
        median_days_to_close=_median_to_close(curve, counted, common),
        naive_win_rate=_naive_rate(counted, common, level),
        naive_median_days=_naive_days(counted, median, _CLOSED, common),
        naive_mean_days=_naive_days(counted, mean, _CLOSED, common),
        naive_mean_days_won=_naive_days(counted, mean, ("won",), common),
        naive_mean_days_lost=_naive_days(counted, mean, ("lost",), common),
    )


def win_curve(deals: Iterable[DealFact], frame: Frame, period: Period | None = None, level: float = 0.95) -> WinCurve:
    """The win curve of the deals; of those created in the period, if there is one.

    Source: O. O. Aalen and S. Johansen (1978), with lost and disqualified as competing risks; E. L. Kaplan and P. Meier
    (1958) for the time to close. Raises :class:`~crmkit.errors.UsageError` with code ``bad_level``.
    """
    return curve_of(tally(deals, frame, period), frame, period, level)


def _share(
    curve: Incidences,
    counted: ClosingTally,
    frame: Frame,
    period: Period | None,
    outcome: Outcome,
    days: int,
    level: float,
) -> Metric:
    still_open = outcome == "open"
    n = curve.survival.n
    interval = curve.survival.interval(days, level) if still_open else curve.interval(outcome, days, level)
    beyond = n > 0 and days > curve.survival.times[-1]
    return Metric(
        name="still_open" if still_open else f"share_{outcome}",
        variant="kaplan_meier" if still_open else "aalen_johansen",
        unit="ratio",
        value=None if n == 0 else curve.survival.at(days) if still_open else curve.at(outcome, days),
        n=n,
        excluded=counted.parts.without(*_CLOSED, "open"),
        censored=counted.parts["open"],
        interval=interval,
        members=counted.parts.members(frame),
        frame=frame,
        period=covered(period, frame),
        notes=(f"at the age of {days} days", *(("no deal has been watched for so long",) if beyond else ())),
    )


def _median_to_close(curve: Incidences, counted: ClosingTally, common: dict[str, Any]) -> Metric:
    days = curve.survival.median
    never = curve.survival.n and days is None
    return Metric(
        name="days_to_close",
        variant="kaplan_meier_median",
        unit="days",
        value=days,
        exact=None if days is None else Fraction(days),
        n=curve.survival.n,
        excluded=counted.parts.without(*_CLOSED, "open"),
        censored=counted.parts["open"],
        members=counted.parts.members(common["frame"]),
        notes=("more than half are open at the greatest age seen",) if never else (),
        **common,
    )


def _naive_rate(counted: ClosingTally, common: dict[str, Any], level: float) -> Metric:
    won, lost = counted.parts["won"], counted.parts["lost"]
    exact = Fraction(won, won + lost) if won + lost else None
    return Metric(
        name="win_rate",
        variant="closed_count",
        unit="ratio",
        value=None if exact is None else float(exact),
        exact=exact,
        n=won + lost,
        numerator=won,
        denominator=won + lost,
        excluded=counted.parts.without("won", "lost"),
        interval=wilson(won, won + lost, level),
        members=counted.parts.members(common["frame"]),
        **common,
    )


def _naive_days(
    counted: ClosingTally,
    middle: Callable[[Mapping[int, int]], Fraction | None],
    outcomes: tuple[Outcome, ...],
    common: dict[str, Any],
) -> Metric:
    days = counted.days(*outcomes)
    exact = middle(days)
    return Metric(
        name=f"days_until_{outcomes[0]}" if len(outcomes) == 1 else "days_to_close",
        variant=f"closed_only_{middle.__name__}",
        unit="days",
        value=None if exact is None else float(exact),
        exact=exact,
        n=sum(days.values()),
        excluded=counted.parts.without(*outcomes),
        members=counted.parts.members(common["frame"]),
        **common,
    )
