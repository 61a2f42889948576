"""Time until something happens, when for some it has not happened yet.

Those for whom it has not are censored: they count as long as they were watched, and are neither a no nor left out.
Durations come counted, ``{time: ...}``, in any unit (days, seconds), so that a million of them are a few hundred rows.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Mapping
from itertools import accumulate
from typing import TypeAlias

import attrs

from crmkit.errors import InvalidValue
from crmkit.features.metrics.statistics.proportion import critical
from crmkit.features.metrics.tallies.metric import Interval
from crmkit.values.text import shown

__all__ = ["Curve", "Durations", "Incidences", "Outcomes", "aalen_johansen", "kaplan_meier"]

Durations: TypeAlias = Mapping[int, tuple[int, int]] | Mapping[float, tuple[int, int]]
Outcomes: TypeAlias = Mapping[int, Mapping[Hashable, int]] | Mapping[float, Mapping[Hashable, int]]

# The floats of a product of some thousand factors are closer than this to what they stand for.
_NEAR = 1e-9


@attrs.frozen
class Curve:
    """A Kaplan-Meier curve: at each time at which anything ended, how many are left.

    All tuples have the length of ``times``, ascending. ``at_risk`` counts those watched until just before, ``events``
    and ``censored`` those that ended then, ``values`` is the share that lasts beyond. ``hazards`` is Greenwood's sum of
    d / (n (n - d)) so far, infinite once nobody is left.
    """

    times: tuple[float, ...] = ()
    at_risk: tuple[int, ...] = ()
    events: tuple[int, ...] = ()
    censored: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    hazards: tuple[float, ...] = ()

    @property
    def n(self) -> int:
        """How many were watched."""
        return self.at_risk[0] if self.at_risk else 0

    @property
    def n_events(self) -> int:
        """For how many it happened."""
        return sum(self.events)

    @property
    def n_censored(self) -> int:
        """For how many it had not happened yet."""
        return sum(self.censored)

    @property
    def variance(self) -> tuple[float, ...]:
        """Of the values, by M. Greenwood (1926): S² times the sum of d / (n (n - d)); 0 once nobody is left."""
        return tuple(s * s * h if s else 0.0 for s, h in zip(self.values, self.hazards, strict=True))

    def at(self, time: float) -> float:
        """The share that lasts beyond ``time``; 1 before the first time, after the last it stays as it was there."""
        place = bisect_right(self.times, time)
        return self.values[place - 1] if place else 1.0

    def interval(self, time: float, level: float = 0.95) -> Interval | None:
        """Where the share at ``time`` lies, by the log-log transformation, which stays between 0 and 1.

        Source: J. D. Kalbfleisch and R. L. Prentice, The Statistical Analysis of Failure Time Data (1980). None where
        the curve is still at 1 or already at 0. Raises :class:`~crmkit.errors.UsageError` with code ``bad_level``.
        """
        z = critical(level)
        place = bisect_right(self.times, time)
        share = self.values[place - 1] if place else 1.0
        if not 0 < share < 1:
            return None
        log = math.log(share)
        width = z * math.sqrt(self.hazards[place - 1]) / abs(log)
        return Interval(share ** math.exp(width), share ** math.exp(-width), level, "log-log")

    @property
    def median(self) -> float | None:
        """The first time by which it has happened for half or more; None if it has not come to that."""
        for place, value in enumerate(self.values):
            if value <= 0.5 - _NEAR or (value < 0.5 + _NEAR and self._at_most_half(place)):
                return self.times[place]
        return None

    def _at_most_half(self, place: int) -> bool:
        """Whether the value there is really no more than a half, by whole numbers: floats may miss a tie."""
        left = Counter(n - d for n, d in zip(self.at_risk[: place + 1], self.events, strict=False))
        risk = Counter(self.at_risk[: place + 1])
        return 2 * math.prod((left - risk).elements()) <= math.prod((risk - left).elements())


@attrs.frozen
class Incidences:
    """Aalen-Johansen curves: what share has ended by each time, for each cause.

    ``survival`` is the curve of those for whom nothing has happened; its times are the times of ``values``, which hold
    the share that has ended for each cause by then. Survival and incidences add up to 1 at all times.
    """

    survival: Curve
    events: Mapping[Hashable, tuple[int, ...]]
    values: Mapping[Hashable, tuple[float, ...]]

    @property
    def causes(self) -> tuple[Hashable, ...]:
        """What it may end by."""
        return tuple(self.values)

    def at(self, cause: Hashable, time: float) -> float:
        """The share that has ended for the cause by ``time``; 0 if it never did."""
        place = bisect_right(self.survival.times, time)
        return self.values[cause][place - 1] if place and cause in self.values else 0.0

    def variance(self, cause: Hashable) -> tuple[float, ...]:
        """Of the incidence of a cause at each time, by the delta method.

        Source: E. Marubini and M. G. Valsecchi, Analysing Survival Data from Clinical Trials (1995), 10.3. The sums
        over earlier times are kept running, so that it takes one pass.
        """
        found = []
        before, hazards, first, second, own, mixed, mixed_first = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        steps = zip(
            self.survival.at_risk, self.survival.events, self.survival.values,
            self.events.get(cause, ()), self.values.get(cause, ()), strict=False,
        )  # fmt: skip
        for n, d, survival, own_d, share in steps:
            hazard = d / (n * (n - d)) if d < n else 0.0
            hazards, first, second = hazards + hazard, first + share * hazard, second + share * share * hazard
            own += before * before * own_d * (n - own_d) / n**3
            mixed += before * own_d / n**2
            mixed_first += share * before * own_d / n**2
            spread = share * share * hazards - 2 * share * first + second + own - 2 * (share * mixed - mixed_first)
            found.append(max(0.0, spread))
            before = survival
        return tuple(found)

    def interval(self, cause: Hashable, time: float, level: float = 0.95) -> Interval | None:
        """Where the incidence of a cause at ``time`` lies, by the log-log transformation.

        Source: J. B. Choudhury, Non-parametric confidence interval estimation for competing risks analysis,
        Stat. Med. 21 (2002). None where it is still 0 or already 1. Raises :class:`~crmkit.errors.UsageError` with code
        ``bad_level``.
        """
        z = critical(level)
        share = self.at(cause, time)
        if not 0 < share < 1:
            return None
        variance = self.variance(cause)[bisect_right(self.survival.times, time) - 1]
        width = z * math.sqrt(variance) / (share * abs(math.log(share)))
        return Interval(share ** math.exp(width), share ** math.exp(-width), level, "log-log")


def kaplan_meier(durations: Durations) -> Curve:
    """The product-limit curve of ``{time: (events, censored)}``; of nothing it is an empty one.

    Source: E. L. Kaplan and P. Meier, Nonparametric estimation from incomplete observations, JASA 53 (1958). Those
    censored at the time of an event count as at risk for it. What is censored must not tell anything of when it would
    have ended.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``negative_duration`` or ``negative_count``.
    """
    return _curve({time: (_count(ended), _count(censored)) for time, (ended, censored) in durations.items()})


def aalen_johansen(outcomes: Outcomes) -> Incidences:
    """The incidence of each cause, competing with the others, of ``{time: {cause: n, None: censored}}``.

    Source: O. O. Aalen and S. Johansen, An empirical transition matrix for nonhomogeneous Markov chains based on
    censored observations, Scand. J. Statist. 5 (1978). Taking the other causes for censored and one minus Kaplan-Meier
    for the incidence tells too much: what was lost can no longer be won.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``negative_duration`` or ``negative_count``.
    """
    counts: dict[float, Mapping[Hashable, int]] = {}
    totals: dict[float, tuple[int, int]] = {}
    for time, at_time in outcomes.items():
        counts[time] = {cause: _count(number) for cause, number in at_time.items()}
        censored = counts[time].get(None, 0)
        totals[time] = (sum(counts[time].values()) - censored, censored)
    survival = _curve(totals)
    events = {
        cause: tuple(counts[time].get(cause, 0) for time in survival.times)
        for cause in dict.fromkeys(cause for time in survival.times for cause in counts[time] if cause is not None)
    }
    before = (1.0, *survival.values)
    values = {
        cause: tuple(accumulate(s * d / n for s, d, n in zip(before, own, survival.at_risk, strict=False)))
        for cause, own in events.items()
    }
    return Incidences(survival, events, values)


def _curve(durations: Mapping[float, tuple[int, int]]) -> Curve:
    times = sorted(_time(time) for time, ended in durations.items() if any(ended))
    events = tuple(durations[time][0] for time in times)
    censored = tuple(durations[time][1] for time in times)
    risk = sum(events) + sum(censored)
    survival, hazard = 1.0, 0.0
    at_risk, values, hazards = [], [], []
    for ended, unended in zip(events, censored, strict=True):
        at_risk.append(risk)
        survival *= (risk - ended) / risk
        hazard += ended / (risk * (risk - ended)) if ended < risk else math.inf
        values.append(survival)
        hazards.append(hazard)
        risk -= ended + unended
    return Curve(tuple(times), tuple(at_risk), events, censored, tuple(values), tuple(hazards))


def _time(time: object) -> float:
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time) or time < 0:
        raise InvalidValue(
            f"{shown(time)} is no duration", code="negative_duration", hint="what ends before it begins is left out"
        )
    return time


def _count(number: object) -> int:
    if type(number) is not int or number < 0:
        raise InvalidValue(f"{shown(number)} is no count", code="negative_count", hint="count from 0 up")
    return number
