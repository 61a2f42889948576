"""What people write in a cell: numbers, percentages, choices, dates, telephone numbers, JSON."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as PyDecimal
from typing import Any

import pytest

from crmkit.errors import InvalidValue
from crmkit.schema import FieldType
from crmkit.schema.types import (
    Address,
    Boolean,
    Choice,
    Date,
    DateTime,
    Decimal,
    Duration,
    Email,
    Integer,
    Json,
    Money,
    MultiChoice,
    Percent,
    Phone,
    Reference,
    Text,
    Url,
)
from crmkit.values import Money as MoneyValue
from crmkit.values.text import shown
from tests.schema.strategies import a_uuid

D = PyDecimal
STATES = {"open": "Offen", "won": "Gewonnen", "a, b": "Both"}

READ: list[tuple[FieldType, str, Any]] = [
    (Text(), "  张伟 \t", "张伟"),
    (Integer(), " 1,234 ", 1234),
    (Integer(), "1 234 567", 1_234_567),
    (Integer(), "1\u00a0234", 1234),
    (Integer(), "1'234", 1234),
    (Integer(), "12.0", 12),
    (Integer(), "1.5e3", 1500),
    (Integer(), "1.234.567", 1_234_567),
    (Integer(), "１２", 12),
    (Integer(), "٣", 3),
    (Integer(), "\u22125", -5),
    (Integer(), "+5", 5),
    (Integer(), "-9223372036854775807", -(2**63 - 1)),
    (Decimal(), "12,5", D("12.5")),
    (Decimal(), "1.234,5", D("1234.5")),
    (Decimal(), "1,234.5", D("1234.5")),
    (Decimal(), "1.234", D("1.234")),
    (Decimal(), "1,234", D("1234")),
    (Decimal(), "0,125", D("0.125")),
    (Decimal(), ".5", D("0.5")),
    (Decimal(), "1 234,50", D("1234.5")),
    (Decimal(), "-1,5", D("-1.5")),
    (Decimal(), "１２．５", D("12.5")),
    (Percent(), "12.5 %", D("12.5")),
    (Percent(), "12,5％", D("12.5")),
    (Money(), "1,234.50 EUR", MoneyValue("1234.50", "EUR")),
    (Boolean(), " Yes ", True),
    (Boolean(), "否", False),
    (Choice(STATES), "gewonnen", "won"),
    (Choice(STATES), " OPEN ", "open"),
    (MultiChoice(STATES), "won; open", ("open", "won")),
    (MultiChoice(STATES), "won, open", ("open", "won")),
    (MultiChoice(STATES), "a, b;won", ("won", "a, b")),
    (MultiChoice(STATES), "won；Offen", ("open", "won")),
    (Date(), " 2026-02-28 ", date(2026, 2, 28)),
    (DateTime(), "2026-02-28 12:00:00+02:00", datetime(2026, 2, 28, 10, tzinfo=UTC)),
    (DateTime(), "2026-02-28T12:00:00.1234567Z", datetime(2026, 2, 28, 12, 0, 0, 123456, tzinfo=UTC)),
    (Duration(), "P1DT2H30M", timedelta(days=1, hours=2, minutes=30)),
    (Duration(), "-PT0.5S", timedelta(milliseconds=-500)),
    (Email(), " Ada@EXAMPLE.com ", "Ada@example.com"),
    (Phone(region="CN"), "021 1234 5678", "+862112345678"),
    (Url(), " HTTPS://Example.com", "https://example.com/"),
    (Reference("account"), f" {a_uuid} ", a_uuid),
    (Json(), ' {"a": [1.0, "张"]} ', {"a": [1, "张"]}),
]


@pytest.mark.parametrize(("type_", "text", "value"), READ, ids=shown)
def test_text_is_read_as_people_mean_it(type_: FieldType, text: str, value: Any) -> None:
    assert type_.parse_text(text) == value
    assert type(type_.parse_text(text)) is type(value)


REFUSED: list[tuple[FieldType, str, str]] = [
    (Integer(), "12,5", "not_an_integer"),
    (Integer(), "1.234", "not_an_integer"),
    (Integer(), "1,23,4", "not_an_integer"),
    (Integer(), "1_000", "not_an_integer"),
    (Integer(), "0x10", "not_an_integer"),
    (Integer(), "9223372036854775808", "out_of_range"),
    (Integer(), "1e999", "out_of_range"),
    (Integer(), "1" * 5000, "not_an_integer"),
    (Decimal(), "1,2,3", "not_a_number"),
    (Decimal(), "1,234,5", "not_a_number"),
    (Decimal(), "1.2.3", "not_a_number"),
    (Decimal(), "1 2", "not_a_number"),
    (Decimal(), "1 234 5", "not_a_number"),
    (Decimal(), "12,", "not_a_number"),
    (Decimal(), "50%", "not_a_number"),
    (Decimal(), "NaN", "not_a_number"),
    (Decimal(), "Infinity", "not_a_number"),
    (Decimal(), "1e-999", "too_precise"),
    (Decimal(), "0.00005", "too_precise"),
    (Decimal(), "+-5", "not_a_number"),
    (Decimal(), "①", "not_a_number"),
    (Decimal(), "10²", "not_a_number"),
    (Decimal(), "1½", "not_a_number"),
    (Percent(), "101 %", "too_large"),
    (Percent(), "%", "not_a_number"),
    (Boolean(), "maybe", "not_a_boolean"),
    (Choice({"a": "Same", "b": "same"}), "SAME", "not_an_option"),
    (Choice(STATES), "lost", "not_an_option"),
    (MultiChoice(STATES), "won, lost", "not_an_option"),
    (MultiChoice(STATES), " ; ", "empty"),
    (Date(), "28.02.2026", "not_a_date"),
    (Date(), "2026-02-28T00:00:00", "not_a_date"),
    (DateTime(), "2026-02-28", "naive_datetime"),
    (DateTime(), "2026-02-28 12:00", "naive_datetime"),
    (DateTime(), "9999-12-31T23:59:59-14:00", "out_of_range"),
    (DateTime(), "\ud800", "not_an_instant"),
    (Duration(), "1 day", "not_a_duration"),
    (Duration(), "P106751992D", "out_of_range"),
    (Address(), "x" * 501, "too_long"),
    (Json(), "{", "not_json"),
    (Json(), "", "not_json"),
    (Json(), "null", "empty"),
    (Json(), "NaN", "not_a_number"),
    (Json(), "[1e999]", "not_a_number"),
    (Json(), '{"a": 1, "a": 2}', "duplicate_key"),
    (Json(), '"\\ud800"', "lone_surrogate"),
    (Json(), '"\\u0000"', "nul_character"),
    (Json(), "1" * 5000, "out_of_range"),
    (Json(), "[" * 100_000, "too_deep"),
    (Json(), '"' + "x" * 5_000_000 + '"', "too_large"),
]


@pytest.mark.parametrize(("type_", "text", "code"), REFUSED, ids=shown)
def test_text_that_is_none_or_could_mean_two_things_is_refused(type_: FieldType, text: str, code: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        type_.parse_text(text)
    assert refusal.value.code == code
    assert len(str(refusal.value)) < 600


def test_money_of_three_decimals_is_written_so_that_nobody_takes_them_for_thousands() -> None:
    for amount in (MoneyValue("1.234", "EUR"), MoneyValue("1.234", "KWD"), MoneyValue("1234", "JPY")):
        assert Money().parse_text(Money().to_text(amount)) == amount
    assert Money().to_text(MoneyValue("1.234", "EUR")) == "1.2340 EUR"


def test_an_address_of_several_lines_keeps_them() -> None:
    assert Address().parse_text("1 Main St\nSpringfield").street == "1 Main St\nSpringfield"


OPERANDS: list[tuple[FieldType, Any, Any]] = [
    (Integer(minimum=1), 0, 0),
    (Integer(minimum=1), "0", 0),
    (Decimal(maximum=1), "2,5", D("2.5")),
    (Percent(), "150 %", D(150)),
    (Percent(), 200, D(200)),
    (Text(max_length=3), "longer", "longer"),
    (Phone(), "+49 (30) 123-45", "+493012345"),
    (Choice(STATES), "Gewonnen", "won"),
    (MultiChoice(STATES), "Gewonnen", "won"),
    (Money(), "12 EUR", MoneyValue(12, "EUR")),
    (Date(), "2026-01-01", date(2026, 1, 1)),
]


@pytest.mark.parametrize(("type_", "given", "value"), OPERANDS, ids=shown)
def test_what_a_value_is_compared_with_may_lie_outside_its_bounds(type_: FieldType, given: Any, value: Any) -> None:
    assert type_.operand(given) == value


def test_the_key_of_one_option_is_the_option_and_of_several_the_fenced_list() -> None:
    several = MultiChoice(["vip", "new"])
    assert several.key(several.operand("vip")) == "vip"
    assert several.key(several.parse(["new", "vip"])) == "|vip|new|"


def test_a_url_may_not_grow_too_long_by_being_normalised() -> None:
    shortest = "https://e.example"
    assert Url().parse(f"{shortest}/{'x' * (2000 - len(shortest) - 1)}")
    with pytest.raises(InvalidValue) as refusal:
        Url().parse(f"{shortest}?{'x' * (2000 - len(shortest) - 1)}")
    assert refusal.value.code == "too_long"
