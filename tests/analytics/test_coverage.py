"""Pipeline coverage: of the whole quota, and of what is left of it."""

from datetime import date
from fractions import Fraction
from typing import Any

import attrs
import pytest

from crmkit.errors import CurrencyMismatch, InvalidValue, UsageError
from crmkit.features.metrics.figures.win_rate import win_rate
from crmkit.features.metrics.forecasts.coverage import coverage, needed_coverage
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, deal

QUARTER = Period.quarter(2024, 2)
DUE = date(2024, 6, 20)
QUOTA = Money(1_000, "EUR")
FACTS = [
    deal("open", 900, id="a", expected_close=DUE),
    deal("open", 600, id="b", expected_close=FRAME.today),
    deal("won", 400, id="丙", closed_on=date(2024, 4, 1)),
    deal("open", 5_000, expected_close=date(2024, 6, 14)),
    deal("open", 5_000, expected_close=date(2024, 7, 1)),
    deal("open", 5_000),
    deal("open", None, expected_close=DUE),
    deal("won", 5_000, closed_on=date(2024, 3, 31)),
    deal("won", 5_000),
    deal("lost", 5_000, closed_on=DUE, expected_close=DUE),
    deal("disqualified", 5_000, closed_on=DUE, expected_close=DUE),
]


def test_coverage_divides_what_is_open_by_what_is_left_or_by_the_whole() -> None:
    left, whole = coverage(FACTS, QUOTA, QUARTER, FRAME), coverage(FACTS, QUOTA, QUARTER, FRAME, "full")
    assert (left.coverage.exact, left.coverage.variant, left.coverage.n) == (Fraction(1_500, 600), "remaining", 2)
    assert (left.coverage.numerator, left.coverage.denominator) == (Money(1_500, "EUR"), Money(600, "EUR"))
    assert (whole.coverage.exact, whole.coverage.denominator) == (Fraction(1_500, 1_000), QUOTA)
    for found in (left, whole):
        assert (found.quota, found.remaining, found.met) == (QUOTA, Money(600, "EUR"), False)
        assert (found.open.value, found.won.value) == (Money(1_500, "EUR"), Money(400, "EUR"))
        assert found.coverage.period == QUARTER
        assert [(metric.name, metric.unit) for metric in (found.coverage, found.open, found.won)] == [
            ("pipeline_coverage", "ratio"),
            ("open_pipeline", "money"),
            ("closed_won", "money"),
        ]


def test_overdue_lost_undated_and_other_deals_are_no_cover_and_are_counted() -> None:
    assert coverage(FACTS, QUOTA, QUARTER, FRAME).coverage.excluded == {
        "disqualified": 1,
        "lost": 1,
        "no_amount": 1,
        "no_closed_on": 1,
        "no_expected_close": 1,
        "outside_period": 2,
        "overdue": 1,
    }


@pytest.mark.parametrize("won", [1_000, 1_500])
def test_a_quota_that_is_reached_is_met_and_not_covered_without_end(won: int) -> None:
    facts = [deal("won", won, closed_on=DUE), deal("open", 10, expected_close=DUE)]
    left, whole = coverage(facts, QUOTA, QUARTER, FRAME), coverage(facts, QUOTA, QUARTER, FRAME, "full")
    assert (left.met, left.coverage.value, left.coverage.n) == (True, None, 1)
    assert left.remaining == Money(1_000 - won, "EUR")
    assert left.coverage.notes == ("the quota is met",)
    assert (whole.met, whole.coverage.value) == (True, 0.01)


def test_the_last_hundredth_of_a_quota_is_not_met_yet() -> None:
    found = coverage([deal("won", "999.99", closed_on=DUE), deal("open", 1, expected_close=DUE)], QUOTA, QUARTER, FRAME)
    assert (found.met, found.remaining, found.coverage.value) == (False, Money("0.01", "EUR"), 100.0)


def test_a_quota_of_nothing_is_met() -> None:
    found = coverage([deal("open", 10, expected_close=DUE)], Money(0, "EUR"), QUARTER, FRAME, "full")
    assert (found.met, found.coverage.value) == (True, None)


def test_the_quota_is_told_in_the_frames_currency_too() -> None:
    facts = [deal("open", Money(100, "USD"), expected_close=DUE), deal("won", 10, closed_on=DUE)]
    found = coverage(facts, Money(100, "USD"), QUARTER, IN_EUR)
    assert (found.quota, found.remaining, found.coverage.exact) == (Money(80, "EUR"), Money(70, "EUR"), Fraction(8, 7))
    with pytest.raises(CurrencyMismatch):
        coverage(facts[:1], QUOTA, QUARTER, FRAME)


def test_with_nothing_open_there_is_no_ratio_but_what_is_left_is_told() -> None:
    found = coverage([deal("won", 10, closed_on=DUE)], QUOTA, QUARTER, FRAME)
    assert (found.coverage.value, found.coverage.n, found.remaining) == (None, 0, Money(990, "EUR"))
    assert found.coverage.numerator == Money(0, "EUR")


def test_needed_is_one_over_the_win_rate() -> None:
    facts = [deal("won", 100, closed_on=DUE), deal("lost", 300, closed_on=DUE)]
    found = needed_coverage(win_rate(facts, QUARTER, FRAME, "closed_amount"))
    assert (found.name, found.variant, found.value, found.exact, found.n) == (
        "needed_coverage",
        "closed_amount",
        4.0,
        4,
        2,
    )
    assert (found.numerator, found.denominator) == (Money(400, "EUR"), Money(100, "EUR"))


def test_without_a_win_no_coverage_is_enough_and_none_is_named() -> None:
    for facts in ([], [deal("lost", 300, closed_on=DUE)]):
        assert needed_coverage(win_rate(facts, QUARTER, FRAME)).value is None


def test_only_a_win_rate_says_how_much_is_needed() -> None:
    with pytest.raises(UsageError) as refused:
        needed_coverage(coverage(FACTS, QUOTA, QUARTER, FRAME).coverage)
    assert refused.value.code == "not_a_win_rate"


def test_a_quota_below_nothing_and_a_variant_nobody_knows_are_refused() -> None:
    wrong: Any = "half"
    with pytest.raises(UsageError) as unknown:
        coverage(FACTS, QUOTA, QUARTER, FRAME, wrong)
    assert unknown.value.code == "unknown_variant"
    with pytest.raises(InvalidValue) as refused:
        coverage(FACTS, Money(-1, "EUR"), QUARTER, FRAME)
    assert refused.value.code == "negative_quota"


def test_ids_are_listed_by_part_and_all_is_told_as_json() -> None:
    found = coverage(FACTS[:3], QUOTA, QUARTER, attrs.evolve(FRAME, members=True))
    assert found.coverage.members == {"open": ("a", "b"), "won": ("丙",)}
    told = found.to_dict()
    assert (told["coverage"]["value"], told["remaining"], told["met"]) == (2.5, "600.00 EUR", False)
