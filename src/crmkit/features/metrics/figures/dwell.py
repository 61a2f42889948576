"""How long deals stay in each stage, with those that are still in it: Kaplan-Meier beside the naive mean.

The mean of completed stays is too low, since the long ones are not complete yet. Staying ends by leaving the stage in
whatever direction, also by being lost.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

import attrs

from crmkit.features.metrics.statistics.proportion import critical
from crmkit.features.metrics.statistics.quantile import mean
from crmkit.features.metrics.statistics.survival import Curve, kaplan_meier
from crmkit.features.metrics.tallies.facts import Spell, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import ladder
from crmkit.features.metrics.tallies.metric import Interval, Metric
from crmkit.features.metrics.tallies.parameters import one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.shares import added, count
from crmkit.values import to_micros
from crmkit.values.clock import DAY_MICROS

__all__ = ["DwellTally", "StageDwell", "Stay", "median_interval", "stage_dwell", "stage_dwell_of", "tally"]

Stay = Literal["first", "latest", "cumulative"]


@attrs.frozen(kw_only=True)
class DwellTally:
    """How many deals stayed so many microseconds in each stage: ``{stage: {microseconds: (completed, lasting)}}``.

    ``parts`` are, for each stage, those ``completed`` and ``lasting``.
    """

    stays: Mapping[Hashable, Mapping[int, tuple[int, int]]] = attrs.field(factory=dict)
    excluded: Mapping[str, int] = attrs.field(factory=dict)
    parts: Mapping[Hashable, Parts] = attrs.field(factory=dict)

    def __add__(self, other: "DwellTally") -> "DwellTally":
        if not isinstance(other, DwellTally):
            return NotImplemented
        stays = {stage: dict(times) for stage, times in self.stays.items()}
        for stage, times in other.stays.items():
            own = stays.setdefault(stage, {})
            for micros, (completed, lasting) in times.items():
                before = own.get(micros, (0, 0))
                own[micros] = (before[0] + completed, before[1] + lasting)
        parts = dict(self.parts)
        for stage, counted in other.parts.items():
            parts[stage] = parts.get(stage, Parts()) + counted
        return DwellTally(stays=stays, excluded=added(self.excluded, other.excluded), parts=parts)


@attrs.frozen(kw_only=True)
class StageDwell:
    """The stays in a stage: the ``curve`` of how many stay longer than so many days, its ``median``, the naive mean.

    The median is None if more than half are still there at the longest time seen. ``naive_mean`` leaves those out that
    are still there.
    """

    stage: Hashable
    name: str
    curve: Curve
    median: Metric
    naive_mean: Metric


def stage_dwell(journeys: Journeys, *, stay: Stay = "cumulative") -> tuple[StageDwell, ...]:
    """The dwell of each open stage, in their order; impossible histories are found and left out. See :func:`tally`."""
    return stage_dwell_of(tally(journeys, stay=stay), journeys.stages, journeys.frame, stay=stay)


def tally(journeys: Journeys, *, stay: Stay = "cumulative") -> DwellTally:
    """One stay of each deal in each stage it was in; one that lasts is counted until now, as lasting.

    ``stay``: the ``first`` spell; the ``latest``, complete or not (HubSpot's latest tells of complete ones only, and so
    forgets those who have been there longest); or the ``cumulative`` sum of all.
    Raises UsageError with code ``unknown_variant``.
    """
    one_of(stay, Stay, "stay")
    now = to_micros(journeys.frame.as_of)
    stays: dict[Hashable, dict[int, tuple[int, int]]] = {}
    excluded: dict[str, int] = {}
    parts: dict[Hashable, PartsFold] = {}
    for journey in journeys:
        if journey.left_out:
            count(excluded, journey.left_out)
            continue
        for stage, (micros, lasts) in _stays(journey.spells, now, stay).items():
            times = stays.setdefault(stage, {})
            completed, lasting = times.get(micros, (0, 0))
            times[micros] = (completed + (not lasts), lasting + lasts)
            if stage not in parts:
                parts[stage] = PartsFold(journeys.frame)
            parts[stage].add("lasting" if lasts else "completed", journey.deal.id)
    done = {stage: fold.done() for stage, fold in parts.items()}
    return DwellTally(stays=stays, excluded=excluded, parts=done)


def _stays(spells: Iterable[Spell], now: int, stay: Stay) -> dict[Hashable, tuple[int, bool]]:
    """The time of one deal in each stage, and whether it lasts; ``spells`` are in the order of time."""
    found: dict[Hashable, tuple[int, bool]] = {}
    for spell in spells:
        lasts = spell.left is None
        micros = (now if spell.left is None else to_micros(spell.left)) - to_micros(spell.entered)
        if stay == "cumulative" and spell.stage in found:
            found[spell.stage] = (found[spell.stage][0] + micros, found[spell.stage][1] or lasts)
        elif stay != "first" or spell.stage not in found:
            found[spell.stage] = (micros, lasts)
    return found


def stage_dwell_of(
    tally: DwellTally, stages: Sequence[StageFact], frame: Frame, *, stay: Stay = "cumulative"
) -> tuple[StageDwell, ...]:
    """The dwell of each open stage as a tally tells it."""
    found = []
    for stage in ladder(stages, "now").rungs:
        times = tally.stays.get(stage.id, {})
        curve = kaplan_meier({micros / DAY_MICROS: ends for micros, ends in times.items()})
        members = tally.parts.get(stage.id, Parts()).members(frame)
        more: dict[str, Any] = {"unit": "days", "frame": frame, "excluded": tally.excluded, "members": members}
        naive = mean({micros: completed for micros, (completed, _) in times.items()})
        exact = None if naive is None else naive / DAY_MICROS
        found.append(
            StageDwell(
                stage=stage.id,
                name=stage.name,
                curve=curve,
                median=_median(curve, times, f"{stay}_kaplan_meier_median", more),
                naive_mean=Metric(
                    name="dwell",
                    variant=f"{stay}_completed_mean",
                    value=None if exact is None else float(exact),
                    exact=exact,
                    n=curve.n_events,
                    notes=("only stays that are complete: too low while others last",) if curve.n_censored else (),
                    **{**more, "excluded": added(tally.excluded, _lasting(curve))},
                ),
            )
        )
    return tuple(found)


def _median(curve: Curve, times: Mapping[int, tuple[int, int]], variant: str, more: dict[str, Any]) -> Metric:
    days = curve.median
    # The curve's times are floats of days; the microseconds they were made of are exact.
    exact = (
        None if days is None else next(Fraction(micros, DAY_MICROS) for micros in times if micros / DAY_MICROS == days)
    )
    return Metric(
        name="dwell",
        variant=variant,
        value=days,
        exact=exact,
        n=curve.n,
        censored=curve.n_censored,
        interval=median_interval(curve),
        notes=("more than half are still there at the longest time seen",) if curve.n and days is None else (),
        **more,
    )


def median_interval(curve: Curve, level: float = 0.95) -> Interval | None:
    """Where the median of a curve lies: the times at which the band of the curve, by log-log, holds a half.

    Source: R. Brookmeyer and J. Crowley, A confidence interval for the median survival time, Biometrics 38 (1982).
    None if one of its ends is not reached yet. Raises UsageError with code ``bad_level``.
    """
    z = critical(level)
    low = None
    for time, share, hazard in zip(curve.times, curve.values, curve.hazards, strict=True):
        # As Curve.interval tells the band at one time, for all times in one pass.
        width = z * math.sqrt(hazard) / -math.log(share) if 0 < share < 1 else 0.0
        if low is None and share ** math.exp(width) <= 0.5:
            low = time
        if low is not None and share ** math.exp(-width) <= 0.5:
            return Interval(low, time, level, "log-log")
    return None


def _lasting(curve: Curve) -> dict[str, int]:
    return {"lasting": curve.n_censored} if curve.n_censored else {}
