"""Exchange rates by day, exact, inverted and crossed, and those of the plan."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue, UsageError
from crmkit.values import Money
from crmkit.values.rates import Policy, Rate, Rates

FIRST = date(2024, 1, 1)
LATER = date(2024, 6, 1)
EXACT = st.fractions(Fraction(1, 1000), 1000, max_denominator=1000)


def test_the_latest_rate_that_began_by_the_day_counts() -> None:
    rates = Rates([("EUR", "USD", LATER, "1.2"), ("EUR", "USD", FIRST, Decimal("1.1"))])
    day = timedelta(days=1)
    assert rates.rate("EUR", "USD", FIRST) == Fraction(11, 10)
    assert rates.rate("EUR", "USD", LATER - day) == Fraction(11, 10)
    assert rates.rate("EUR", "USD", LATER) == rates.rate("EUR", "USD", date(2099, 1, 1)) == Fraction(12, 10)


def test_a_rate_is_what_one_unit_of_the_first_currency_is_worth_in_the_second() -> None:
    rates = Rates([("EUR", "CNY", FIRST, 8)])
    assert rates.convert(Money(100, "EUR"), "CNY", FIRST) == Money(800, "CNY")
    assert rates.convert(Money(800, "CNY"), "EUR", FIRST) == Money(100, "EUR")


@pytest.mark.law
@given(EXACT)
def test_a_rate_given_one_way_holds_exactly_the_other_way(rate: Fraction) -> None:
    rates = Rates([("EUR", "USD", FIRST, rate)])
    assert rates.rate("USD", "EUR", FIRST) == 1 / rate
    assert rates.rate("USD", "EUR", FIRST) * rates.rate("EUR", "USD", FIRST) == 1


def test_of_a_rate_each_way_the_later_counts_and_on_one_day_the_direct_one() -> None:
    rates = Rates([("EUR", "USD", FIRST, 2), ("USD", "EUR", LATER, Fraction(1, 3))])
    assert rates.rate("EUR", "USD", FIRST) == 2
    assert rates.rate("EUR", "USD", LATER) == 3
    both = Rates([("EUR", "USD", FIRST, 2), ("USD", "EUR", FIRST, Fraction(1, 3))])
    assert (both.rate("EUR", "USD", FIRST), both.rate("USD", "EUR", FIRST)) == (2, Fraction(1, 3))


@pytest.mark.law
@given(EXACT, EXACT)
def test_two_currencies_meet_in_a_third_exactly(usd: Fraction, cny: Fraction) -> None:
    rates = Rates([("EUR", "USD", FIRST, usd), ("EUR", "CNY", FIRST, cny)])
    assert rates.rate("USD", "CNY", FIRST) == cny / usd


def test_a_pair_of_its_own_comes_before_any_way_round() -> None:
    rates = Rates([("USD", "CNY", FIRST, 7), ("USD", "EUR", LATER, 1), ("EUR", "CNY", LATER, 9)])
    assert rates.rate("USD", "CNY", LATER) == 7


def test_of_several_ways_round_the_one_with_the_newest_older_rate_is_taken() -> None:
    rows = [("USD", "EUR", FIRST, 1), ("EUR", "CNY", LATER, 7), ("USD", "GBP", LATER, 1), ("GBP", "CNY", LATER, 8)]
    assert Rates(rows).rate("USD", "CNY", LATER) == 8
    assert Rates([*rows, ("USD", "EUR", LATER, 1)]).rate("USD", "CNY", LATER) == 7, "by the alphabet between equals"


def test_no_way_leads_by_two_currencies_in_between() -> None:
    rates = Rates([("USD", "EUR", FIRST, 1), ("EUR", "GBP", FIRST, 1), ("GBP", "CNY", FIRST, 9)])
    with pytest.raises(InvalidValue) as refused:
        rates.rate("USD", "CNY", FIRST)
    assert refused.value.code == "no_rate"


def test_a_missing_rate_names_the_pair_and_the_day() -> None:
    rates = Rates([("EUR", "USD", LATER, "1.1")], budget=[("EUR", "CNY", FIRST, 8)])
    for asked in (("EUR", "USD", date(2024, 5, 31), "booking"), ("EUR", "CNY", LATER, "current")):
        with pytest.raises(InvalidValue) as refused:
            rates.rate(*asked)
        assert refused.value.code == "no_rate"
        for part in (asked[0], asked[1], asked[2].isoformat()):
            assert part in str(refused.value)
    with pytest.raises(InvalidValue, match="planned rate from EUR to USD on 2024-06-01"):
        rates.rate("EUR", "USD", LATER, "budget")


def test_the_plan_has_rates_of_its_own() -> None:
    rates = Rates([("EUR", "USD", FIRST, "1.1")], budget=[("EUR", "USD", FIRST, "1.3"), ("EUR", "USD", LATER, "1.4")])
    found = {policy: rates.rate("EUR", "USD", LATER, policy) for policy in get_args(Policy)}
    assert found == {"booking": Fraction(11, 10), "current": Fraction(11, 10), "budget": Fraction(14, 10)}
    assert rates.rate("EUR", "USD", FIRST, "budget") == Fraction(13, 10)


def test_a_currency_is_worth_itself_without_any_rate() -> None:
    assert Rates().rate("EUR", "EUR", FIRST, "budget") == 1
    assert Rates().convert(Money("0.0001", "EUR"), "EUR", FIRST) == Money("0.0001", "EUR")


@pytest.mark.parametrize(
    ("amount", "converted"),
    [("0.0001", "0"), ("0.0003", "0.0002"), ("-0.0001", "0"), ("0.0005", "0.0002"), ("0.0007", "0.0004")],
)
def test_conversion_rounds_once_half_to_even(amount: str, converted: str) -> None:
    assert Rates([("EUR", "USD", FIRST, "0.5")]).convert(Money(amount, "EUR"), "USD", FIRST) == Money(converted, "USD")


def test_a_conversion_beyond_the_largest_money_is_refused() -> None:
    with pytest.raises(InvalidValue) as refused:
        Rates([("EUR", "USD", FIRST, 10)]).convert(Money("922337203685477.5807", "EUR"), "USD", FIRST)
    assert refused.value.code == "out_of_range"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (("EUR", "USD", FIRST, 0), "bad_rate"),
        (("EUR", "USD", FIRST, Decimal("-1.1")), "bad_rate"),
        (("EUR", "USD", FIRST, Decimal("NaN")), "bad_rate"),
        (("EUR", "USD", FIRST, Decimal("sNaN")), "bad_rate"),
        (("EUR", "USD", FIRST, "Infinity"), "bad_rate"),
        (("EUR", "USD", FIRST, "1,1"), "bad_rate"),
        (("EUR", "USD", FIRST, "1" * 61), "bad_rate"),
        (("EUR", "USD", FIRST, Decimal("1E+999999999")), "bad_rate"),
        (("EUR", "USD", FIRST, Decimal("1E-999999999")), "bad_rate"),
        (("EUR", "USD", FIRST, 1.1), "bad_rate"),
        (("EUR", "USD", FIRST, True), "bad_rate"),
        (("EUR", "USD", FIRST, None), "bad_rate"),
        (("EUR", "EUR", FIRST, 1), "bad_rate"),
        (("EUR", "USD", FIRST), "bad_rate"),
        ("EURO", "bad_rate"),
        (("EUR", "euro", FIRST, 1), "bad_currency"),
        (("EUR", "人民币", FIRST, 1), "bad_currency"),
        (("EUR", "USD", "2024-01-01", 1), "not_a_date"),
        (("EUR", "USD", datetime(2024, 1, 1, tzinfo=UTC), 1), "not_a_date"),
    ],
)
def test_a_bad_row_is_refused_with_its_number(row: Any, code: str) -> None:
    good = ("EUR", "USD", LATER, "1.1")
    for given_rows in ({"dated": [good, row]}, {"budget": [good, row]}):
        with pytest.raises(InvalidValue) as refused:
            Rates(**given_rows)
        assert [(problem.code, problem.row) for problem in refused.value.problems] == [(code, 1)]


def test_two_rates_of_a_pair_for_one_day_are_refused_even_if_equal() -> None:
    with pytest.raises(InvalidValue) as refused:
        Rates([("EUR", "USD", FIRST, "1.1"), ("EUR", "USD", LATER, "1.1"), ("EUR", "USD", FIRST, "1.1")])
    assert [(problem.code, problem.row) for problem in refused.value.problems] == [("bad_rate", 2)]


@pytest.mark.parametrize(
    ("asked", "code"),
    [(("EUR", "usd", FIRST), "bad_currency"), (("?", "USD", FIRST), "bad_currency"), (("EUR", "USD", 1), "not_a_date")],
)
def test_a_bad_question_is_refused(asked: Any, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Rates([("EUR", "USD", FIRST, 1)]).rate(*asked)
    assert refused.value.code == code


def test_a_policy_nobody_knows_is_refused() -> None:
    policy: Any = "spot"
    with pytest.raises(UsageError) as refused:
        Rates([("EUR", "USD", FIRST, 1)]).rate("EUR", "USD", FIRST, policy)
    assert refused.value.code == "unknown_policy"


def test_rates_are_values_whatever_the_order_of_their_rows() -> None:
    rows = [("EUR", "USD", FIRST, "1.10"), ("EUR", "USD", LATER, Decimal("1.2"))]
    one, other = Rates(rows), Rates([rows[1], Rate("EUR", "USD", FIRST, Fraction(11, 10))])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Rates(rows[:1])
    assert one != Rates(budget=rows)


@pytest.mark.law
@given(st.dictionaries(st.dates(FIRST, date(2024, 3, 1)), EXACT, max_size=20), st.dates(FIRST, date(2024, 4, 1)))
def test_the_rate_is_that_of_the_greatest_day_not_after_the_one_asked_for(
    by_day: dict[date, Fraction], on: date
) -> None:
    rates = Rates([("EUR", "USD", day, rate) for day, rate in by_day.items()])
    begun = [day for day in by_day if day <= on]
    if begun:
        assert rates.rate("EUR", "USD", on) == by_day[max(begun)]
    else:
        with pytest.raises(InvalidValue, match="no rate"):
            rates.rate("EUR", "USD", on)
