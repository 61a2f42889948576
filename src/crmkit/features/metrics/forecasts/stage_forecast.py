"""A forecast from history: each open deal at the share of deals that were won after they had been in its stage.

Nobody's estimate is in it. A stage of which too little is known gives no probability: its deals are left out and the
stage is named.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, TypeVar

import attrs

from crmkit.errors import UsageError
from crmkit.features.metrics.forecasts.weighted import WeightedPipeline, WeightedTally, pipeline_of
from crmkit.features.metrics.forecasts.weighted import tally as tally_weighted
from crmkit.features.metrics.statistics.survival import aalen_johansen
from crmkit.features.metrics.tallies.facts import DealFact, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import closed_at, ladder
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_mature, check_period, one_of
from crmkit.features.metrics.tallies.parts import Parts
from crmkit.features.metrics.tallies.shares import added, count, joined, listed, share
from crmkit.values import Period, to_micros
from crmkit.values.clock import DAY_MICROS
from crmkit.values.text import shown

__all__ = [
    "History",
    "HistoryTally",
    "Odds",
    "StageForecast",
    "forecast_of",
    "odds_of",
    "stage_forecast",
    "tally_history",
    "tally_open",
]

Odds = Literal["matured", "curve"]

FLOOR = 20
"""How many deals a probability must rest on, unless said otherwise."""

T = TypeVar("T")

WON = "won"
LOST = "lost"


@attrs.frozen(kw_only=True)
class History:
    """What became of the deals that entered a stage.

    Of the ``matured`` ones ``won`` were won; ``young`` ones have not had their time. ``ends`` counts all of them by
    microseconds since they first entered: ``{time: {"won": n, "lost": n, None: still open}}``. ``members`` are the
    ids of those ``won``, ``matured`` and ``young``, if asked for.
    """

    won: int = 0
    matured: int = 0
    young: int = 0
    ends: Mapping[int, Mapping[Hashable, int]] = attrs.field(factory=dict)
    members: Mapping[str, frozenset[Hashable]] = attrs.field(factory=dict)

    def __add__(self, other: "History") -> "History":
        if not isinstance(other, History):
            return NotImplemented
        ends = {time: dict(counts) for time, counts in self.ends.items()}
        for time, counts in other.ends.items():
            ends[time] = added(ends.get(time, {}), counts)
        return History(
            won=self.won + other.won,
            matured=self.matured + other.matured,
            young=self.young + other.young,
            ends=ends,
            members=joined(self.members, other.members),
        )


@attrs.frozen(kw_only=True)
class HistoryTally:
    """The history of each open stage."""

    stages: Mapping[Hashable, History] = attrs.field(factory=dict)
    excluded: Mapping[str, int] = attrs.field(factory=dict)

    def __add__(self, other: "HistoryTally") -> "HistoryTally":
        if not isinstance(other, HistoryTally):
            return NotImplemented
        keys = dict.fromkeys([*self.stages, *other.stages])
        nothing = History()
        return HistoryTally(
            stages={key: self.stages.get(key, nothing) + other.stages.get(key, nothing) for key in keys},
            excluded=added(self.excluded, other.excluded),
        )


@attrs.frozen(kw_only=True)
class StageForecast:
    """The forecast: ``pipeline`` holds total, spread, months and overdue like a weighted pipeline, with these odds.

    ``stages`` are the probabilities by stage id, with how many deals they rest on and an interval; their value is None
    where that is fewer than the floor, and ``unknown`` names those stages.
    """

    variant: str
    pipeline: WeightedPipeline
    stages: Mapping[Hashable, Metric]
    unknown: tuple[str, ...]

    @property
    def total(self) -> Metric:
        """The sum of amounts times probabilities."""
        return self.pipeline.total

    @property
    def spread(self) -> Metric:
        """Its standard deviation, had the deals nothing to do with each other and were the probabilities certain."""
        return self.pipeline.spread

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": "stage_forecast",
            "variant": self.variant,
            "pipeline": self.pipeline.to_dict(),
            "stages": {str(stage): odds.to_dict() for stage, odds in self.stages.items()},
            "unknown": list(self.unknown),
        }

    def _repr_html_(self) -> str:
        return self.pipeline._repr_html_()


def stage_forecast(
    journeys: Journeys,
    period: Period | None,
    *,
    odds: Odds = "matured",
    mature: int = 90,
    floor: int = FLOOR,
) -> StageForecast:
    """The forecast of the open deals expected to close in the period (None: ever), from what became of all deals.

    Impossible histories are found and left out of the history; their open deals are forecast like others. Raises
    UsageError with code ``unknown_variant``, ``bad_days`` or ``bad_floor``, and CurrencyMismatch.
    """
    check_period(period)
    stages, frame = journeys.stages, journeys.frame
    history = tally_history(journeys, mature=mature, ends=odds == "curve")
    by_stage = odds_of(history, stages, frame, odds=odds, floor=floor)
    counted = tally_open((journey.deal for journey in journeys), by_stage, period, frame)
    return forecast_of(counted, by_stage, stages, period, frame, variant=odds)


def tally_history(journeys: Journeys, *, mature: int = 90, ends: bool = True) -> HistoryTally:
    """What became of the deals of each open stage; mature are those that first entered ``mature`` days ago or more.

    A deal that is not won counts as not won, open or closed, once it is mature; ``disqualified`` is lost here. Without
    ``ends``, which take memory for every deal, nothing is told of when.
    Raises UsageError with code ``bad_days``.
    """
    check_mature(mature)
    now = to_micros(journeys.frame.as_of)
    folds = {
        rung.id: _HistoryFold(journeys.frame, {} if ends else None) for rung in ladder(journeys.stages, "now").rungs
    }
    excluded: dict[str, int] = {}
    for journey in journeys:
        if journey.left_out:
            count(excluded, journey.left_out)
            continue
        own, outcome = journey.spells, journey.deal.outcome
        cause = None if outcome == "open" else WON if outcome == "won" else LOST
        end = now if cause is None or not own else closed_at(own)
        entries: dict[Hashable, int] = {}
        for spell in own:
            entries.setdefault(spell.stage, to_micros(spell.entered))
        for stage, entered in entries.items():
            if stage in folds:
                folds[stage].add(journey.deal.id, cause, end - entered, mature=entered <= now - mature * DAY_MICROS)
    return HistoryTally(stages={stage: fold.done() for stage, fold in folds.items()}, excluded=excluded)


class _HistoryFold:
    """A stage on its way into a :class:`History`."""

    def __init__(self, frame: Frame, ends: dict[int, dict[Hashable, int]] | None) -> None:
        self.won = self.matured = self.young = 0
        self.ends = ends
        self.members: dict[str, set[Hashable]] = {}
        self.listed = frame.members

    def add(self, deal: Hashable, cause: str | None, micros: int, *, mature: bool) -> None:
        if self.listed:
            for part in (*(["won"] if mature and cause == WON else []), "matured" if mature else "young"):
                self.members.setdefault(part, set()).add(deal)
        if self.ends is not None:
            counts = self.ends.setdefault(micros, {})
            counts[cause] = counts.get(cause, 0) + 1
        if mature:
            self.matured += 1
            self.won += cause == WON
        else:
            self.young += 1

    def done(self) -> History:
        members = {part: frozenset(ids) for part, ids in self.members.items()}
        return History(won=self.won, matured=self.matured, young=self.young, ends=self.ends or {}, members=members)


def odds_of(
    history: HistoryTally, stages: Sequence[StageFact], frame: Frame, *, odds: Odds = "matured", floor: int = FLOOR
) -> dict[Hashable, Metric]:
    """The probability to win of each open stage by its id; the value is None where it would rest on too little.

    ``matured``: won of all that entered long enough ago, by count, with the interval of Wilson; at least ``floor`` must
    have matured. ``curve``: the share won in the end by Aalen and Johansen, lost competing and open censored; at least
    ``floor`` must have closed. Raises UsageError with code ``unknown_variant`` or ``bad_floor``.
    """
    one_of(odds, Odds, "odds")
    if type(floor) is not int or floor < 0:
        raise UsageError(
            f"{shown(floor)} is no number of deals", code="bad_floor", field="floor", hint="an int from 0 up"
        )
    found: dict[Hashable, Metric] = {}
    for stage in ladder(stages, "now").rungs:
        own = history.stages.get(stage.id, History())
        metric, known = (_matured if odds == "matured" else _curve)(own, frame, history.excluded)
        if known < floor:
            note = f"{stage.name}: rests on {known} deals, fewer than {floor}"
            metric = attrs.evolve(metric, value=None, exact=None, interval=None, notes=(note,))
        found[stage.id] = metric
    return found


def _matured(history: History, frame: Frame, excluded: Mapping[str, int]) -> tuple[Metric, int]:
    parts = {"numerator": "won", "denominator": "matured", "censored": "young"}
    metric = share(
        "win_probability",
        "matured",
        history.won,
        history.matured,
        frame,
        censored=history.young,
        excluded=excluded,
        members=listed({part: history.members.get(own, ()) for part, own in parts.items()}, frame),
    )
    return metric, history.matured


def _curve(history: History, frame: Frame, excluded: Mapping[str, int]) -> tuple[Metric, int]:
    curve = aalen_johansen({micros / DAY_MICROS: counts for micros, counts in history.ends.items()})
    survival = curve.survival
    last = survival.times[-1] if survival.times else 0.0
    metric = Metric(
        name="win_probability",
        variant="curve",
        unit="ratio",
        value=curve.at(WON, last) if survival.n else None,
        n=survival.n,
        censored=survival.n_censored,
        interval=curve.interval(WON, last),
        excluded=excluded,
        members=listed(
            {"counted": {id for part in ("matured", "young") for id in history.members.get(part, ())}}, frame
        ),
        frame=frame,
    )
    return metric, survival.n_events


def tally_open(
    deals: Iterable[DealFact], odds: Mapping[Hashable, Metric], period: Period | None, frame: Frame
) -> WeightedTally:
    """The open deals as of a weighted pipeline, with the probability of their stage in the place of their own.

    Deals of a stage without one are counted as ``too_little_history``.
    """
    known = {stage: _probability(metric) for stage, metric in odds.items()}
    tally = tally_weighted(
        (attrs.evolve(deal, probability=known.get(deal.stage)) if deal.outcome == "open" else deal for deal in deals),
        period,
        frame,
    )
    parts = tally.parts
    return WeightedTally(tally.cells, Parts(_renamed(parts.counts), _renamed(parts.ids)), tally.months)


def forecast_of(
    tally: WeightedTally,
    odds: Mapping[Hashable, Metric],
    stages: Sequence[StageFact],
    period: Period | None,
    frame: Frame,
    *,
    variant: str = "matured",
) -> StageForecast:
    """The forecast a tally tells that was made with these odds. Raises CurrencyMismatch."""
    pipeline = pipeline_of(tally, frame, period)
    unknown = tuple(stage.name for stage in ladder(stages, "now").rungs if odds[stage.id].value is None)
    notes = tuple(note for metric in odds.values() if metric.value is None for note in metric.notes)

    def named(metric: Metric) -> Metric:
        return attrs.evolve(metric, variant=f"{metric.variant}_history_{variant}", notes=metric.notes + notes)

    return StageForecast(
        variant=variant,
        pipeline=attrs.evolve(
            pipeline,
            total=named(pipeline.total),
            spread=named(pipeline.spread),
            overdue=named(pipeline.overdue),
            months=tuple(named(month) for month in pipeline.months),
        ),
        stages=odds,
        unknown=unknown,
    )


def _probability(metric: Metric) -> Fraction | None:
    if metric.exact is not None:
        return metric.exact
    return Fraction(metric.value) if isinstance(metric.value, float) else None


def _renamed(parts: Mapping[str, T]) -> dict[str, T]:
    return {"too_little_history" if part == "no_probability" else part: value for part, value in parts.items()}
