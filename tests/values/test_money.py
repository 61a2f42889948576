"""Money is exact, and two currencies never meet silently."""

import copy
import decimal
import pickle
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch, InvalidValue, UsageError
from crmkit.values import Money, minor_digits

MAX = 2**63 - 1
CURRENCIES = st.sampled_from(["EUR", "USD", "CNY", "JPY", "KWD", "CLF"])
UNITS = st.integers(-MAX, MAX)
MONEYS = st.builds(Money.from_units, UNITS, CURRENCIES)
SMALL = st.builds(Money.from_units, st.integers(-(10**14), 10**14), st.just("EUR"))


@given(UNITS, CURRENCIES)
@example(MAX, "EUR")
@example(-MAX, "JPY")
@pytest.mark.law
def test_units_and_amount_say_the_same(units: int, currency: str) -> None:
    money = Money.from_units(units, currency)
    assert money.units == units
    assert Fraction(money.amount) == Fraction(units, 10_000)
    assert Money(money.amount, currency) == money
    assert Money(f"{money.amount:f}", currency) == money


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        ("1.5", 15_000),
        ("1.50000000", 15_000),
        ("+.5", 5_000),
        ("-0", 0),
        ("007", 70_000),
        (7, 70_000),
        (Decimal("1E+3"), 10_000_000),
        (Decimal("0E+999999"), 0),
        (Decimal("0E-999999"), 0),
        (Decimal("-0.0001"), -1),
        (Decimal("1." + "0" * 500), 10_000),
        ("922337203685477.5807", MAX),
        (Decimal("-922337203685477.5807"), -MAX),
    ],
)
def test_an_amount_is_kept_in_ten_thousandths(amount: Decimal | int | str, units: int) -> None:
    assert Money(amount, "EUR").units == units


def test_equal_amounts_are_one_money_however_they_were_written() -> None:
    moneys = [
        Money("1.50", "EUR"),
        Money("1.5", "EUR"),
        Money(Decimal("1.5000"), "EUR"),
        Money.from_units(15_000, "EUR"),
    ]
    assert len(set(moneys)) == 1
    assert {str(money.amount) for money in moneys} == {"1.50"}
    assert Money(0, "EUR") == Money(Decimal("-0.00"), "EUR")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money("1234.5", "EUR"), "1234.50 EUR"),
        (Money("1234", "JPY"), "1234 JPY"),
        (Money("0.5", "JPY"), "0.5 JPY"),
        (Money("1.2345", "EUR"), "1.2345 EUR"),
        (Money("1.5", "KWD"), "1.500 KWD"),
        (Money("-0.0001", "CNY"), "-0.0001 CNY"),
        (Money(-5, "CNY"), "-5.00 CNY"),
        (Money(0, "CLF"), "0.0000 CLF"),
        (Money("922337203685477.5807", "USD"), "922337203685477.5807 USD"),
    ],
)
def test_money_is_written_with_the_digits_it_is_paid_in(money: Money, text: str) -> None:
    assert str(money) == text
    assert eval(repr(money)) == money


def test_the_decimal_context_of_the_caller_changes_nothing() -> None:
    with decimal.localcontext() as context:
        context.prec = 2
        context.traps[decimal.Inexact] = True
        money = Money(Decimal("12345.6789"), "EUR")
        assert money.units == 123_456_789
        assert money.amount == Decimal("12345.6789")
        assert str(money * 3) == "37037.0367 EUR"
        assert str(money.times(Decimal("0.1"))) == "1234.57 EUR"
        assert str(money.quantized()) == "12345.68 EUR"


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (1.5, "float_amount"),
        (float("nan"), "float_amount"),
        (True, "not_a_number"),
        (None, "not_a_number"),
        (Decimal("NaN"), "not_a_number"),
        (Decimal("sNaN"), "not_a_number"),
        (Decimal("-Infinity"), "not_a_number"),
        ("", "not_a_number"),
        ("NaN", "not_a_number"),
        ("1e5", "not_a_number"),
        ("1_000", "not_a_number"),
        ("1,000.00", "not_a_number"),
        (" 1", "not_a_number"),
        ("1\n", "not_a_number"),
        ("1.", "not_a_number"),
        ("١", "not_a_number"),
        (b"1", "not_a_number"),
        (pytest.param("9" * 10**6, "not_a_number", id="long text")),
        ("0.00001", "too_precise"),
        ("1.00001", "too_precise"),
        (Decimal("1E-999999"), "too_precise"),
        (pytest.param(Decimal("0." + "1" * 500), "too_precise", id="long fraction")),
        (pytest.param(Decimal("1." + "0" * 500 + "1"), "too_precise", id="far digit")),
        ("922337203685477.5808", "out_of_range"),
        ("-922337203685477.5808", "out_of_range"),
        (10**15, "out_of_range"),
        (pytest.param(10**5000, "out_of_range", id="huge")),
        (Decimal("1E+999999"), "out_of_range"),
        (Decimal("1E+15"), "out_of_range"),
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: object, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Money(amount, "EUR")  # type: ignore[arg-type]
    assert refused.value.code == code
    assert refused.value.problems[0].hint
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "currency", ["", "eur", "Eur", "EU", "EURO", "E1R", "EUR ", "ＥＵＲ", "ÄÖÜ", "欧元币", None, 978, b"EUR"]
)
def test_a_currency_is_three_capital_ascii_letters(currency: object) -> None:
    for refusing in (lambda: Money(1, currency), lambda: Money.from_units(1, currency), lambda: minor_digits(currency)):  # type: ignore[arg-type]
        with pytest.raises(InvalidValue) as refused:
            refusing()
        assert refused.value.code == "bad_currency"


@pytest.mark.parametrize(
    ("units", "code"),
    [(MAX + 1, "out_of_range"), (-MAX - 1, "out_of_range"), (1.0, "not_a_number"), (True, "not_a_number")],
)
def test_units_that_storage_cannot_hold_are_refused(units: object, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Money.from_units(units, "EUR")  # type: ignore[arg-type]
    assert refused.value.code == code


def test_money_cannot_be_changed() -> None:
    money = Money(1, "EUR")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        money.units = 5  # type: ignore[misc]
    assert money == Money(1, "EUR")


def test_money_survives_pickling_and_copying() -> None:
    money = Money("12.34", "CNY")
    assert pickle.loads(pickle.dumps(money)) == copy.deepcopy(money) == copy.copy(money) == money


def test_money_can_be_taken_apart_by_match() -> None:
    match Money("1.50", "EUR"):
        case Money(amount, currency):
            assert (amount, currency) == (Decimal("1.50"), "EUR")


# ----------------------------------------------------------------------------------------------------------- arithmetic


@given(SMALL, SMALL)
@pytest.mark.law
def test_adding_and_taking_away_is_exact(one: Money, other: Money) -> None:
    assert (one + other).amount == one.amount + other.amount
    assert one + other - other == one
    assert one - other == -(other - one)
    assert abs(one) == max(one, -one)


@given(SMALL, st.integers(-1000, 1000))
@pytest.mark.law
def test_multiplying_by_a_whole_number_is_adding_up(money: Money, factor: int) -> None:
    assert (money * factor).units == money.units * factor
    assert factor * money == money * factor


@given(SMALL, st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-100, max_value=100))
@pytest.mark.law
def test_a_product_is_exact_or_refused(money: Money, factor: Decimal) -> None:
    product = Fraction(money.amount) * Fraction(factor)
    if (product * 10_000).denominator == 1:
        assert Fraction((money * factor).amount) == product
    else:
        with pytest.raises(InvalidValue, match="times") as refused:
            money * factor
        assert refused.value.code == "too_precise"


@given(
    st.builds(Money.from_units, st.integers(-(10**18), 10**18), CURRENCIES),
    st.integers(0, 40).flatmap(lambda places: st.decimals(-1, 1, places=places)),
)
@pytest.mark.law
def test_times_rounds_the_exact_product_once(money: Money, factor: Decimal) -> None:
    step = Fraction(1, 10 ** minor_digits(money.currency))
    exact = Fraction(money.amount) * Fraction(factor)

    def rounded(rounding: str) -> Fraction:
        return Fraction(money.times(factor, rounding).amount)

    assert rounded(ROUND_FLOOR) == exact // step * step
    assert rounded(ROUND_CEILING) == -(-exact // step) * step
    assert rounded(ROUND_DOWN) == int(exact / step) * step
    assert rounded(ROUND_HALF_EVEN) == round(exact / step) * step
    assert rounded(ROUND_UP) in (rounded(ROUND_FLOOR), rounded(ROUND_CEILING))
    assert abs(rounded(ROUND_UP)) >= abs(exact)


def test_a_product_is_rounded_to_what_the_currency_is_paid_in() -> None:
    assert Money("0.05", "EUR").times(Decimal("0.5")) == Money("0.02", "EUR")
    assert Money("0.05", "EUR").times(Decimal("0.5"), ROUND_HALF_UP) == Money("0.03", "EUR")
    assert Money(5, "JPY").times(Decimal("0.5")) == Money(2, "JPY")
    assert Money("0.005", "KWD").times(Decimal("0.5")) == Money("0.002", "KWD")
    assert Money("0.0001", "EUR").times(Decimal("1E-999999"), ROUND_UP) == Money("0.01", "EUR")
    assert Money("19.99", "CNY").times(3) == Money("59.97", "CNY")


@pytest.mark.parametrize(
    ("factor", "code"),
    [
        (1.5, "float_amount"),
        (True, "not_a_number"),
        (Decimal("NaN"), "not_a_number"),
        (Decimal("sNaN"), "not_a_number"),
        (Decimal("Infinity"), "not_a_number"),
        (2**70, "out_of_range"),
        (pytest.param(10**5000, "out_of_range", id="huge")),
        (Decimal("1E+999999"), "out_of_range"),
        (10**15, "out_of_range"),
    ],
)
def test_a_factor_that_is_no_number_or_too_large_is_refused(factor: object, code: str) -> None:
    money = Money(1, "EUR")
    for refusing in (lambda: money * factor, lambda: factor * money, lambda: money.times(factor)):  # type: ignore[operator,arg-type]
        with pytest.raises(InvalidValue) as refused:
            refusing()
        assert refused.value.code == code
    assert money == Money(1, "EUR")


def test_nothing_times_anything_is_nothing() -> None:
    nothing = Money(0, "EUR")
    assert nothing * 10**5000 == nothing * Decimal("1E+999999") == nothing.times(Decimal("1E+999999")) == nothing


def test_a_sum_past_the_largest_amount_is_refused() -> None:
    most = Money.from_units(MAX, "EUR")
    for refusing in (lambda: most + most, lambda: -most - most, lambda: Money.total([most, most])):
        with pytest.raises(InvalidValue) as refused:
            refusing()
        assert refused.value.code == "out_of_range"
    assert Money.total([most, most, -most]) == most


@pytest.mark.parametrize("other", [1, Decimal(1), "1.00 EUR", None])
def test_money_and_a_bare_number_neither_add_up_nor_have_an_order(other: object) -> None:
    money = Money(1, "EUR")
    for refusing in (
        lambda: money + other,  # type: ignore[operator]
        lambda: other + money,  # type: ignore[operator]
        lambda: money - other,  # type: ignore[operator]
        lambda: money < other,  # type: ignore[operator]
        lambda: money >= other,  # type: ignore[operator]
        lambda: money * money,  # type: ignore[operator]
    ):
        with pytest.raises(TypeError):
            refusing()
    assert money != other


def test_unlike_currencies_never_meet() -> None:
    euro, yuan = Money(1, "EUR"), Money(1, "CNY")
    assert euro != yuan
    for refusing in (
        lambda: euro + yuan,
        lambda: euro - yuan,
        lambda: euro < yuan,
        lambda: euro <= yuan,
        lambda: euro > yuan,
        lambda: euro >= yuan,
        lambda: Money.total([euro, yuan]),
        lambda: Money.total([euro], "CNY"),
    ):
        with pytest.raises(CurrencyMismatch, match=r"EUR and CNY|CNY and EUR") as refused:
            refusing()
        assert refused.value.code == "currency_mismatch"
        assert refused.value.problems[0].hint


@given(SMALL, SMALL)
@pytest.mark.law
def test_money_is_ordered_as_its_amounts_are(one: Money, other: Money) -> None:
    assert (one < other) == (one.amount < other.amount)
    assert (one <= other) == (one.amount <= other.amount)
    assert (one > other) == (one.amount > other.amount)
    assert (one >= other) == (one.amount >= other.amount)


@given(st.lists(SMALL, max_size=20))
@pytest.mark.law
def test_a_total_is_the_exact_sum(items: list[Money]) -> None:
    assert Money.total(iter(items), "EUR") == Money.from_units(sum(item.units for item in items), "EUR")
    assert Money.total(items) == (Money.total(items, "EUR") if items else None)


# ------------------------------------------------------------------------------------------------ rounding and sharing


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("EUR", 2), ("CNY", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("CLF", 4), ("XAU", 2)],
)
def test_minor_digits_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits
    tenth = Decimal(1).scaleb(-digits) / 10 if digits < 4 else Decimal(0)
    assert (Money(1, currency) + Money(tenth, currency)).quantized() == Money(1, currency)


@given(SMALL)
@pytest.mark.law
def test_rounding_to_minor_digits_is_what_decimal_does(money: Money) -> None:
    for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_DOWN, ROUND_UP):
        assert money.quantized(rounding).amount == money.amount.quantize(Decimal("0.01"), rounding)
    assert money.quantized().quantized() == money.quantized()


def test_a_rounding_that_does_not_exist_is_refused() -> None:
    for refusing in (lambda: Money(1, "EUR").quantized("up"), lambda: Money(1, "EUR").times(2, "ROUND_SOMEHOW")):
        with pytest.raises(UsageError) as refused:
            refusing()
        assert refused.value.code == "unknown_rounding"


@given(MONEYS, st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
@example(Money("0.01", "EUR"), [1, 1, 1])
@example(Money("-0.05", "EUR"), [1, 1])
@example(Money("1.2345", "EUR"), [1, 2, 3])
@pytest.mark.law
def test_shares_add_up_to_the_whole_and_are_fair(money: Money, weights: list[int]) -> None:
    shares = money.allocate(weights)
    assert Money.total(shares) == money
    assert len(shares) == len(weights)
    step = 10_000 // 10 ** minor_digits(money.currency)
    step = 1 if money.units % step else step
    for share, weight in zip(shares, weights, strict=True):
        assert share.units % step == 0
        assert abs(Fraction(money.units * weight, sum(weights)) - share.units) < step
        assert weight or not share.units


def test_what_is_left_goes_to_the_largest_remainders_and_then_to_the_first() -> None:
    assert [str(share) for share in Money(100, "EUR").allocate([1, 1, 1])] == ["33.34 EUR", "33.33 EUR", "33.33 EUR"]
    assert [share.units for share in Money("0.05", "EUR").allocate([3, 7])] == [200, 300]
    assert [str(share) for share in Money(10, "JPY").allocate([1, 0, 2])] == ["3 JPY", "0 JPY", "7 JPY"]
    assert [str(share) for share in Money("-0.01", "EUR").allocate([0, 1, 1])] == ["0.00 EUR", "-0.01 EUR", "0.00 EUR"]


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [1.5], [True], ["1"], [None]])
def test_weights_that_divide_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(InvalidValue) as refused:
        Money(1, "EUR").allocate(weights)
    assert refused.value.code == "bad_weights"
