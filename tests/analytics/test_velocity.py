"""Sales velocity and the sales cycle."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.figures.velocity import per_day, sales_cycle, sales_velocity
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, MAVEN, MAVEN_FRAME, TRUTHS, as_printed, deal, deals, maven

PUBLISHED = [example for example in TRUTHS["published_examples"] if example["what"] == "sales velocity per day"]
MARCH = Period.month(2024, 3)


@pytest.mark.parametrize("example", PUBLISHED, ids=[example["source"] for example in PUBLISHED])
def test_the_published_examples_come_out_exactly_not_as_they_are_printed(example: dict[str, Any]) -> None:
    levers = example["inputs"]
    found = per_day(
        levers["opportunities"], levers["avg_value"], Decimal(str(levers["win_rate"])), levers["cycle_days"]
    )
    assert found is not None
    assert float(found) == example["exact"]
    assert found == Fraction(levers["opportunities"] * levers["avg_value"]) * Fraction(1, 4) / levers["cycle_days"]


def test_a_tenth_more_of_three_levers_and_a_tenth_less_cycle_is_forty_eight_percent_more() -> None:
    before = per_day(10, 1_000, Fraction(1, 4), 90)
    after = per_day(11, 1_100, Fraction(11, 40), 81)
    assert before is not None
    assert after is not None
    assert after / before == Fraction(1331, 900)


@pytest.mark.parametrize(
    ("levers", "code"),
    [
        ((1, 1, Fraction(1, 2), -1), "negative_duration"),
        ((1, 1, Fraction(3, 2), 1), "out_of_range"),
        ((1, 1, Fraction(-1, 2), 1), "out_of_range"),
        ((-1, 1, Fraction(1, 2), 1), "out_of_range"),
    ],
)
def test_levers_that_cannot_be_are_refused(levers: tuple[Any, Any, Any, Any], code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        per_day(*levers)
    assert refused.value.code == code


def test_levers_may_lie_at_their_ends() -> None:
    assert (per_day(0, 1, 1, 1), per_day(1, 1, 0, 1), per_day(1, 1, 1, 1)) == (0, 0, 1)


def test_a_cycle_of_no_days_has_no_velocity() -> None:
    assert per_day(1, 1, 1, 0) is None
    found = sales_velocity([deal("won", 5, closed_on=date(2024, 1, 1)), deal("open")], None, FRAME)
    assert (found.cycle.mean.value, found.velocity.value, found.velocity.n) == (0.0, None, 1)


def closed(outcome: Any, amount: int | Money | None, day: date) -> DealFact:
    return deal(outcome, amount, closed_on=day)


FACTS = [
    closed("won", 300, date(2024, 3, 1)),  # 60 days
    closed("won", 100, date(2024, 3, 11)),  # 70 days
    closed("lost", 999, date(2024, 3, 2)),
    closed("lost", 999, date(2024, 3, 31)),
    closed("won", 9_999, date(2024, 4, 1)),
    deal("open", 50),
    deal("open", 50),
    deal("open", 50),
]


def test_with_open_deals_it_is_a_projection_of_those_closed_in_the_period() -> None:
    found = sales_velocity(FACTS, MARCH, FRAME)
    assert found.velocity.exact == 3 * Fraction(200) * Fraction(1, 2) / 65
    assert (found.velocity.value, found.velocity.n) == (Money("4.6154", "EUR"), 3)
    assert (found.velocity.variant, found.velocity.unit) == ("open", "money per day")
    assert "projection" in found.velocity.notes[0]
    assert (found.opportunities.value, found.average_won_value.value) == (3, Money(200, "EUR"))
    assert (found.win_rate.exact, found.cycle.mean.exact) == (Fraction(1, 2), 65)


def test_with_closed_deals_it_collapses_to_the_amount_won_by_the_cycle() -> None:
    found = sales_velocity(FACTS, MARCH, FRAME, "closed")
    assert found.velocity.exact == Fraction(400, 65)
    assert (found.velocity.n, found.opportunities.variant) == (4, "closed")


@given(deals())
@pytest.mark.law
def test_the_velocity_of_closed_deals_is_the_amount_won_by_the_cycle_whatever_they_are(facts: list[DealFact]) -> None:
    facts = [fact for fact in facts if fact.amount is not None]
    found = sales_velocity(facts, None, IN_EUR, "closed")
    if found.velocity.exact is not None and found.cycle.mean.exact is not None:
        won = sum(
            IN_EUR.worth(fact.amount, None) for fact in facts if fact.outcome == "won" and fact.amount is not None
        )
        assert found.velocity.exact == won / found.cycle.mean.exact


def test_the_cycle_of_deals_won_lies_beside_the_median_that_counts_the_open_ones() -> None:
    found = sales_cycle(FACTS, MARCH, FRAME)
    assert (found.mean.value, found.median.value, found.mean.n) == (65.0, 65.0, 2)
    assert (found.kaplan_meier_median.value, found.kaplan_meier_median.n) == (90, 8)
    assert found.kaplan_meier_median.censored == 3
    assert found.mean.excluded == {"lost": 2, "open": 3, "outside_period": 1}


def test_a_deal_won_before_it_was_created_has_no_cycle_but_is_a_win() -> None:
    facts = [
        closed("won", 10, date(2024, 3, 2)),
        deal("won", 10, created_at=datetime(2024, 3, 9, tzinfo=UTC), closed_on=date(2024, 3, 8)),
    ]
    found = sales_velocity(facts, MARCH, FRAME, "closed")
    assert (found.win_rate.n, found.average_won_value.n, found.cycle.mean.n) == (2, 2, 1)
    assert found.cycle.mean.excluded == {"closed_before_created": 1}
    assert found.cycle.kaplan_meier_median.excluded == {"closed_before_created": 1}


def test_deals_won_without_an_amount_are_left_out_of_the_average_and_counted() -> None:
    found = sales_velocity([*FACTS, closed("won", None, date(2024, 3, 5))], MARCH, FRAME)
    assert found.average_won_value.exact == 200
    assert found.average_won_value.excluded == {"lost": 2, "open": 3, "outside_period": 1, "no_amount": 1}
    assert (found.average_won_value.numerator, found.average_won_value.denominator) == (Money(400, "EUR"), 2)


def test_without_a_win_there_is_no_velocity() -> None:
    found = sales_velocity([closed("lost", 5, date(2024, 3, 5)), deal("open", 7)], MARCH, FRAME)
    assert (found.velocity.value, found.velocity.n, found.win_rate.value) == (None, 1, 0.0)


def test_the_figures_of_maven_are_those_computed_elsewhere() -> None:
    found = sales_velocity(maven(), None, MAVEN_FRAME, "closed")
    assert as_printed(found.average_won_value.exact, MAVEN["mean_won_value"]) == MAVEN["mean_won_value"]
    assert as_printed(found.cycle.mean.exact, MAVEN["mean_days_won"]) == MAVEN["mean_days_won"]
    assert found.cycle.kaplan_meier_median.value == MAVEN["kaplan_meier_median_days_to_close"]
    assert found.average_won_value.numerator == Money(MAVEN["won_value"], "USD")


def test_a_variant_nobody_knows_is_refused_and_all_is_told_as_json() -> None:
    wrong: Any = "all"
    with pytest.raises(UsageError) as refused:
        sales_velocity(FACTS, MARCH, FRAME, wrong)
    assert refused.value.code == "unknown_variant"
    told = sales_velocity(FACTS, MARCH, FRAME).to_dict()
    assert told["cycle"]["mean"]["value"] == 65.0
    assert told["velocity"]["value"] == "4.6154 EUR"
