"""What a forecast would have said on past days, and how wrong it was.

A snapshot holds the facts as they were known then, so a forecast that peeks at what was recorded later is the caller's
fault and not possible here. An error is forecast minus actual: above 0 it promised too much.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Generic, TypeVar

import attrs

from crmkit.errors import CurrencyMismatch
from crmkit.features.metrics.html_table import figure_text, html_table, money_text, subtitle
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.totals import money_of
from crmkit.values import Money, Period
from crmkit.values.money import UNITS_IN_ONE

__all__ = ["Backtest", "BacktestRow", "Snapshot", "backtest", "month_ends"]

F = TypeVar("F")


@attrs.frozen(kw_only=True)
class Snapshot(Generic[F]):
    """The facts as they were known at the frame's instant, the period to forecast, and what then happened in it.

    ``actual`` is None while that is not known, and where ``won_nothing`` says that it is 0, in whatever currency.
    """

    facts: F
    frame: Frame
    period: Period
    actual: Money | None
    won_nothing: bool = False


@attrs.frozen(kw_only=True)
class BacktestRow:
    """One forecast and what came of it; ``error`` is forecast minus actual, ``percentage`` the error over the actual.

    ``percentage`` is a ratio (0.1 is ten percent too much), None where the actual is not above 0. All are None where
    the forecast or the actual is.
    """

    frame: Frame
    period: Period
    forecast: Money | None
    actual: Money | None
    error: Money | None = None
    absolute: Money | None = None
    percentage: Fraction | None = None


@attrs.frozen(kw_only=True)
class Backtest:
    """The rows in the order of their instants, and what they come to.

    ``bias`` is the mean error, ``mae`` the mean absolute error, ``mape`` the mean absolute percentage error over the
    rows that have one (it punishes promising too much more than too little, and small actuals most).
    """

    rows: tuple[BacktestRow, ...]
    bias: Metric
    mae: Metric
    mape: Metric

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rows": [
                {
                    "as_of": row.frame.as_of.isoformat(),
                    "period": row.period.label,
                    "forecast": _text(row.forecast),
                    "actual": _text(row.actual),
                    "error": _text(row.error),
                    "absolute": _text(row.absolute),
                    "percentage": _text(row.percentage),
                }
                for row in self.rows
            ],
            "bias": self.bias.to_dict(),
            "mae": self.mae.to_dict(),
            "mape": self.mape.to_dict(),
        }

    def _repr_html_(self) -> str:
        """The rows of a backtest as an HTML table, with mean error, mean absolute error and mean percentage error."""
        rows = [
            (
                row.frame.as_of.isoformat(),
                row.period.label,
                *(money_text(money) for money in (row.forecast, row.actual, row.error)),
                "" if row.percentage is None else f"{float(row.percentage):+.1%}",
            )
            for row in self.rows
        ]
        means = (
            "mean",
            "",
            "",
            "",
            f"{figure_text(self.bias)}, absolute {figure_text(self.mae)}",
            figure_text(self.mape),
        )
        return html_table(
            "Backtest: " + subtitle(self.bias.name, self.bias.n, self.bias.frame, None),
            ("as of", "period", "forecast", "actual", "error", "error of actual"),
            [*rows, means],
            self.bias.excluded,
        )


def backtest(
    snapshots: Iterable[Snapshot[F]],
    forecast: Callable[[F, Frame, Period], Money | None],
    frame: Frame,
    *,
    name: str = "forecast",
) -> Backtest:
    """Ask a forecast of each snapshot, and compare. ``frame`` is that of the comparison, ``name`` the forecast's.

    The members of the figures are the labels of periods. What could not be compared is counted as ``no_forecast`` and
    ``no_actual``, and for percentages as ``actual_not_above_0``. Raises CurrencyMismatch if forecasts and actuals are
    not all in one currency; what ``forecast`` raises goes through.
    """
    told_then = [(each, forecast(each.facts, each.frame, each.period)) for each in snapshots]
    currency = _currency([money for each, said in told_then for money in (said, each.actual)], frame)
    rows = sorted(
        (_row(each, said, currency) for each, said in told_then), key=lambda row: (row.frame.as_of, row.period.start)
    )
    excluded = {
        "no_forecast": sum(row.forecast is None for row in rows),
        "no_actual": sum(row.forecast is not None and row.actual is None for row in rows),
    }
    members: dict[str, list[Hashable]] = {}
    for row in rows:
        members.setdefault(_part(row), []).append(row.period.label)
    told = _Told(
        name,
        attrs.evolve(frame, currency=currency),
        {why: n for why, n in excluded.items() if n},
        {part: tuple(months) for part, months in members.items()} if frame.members else None,
    )
    errors = [row.error.units for row in rows if row.error is not None]
    shares = [abs(row.percentage) for row in rows if row.percentage is not None]
    without = len(errors) - len(shares)
    return Backtest(
        rows=tuple(rows),
        bias=told.money("bias", errors),
        mae=told.money("mean_absolute_error", [abs(error) for error in errors]),
        mape=told.ratio("mean_absolute_percentage_error", shares, without),
    )


def month_ends(frame: Frame, n: int) -> tuple[tuple[datetime, Period], ...]:
    """The last ``n`` instants at which a month began in the frame's zone and that month is over, the oldest first.

    Each comes with the month that began, which is the one to forecast then. Raises InvalidValue with code
    ``out_of_range`` before the year 1.
    """
    today = frame.today
    months = (divmod(today.year * 12 + today.month - 1 - back, 12) for back in range(n, 0, -1))
    periods = [Period.month(year, month + 1, frame.zone) for year, month in months]
    return tuple((period.instants()[0], period) for period in periods)


def _part(row: BacktestRow) -> str:
    return "no_forecast" if row.forecast is None else "no_actual" if row.actual is None else "compared"


def _row(snapshot: Snapshot[Any], forecast: Money | None, currency: str | None) -> BacktestRow:
    nothing = Money(0, currency) if snapshot.won_nothing and currency is not None else None
    actual = snapshot.actual or nothing
    row = BacktestRow(frame=snapshot.frame, period=snapshot.period, forecast=forecast, actual=actual)
    if forecast is None or actual is None:
        return row
    error = forecast - actual
    return attrs.evolve(
        row,
        error=error,
        absolute=Money.from_units(abs(error.units), error.currency),
        percentage=Fraction(error.units, actual.units) if actual.units > 0 else None,
    )


def _currency(amounts: Sequence[Money | None], frame: Frame) -> str | None:
    named = {money.currency for money in amounts if money is not None}
    if frame.currency is not None:
        named.add(frame.currency)
    if len(named) > 1:
        raise CurrencyMismatch(
            f"errors in {' and '.join(sorted(named))} do not add up", hint="forecast in one currency, the frame's"
        )
    return named.pop() if named else None


@attrs.frozen
class _Told:
    name: str
    frame: Frame
    excluded: dict[str, int]
    members: dict[str, tuple[Hashable, ...]] | None

    def money(self, what: str, units: Sequence[int]) -> Metric:
        exact = Fraction(sum(units), len(units) * UNITS_IN_ONE) if units else None
        value = None if exact is None else money_of(exact, self.frame)
        return self._metric(what, "money", value, exact, len(units), self.excluded)

    def ratio(self, what: str, shares: Sequence[Fraction], without: int) -> Metric:
        exact = sum(shares, Fraction(0)) / len(shares) if shares else None
        excluded = {**self.excluded, "actual_not_above_0": without} if without else self.excluded
        return self._metric(what, "ratio", None if exact is None else float(exact), exact, len(shares), excluded)

    def _metric(
        self,
        what: str,
        unit: str,
        value: Money | float | None,
        exact: Fraction | None,
        n: int,
        excluded: dict[str, int],
    ) -> Metric:
        return Metric(
            name=f"{self.name}_{what}",
            variant="forecast_minus_actual",
            unit=unit,
            value=value,
            exact=exact,
            n=n,
            excluded=excluded,
            members=self.members,
            frame=self.frame,
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
