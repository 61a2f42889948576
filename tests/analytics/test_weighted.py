"""The weighted pipeline: open deals only, by month, with its spread, and what is overdue kept apart."""

import math
from datetime import date
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given

from crmkit.errors import InvalidValue
from crmkit.features.metrics import charts as vega
from crmkit.features.metrics.forecasts.weighted import tally, weighted_pipeline
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, TRUTHS, deal, deals

JULY = date(2024, 7, 10)
PUBLISHED = [example for example in TRUTHS["published_examples"] if "deals" in example["inputs"]]


def ahead(amount: int | str | Money | None, probability: Fraction | int | None, **more: Any) -> DealFact:
    return deal("open", amount, **{"probability": probability, "expected_close": JULY, **more})


@pytest.mark.parametrize("example", PUBLISHED, ids=[example["what"] for example in PUBLISHED])
def test_the_published_examples_come_out_exactly(example: dict[str, Any]) -> None:
    given_ = example["inputs"]
    chances = given_.get("probabilities") or [given_["probability"]] * len(given_["deals"])
    facts = [ahead(amount, Fraction(str(p))) for amount, p in zip(given_["deals"], chances, strict=True)]
    found = weighted_pipeline(facts, None, FRAME)
    told = found.variance if "variance" in example["what"] else found.total.exact
    assert told == Fraction(str(example["exact"]))


def test_the_spread_is_the_root_of_the_variance() -> None:
    found = weighted_pipeline([ahead(100, Fraction(1, 2)), ahead(200, Fraction(1, 4))], None, FRAME)
    assert (found.total.value, found.variance, found.spread.value) == (Money(100, "EUR"), 10_000, Money(100, "EUR"))
    assert weighted_pipeline([ahead(3, Fraction(1, 3))], None, FRAME).spread.value == Money("1.4142", "EUR")
    certain = weighted_pipeline([ahead(3, 1), ahead(5, 0)], None, FRAME)
    assert (certain.variance, certain.spread.value) == (0, Money(0, "EUR"))


def test_won_lost_and_disqualified_deals_add_nothing() -> None:
    """Elsewhere lost deals were found in the forecast at their full value."""
    closed = [ahead(1_000, 1, id=outcome) for outcome in ("won", "lost", "disqualified")]
    facts = [attrs.evolve(fact, outcome=fact.id, closed_on=JULY) for fact in closed]
    found = weighted_pipeline([*facts, ahead(10, Fraction(1, 2))], None, FRAME)
    assert (found.total.value, found.total.n, found.unweighted.value) == (Money(5, "EUR"), 1, Money(10, "EUR"))
    assert found.total.excluded == {"won": 1, "lost": 1, "disqualified": 1}


def test_what_is_overdue_stands_apart_whatever_the_period() -> None:
    late, due = ahead(100, Fraction(1, 2), expected_close=date(2024, 6, 14)), ahead(10, 1, expected_close=FRAME.today)
    for period in (None, Period.quarter(2024, 2), Period.month(2024, 6)):
        found = weighted_pipeline([late, due], period, FRAME)
        assert (found.overdue.value, found.overdue.n) == (Money(50, "EUR"), 1)
        assert (found.total.value, found.total.excluded) == (Money(10, "EUR"), {"overdue": 1})


def test_whether_it_is_overdue_the_frames_zone_says() -> None:
    late_evening = attrs.evolve(FRAME, as_of=FRAME.as_of.replace(hour=20))
    due = ahead(10, 1, expected_close=date(2024, 6, 15))
    assert weighted_pipeline([due], None, late_evening).total.n == 1
    assert weighted_pipeline([due], None, attrs.evolve(late_evening, zone="Asia/Shanghai")).overdue.n == 1


def test_what_is_missing_is_counted_by_reason() -> None:
    facts = [
        ahead(10, 1, expected_close=None),
        ahead(10, None),
        ahead(None, 1),
        ahead(10, 1, expected_close=date(2024, 8, 1)),
        ahead(10, Fraction(1, 10)),
        ahead(None, None, expected_close=date(2024, 1, 1)),
    ]
    found = weighted_pipeline(facts, Period.month(2024, 7), FRAME)
    assert (found.total.value, found.total.n) == (Money(1, "EUR"), 1)
    assert found.total.excluded == {"no_amount": 1, "no_expected_close": 1, "no_probability": 2, "outside_period": 1}


def test_months_are_parts_of_the_total_cut_at_the_ends_of_the_period() -> None:
    facts = [ahead(10, 1, expected_close=day) for day in (date(2024, 7, 20), date(2024, 9, 1), date(2024, 7, 31))]
    found = weighted_pipeline(facts, Period(date(2024, 7, 15), date(2024, 9, 2)), FRAME)
    assert [(month.period.label if month.period else None, month.value) for month in found.months] == [
        ("2024-07-15/2024-08-01", Money(20, "EUR")),
        ("2024-09-01", Money(10, "EUR")),
    ]


@given(deals(("EUR", "USD")))
@pytest.mark.law
def test_months_add_up_to_the_total_and_the_total_to_what_each_deal_expects(facts: list[DealFact]) -> None:
    found = weighted_pipeline(facts, None, IN_EUR)
    counted = [
        (IN_EUR.worth(fact.amount, None), fact.probability)
        for fact in facts
        if fact.outcome == "open"
        and fact.amount is not None
        and fact.probability is not None
        and fact.expected_close is not None
        and fact.expected_close >= IN_EUR.today
    ]
    assert sum(month.n for month in found.months) == found.total.n == len(counted)
    assert (found.total.exact or 0) == sum(a * p for a, p in counted) == sum(month.exact or 0 for month in found.months)
    assert found.variance == sum(a * a * p * (1 - p) for a, p in counted)
    assert found.total.n + sum(found.total.excluded.values()) == len(facts)
    if isinstance(found.spread.value, Money):
        assert float(found.spread.value.amount) == pytest.approx(math.sqrt(found.variance), rel=1e-9, abs=1e-4)


def test_the_last_day_of_the_calendar_is_a_day_like_others() -> None:
    found = weighted_pipeline([ahead(100, 1, expected_close=date.max), ahead(1, 1)], None, FRAME)
    assert [(month.period.start, month.value) for month in found.months if month.period is not None] == [
        (date(2024, 7, 1), Money(1, "EUR")),
        (date(9999, 12, 1), Money(100, "EUR")),
    ]
    assert vega.forecast(found)


def test_open_amounts_are_told_at_the_rate_of_today_not_of_a_day_to_come() -> None:
    found = weighted_pipeline([ahead(Money(100, "USD"), Fraction(1, 2))], None, IN_EUR)
    assert (found.total.value, found.spread.value) == (Money(40, "EUR"), Money(40, "EUR"))
    planned = weighted_pipeline([ahead(Money(100, "USD"), Fraction(1, 2))], None, attrs.evolve(IN_EUR, policy="budget"))
    assert planned.total.value == Money("42.5", "EUR")


def test_it_is_rounded_once_and_at_the_end() -> None:
    found = weighted_pipeline([ahead("0.0001", Fraction(1, 4))] * 3, None, FRAME)
    assert (found.total.exact, found.total.value) == (Fraction(3, 40_000), Money("0.0001", "EUR"))


@pytest.mark.parametrize("probability", [Fraction(-1, 10), Fraction(11, 10), Fraction(50)])
def test_a_probability_outside_nought_and_one_is_refused_with_the_deal(probability: Fraction) -> None:
    with pytest.raises(InvalidValue) as refused:
        tally([ahead(10, 1), ahead(10, probability, id="订单七")], None, FRAME)
    assert refused.value.code == "bad_probability"
    assert refused.value.fields == ("probability",)
    assert "订单七" in str(refused.value)


def test_ids_are_listed_by_part_and_all_is_told_as_json() -> None:
    asked = attrs.evolve(FRAME, members=True)
    found = weighted_pipeline(
        [ahead(10, 1, id="a"), ahead(10, 1, id="b", expected_close=date(2024, 1, 1))], None, asked
    )
    assert found.total.members == {"counted": ("a",), "overdue": ("b",)}
    told = found.to_dict()
    assert told["total"]["value"] == "10.00 EUR"
    assert [month["period"] for month in told["months"]] == ["2024-07"]
