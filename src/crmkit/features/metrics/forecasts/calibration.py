"""Whether stated probabilities come true: Brier score, its parts, and a table of what was said against what happened.

Sources: G. W. Brier (1950) for the score in its two-class half form, 0 the best and 1 the worst; A. H. Murphy, A new
vector partition of the probability score (1973): score = reliability - resolution + uncertainty, exact here since deals
are grouped by the very probability that was stated. Traps: a score is small where winning is rare, so it is read beside
its uncertainty; deals still open have no outcome and are censored, which leaves the quick ones.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Literal

import attrs

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.tallies.facts import Outcome
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import one_of
from crmkit.features.metrics.tallies.shares import added, count, joined, listed, share
from crmkit.values.text import shown

__all__ = [
    "Calibration",
    "CalibrationTally",
    "NotWon",
    "ReliabilityRow",
    "calibration",
    "calibration_of",
    "stage_calibration",
    "tally",
    "tally_stages",
]

NotWon = Literal["narrow", "broad"]
Forecast = tuple[Fraction, Outcome]


@attrs.frozen(kw_only=True)
class CalibrationTally:
    """How many forecasts there were of each probability, and how many of them came true: ``{p: (n, won)}``.

    ``members`` are the ids behind them by probability and whether they came true, if asked for.
    """

    forecasts: Mapping[Fraction, tuple[int, int]] = attrs.field(factory=dict)
    censored: int = 0
    excluded: Mapping[str, int] = attrs.field(factory=dict)
    members: Mapping[tuple[Fraction, bool], frozenset[Hashable]] = attrs.field(factory=dict)

    @property
    def n(self) -> int:
        """How many forecasts have an outcome."""
        return sum(n for n, _ in self.forecasts.values())

    @property
    def won(self) -> int:
        """How many came true."""
        return sum(won for _, won in self.forecasts.values())

    def __add__(self, other: "CalibrationTally") -> "CalibrationTally":
        if not isinstance(other, CalibrationTally):
            return NotImplemented
        forecasts = dict(self.forecasts)
        for probability, (n, won) in other.forecasts.items():
            before = forecasts.get(probability, (0, 0))
            forecasts[probability] = (before[0] + n, before[1] + won)
        return CalibrationTally(
            forecasts=forecasts,
            censored=self.censored + other.censored,
            excluded=added(self.excluded, other.excluded),
            members=joined(self.members, other.members),
        )

    def ids(self, probabilities: Iterable[Fraction], *, won: bool) -> frozenset[Hashable]:
        """The ids behind forecasts of these probabilities that came true, or did not."""
        return frozenset(id for p in probabilities for id in self.members.get((p, won), ()))


@attrs.frozen(kw_only=True)
class ReliabilityRow:
    """Forecasts from ``low`` up to ``high`` (the last row has its end too): their mean, the share that came true."""

    low: Fraction
    high: Fraction
    mean_forecast: Metric
    observed: Metric


@attrs.frozen(kw_only=True)
class Calibration:
    """``brier`` equals ``reliability`` - ``resolution`` + ``uncertainty``, exactly.

    ``reliability`` is how far stated shares lie from those that came true (0 is best), ``resolution`` how far apart the
    forecasts tell cases (more is better), ``uncertainty`` what the score of the plain win rate would be. ``table`` has
    the bins that hold any forecast.
    """

    brier: Metric
    reliability: Metric
    resolution: Metric
    uncertainty: Metric
    table: tuple[ReliabilityRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **{name: getattr(self, name).to_dict() for name in ("brier", "reliability", "resolution", "uncertainty")},
            "table": [
                {
                    "low": str(row.low),
                    "high": str(row.high),
                    "mean_forecast": row.mean_forecast.to_dict(),
                    "observed": row.observed.to_dict(),
                }
                for row in self.table
            ],
        }


def calibration(
    forecasts: Iterable[Forecast], frame: Frame, *, not_won: NotWon = "narrow", bins: int = 10
) -> Calibration:
    """The calibration of pairs of a stated probability and what became of the deal. See :func:`tally`."""
    return calibration_of(tally(forecasts, not_won=not_won), frame, variant=not_won, bins=bins)


def stage_calibration(journeys: Journeys, *, not_won: NotWon = "narrow", bins: int = 10) -> Calibration:
    """The calibration of the stages' own probabilities: each deal counts once for every open stage it was in.

    The probabilities are those that the stages of ``journeys`` state, whatever they said when a deal was there.
    Impossible histories are found and left out.
    """
    counted = tally_stages(journeys, not_won=not_won)
    notes = ("judged are the probabilities that stages state now, also of deals that were there when they said others",)
    return calibration_of(counted, journeys.frame, variant=f"stage_{not_won}", bins=bins, notes=notes)


def tally(forecasts: Iterable[Forecast], *, not_won: NotWon = "narrow") -> CalibrationTally:
    """Forecasts by probability, with their outcomes; those of open deals are censored.

    ``narrow`` leaves ``disqualified`` deals out, ``broad`` counts them as not won. Raises InvalidValue with code
    ``bad_probability`` unless all lie between 0 and 1, and UsageError with code ``unknown_variant``.
    """
    one_of(not_won, NotWon, "meaning of not won")
    found: dict[Fraction, tuple[int, int]] = {}
    excluded: dict[str, int] = {}
    censored = 0
    for probability, outcome in forecasts:
        if not 0 <= probability <= 1:
            raise InvalidValue(
                f"nothing is won with a probability of {probability}", code="bad_probability", hint="between 0 and 1"
            )
        if outcome == "open":
            censored += 1
        elif outcome == "disqualified" and not_won == "narrow":
            count(excluded, "disqualified")
        else:
            n, won = found.get(probability, (0, 0))
            found[probability] = (n + 1, won + (outcome == "won"))
    return CalibrationTally(forecasts=found, censored=censored, excluded=excluded)


def tally_stages(journeys: Journeys, *, not_won: NotWon = "narrow") -> CalibrationTally:
    """One forecast for each deal and each open stage it was in; stages that state none are left out and counted."""
    stated = {stage.id: stage.probability for stage in journeys.stages if stage.kind == "open"}
    excluded: dict[str, int] = {}
    members: dict[tuple[Fraction, bool], set[Hashable]] = {}
    left_out = ("open", "disqualified") if not_won == "narrow" else ("open",)

    def forecasts() -> Iterator[Forecast]:
        for journey in journeys:
            if journey.left_out:
                count(excluded, journey.left_out)
                continue
            for stage in {spell.stage for spell in journey.spells} & stated.keys():
                probability = stated[stage]
                if probability is None:
                    count(excluded, "no_probability")
                else:
                    if journeys.frame.members and journey.deal.outcome not in left_out:
                        of = probability, journey.deal.outcome == "won"
                        members.setdefault(of, set()).add(journey.deal.id)
                    yield probability, journey.deal.outcome

    counted = tally(forecasts(), not_won=not_won)
    ids = {of: frozenset(own) for of, own in members.items()}
    return attrs.evolve(counted, excluded=added(counted.excluded, excluded), members=ids)


def calibration_of(
    tally: CalibrationTally, frame: Frame, *, variant: str, bins: int = 10, notes: tuple[str, ...] = ()
) -> Calibration:
    """The calibration a tally tells; ``bins`` is how many rows of equal width the table may have, ``notes`` are those
    of all its figures.

    Raises UsageError with code ``bad_bins`` unless there are 1 to 100.
    """
    if type(bins) is not int or not 1 <= bins <= 100:
        raise UsageError(f"{shown(bins)} is no number of bins", code="bad_bins", hint="an int from 1 to 100")
    common: dict[str, Any] = {"frame": frame, "excluded": tally.excluded, "censored": tally.censored, "notes": notes}
    n = tally.n
    base = Fraction(tally.won, n) if n else Fraction(0)
    brier = reliability = resolution = Fraction(0)
    for probability, (number, won) in tally.forecasts.items():
        observed = Fraction(won, number)
        brier += won * (1 - probability) ** 2 + (number - won) * probability**2
        reliability += number * (probability - observed) ** 2
        resolution += number * (observed - base) ** 2

    scored = {**common, "members": _members(tally, tally.forecasts, frame)}

    def score(name: str, total: Fraction) -> Metric:
        exact = total / n if n else None
        value = None if exact is None else float(exact)
        return Metric(name=name, variant=variant, unit="score", value=value, exact=exact, n=n, **scored)

    return Calibration(
        brier=score("brier_score", brier),
        reliability=score("brier_reliability", reliability),
        resolution=score("brier_resolution", resolution),
        uncertainty=score("brier_uncertainty", n * base * (1 - base)),
        table=tuple(_table(tally, variant, bins, common)),
    )


def _members(
    tally: CalibrationTally, said: Collection[Fraction], frame: Frame
) -> dict[str, tuple[Hashable, ...]] | None:
    """Whose forecasts of these probabilities came true and whose did not; None of forecasts that are nobody's."""
    if not tally.members:
        return None
    return listed({"won": tally.ids(said, won=True), "not_won": tally.ids(said, won=False)}, frame)


def _table(tally: CalibrationTally, variant: str, bins: int, common: dict[str, Any]) -> Iterable[ReliabilityRow]:
    by_bin: dict[int, list[tuple[Fraction, int, int]]] = {}
    for probability, (n, won) in tally.forecasts.items():
        by_bin.setdefault(min(int(probability * bins), bins - 1), []).append((probability, n, won))
    for place, rows in sorted(by_bin.items()):
        n = sum(number for _, number, _ in rows)
        exact = sum((probability * number for probability, number, _ in rows), Fraction(0)) / n
        said = [probability for probability, _, _ in rows]
        scored = {**common, "members": _members(tally, said, common["frame"])}
        yield ReliabilityRow(
            low=Fraction(place, bins),
            high=Fraction(place + 1, bins),
            mean_forecast=Metric(
                name="mean_forecast", variant=variant, unit="ratio", value=float(exact), exact=exact, n=n, **scored
            ),
            observed=share("observed_share", variant, sum(won for _, _, won in rows), n, **scored),
        )
