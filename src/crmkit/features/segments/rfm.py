"""Recency, frequency and monetary value: 1..5 each, by cut points that are made once and kept.

For each customer: R the days since the last purchase, F the number of purchases, M their value (Miglautsch 2000). Each
is scored 1..5 by quintile, 5 the best, so R is inverted.

**Ties.** A score is 1 + the number of fifths that lie wholly below the value: ``1 + floor(5 * share(x < v))``. It
depends on the value alone, so equal values have equal scores whatever the order of the rows; where many are equal, some
scores are nobody's. The same said by cut points: c_k is the value at rank ceil(k n / 5) in ascending order (k = 1..4),
and the score is 1 + the number of cut points below the value.

**Mean or total.** M as a mean does not repeat F; M as a total does (a customer who buys often has spent much). Scores
of arrays take either; expressions of the query language are about totals.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

import attrs

from crmkit.errors import InvalidValue
from crmkit.query import Expr, F
from crmkit.query.nodes import RelativeTime, all_of, any_of
from crmkit.values import Money
from crmkit.values.text import shown

__all__ = [
    "RFM_SEGMENTS",
    "Cell",
    "CutPoints",
    "Purchases",
    "Score",
    "cut_points",
    "rfm_expressions",
    "scores",
    "valued_in",
    "won_deals",
]

Monetary = Literal["mean", "total"]
Number = TypeVar("Number", int, Decimal)

_FIFTHS = 5
_MAX_WINDOW = 100_000


@attrs.frozen
class Purchases:
    """What one customer bought: days since the last time, how often, for how much together (None: unknown).

    ``valued`` is how many of the purchases the total is of; None says all of them.
    """

    id: Any
    days: int
    count: int
    total: Decimal | None = None
    valued: int | None = None

    def value(self, monetary: Monetary) -> Decimal | None:
        """M: the mean of a purchase that has a value, or the total."""
        if self.total is None or monetary != "mean":
            return self.total
        return self.total / (self.count if self.valued is None else self.valued)


@attrs.frozen
class CutPoints:
    """Four cut points for each of R (days), F and M, the count of customers they are made from, and how M was taken.

    A list is empty where nobody had a value. ``currency`` is M's.
    """

    days: tuple[int, ...]
    count: tuple[int, ...]
    value: tuple[Decimal, ...]
    n: int
    monetary: Monetary = "mean"
    currency: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON, to be kept with a segment."""
        listed = {"days": list(self.days), "count": list(self.count), "value": [str(v) for v in self.value]}
        return {"made_of": "rfm", **listed, "n": self.n, "monetary": self.monetary, "currency": self.currency}


@attrs.frozen
class Score:
    """One customer's R, F and M, 1..5 each; ``m`` is None where the value is unknown."""

    id: Any
    r: int
    f: int
    m: int | None


def cut_points(
    customers: Iterable[Purchases], *, monetary: Monetary = "mean", currency: str | None = None
) -> CutPoints:
    """The quintile cut points of customers who bought at all (others are left out). Of nobody, no cut points.

    Raises InvalidValue (``bad_monetary``).
    """
    if monetary not in get_args(Monetary):
        raise InvalidValue(f"{shown(monetary)} is no way to take M", code="bad_monetary", hint="mean or total")
    bought = [c for c in customers if c.count > 0]
    values = [v for c in bought if (v := c.value(monetary)) is not None]
    return CutPoints(
        _quintiles([c.days for c in bought]),
        _quintiles([c.count for c in bought]),
        _quintiles(values),
        len(bought),
        monetary,
        currency,
    )


def scores(customers: Iterable[Purchases], cuts: CutPoints) -> list[Score]:
    """The scores of customers who bought at all, by cut points that may be another day's, in the order given."""
    return [
        Score(
            c.id,
            6 - _score(c.days, cuts.days),
            _score(c.count, cuts.count),
            None if (value := c.value(cuts.monetary)) is None else _score(value, cuts.value),
        )
        for c in customers
        if c.count > 0
    ]


def _quintiles(values: Sequence[Number]) -> tuple[Number, ...]:
    ordered = sorted(values)
    return tuple(ordered[-(-k * len(ordered) // _FIFTHS) - 1] for k in range(1, _FIFTHS)) if ordered else ()


def _score(value: Any, cuts: Sequence[Any]) -> int:
    return 1 + len([cut for cut in cuts if cut < value])


# ---------------------------------------------------------------------------------------------------------- expressions


@attrs.frozen
class Cell:
    """A range of scores of each, both ends included."""

    r: tuple[int, int] = (1, 5)
    f: tuple[int, int] = (1, 5)
    m: tuple[int, int] = (1, 5)


RFM_SEGMENTS: Mapping[str, Cell] = MappingProxyType(
    {
        "RFM champions": Cell(r=(4, 5), f=(4, 5)),
        "RFM promising": Cell(r=(4, 5), f=(1, 3)),
        "RFM needs attention": Cell(r=(3, 3)),
        "RFM at risk": Cell(r=(1, 2), f=(4, 5)),
        "RFM hibernating": Cell(r=(1, 2), f=(1, 3)),
        "RFM big spenders": Cell(m=(5, 5)),
    }
)
"""The first five divide all who bought; big spenders are among them."""


def rfm_expressions(
    cuts: CutPoints, cells: Mapping[str, Cell] = RFM_SEGMENTS, *, window: int | None = None
) -> dict[str, Expr]:
    """Conditions on accounts by their won deals, for each cell; ``window`` is how many days back a deal counts.

    Days since the last are counted when the condition runs, the cut points stay. Where nobody had a value, nobody is in
    a cell that asks for M. Raises InvalidValue (``not_total``) for such a cell where the cut points are of means.
    """
    return {name: _condition(cuts, cell, won_deals(window), cuts.currency) for name, cell in cells.items()}


def won_deals(window: int | None = None) -> Expr:
    """The deals that count: won, and closed within the window if there is one. Raises InvalidValue (``bad_days``)."""
    if window is not None and (type(window) is not int or not 0 <= window <= _MAX_WINDOW):
        raise InvalidValue(f"{shown(window)} is not a number of days", code="bad_days", hint="such as 365")
    won: Expr = all_of((F.outcome == "won", F.closed_on <= RelativeTime("today")))
    return won if window is None else all_of((won, F.closed_on >= RelativeTime("today", -window)))


def valued_in(currency: str) -> Expr:
    """The deals with an amount in the currency, which are those that count for M."""
    return any_of((F.amount >= Money(0, currency), F.amount < Money(0, currency)))


def _condition(cuts: CutPoints, cell: Cell, won: Expr, currency: str | None) -> Expr:
    bought: list[Expr] = [F.deals.count(won) >= 1]
    last, often = F.deals.closed_on.latest(won), F.deals.count(won)
    if not cuts.n:
        return all_of([*bought, any_of(())])
    low, high = cell.r
    # A score of at least s is at most c_(6-s) days; of at most s, more than c_(5-s).
    if low > 1:
        bought.append(last >= RelativeTime("today", -cuts.days[5 - low]))
    if high < _FIFTHS:
        bought.append(last < RelativeTime("today", -cuts.days[4 - high]))
    bought += _within(often, cell.f, cuts.count)
    if cell.m != (1, _FIFTHS):
        if cuts.monetary != "total" or currency is None:
            raise InvalidValue(
                "conditions on M are about totals", code="not_total", hint='cut_points(..., monetary="total")'
            )
        if not cuts.value:
            return all_of([*bought, any_of(())])
        spent = F.deals.amount.sum(all_of((won, valued_in(currency))))
        bought += _within(spent, cell.m, [Money(value, currency) for value in cuts.value])
    return all_of(bought)


def _within(term: Any, scores: tuple[int, int], cuts: Sequence[Any]) -> list[Expr]:
    low, high = scores
    found: list[Expr] = []
    if low > 1:
        found.append(term > cuts[low - 2])
    if high < _FIFTHS:
        found.append(term <= cuts[high - 1])
    return found
