"""How the share of a cohort that went on from a stage grows with the days since it entered."""

from collections.abc import Hashable, Mapping
from typing import Any

import attrs

from crmkit.features.metrics.figures.conversion import first_entries
from crmkit.features.metrics.statistics.survival import Incidences, aalen_johansen
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import Order, closed_at, ladder
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_age
from crmkit.features.metrics.tallies.parts import PartsFold
from crmkit.features.metrics.tallies.periods import covered
from crmkit.features.metrics.tallies.shares import added, joined, listed
from crmkit.values import Period, to_micros
from crmkit.values.clock import DAY_MICROS

__all__ = ["LOST", "REACHED", "CohortCurve", "CohortCurveTally", "cohort_curve", "cohort_curve_of", "tally"]

REACHED = "reached"
LOST = "lost"


@attrs.frozen(kw_only=True)
class CohortCurveTally:
    """How many deals of a cohort reached a later stage, were lost or (``None``) still wait, by microseconds since.

    ``members`` are the ids of those ``reached``, ``lost`` and ``waiting``, if asked for.
    """

    outcomes: Mapping[int, Mapping[Hashable, int]] = attrs.field(factory=dict)
    excluded: Mapping[str, int] = attrs.field(factory=dict)
    members: Mapping[str, frozenset[Hashable]] = attrs.field(factory=dict)

    @property
    def n(self) -> int:
        """How many deals the cohort has."""
        return sum(sum(counts.values()) for counts in self.outcomes.values())

    @property
    def censored(self) -> int:
        """How many still wait."""
        return sum(counts.get(None, 0) for counts in self.outcomes.values())

    def __add__(self, other: "CohortCurveTally") -> "CohortCurveTally":
        if not isinstance(other, CohortCurveTally):
            return NotImplemented
        outcomes = {time: dict(counts) for time, counts in self.outcomes.items()}
        for time, counts in other.outcomes.items():
            outcomes[time] = added(outcomes.get(time, {}), counts)
        return CohortCurveTally(
            outcomes=outcomes,
            excluded=added(self.excluded, other.excluded),
            members=joined(self.members, other.members),
        )


@attrs.frozen(kw_only=True)
class CohortCurve:
    """The curve of a cohort: ``incidences`` of :data:`REACHED` and :data:`LOST` by days (of 86,400 s) since entry."""

    variant: str
    incidences: Incidences
    n: int
    censored: int
    excluded: Mapping[str, int]
    frame: Frame
    period: Period | None = None
    members: Mapping[str, tuple[Hashable, ...]] | None = None

    def at(self, days: float, level: float = 0.95) -> Metric:
        """The share that went on within so many days, had all been watched so long; None of nothing.

        Raises UsageError with code ``bad_days`` or ``bad_level``.
        """
        check_age(days)
        return Metric(
            name="stage_conversion",
            variant=f"{self.variant}_{days:g}_days",
            unit="ratio",
            value=self.incidences.at(REACHED, days) if self.n else None,
            n=self.n,
            frame=self.frame,
            excluded=self.excluded,
            censored=self.censored,
            interval=self.incidences.interval(REACHED, days, level),
            period=self.period,
            members=self.members,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": "stage_conversion",
            "variant": self.variant,
            "n": self.n,
            "censored": self.censored,
            "excluded": dict(self.excluded),
            "period": None if self.period is None else self.period.label,
            "days": list(self.incidences.survival.times),
            "waiting": list(self.incidences.survival.values),
            **{str(cause): list(values) for cause, values in self.incidences.values.items()},
            **self.frame.to_dict(),
        }


def cohort_curve(journeys: Journeys, period: Period, *, stage: Hashable, order: Order = "now") -> CohortCurve:
    """The curve of the deals that first entered the stage in the period; impossible histories are left out."""
    folded = tally(journeys, period, stage=stage, order=order)
    return cohort_curve_of(folded, f"cohort_curve_{order}", period, journeys.frame)


def tally(journeys: Journeys, period: Period, *, stage: Hashable, order: Order = "now") -> CohortCurveTally:
    """The times from first entry to reaching a later stage or being won, to being lost, or until now.

    A deal that was lost, reopened and then went on has gone on. ``disqualified`` is lost here.
    Raises UsageError with code ``unknown_stage`` or ``unknown_variant``.
    """
    rungs = ladder(journeys.stages, order, stage)
    now = to_micros(journeys.frame.as_of)
    outcomes: dict[int, dict[Hashable, int]] = {}
    excluded: dict[str, int] = {}
    parts = PartsFold(journeys.frame)
    for journey, entry in first_entries(journeys, period, stage, excluded):
        moves = rungs.moves_on(journey, entry)
        cause: str | None = REACHED if moves else None if journey.deal.outcome == "open" else LOST
        end = min(moves) if moves else now if cause is None else closed_at(journey.spells)
        counts = outcomes.setdefault(end - to_micros(entry.entered), {})
        counts[cause] = counts.get(cause, 0) + 1
        parts.add(cause or "waiting", journey.deal.id)
    return CohortCurveTally(outcomes=outcomes, excluded=excluded, members=parts.done().ids)


def cohort_curve_of(tally: CohortCurveTally, variant: str, period: Period | None, frame: Frame) -> CohortCurve:
    """The curve of Aalen and Johansen a tally tells, lost competing with going on, waiting censored."""
    by_days = {micros / DAY_MICROS: counts for micros, counts in tally.outcomes.items()}
    return CohortCurve(
        variant=variant,
        incidences=aalen_johansen(by_days),
        n=tally.n,
        censored=tally.censored,
        excluded=tally.excluded,
        frame=frame,
        period=covered(period, frame),
        members=listed(tally.members, frame),
    )
