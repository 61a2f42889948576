"""The pipeline in numbers, computed through the public API and by the database wherever it can."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from statistics import median
from typing import Any

import attrs

from crmkit import F, Money
from crmkit.kernel.session.session import Session

__all__ = ["DemoFigures", "StageFigure", "figures"]


@attrs.frozen
class StageFigure:
    """A stage of the pipeline: how many deals are in it, and the total of their amounts (None if none has one)."""

    name: str
    deals: int
    amount: Money | None


@attrs.frozen
class DemoFigures:
    """The deals that the session's actor may read; what there is no deal for is None.

    ``win_rate`` is the share of won deals among closed ones, from 0 to 1; mean and median are of the amounts of won
    deals, in the currency of ``won_value``; nothing is rounded. Quarters (``"2017Q1"``) are of the day of closing.
    """

    deals: int
    stages: tuple[StageFigure, ...]
    won_value: Money | None
    win_rate: Decimal | None
    mean_won_value: Decimal | None
    median_won_value: Decimal | None
    won_value_by_quarter: Mapping[str, Money]
    without_account: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON: counts are numbers, money and decimals are exact texts."""
        return {
            "deals": self.deals,
            "stages": [{"name": s.name, "deals": s.deals, "amount": _text(s.amount)} for s in self.stages],
            "won_value": _text(self.won_value),
            "win_rate": _text(self.win_rate),
            "mean_won_value": _text(self.mean_won_value),
            "median_won_value": _text(self.median_won_value),
            "won_value_by_quarter": {quarter: _text(value) for quarter, value in self.won_value_by_quarter.items()},
            "without_account": self.without_account,
        }


def figures(me: Session) -> DemoFigures:
    """The figures of the deals the actor may read. Raises CurrencyMismatch if they are in several currencies."""
    won = me.deals.where(outcome="won")
    outcomes = {group.key[0]: group.count for group in me.deals.totals(by=F.outcome)}
    closed = outcomes.get("won", 0) + outcomes.get("lost", 0)
    amounts = [(group.key[0].amount, group.count) for group in won.totals(by=F.amount) if group.key[0] is not None]
    by_quarter = _by_quarter((group.key[0], group.sums[0]) for group in won.totals(by=F.closed_on, sums=F.amount))
    won_value = Money.total(by_quarter.values())
    return DemoFigures(
        deals=sum(outcomes.values()),
        stages=_stages(me),
        won_value=won_value,
        win_rate=Decimal(outcomes.get("won", 0)) / closed if closed else None,
        mean_won_value=won_value.amount / sum(count for _, count in amounts) if won_value is not None else None,
        median_won_value=_median(amounts),
        won_value_by_quarter=by_quarter,
        without_account=me.deals.where(F.account.is_null()).count(),
    )


def _stages(me: Session) -> tuple[StageFigure, ...]:
    found = {group.key[0]: group for group in me.deals.totals(by=F.stage, sums=F.amount)}
    return tuple(
        StageFigure(stage.name, found[stage.id].count, Money.total(found[stage.id].sums[0]))
        if stage.id in found
        else StageFigure(stage.name, 0, None)
        for stage in me.stages.order_by("position")
    )


def _by_quarter(days: Iterable[tuple[Any, tuple[Money, ...]]]) -> dict[str, Money]:
    quarters: dict[str, list[Money]] = {}
    for day, amounts in days:
        if day is None:  # the actor may not read it
            continue
        quarters.setdefault(f"{day.year}Q{(day.month + 2) // 3}", []).extend(amounts)
    totals = {quarter: Money.total(amounts) for quarter, amounts in sorted(quarters.items())}
    return {quarter: total for quarter, total in totals.items() if total is not None}


def _median(counted: Iterable[tuple[Decimal, int]]) -> Decimal | None:
    """The middle of values that occur so many times each, or the mean of the two in the middle."""
    values = [value for value, count in counted for _ in range(count)]
    return median(values) if values else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
