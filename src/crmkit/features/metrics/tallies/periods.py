"""Which days a metric covers: those of a period, by the calendar of the frame's zone."""

from datetime import date

import attrs

from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Period

__all__ = ["covered", "within"]


def within(period: Period | None, day: date) -> bool:
    """Whether the period has the day; None has all of them. Days are compared, the period's own zone plays no part."""
    return period is None or period.start <= day < period.end


def covered(period: Period | None, frame: Frame) -> Period | None:
    """The period as a metric tells it: the same days, in the frame's zone."""
    return None if period is None else attrs.evolve(period, zone=frame.zone)
