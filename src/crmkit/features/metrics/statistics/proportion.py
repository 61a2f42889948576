"""How sure a share is: the score interval of Wilson, which holds for few and for many."""

import math
from statistics import NormalDist

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.tallies.metric import Interval
from crmkit.features.metrics.tallies.parameters import is_number
from crmkit.values.text import shown

__all__ = ["critical", "wilson"]


def wilson(successes: int, n: int, level: float = 0.95) -> Interval | None:
    """The score interval of ``successes`` out of ``n``; None of nothing.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927); without
    continuity correction. It assumes that the ``n`` are independent. Unlike the interval of the textbook (share plus
    and minus its error) it never leaves 0 to 1 and has a width at 0 and at 1.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range`` unless ``0 <= successes <= n``, and
    :class:`~crmkit.errors.UsageError` with code ``bad_level``.
    """
    z = critical(level)
    if not 0 <= successes <= n:
        raise InvalidValue(f"{successes} of {n} is no share", code="out_of_range", hint="count between 0 and n")
    if n == 0:
        return None
    share, z2 = successes / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return Interval(low, high, level, "wilson")


def critical(level: float) -> float:
    """How many standard deviations on each side of the middle hold ``level`` of a normal distribution: 1.96 for 0.95.

    Raises :class:`~crmkit.errors.UsageError` with code ``bad_level`` unless it lies between 0 and 1.
    """
    if not is_number(level) or not 0 < level < 1:
        raise UsageError(f"{shown(level)} is no level of an interval", code="bad_level", hint="between 0 and 1: 0.95")
    return NormalDist().inv_cdf((1 + level) / 2)
