"""Money as people write it, without guessing by a factor of a thousand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.money import Money


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("EUR 1,234.50", "1234.50 EUR"),
        ("1 234,50 €", "1234.50 EUR"),
        ("1\u202f234,50\u00a0€", "1234.50 EUR"),
        ("1.234,50 EUR", "1234.50 EUR"),
        ("1'234.50 CHF", "1234.50 CHF"),
        ("1’234’567 CHF", "1234567.00 CHF"),
        ("12,34,567.50 INR", "1234567.50 INR"),
        ("1.234.567 EUR", "1234567.00 EUR"),
        ("1,234,567 EUR", "1234567.00 EUR"),
        ("1,234 EUR", "1234.00 EUR"),
        ("0,125 EUR", "0.125 EUR"),
        ("0.125 EUR", "0.125 EUR"),
        ("1234,567 EUR", "1234.567 EUR"),
        ("1234.567 EUR", "1234.567 EUR"),
        ("1 234.567 EUR", "1234.567 EUR"),
        ("12,5 EUR", "12.50 EUR"),
        (".5 EUR", "0.50 EUR"),
        ("1,234.5678 USD", "1234.5678 USD"),
        ("1.234 KWD", "1.234 KWD"),
        ("12000 CNY", "12000.00 CNY"),
        ("eur 12", "12.00 EUR"),
        ("１２，０００．５０元", "12000.50 CNY"),
        ("５００ＣＮＹ", "500.00 CNY"),
        ("人民币 12元", "12.00 CNY"),
        ("100円", "100 JPY"),
        ("١٢٣٤٫٥ USD", "1234.50 USD"),
        ("$22,700.00", "22700.00 USD"),
        ("$5 CAD", "5.00 CAD"),
        ("CAD $5", "5.00 CAD"),
        ("US$5", "5.00 USD"),
        ("R$ 1.234,56", "1234.56 BRL"),
        ("EUR€5", "5.00 EUR"),
        ("-5 EUR", "-5.00 EUR"),
        ("EUR -5", "-5.00 EUR"),
        ("-$5", "-5.00 USD"),
        ("−5 €", "-5.00 EUR"),
        ("+5 USD", "5.00 USD"),
        ("($1,200)", "-1200.00 USD"),
        ("(1,200.00) USD", "-1200.00 USD"),
    ],
)
def test_what_people_write_is_read(text: str, money: str) -> None:
    assert str(Money.parse(text)) == money
    assert str(Money.parse(f"  {text} ", "SEK")) == money


@pytest.mark.parametrize(
    ("text", "default", "money"),
    [
        ("￥1,200", "CNY", "1200.00 CNY"),
        ("￥1,200", "JPY", "1200 JPY"),
        ("¥1,200", "CNY", "1200.00 CNY"),
        ("1,234", "CNY", "1234.00 CNY"),
        ("1.234,50", "EUR", "1234.50 EUR"),
        ("$5", "CAD", "5.00 CAD"),
        ("$5", "EUR", "5.00 USD"),
        ("£5", "EGP", "5.00 EGP"),
        ("£5", "EUR", "5.00 GBP"),
        ("5 kr", "SEK", "5.00 SEK"),
        ("5 USD", "EUR", "5.00 USD"),
    ],
)
def test_the_default_currency_fills_in_and_decides_shared_signs(text: str, default: str, money: str) -> None:
    assert str(Money.parse(text, default)) == money


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.234 EUR", "ambiguous_amount"),
        ("€1.234", "ambiguous_amount"),
        ("1.234 JPY", "ambiguous_amount"),
        ("¥1,200", "ambiguous_currency"),
        ("￥1,200", "ambiguous_currency"),
        ("5 kr", "ambiguous_currency"),
        ("USD 5 EUR", "ambiguous_currency"),
        ("5 € $", "ambiguous_currency"),
        ("1,234", "no_currency"),
        ("5", "no_currency"),
        ("1.23456 EUR", "too_precise"),
        ("999999999999999 EUR", "out_of_range"),
        ("", "not_an_amount"),
        ("EUR", "not_an_amount"),
        ("1,23,4 EUR", "not_an_amount"),
        ("1,2345.50 EUR", "not_an_amount"),
        ("1.234.56 EUR", "not_an_amount"),
        ("1,234,56 EUR", "not_an_amount"),
        ("1,000.000,5 EUR", "not_an_amount"),
        ("1,234 567 EUR", "not_an_amount"),
        ("1 23 EUR", "not_an_amount"),
        ("1..5 EUR", "not_an_amount"),
        ("1e5 EUR", "not_an_amount"),
        ("1_000 EUR", "not_an_amount"),
        ("NaN EUR", "not_an_amount"),
        ("Infinity USD", "not_an_amount"),
        ("(-5) EUR", "not_an_amount"),
        ("--5 EUR", "not_an_amount"),
        ("5- USD", "not_an_amount"),
        ("(5 EUR", "not_an_amount"),
        ("5) EUR", "not_an_amount"),
        ("5 EUR EUR", "not_an_amount"),
        ("12 EUR/month", "not_an_amount"),
        ("5 ??", "not_an_amount"),
        ("5 EUR\x00", "not_an_amount"),
        ("5 \ud800", "not_an_amount"),
        ("10² EUR", "not_an_amount"),
        ("① EUR", "not_an_amount"),
        ("9" * 65 + " EUR", "not_an_amount"),
        (None, "not_an_amount"),
        (5, "not_an_amount"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Money.parse(text)
    assert refused.value.code == code
    assert refused.value.problems[0].hint
    assert len(str(refused.value)) < 300


def test_a_default_that_is_no_currency_is_refused_even_when_it_is_not_needed() -> None:
    with pytest.raises(InvalidValue) as refused:
        Money.parse("5 EUR", "euro")
    assert refused.value.code == "bad_currency"


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["EUR", "JPY", "KWD", "CNY"]))
@pytest.mark.law
def test_money_reads_what_it_writes_with_two_decimals_or_grouped(units: int, currency: str) -> None:
    money = Money.from_units(units, currency)
    assert Money.parse(f"{money.amount:,.4f} {currency}") == money
    assert Money.parse(f"{currency} {money.amount:.4f}") == money
    assert Money.parse(f"{money.amount:,.4f}".replace(",", " ").replace(".", ","), currency) == money
    assert Money.parse(f"{money.amount:,.4f}".replace(",", "_").replace(".", ",").replace("_", "."), currency) == money


@given(
    st.text(alphabet="0123456789.,' -+()$€¥元EURusd\u00a0\u0663\x00\ud800", max_size=20), st.sampled_from([None, "EUR"])
)
@pytest.mark.law
def test_any_text_gives_money_or_one_typed_error(text: str, default: str | None) -> None:
    try:
        money = Money.parse(text, default)
    except InvalidValue:
        return
    assert Money.parse(f"{money.amount:.4f} {money.currency}") == money
