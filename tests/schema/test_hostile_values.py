"""Every value nobody should take, given to every field type: what is refused, and with which code."""

from typing import Any

import pytest

from crmkit.errors import InvalidRecord, InvalidValue
from crmkit.schema import Field, FieldType
from crmkit.schema.parsing import RecordParser
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
    LongText,
    Money,
    MultiChoice,
    Percent,
    PersonName,
    Phone,
    Reference,
    Text,
    Url,
)
from crmkit.values.text import shown
from tests.schema.nouns import Note, record_type_of
from tests.schema.strategies import HOSTILE

TAKEN = None
MILLION, BLANKS = "a million characters", ("blank", "empty text", "right to left")
TEXTS: dict[str, str | None] = {
    "NUL": "nul_character",
    "half a surrogate pair": "lone_surrogate",
    "line break": "line_break",
}
NUMBERS: dict[str, str | None] = {
    "one": TAKEN,
    "2 to the 63": "out_of_range",
    "10 to the 400": "out_of_range",
    "10 to the 5000": "out_of_range",
    "a huge exponent": "out_of_range",
    "a tiny exponent": "too_precise",
}
INTEGERS = {"one": TAKEN, **dict.fromkeys(["2 to the 63", "10 to the 400", "10 to the 5000"], "out_of_range")}
NOT_OPTIONS = dict.fromkeys(
    ["deep list", "bottomless list", "set", "list with a strange item", "list with a list"], "not_an_option"
)

# The type, the code for what is nothing like a value of it, and what ends otherwise.
TABLE: list[tuple[FieldType, str, dict[str, str | None]]] = [
    (Text(), "not_text", {**TEXTS, MILLION: "too_long", **dict.fromkeys(BLANKS)}),
    (LongText(), "not_text", {
        **TEXTS, MILLION: "too_long", **dict.fromkeys(["line break", *BLANKS]),
    }),
    (LongText(max_length=1_000_000), "not_text", {
        **TEXTS, **dict.fromkeys([MILLION, "line break", *BLANKS]),
    }),
    (Integer(), "not_an_integer", INTEGERS),
    (Decimal(), "not_a_number", NUMBERS),
    (Percent(), "not_a_number", NUMBERS),
    (Boolean(), "not_a_boolean", {"true": TAKEN}),
    (Money(), "not_money", {}),
    (Date(), "not_a_date", {"the last date": TAKEN}),
    (DateTime(), "not_an_instant", {
        "naive datetime": "naive_datetime",
        "before the first year": "out_of_range",
        "after the last year": "out_of_range",
    }),
    (Duration(), "not_a_duration", {"the longest duration": "out_of_range", "the shortest duration": "out_of_range"}),
    (Choice(["hot", "cold"]), "not_an_option", {}),
    (MultiChoice(["hot", "cold"]), "not_a_list", NOT_OPTIONS),
    (Email(), "not_text", {
        **TEXTS, **dict.fromkeys([MILLION, *BLANKS], "bad_email"),
    }),
    (Phone(), "not_text", {
        **TEXTS, **dict.fromkeys([MILLION, *BLANKS], "bad_phone"),
    }),
    (Url(), "not_text", {
        **TEXTS, MILLION: "too_long", **dict.fromkeys(BLANKS, "bad_url"),
    }),
    (Reference("account"), "not_an_id", {}),
    (PersonName(), "not_a_name", {
        **TEXTS,
        MILLION: "too_long", "blank": "empty_name", "empty text": "empty_name", "right to left": TAKEN,
    }),
    (Address(), "not_an_address", {}),
    (Json(), "not_json", {
        **TEXTS,
        **INTEGERS,
        **dict.fromkeys(["NaN", "infinity", "minus infinity"], "not_a_number"),
        **dict.fromkeys(["deep list", "bottomless list"], "too_deep"),
        "a million characters": "too_large",
        "object with half a surrogate pair": "lone_surrogate",
        "object with a huge integer": "out_of_range",
        **dict.fromkeys(
            ["line break", "blank", "empty text", "right to left", "half a cent", "true", "list with a list"]
        ),
    }),
]  # fmt: skip

PAIRS = [
    pytest.param(type_, name, special.get(name, usual), id=f"{type_.name}: {name}")
    for type_, usual, special in TABLE
    for name in HOSTILE
]


def test_the_table_names_only_values_there_are() -> None:
    assert {name for _, _, special in TABLE for name in special} <= set(HOSTILE)


@pytest.mark.parametrize(("type_", "name", "code"), PAIRS)
def test_a_hostile_value_is_refused_with_its_code(type_: FieldType, name: str, code: str | None) -> None:
    if code is TAKEN:
        assert type_.from_parts(*type_.to_parts(type_.parse(HOSTILE[name]))) == type_.parse(HOSTILE[name])
        return
    with pytest.raises(InvalidValue) as refusal:
        type_.parse(HOSTILE[name])
    assert refusal.value.code == code
    assert len(str(refusal.value)) < 600
    str(refusal.value).encode()


@pytest.mark.parametrize("type_", [row[0] for row in TABLE], ids=lambda type_: type_.name)
@pytest.mark.parametrize("form", ["python", "text", "json"])
def test_a_record_of_hostile_values_is_refused_as_a_whole(type_: FieldType, form: Any) -> None:
    parser = RecordParser(record_type_of(Note).with_custom([Field("extra", type_, custom=True)]))
    for value in (HOSTILE["no picture"], HOSTILE["10 to the 5000"], HOSTILE["half a surrogate pair"]):
        given = {"title": "x", "extra": value}
        with pytest.raises(InvalidRecord) as refusal:
            parser.create(given, form=form, row=7)
        assert {(problem.field, problem.row) for problem in refusal.value.problems} == {("extra", 7)}
        assert given == {"title": "x", "extra": value}


def test_a_refused_value_is_not_kept() -> None:
    """An error that held on to a million characters would fill a batch's report."""
    with pytest.raises(InvalidValue) as refusal:
        Text().parse(HOSTILE[MILLION])
    assert len(refusal.value.problems[0].message) < 200


JSON_CODES = [
    (Integer(), 5.5, "not_an_integer"),
    (Integer(), 1e300, "out_of_range"),
    (Integer(), "5", "not_an_integer"),
    (Integer(), True, "not_an_integer"),
    (Decimal(), 12, "not_a_number"),
    (Decimal(), 12.5, "not_a_number"),
    (Decimal(), "1e5", "not_a_number"),
    (Decimal(), "1_000", "not_a_number"),
    (Decimal(), "１２", "not_a_number"),
    (Decimal(), "1.23456", "not_a_number"),
    (Decimal(), " 1.5", "not_a_number"),
    (Decimal(scale=0), "9223372036854775808", "out_of_range"),
    (Percent(), "100.01", "too_large"),
    (Percent(), "-0.01", "too_small"),
    (Money(), "12 EUR", "not_money"),
    (Money(), {"amount": "12"}, "not_money"),
    (Money(), {"amount": "12", "currency": "EUR", "extra": 1}, "not_money"),
    (Money(), {"amount": 12, "currency": "EUR"}, "not_a_number"),
    (Money(), {"amount": "1.00005", "currency": "EUR"}, "not_a_number"),
    (Money(), {"amount": "1", "currency": "eur"}, "bad_currency"),
    (Money(), {"amount": "999999999999999", "currency": "EUR"}, "out_of_range"),
    (Date(), "20260101", "not_a_date"),
    (Date(), "2026-W01-1", "not_a_date"),
    (Date(), "0000-01-01", "not_a_date"),
    (Date(), "2026-02-30", "not_a_date"),
    (DateTime(), "2026-01-01T00:00:00", "not_an_instant"),
    (DateTime(), "2026-01-01", "not_an_instant"),
    (DateTime(), "2026-01-01T23:59:60Z", "not_an_instant"),
    (DateTime(), "0001-01-01T00:00:00+14:00", "out_of_range"),
    (DateTime(), 0, "not_an_instant"),
    (Duration(), "P", "not_a_duration"),
    (Duration(), "PT", "not_a_duration"),
    (Duration(), "P1DT", "not_a_duration"),
    (Duration(), "P1Y", "not_a_duration"),
    (Duration(), "P１D", "not_a_duration"),
    (Duration(), "P999999999D", "out_of_range"),
    (Duration(), 60, "not_a_duration"),
    (MultiChoice(["a", "b"]), ["a", "a"], "repeated_option"),
    (MultiChoice(["a", "b"]), [], "empty"),
    (MultiChoice(["a", "b"]), "a", "not_a_list"),
    (Reference("account"), "01890a5dac96774bbcceb302099a8057", "not_an_id"),
    (Reference("account"), "{01890a5d-ac96-774b-bcce-b302099a8057}", "not_an_id"),
    (PersonName(), "Ada", "not_a_name"),
    (PersonName(), {}, "empty_name"),
    (PersonName(), {"family": " "}, "empty_name"),
    (PersonName(), {"first": "Ada"}, "unknown_part"),
    (PersonName(), {"given": None}, "not_text"),
    (Address(), "1 Main St", "not_an_address"),
    (Address(), {}, "empty"),
    (Address(), {"city": " "}, "empty"),
    (Address(), {"country": "Germany"}, "bad_country"),
    (Json(), None, "empty"),
]


@pytest.mark.parametrize(("type_", "document", "code"), JSON_CODES, ids=shown)
def test_json_is_read_strictly(type_: FieldType, document: object, code: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        type_.load(document)
    assert refusal.value.code == code


def test_an_integer_of_json_may_be_written_with_a_point() -> None:
    assert Integer().load(5.0) == 5
    assert type(Integer().load(5.0)) is int


def test_a_float_is_refused_where_numbers_are_exact() -> None:
    for exact in (Integer(), Decimal(), Percent(), Money()):
        with pytest.raises(InvalidValue):
            exact.parse(1.0)
