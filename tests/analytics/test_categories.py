"""Forecast categories, alone and rolled up."""

from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.forecasts.categories import category_forecast, forecast_of, tally
from crmkit.features.metrics.tallies.facts import DealFact, StageFact
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, deal, deals

QUARTER = Period.quarter(2024, 3)
JULY = date(2024, 7, 10)


def expected(amount: int | Money | None, category: str | None, **more: Any) -> DealFact:
    return deal("open", amount, **{"category": category, "expected_close": JULY, **more})


FACTS = [
    expected(1, "omitted"),
    expected(10, "pipeline"),
    expected(100, "best_case"),
    expected(1_000, "commit"),
    deal("won", 10_000, closed_on=JULY, expected_close=date(2024, 1, 1)),
]


def test_single_tells_each_category_alone() -> None:
    found = category_forecast(FACTS, QUARTER, FRAME, "single")
    told = {name: getattr(found, name) for name in ("omitted", "pipeline", "best_case", "commit", "closed")}
    assert [(metric.name, metric.exact, metric.n) for metric in told.values()] == [
        ("omitted", 1, 1),
        ("pipeline", 10, 1),
        ("best_case", 100, 1),
        ("commit", 1_000, 1),
        ("closed", 10_000, 1),
    ]


def test_cumulative_is_the_default_and_rolls_up_as_salesforce_does() -> None:
    found = category_forecast(FACTS, QUARTER, FRAME)
    assert found.rollup == "cumulative"
    told = (found.omitted, found.pipeline, found.best_case, found.commit, found.closed)
    assert [(metric.name, metric.value, metric.n, metric.variant) for metric in told] == [
        ("omitted", Money(1, "EUR"), 1, "cumulative"),
        ("open_pipeline", Money(1_110, "EUR"), 3, "cumulative"),
        ("best_case_forecast", Money(11_100, "EUR"), 3, "cumulative"),
        ("commit_forecast", Money(11_000, "EUR"), 2, "cumulative"),
        ("closed", Money(10_000, "EUR"), 1, "cumulative"),
    ]


def test_lost_and_disqualified_deals_add_nothing_even_if_they_were_committed() -> None:
    gone = [
        deal(outcome, 10**6, category="commit", expected_close=JULY, closed_on=JULY)
        for outcome in ("lost", "disqualified")
    ]  # type: ignore[arg-type]
    found = category_forecast([*FACTS, *gone], QUARTER, FRAME)
    before = category_forecast(FACTS, QUARTER, FRAME)
    for name in ("omitted", "pipeline", "best_case", "commit", "closed"):
        assert getattr(found, name).exact == getattr(before, name).exact
    assert (found.commit.excluded["lost"], found.commit.excluded["disqualified"]) == (1, 1)


def test_a_won_deal_is_closed_whatever_its_category_says() -> None:
    won = deal("won", 5, category="omitted", closed_on=JULY)
    found = category_forecast([won], QUARTER, FRAME, "single")
    assert (found.closed.exact, found.omitted.n) == (5, 0)


def test_a_deals_own_category_comes_before_that_of_its_stage() -> None:
    stages = [
        StageFact(id=1, name="谈判", position=1, category="best_case"),
        StageFact(id=2, name="Bare", position=2),
    ]
    facts = [
        expected(1, None, stage=1),
        expected(10, "commit", stage=1),
        expected(100, None, stage=2),
        expected(100, None, stage="gone"),
        expected(100, None),
    ]
    found = category_forecast(facts, QUARTER, FRAME, "single", stages)
    assert (found.best_case.exact, found.commit.exact) == (1, 10)
    assert found.commit.excluded["no_category"] == 3


def test_an_open_deal_of_the_category_closed_is_no_closed_money() -> None:
    found = category_forecast([expected(7, "closed")], QUARTER, FRAME)
    assert (found.closed.value, found.closed.n) == (None, 0)
    assert found.commit.excluded == {"closed_but_open": 1}


def test_open_deals_belong_to_the_day_they_are_expected_on_and_won_ones_to_the_day_they_closed() -> None:
    facts = [
        expected(1, "commit", expected_close=date(2024, 10, 1)),
        expected(1, "commit", expected_close=None),
        expected(1, "commit", expected_close=date(2024, 9, 30)),
        deal("won", 1, closed_on=date(2024, 6, 30), expected_close=JULY),
        deal("won", 1, expected_close=JULY),
        deal("won", 1, closed_on=date(2024, 7, 1)),
    ]
    found = category_forecast(facts, QUARTER, FRAME)
    assert (found.commit.n, found.commit.exact) == (2, 2)
    assert found.commit.excluded == {"no_closed_on": 1, "no_expected_close": 1, "outside_period": 2}
    assert category_forecast(facts, None, FRAME).commit.n == 6


def test_overdue_deals_of_the_period_are_in_and_the_forecast_says_so() -> None:
    facts = [expected(1, "commit", expected_close=date(2024, 6, 14)), expected(1, "commit"), expected(1, "pipeline")]
    found = category_forecast(facts, Period.year(2024), FRAME)
    assert (found.commit.n, found.commit.notes) == (2, ("of the open deals in it, 1 were expected before today",))
    assert (found.closed.notes, found.omitted.notes) == ((), ())


def test_deals_without_an_amount_are_counted_as_left_out() -> None:
    found = category_forecast([expected(None, "commit"), expected(3, "commit")], QUARTER, FRAME)
    assert (found.commit.exact, found.commit.n, found.commit.excluded) == (3, 1, {"no_amount": 1})
    nothing = category_forecast([expected(None, "commit")], QUARTER, FRAME)
    assert (nothing.commit.value, nothing.commit.n) == (None, 0)


def test_amounts_are_told_at_the_rate_of_closing_and_open_ones_at_that_of_today() -> None:
    facts = [deal("won", Money(100, "USD"), closed_on=date(2024, 2, 1)), expected(Money(100, "USD"), "commit")]
    assert category_forecast(facts, Period.year(2024), IN_EUR).commit.value == Money(170, "EUR")


@given(deals(("EUR", "USD")))
@pytest.mark.law
def test_single_categories_and_what_is_left_out_make_up_the_whole(facts: list[DealFact]) -> None:
    single = category_forecast(facts, None, IN_EUR, "single")
    rolled = category_forecast(facts, None, IN_EUR)
    each = {name: getattr(single, name) for name in ("omitted", "pipeline", "best_case", "commit", "closed")}
    worth = {name: metric.exact or 0 for name, metric in each.items()}
    assert (rolled.commit.exact or 0) == worth["commit"] + worth["closed"]
    assert (rolled.best_case.exact or 0) == worth["best_case"] + worth["commit"] + worth["closed"]
    assert (rolled.pipeline.exact or 0) == worth["pipeline"] + worth["best_case"] + worth["commit"]
    counted = sum(metric.n + metric.excluded.get("no_amount", 0) for metric in each.values())
    reasons = ("lost", "disqualified", "no_category", "closed_but_open")
    assert counted + sum(single.commit.excluded.get(reason, 0) for reason in reasons) == len(facts)


def test_what_nobody_knows_is_refused() -> None:
    wrong: Any = "average"
    with pytest.raises(UsageError) as unknown:
        forecast_of(tally(FACTS, QUARTER, FRAME), FRAME, wrong)
    assert unknown.value.code == "unknown_variant"
    with pytest.raises(InvalidValue) as refused:
        category_forecast([*FACTS, expected(1, "certain", id="订单九")], QUARTER, FRAME)
    assert refused.value.code == "unknown_category"
    assert "订单九" in str(refused.value)


def test_ids_are_listed_by_part_and_all_is_told_as_json() -> None:
    asked = attrs.evolve(FRAME, members=True)
    found = category_forecast([expected(1, "commit", id="a"), deal("lost", id="b")], QUARTER, asked)
    assert found.commit.members == {"commit": ("a",), "lost": ("b",)}
    told = found.to_dict()
    assert (told["rollup"], told["commit"]["value"]) == ("cumulative", "1.00 EUR")
