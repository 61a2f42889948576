"""Counts that add up, shares of them as metrics, and the bounds within which they are counted."""

import math
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

import attrs

from crmkit.features.metrics.statistics.proportion import wilson
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_period
from crmkit.values import Period, to_micros

__all__ = ["added", "bounds_of", "count", "joined", "listed", "share", "sorted_ids"]

K = TypeVar("K", bound=Hashable)


def share(
    name: str, variant: str, numerator: int, denominator: int, frame: Frame, level: float = 0.95, **more: Any
) -> Metric:
    """How many of so many, as a ratio from 0 to 1 with the interval of Wilson; ``more`` are fields of the metric.

    The numerator must count some of those the denominator counts.
    """
    exact = Fraction(numerator, denominator) if denominator else None
    return Metric(
        name=name,
        variant=variant,
        unit="ratio",
        value=None if exact is None else float(exact),
        exact=exact,
        n=denominator,
        numerator=numerator,
        denominator=denominator,
        interval=wilson(numerator, denominator, level),
        frame=frame,
        **more,
    )


def added(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    """The sums of two mappings of counts."""
    total = dict(one)
    for key, number in other.items():
        total[key] = total.get(key, 0) + number
    return total


def count(counts: dict[K, int], key: K) -> None:
    """One more of the key."""
    counts[key] = counts.get(key, 0) + 1


def bounds_of(period: Period | None, frame: Frame) -> tuple[float, float]:
    """The microseconds from which and before which instants are in a period, whose days are those of the frame's zone.

    None has all of them. Raises UsageError with code ``bad_period``.
    """
    check_period(period)
    if period is None:
        return -math.inf, math.inf
    first, after = attrs.evolve(period, zone=frame.zone).instants()
    return to_micros(first), to_micros(after)


def joined(
    one: Mapping[K, frozenset[Hashable]], other: Mapping[K, frozenset[Hashable]]
) -> dict[K, frozenset[Hashable]]:
    """The ids of two mappings together."""
    total = dict(one)
    for key, ids in other.items():
        total[key] = total.get(key, frozenset()) | ids
    return total


def listed(members: Mapping[str, Iterable[Hashable]], frame: Frame) -> dict[str, tuple[Hashable, ...]] | None:
    """The ids of each part, in an order that does not depend on how they came, if the frame asks for them."""
    return {part: sorted_ids(ids) for part, ids in members.items()} if frame.members else None


def sorted_ids(ids: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Ids of any kind in an order that does not depend on how they came."""
    return tuple(sorted(ids, key=repr))
