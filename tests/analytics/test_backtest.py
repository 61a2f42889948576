"""A forecast is asked what it would have said then, and told what happened."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch
from crmkit.features.metrics.forecasts.backtest import Backtest, Snapshot, backtest, month_ends
from crmkit.features.metrics.forecasts.weighted import weighted_pipeline
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Money, Period
from tests.analytics.journeys import FRAME, eur


def snapshot(month: int, forecast: Money | None, actual: Money | None) -> Snapshot[Money | None]:
    frame = Frame(as_of=datetime(2017, month, 1, tzinfo=UTC))
    return Snapshot(facts=forecast, frame=frame, period=Period.month(2017, month), actual=actual)


def told(*snapshots: Snapshot[Money | None], frame: Frame = FRAME) -> Backtest:
    """The forecast is whatever the facts are."""
    return backtest(snapshots, lambda facts, frame, period: facts, frame)


def test_bias_and_errors_worked_by_hand() -> None:
    """Errors of +100, -50 and +20 on actuals of 400, 100 and 100: 25 %, -50 % and 20 %."""
    result = told(snapshot(1, eur(500), eur(400)), snapshot(2, eur(50), eur(100)), snapshot(3, eur(120), eur(100)))
    assert [row.error for row in result.rows] == [eur(100), eur(-50), eur(20)]
    assert [row.absolute for row in result.rows] == [eur(100), eur(50), eur(20)]
    assert [row.percentage for row in result.rows] == [Fraction(1, 4), Fraction(-1, 2), Fraction(1, 5)]
    assert result.bias.exact == Fraction(70, 3)
    assert result.bias.value == eur("23.3333")
    assert result.mae.exact == Fraction(170, 3)
    assert (result.mape.exact, result.mape.n) == (Fraction(95, 300), 3)


def test_a_percentage_of_nothing_is_left_out_and_counted() -> None:
    result = told(snapshot(1, eur(10), eur(0)), snapshot(2, eur(10), eur(5)))
    assert [row.percentage for row in result.rows] == [None, Fraction(1)]
    assert (result.mape.value, result.mape.n, result.mape.excluded) == (1.0, 1, {"actual_not_above_0": 1})
    assert (result.bias.value, result.bias.n, result.bias.excluded) == (eur("7.5"), 2, {})


def test_months_that_cannot_be_compared_are_kept_as_rows_and_counted() -> None:
    result = told(snapshot(1, None, eur(5)), snapshot(2, eur(5), None), snapshot(3, None, None))
    assert len(result.rows) == 3
    assert all(row.error is None for row in result.rows)
    assert (result.bias.value, result.bias.n) == (None, 0)
    assert result.bias.excluded == {"no_forecast": 2, "no_actual": 1}


def test_a_backtest_of_nothing_has_no_value() -> None:
    result = told()
    assert [(metric.value, metric.n) for metric in (result.bias, result.mae, result.mape)] == [(None, 0)] * 3


def test_rows_come_in_the_order_of_their_instants() -> None:
    months = [snapshot(month, eur(month), eur(1)) for month in (3, 1, 2)]
    assert told(*months) == told(*reversed(months))
    assert [row.period.label for row in told(*months).rows] == ["2017-01", "2017-02", "2017-03"]


def test_unlike_currencies_do_not_add_up() -> None:
    with pytest.raises(CurrencyMismatch):
        told(snapshot(1, eur(5), Money(5, "USD")))
    with pytest.raises(CurrencyMismatch):
        told(snapshot(1, eur(5), eur(5)), snapshot(2, Money(5, "USD"), Money(5, "USD")))
    with pytest.raises(CurrencyMismatch):
        told(snapshot(1, eur(5), eur(5)), frame=attrs.evolve(FRAME, currency="USD"))


def test_a_forecast_sees_the_facts_of_its_own_day_only() -> None:
    """The deal was worth 100 at half a chance in January, and 900 for certain in February."""

    def known(month: int, amount: int, probability: Fraction) -> Snapshot[Sequence[DealFact]]:
        as_of = datetime(2017, month, 1, tzinfo=UTC)
        deal = DealFact(
            id="单", outcome="open", created_at=as_of - timedelta(days=9), amount=eur(amount), probability=probability,
            expected_close=date(2017, month, 20),
        )  # fmt: skip
        return Snapshot(facts=[deal], frame=Frame(as_of=as_of), period=Period.month(2017, month), actual=eur(60))

    def weighted(facts: Sequence[DealFact], frame: Frame, period: Period) -> Money | None:
        value = weighted_pipeline(facts, period, frame).total.value
        return value if isinstance(value, Money) else None

    result = backtest([known(1, 100, Fraction(1, 2)), known(2, 900, Fraction(1))], weighted, FRAME, name="weighted")
    assert [row.forecast for row in result.rows] == [eur(50), eur(900)]
    assert [row.error for row in result.rows] == [eur(-10), eur(840)]
    assert result.bias.name == "weighted_bias"


def test_month_ends_are_those_after_which_a_whole_month_has_passed() -> None:
    """In the middle of March the February that began on the first of it is over, and March is not."""
    frame = Frame(as_of=datetime(2017, 3, 15, tzinfo=UTC))
    assert [(at, period.label) for at, period in month_ends(frame, 3)] == [
        (datetime(2016, 12, 1, tzinfo=UTC), "2016-12"),
        (datetime(2017, 1, 1, tzinfo=UTC), "2017-01"),
        (datetime(2017, 2, 1, tzinfo=UTC), "2017-02"),
    ]
    assert month_ends(frame, 0) == ()


def test_months_end_where_the_frame_is() -> None:
    """At 17:00 UTC on the last of March, April has begun in Shanghai: March is over there."""
    frame = Frame(as_of=datetime(2017, 3, 31, 17, tzinfo=UTC), zone="Asia/Shanghai")
    assert month_ends(frame, 1) == ((datetime(2017, 2, 28, 16, tzinfo=UTC), Period.month(2017, 3, "Asia/Shanghai")),)


def test_what_a_forecast_raises_goes_through() -> None:
    def broken(facts: object, frame: Frame, period: Period) -> Money | None:
        raise LookupError("no forecast today")

    with pytest.raises(LookupError, match="no forecast today"):
        backtest([snapshot(1, None, None)], broken, FRAME)


def test_a_backtest_is_json() -> None:
    shown = json.loads(json.dumps(told(snapshot(1, eur(500), eur(400))).to_dict()))
    assert shown["rows"][0]["error"] == "100.00 EUR"
    assert shown["rows"][0]["percentage"] == "1/4"
    assert shown["mape"]["value"] == 0.25


@pytest.mark.law
@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)), min_size=1, max_size=12))
def test_the_mean_error_is_never_beyond_the_mean_absolute_error(pairs: list[tuple[int, int]]) -> None:
    moneys = [(Money.from_units(one, "EUR"), Money.from_units(other, "EUR")) for one, other in pairs]
    result = told(*(snapshot(place + 1, *pair) for place, pair in enumerate(moneys)))
    assert result.bias.exact is not None
    assert result.mae.exact is not None
    assert abs(result.bias.exact) <= result.mae.exact
    assert result.bias.exact == Fraction(sum(one - other for one, other in pairs), 10_000 * len(pairs))
    assert result.mape.n + result.mape.excluded.get("actual_not_above_0", 0) == len(pairs)
