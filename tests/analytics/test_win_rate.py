"""Win rates: five numbers of one name, each with what it counts."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any, get_args

import attrs
import pytest

from crmkit.errors import CurrencyMismatch, UsageError
from crmkit.features.metrics.figures.win_rate import Variant, counted_by, rate_of, tally, win_rate
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, MAVEN, MAVEN_FRAME, as_printed, deal, maven

MARCH = Period.month(2024, 3)
IN_MARCH = date(2024, 3, 5)
CLOSED = [
    deal("won", 300, id="a", closed_on=IN_MARCH),
    deal("won", None, id="b", closed_on=date(2024, 3, 31)),
    deal("lost", 100, id="丙", closed_on=date(2024, 3, 1)),
    deal("disqualified", 100, id="d", closed_on=IN_MARCH),
    deal("won", 999, id="e", closed_on=date(2024, 4, 1)),
    deal("lost", 999, id="f", closed_on=date(2024, 2, 29)),
    deal("lost", 999, id="g"),
    deal("open", 999, id="h"),
]


@pytest.mark.parametrize(
    ("variant", "exact", "n", "excluded"),
    [
        ("closed_count", Fraction(2, 3), 3, {"disqualified": 1, "no_closed_on": 1, "open": 1, "outside_period": 2}),
        ("narrow", Fraction(2, 3), 3, {"disqualified": 1, "no_closed_on": 1, "open": 1, "outside_period": 2}),
        ("broad", Fraction(1, 2), 4, {"no_closed_on": 1, "open": 1, "outside_period": 2}),
        (
            "closed_amount",
            Fraction(3, 4),
            2,
            {"disqualified": 1, "no_amount": 1, "no_closed_on": 1, "open": 1, "outside_period": 2},
        ),
    ],
)
def test_each_variant_says_what_it_counts(variant: Variant, exact: Fraction, n: int, excluded: dict[str, int]) -> None:
    found = win_rate(CLOSED, MARCH, FRAME, variant)
    assert (found.variant, found.exact, found.value, found.n) == (variant, exact, float(exact), n)
    assert found.excluded == excluded
    assert (found.name, found.unit, found.period) == ("win_rate", "ratio", MARCH)
    assert found.n + sum(found.excluded.values()) == len(CLOSED)


def test_counts_come_with_numerator_denominator_and_interval_and_amounts_with_money() -> None:
    by_count, by_amount = (win_rate(CLOSED, MARCH, FRAME, variant) for variant in ("closed_count", "closed_amount"))
    assert (by_count.numerator, by_count.denominator) == (2, 3)
    assert by_count.interval is not None
    assert by_count.interval.low < 2 / 3 < by_count.interval.high
    assert (by_amount.numerator, by_amount.denominator) == (Money(300, "EUR"), Money(400, "EUR"))
    assert by_amount.interval is None
    assert by_amount.frame.currency == "EUR"


def test_a_cohort_counts_the_open_ones_too_and_says_that_it_is_not_ripe() -> None:
    """Varicent's example: 3 of 100 created are won so far."""
    deals = [deal("won") for _ in range(3)] + [deal("lost") for _ in range(17)] + [deal("open") for _ in range(80)]
    found = win_rate(deals, Period.month(2024, 1), FRAME, "created_cohort")
    assert (found.exact, found.n, found.censored) == (Fraction(3, 100), 100, 80)
    assert found.interval is None
    assert found.notes
    ripe = win_rate(deals[:20], Period.month(2024, 1), FRAME, "created_cohort")
    assert (ripe.exact, ripe.censored, ripe.notes) == (Fraction(3, 20), 0, ())
    assert ripe.interval is not None


def test_a_deal_is_created_on_the_day_of_the_frames_zone_and_the_period_is_told_in_it() -> None:
    late = deal("won", created_at=datetime(2024, 2, 29, 20, tzinfo=UTC))
    shanghai = attrs.evolve(FRAME, zone="Asia/Shanghai")
    assert win_rate([late], MARCH, FRAME, "created_cohort").n == 0
    found = win_rate([late], MARCH, shanghai, "created_cohort")
    assert found.n == 1
    assert found.period == Period.month(2024, 3, "Asia/Shanghai")


def test_without_a_period_all_time_counts() -> None:
    found = win_rate(CLOSED, None, FRAME)
    assert (found.numerator, found.denominator, found.period) == (3, 6, None)
    assert win_rate(CLOSED, None, FRAME, "created_cohort").n == len(CLOSED)


def test_a_reopened_deal_is_open_whatever_day_it_once_closed_on() -> None:
    found = win_rate([deal("open", closed_on=IN_MARCH)], MARCH, FRAME)
    assert (found.n, found.value, found.excluded) == (0, None, {"open": 1})


def test_amounts_are_told_at_the_rate_of_the_day_of_closing() -> None:
    deals = [
        deal("won", Money(100, "USD"), closed_on=date(2024, 2, 1)),
        deal("lost", Money(100, "USD"), closed_on=date(2024, 3, 1)),
    ]
    found = win_rate(deals, Period.year(2024), IN_EUR, "closed_amount")
    assert (found.numerator, found.denominator) == (Money(90, "EUR"), Money(170, "EUR"))


def test_amounts_in_unlike_currencies_are_refused_though_each_side_has_one_only() -> None:
    deals = [deal("won", Money(1, "EUR"), closed_on=IN_MARCH), deal("lost", Money(1, "USD"), closed_on=IN_MARCH)]
    with pytest.raises(CurrencyMismatch):
        win_rate(deals, MARCH, FRAME, "closed_amount")
    assert win_rate(deals, MARCH, FRAME).value == 0.5


def test_deals_without_an_amount_are_left_out_on_both_sides() -> None:
    facts = [deal(outcome, amount, closed_on=IN_MARCH) for outcome in ("won", "lost") for amount in (1, None)]  # type: ignore[arg-type]
    found = win_rate(facts, MARCH, FRAME, "closed_amount")
    assert (found.exact, found.n, found.excluded) == (Fraction(1, 2), 2, {"no_amount": 2})


def test_amounts_of_zero_have_no_share() -> None:
    found = win_rate([deal("lost", 0, closed_on=IN_MARCH)], MARCH, FRAME, "closed_amount")
    assert (found.n, found.value, found.denominator) == (1, None, Money(0, "EUR"))


def test_a_share_of_amounts_below_zero_says_that_it_is_none() -> None:
    found = win_rate([deal("won", 200), deal("lost", -100)], None, FRAME, "closed_amount")
    assert (found.value, found.notes) == (2.0, ("amounts below 0 are among them: it is no share",))
    assert win_rate([deal("won", 200), deal("lost", 100)], None, FRAME, "closed_amount").notes == ()


def test_ids_are_listed_by_part() -> None:
    found = win_rate(CLOSED, MARCH, Frame(as_of=FRAME.as_of, members=True))
    assert found.members is not None
    assert (found.members["won"], found.members["lost"]) == (("a", "b"), ("丙",))
    assert found.members["outside_period"] == ("e", "f")


def test_a_variant_nobody_knows_is_refused() -> None:
    wrong: Any = "best"
    for call in (
        lambda: win_rate(CLOSED, MARCH, FRAME, wrong),
        lambda: counted_by(wrong),
        lambda: tally(CLOSED, MARCH, FRAME, wrong),
    ):
        with pytest.raises(UsageError) as refused:
            call()
        assert refused.value.code == "unknown_variant"
        assert refused.value.problems[0].hint


def test_a_variant_is_told_from_its_own_tally_only() -> None:
    for variant in get_args(Variant):
        other = "closed" if counted_by(variant) == "created" else "created"
        with pytest.raises(UsageError) as refused:
            rate_of(tally(CLOSED, MARCH, FRAME, other), FRAME, variant)
        assert refused.value.code == "unlike_tallies"


def test_the_win_rate_of_maven_is_that_computed_elsewhere() -> None:
    found = win_rate(maven(), None, MAVEN_FRAME)
    assert as_printed(found.exact, MAVEN["win_rate_of_closed"]) == MAVEN["win_rate_of_closed"]
    assert found.numerator == MAVEN["by_stage"]["Won"]
    assert found.denominator == MAVEN["by_stage"]["Won"] + MAVEN["by_stage"]["Lost"]
    assert found.excluded == {"open": MAVEN["by_stage"]["Engaging"]}
