"""A simulation with a seed is a figure like any other: it can be made again."""

import json
import math
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch, InvalidValue, UsageError
from crmkit.features.metrics.forecasts.simulation import Simulation, simulate
from crmkit.features.metrics.forecasts.weighted import weighted_pipeline
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Money, Period
from crmkit.values.rates import Rates
from tests.analytics.journeys import FRAME, eur
from tests.analytics.made import FRAME as MADE_FRAME
from tests.analytics.made import deals

SOON = date(2017, 4, 20)


def deal(id: object, amount: int | Money | None, probability: Fraction | None, **more: Any) -> DealFact:
    facts: dict[str, Any] = {"outcome": "open", "expected_close": SOON, **more}
    money = eur(amount) if isinstance(amount, int) else amount
    return DealFact(id=id, created_at=datetime(2017, 1, 1, tzinfo=UTC), amount=money, probability=probability, **facts)


def made(*deals: DealFact, frame: Frame = FRAME, **more: Any) -> Simulation:
    return simulate(deals, more.pop("period", None), frame, **{"seed": 7, "runs": 500, **more})


DEALS = [deal(n, 100 * n, Fraction(n % 10, 10)) for n in range(1, 31)]


def test_the_same_seed_gives_the_same_answer_whatever_the_order_of_the_deals() -> None:
    assert made(*DEALS) == made(*reversed(DEALS))


def test_another_seed_gives_another() -> None:
    assert made(*DEALS).mean.exact != made(*DEALS, seed=8).mean.exact


def test_the_mean_is_near_the_weighted_pipeline() -> None:
    """Within four standard errors of the mean of 20,000 runs."""
    weighted = weighted_pipeline(DEALS, None, FRAME)
    result = made(*DEALS, runs=20_000)
    assert result.mean.exact is not None
    assert weighted.total.exact is not None
    error = math.sqrt(weighted.variance / 20_000)
    assert abs(float(result.mean.exact - weighted.total.exact)) < 4 * error
    assert (result.mean.n, weighted.total.n) == (30, 30)


def test_two_coins_come_out_as_two_coins_do() -> None:
    """100 and 200, each won every other time: 0, 100, 200 and 300 are equally likely."""
    result = made(deal("a", 100, Fraction(1, 2)), deal("b", 200, Fraction(1, 2)), runs=20_000, target=eur(200))
    assert (result.p10.value, result.p90.value) == (eur(0), eur(300))
    assert result.reach is not None
    assert result.reach.value == pytest.approx(0.5, abs=0.02)
    assert result.reach.n == 20_000


def test_what_is_certain_leaves_nothing_to_chance() -> None:
    result = made(deal("a", 100, Fraction(1)), deal("b", 900, Fraction(0)), target=eur(100))
    assert {result.mean.value, result.p10.value, result.p50.value, result.p90.value} == {eur(100)}
    assert result.reach is not None
    assert result.reach.value == 1.0


def test_lost_deals_add_nothing_and_all_that_is_left_out_is_counted() -> None:
    more = [
        deal("lost", 10_000, Fraction(1), outcome="lost"),
        deal("won", 10_000, Fraction(1), outcome="won"),
        deal("late", 10_000, Fraction(1), expected_close=date(2017, 4, 1)),
        deal("far", 10_000, Fraction(1), expected_close=date(2017, 5, 1)),
        deal("never", 10_000, Fraction(1), expected_close=None),
        deal("vague", 10_000, None),
        deal("blank", None, Fraction(1)),
    ]
    period = Period.month(2017, 4)
    result = made(deal("a", 100, Fraction(1)), *more, period=period)
    assert result.p90.value == eur(100)
    reasons = ("lost", "won", "overdue", "outside_period", "no_expected_close", "no_probability", "no_amount")
    assert result.mean.excluded == dict.fromkeys(reasons, 1)
    assert made(*more, period=period).mean.excluded == weighted_pipeline(more, period, FRAME).total.excluded


def test_a_simulation_of_nothing_has_no_value() -> None:
    result = made(target=eur(5))
    assert result.reach is not None
    assert [metric.value for metric in (result.mean, result.p10, result.p50, result.p90, result.reach)] == [None] * 5
    assert (result.mean.n, result.reach.n) == (0, 0)


def test_amounts_are_told_in_the_frame_s_currency_at_the_rate_of_today() -> None:
    rates = Rates([("USD", "EUR", date(2017, 1, 1), "0.3")])
    frame = attrs.evolve(FRAME, currency="EUR", rates=rates)
    result = made(deal("a", Money(1, "USD"), Fraction(1)), deal("b", 2, Fraction(1)), frame=frame)
    assert result.mean.value == eur("2.3")


def test_unlike_currencies_do_not_add_up() -> None:
    with pytest.raises(CurrencyMismatch):
        made(deal("a", Money(1, "USD"), Fraction(1)), deal("b", 2, Fraction(1)))
    with pytest.raises(CurrencyMismatch):
        made(deal("b", 2, Fraction(1)), target=Money(5, "USD"))


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"seed": 1.5}, "bad_seed"),
        ({"seed": True}, "bad_seed"),
        ({"runs": 0}, "bad_runs"),
        ({"runs": 10**7}, "bad_runs"),
    ],
)
def test_a_seed_or_a_number_of_runs_that_is_none_is_refused(bad: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as refusal:
        made(*DEALS, **bad)
    assert refusal.value.code == code


def test_a_probability_above_one_is_refused() -> None:
    with pytest.raises(InvalidValue) as refusal:
        made(deal("a", 1, Fraction(3, 2)))
    assert refusal.value.code == "bad_probability"


def test_a_simulation_is_json() -> None:
    told = json.loads(json.dumps(made(deal("a", 100, Fraction(1)), target=eur(5)).to_dict()))
    assert (told["seed"], told["runs"], told["target"]) == (7, 500, "5.00 EUR")
    assert told["p50"]["value"] == "100.00 EUR"
    assert told["reach"]["value"] == 1.0


@pytest.mark.law
@given(deals(), st.none() | st.just(Period.quarter(2024, 3)))
def test_the_deals_that_count_and_the_reasons_are_those_of_the_weighted_pipeline(
    facts: list[DealFact], period: Period | None
) -> None:
    simulated = simulate(facts, period, MADE_FRAME, seed=1, runs=1)
    weighted = weighted_pipeline(facts, period, MADE_FRAME)
    assert (simulated.mean.n, simulated.mean.excluded) == (weighted.total.n, weighted.total.excluded)


@pytest.mark.law
@settings(max_examples=settings().max_examples // 2)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.fractions(0, 1, max_denominator=20)), max_size=8),
    st.integers(-(10**9), 10**9),
)
def test_the_figures_stand_in_order_and_within_what_is_possible(chances: list[tuple[int, Fraction]], seed: int) -> None:
    deals = [deal(number, amount, probability) for number, (amount, probability) in enumerate(chances)]
    result = made(*deals, seed=seed, runs=50)
    figures = [metric.exact for metric in (result.p10, result.p50, result.p90)]
    if not deals:
        assert figures == [None] * 3
        return
    low, middle, high = (figure for figure in figures if figure is not None)
    least = sum(amount for amount, probability in chances if probability == 1)
    most = sum(amount for amount, probability in chances if probability)
    assert least <= low <= middle <= high <= most
