"""Totals of money by currency and day: nothing is lost, nothing is rounded before the end."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch, InvalidValue
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.totals import Totals, TotalsFold, money_in, money_of, settled
from crmkit.values import Money
from tests.analytics.made import FRAME, IN_EUR, NOON, RATES

AMOUNTS = st.builds(Money.from_units, st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "USD"]))
DATED = st.lists(st.tuples(st.none() | AMOUNTS, st.none() | st.dates(date(2023, 1, 1), date(2025, 1, 1))), max_size=30)


def tally(amounts: Iterable[tuple[Money | None, date | None]]) -> Totals:
    fold = TotalsFold()
    for amount, on in amounts:
        fold.add(amount, on)
    return fold.done()


@pytest.mark.law
@given(DATED, st.sampled_from(["booking", "current", "budget"]))
def test_converting_the_sum_is_adding_what_each_amount_is_worth(
    amounts: list[tuple[Money | None, date | None]], policy: str
) -> None:
    frame = attrs.evolve(IN_EUR, policy=policy)
    each = [frame.worth(amount, on) for amount, on in amounts if amount is not None]
    found = tally(amounts)
    assert found.worth(frame) == sum(each)
    assert (found.counted, found.without, found.n) == (len(each), len(amounts) - len(each), len(amounts))


@pytest.mark.law
@given(DATED, DATED, st.randoms(use_true_random=False))
def test_totals_add_up_whatever_the_order(
    one: list[tuple[Money | None, date | None]], other: list[tuple[Money | None, date | None]], random: object
) -> None:
    whole = one + other
    mixed = list(whole)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert tally(one) + tally(other) == tally(other) + tally(one) == tally(whole) == tally(mixed)


@pytest.mark.law
@given(DATED)
def test_each_currency_keeps_its_own_sum(amounts: list[tuple[Money | None, date | None]]) -> None:
    found = tally(amounts)
    for currency in ("EUR", "USD"):
        units = sum(number for (own, _), number in found.units.items() if own == currency)
        assert units == sum(amount.units for amount, _ in amounts if amount is not None and amount.currency == currency)


def test_unlike_currencies_do_not_add_up_without_rates() -> None:
    mixed = tally([(Money(1, "EUR"), None), (Money(1, "USD"), None)])
    for frame in (FRAME, Frame(as_of=NOON, currency="EUR"), Frame(as_of=NOON, rates=RATES)):
        with pytest.raises(CurrencyMismatch) as refused:
            mixed.money(frame)
        assert refused.value.code == "currency_mismatch"
        assert "EUR" in str(refused.value)
        assert "USD" in str(refused.value)


def test_one_currency_in_another_frame_needs_rates_too() -> None:
    with pytest.raises(CurrencyMismatch):
        tally([(Money(1, "USD"), None)]).worth(Frame(as_of=NOON, currency="EUR"))


def test_a_frame_without_a_currency_takes_the_one_there_is() -> None:
    yuan = tally([(Money("1.5", "CNY"), None), (Money(2, "CNY"), date(2024, 1, 1))])
    assert yuan.money(FRAME) == Money("3.5", "CNY")
    assert settled(FRAME, yuan, Totals()).currency == "CNY"
    assert settled(FRAME, Totals()) is FRAME
    assert settled(IN_EUR, yuan) is IN_EUR


def test_currencies_of_several_totals_must_be_alike_too() -> None:
    with pytest.raises(CurrencyMismatch):
        settled(FRAME, tally([(Money(1, "EUR"), None)]), tally([(Money(0, "USD"), None)]))


def test_the_policy_says_of_which_day_the_rate_is() -> None:
    dollars = tally([(Money(100, "USD"), date(2024, 1, 1))])
    found = {policy: dollars.money(attrs.evolve(IN_EUR, policy=policy)) for policy in ("booking", "current", "budget")}
    assert found == {"booking": Money(90, "EUR"), "current": Money(80, "EUR"), "budget": Money(85, "EUR")}
    assert tally([(Money(100, "USD"), None)]).money(IN_EUR) == Money(80, "EUR"), "what has no day belongs to today"


def test_a_sum_is_rounded_once_half_to_even() -> None:
    small = [(Money("0.0001", "USD"), date(2024, 4, day)) for day in (1, 2, 3)]
    assert tally(small).worth(IN_EUR) == Fraction(24, 100_000)
    assert tally(small).money(IN_EUR) == Money("0.0002", "EUR")
    assert money_in(Fraction(25, 100_000), "EUR") == Money("0.0002", "EUR")
    assert money_in(Fraction(35, 100_000), "EUR") == Money("0.0004", "EUR")
    assert money_of(Fraction(1), FRAME) is None


def test_of_nothing_there_is_no_money_but_a_worth_of_zero() -> None:
    nothing = tally([(None, None)])
    assert (nothing.worth(FRAME), nothing.money(FRAME), nothing.money(IN_EUR)) == (0, None, None)
    assert (nothing.n, nothing.without, nothing.currencies) == (1, 1, ())


def test_a_sum_may_pass_through_more_than_money_can_hold() -> None:
    largest = Money("922337203685477", "USD")
    both = tally([(largest, None), (largest, None), (-largest, date(2024, 6, 1)), (Money(1, "EUR"), None)])
    assert both.money(IN_EUR) == Money("737869762948382.6", "EUR")
    with pytest.raises(InvalidValue) as refused:
        tally([(largest, None), (largest, None)]).money(FRAME)
    assert refused.value.code == "out_of_range"


def test_what_is_frozen_does_not_change_when_folding_goes_on() -> None:
    fold = TotalsFold()
    fold.add(Money(1, "EUR"), None)
    before = fold.done()
    fold.add(Money(1, "EUR"), None)
    assert before == tally([(Money(1, "EUR"), None)])
    assert before.__add__(1) is NotImplemented
