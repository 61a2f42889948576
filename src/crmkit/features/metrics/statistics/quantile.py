"""Mean, median and quantiles of values that were counted: ``{value: how often}``, exact where the values are."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any, TypeAlias, overload

from crmkit.errors import InvalidValue, UsageError
from crmkit.values.text import shown

__all__ = ["Counted", "mean", "median", "quantile", "quantiles"]

Counted: TypeAlias = Mapping[int, int] | Mapping[Fraction, int] | Mapping[float, int]
Share: TypeAlias = float | Fraction | Decimal


@overload
def mean(counts: Mapping[int, int] | Mapping[Fraction, int]) -> Fraction | None: ...
@overload
def mean(counts: Mapping[float, int]) -> Fraction | float | None: ...
def mean(counts: Counted) -> Fraction | float | None:
    """The arithmetic mean; None of nothing. Of ints and Fractions it is an exact Fraction.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``negative_count`` or ``not_a_number``.
    """
    pairs = _sorted(counts)
    n = sum(count for _, count in pairs)
    if n == 0:
        return None
    if _exact(pairs):
        return sum((value * count for value, count in pairs), Fraction(0)) / n
    return math.fsum(value * count for value, count in pairs) / n


@overload
def median(counts: Mapping[int, int] | Mapping[Fraction, int]) -> Fraction | None: ...
@overload
def median(counts: Mapping[float, int]) -> Fraction | float | None: ...
def median(counts: Counted) -> Fraction | float | None:
    """The value in the middle, or half way between the two in the middle; None of nothing.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``negative_count`` or ``not_a_number``.
    """
    return _quantiles(counts, (Fraction(1, 2),))[0]


@overload
def quantile(counts: Mapping[int, int] | Mapping[Fraction, int], share: Share) -> Fraction | None: ...
@overload
def quantile(counts: Mapping[float, int], share: Share) -> Fraction | float | None: ...
def quantile(counts: Counted, share: Share) -> Fraction | float | None:
    """The value below which ``share`` of the values lie, interpolated; None of nothing.

    Source: R. J. Hyndman and Y. Fan, Sample quantiles in statistical packages, American Statistician 50 (1996),
    definition 7, the default of R, NumPy and pandas; spreadsheets call it inclusive. ``share`` runs from 0 (the least)
    to 1 (the greatest); a float is taken as the decimal it is written as, so that 0.9 is nine tenths.

    Raises :class:`~crmkit.errors.UsageError` with code ``bad_share`` and :class:`~crmkit.errors.InvalidValue` with code
    ``negative_count`` or ``not_a_number``.
    """
    return _quantiles(counts, (share,))[0]


@overload
def quantiles(
    counts: Mapping[int, int] | Mapping[Fraction, int], shares: Iterable[Share]
) -> tuple[Fraction | None, ...]: ...
@overload
def quantiles(counts: Mapping[float, int], shares: Iterable[Share]) -> tuple[Fraction | float | None, ...]: ...
def quantiles(counts: Counted, shares: Iterable[Share]) -> tuple[Fraction | float | None, ...]:
    """Several quantiles at once, in the order they are asked for; see :func:`quantile`."""
    return _quantiles(counts, shares)


def _quantiles(counts: Counted, shares: Iterable[Share]) -> tuple[Fraction | float | None, ...]:
    asked = [_share(share) for share in shares]
    pairs = _sorted(counts)
    ends = list(accumulate(count for _, count in pairs))
    if not ends:
        return tuple(None for _ in asked)
    values = [value for value, _ in pairs]
    exact = _exact(pairs)
    found = []
    for share in asked:
        place = (ends[-1] - 1) * share
        below = values[bisect_right(ends, math.floor(place))]
        above = values[bisect_right(ends, math.ceil(place))]
        part = place - math.floor(place)
        found.append(below + part * (above - below) if exact else below + float(part) * (above - below))
    return tuple(Fraction(value) if exact else value for value in found)


def _sorted(counts: Counted) -> list[tuple[Any, int]]:
    """The values that occur, in order, with how often."""
    pairs: list[tuple[Any, Any]] = list(counts.items())
    for value, count in pairs:
        if type(count) is not int or count < 0:
            raise InvalidValue(
                f"{shown(value)} cannot occur {shown(count)} times", code="negative_count", hint="count from 0 up"
            )
        if isinstance(value, bool) or not isinstance(value, int | float | Fraction) or not math.isfinite(value):
            raise InvalidValue(f"{shown(value)} is no number", code="not_a_number", hint="count finite numbers")
    return sorted(pair for pair in pairs if pair[1])


def _exact(pairs: list[tuple[Any, int]]) -> bool:
    return not any(isinstance(value, float) for value, _ in pairs)


def _share(share: object) -> Fraction:
    if isinstance(share, int | Fraction) or (isinstance(share, float | Decimal) and math.isfinite(share)):
        exact = Fraction(repr(share)) if isinstance(share, float) else Fraction(share)
        if 0 <= exact <= 1:
            return exact
    raise UsageError(f"{shown(share)} is no share", code="bad_share", hint="between 0 and 1: 0.9")
