"""What every number comes with: how it was counted, what was left out, and how sure it is."""

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Any

import attrs

from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Money, Period

__all__ = ["Interval", "Metric"]


@attrs.frozen
class Interval:
    """Where the true value lies with a probability of ``level``, by ``method`` (``"wilson"``, ``"log-log"``)."""

    low: float
    high: float
    level: float
    method: str


@attrs.frozen(kw_only=True)
class Metric:
    """One number, explained.

    ``value`` is None where there is nothing to tell it from (``n == 0``, or a denominator of nothing). Ratios run
    from 0 to 1 unless the notes say otherwise, durations are days, money is rounded once, half to even, to a
    ten-thousandth; ``exact`` is the same number unrounded, where it is rational (of money: in units of the
    currency). ``n`` counts what the number rests on. ``numerator`` and ``denominator`` are what was divided:
    counts, or amounts in the frame's currency. ``excluded`` says how many were left out for which reason,
    ``censored`` how many have not ended yet and count as such. ``members`` holds the ids behind each part, if the
    frame asked for them. ``notes`` are sentences a reader must know.
    """

    name: str
    variant: str
    unit: str
    value: Money | float | int | None
    n: int
    frame: Frame
    exact: Fraction | None = None
    numerator: Money | Fraction | int | None = None
    denominator: Money | Fraction | int | None = None
    excluded: Mapping[str, int] = attrs.field(factory=dict)
    censored: int = 0
    interval: Interval | None = None
    period: Period | None = None
    members: Mapping[str, tuple[Hashable, ...]] | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON: counts are numbers, money and fractions are exact texts."""
        return {
            "name": self.name,
            "variant": self.variant,
            "unit": self.unit,
            "value": _plain(self.value),
            "exact": _plain(self.exact),
            "n": self.n,
            "numerator": _plain(self.numerator),
            "denominator": _plain(self.denominator),
            "excluded": dict(self.excluded),
            "censored": self.censored,
            "interval": None if self.interval is None else attrs.asdict(self.interval),
            "period": None if self.period is None else self.period.label,
            "members": None if self.members is None else {k: [str(i) for i in ids] for k, ids in self.members.items()},
            "notes": list(self.notes),
            **self.frame.to_dict(),
        }

    def __str__(self) -> str:
        shown = "nothing" if self.value is None else str(self.value)
        return f"{self.name} ({self.variant}): {shown} {self.unit}, n={self.n}"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else str(value)
