"""Options of field types: what they may be, and what ends in InvalidDefinition."""

from typing import Any

import pytest

from crmkit.errors import InvalidDefinition, InvalidValue
from crmkit.schema import FieldType, Part
from crmkit.schema.parts import Kind
from crmkit.schema.types import (
    Choice,
    Decimal,
    Integer,
    Json,
    LongText,
    MultiChoice,
    Percent,
    Phone,
    Reference,
    Text,
    field_types,
)
from crmkit.values.text import shown

BAD: list[tuple[type[FieldType], dict[Any, Any], str]] = [
    (Text, {"max_length": 0}, "bad_option"),
    (Text, {"max_length": 2001}, "bad_option"),
    (Text, {"max_length": 10.0}, "bad_option"),
    (Text, {"max_length": True}, "bad_option"),
    (Text, {"max_length": "10"}, "bad_option"),
    (Text, {"max_length": 10**5000}, "bad_option"),
    (Text, {"length": 5}, "unknown_option"),
    (Text, {7: 5}, "unknown_option"),
    (LongText, {"max_length": None}, "bad_option"),
    (Integer, {"minimum": "1"}, "bad_option"),
    (Integer, {"minimum": 2**63}, "bad_option"),
    (Integer, {"minimum": 2, "maximum": 1}, "bad_option"),
    (Decimal, {"scale": 2.0}, "bad_option"),
    (Decimal, {"scale": 13}, "bad_option"),
    (Decimal, {"minimum": 0.1}, "bad_option"),
    (Decimal, {"minimum": "NaN"}, "bad_option"),
    (Decimal, {"minimum": "sNaN"}, "bad_option"),
    (Decimal, {"maximum": "Infinity"}, "bad_option"),
    (Decimal, {"maximum": "ten"}, "bad_option"),
    (Decimal, {"maximum": True}, "bad_option"),
    (Decimal, {"minimum": "2", "maximum": "1"}, "bad_option"),
    (Percent, {"scale": 7}, "bad_option"),
    (Percent, {"minimum": 101}, "bad_option"),
    (Phone, {"region": "cn"}, "bad_option"),
    (Phone, {"region": 86}, "bad_option"),
    (Reference, {}, "bad_option"),
    (Reference, {"to": None}, "bad_option"),
    (Reference, {"to": "Account"}, "bad_option"),
    (Reference, {"to": "a; drop table"}, "bad_option"),
    (Reference, {"to": "account", "back": "deals'"}, "bad_option"),
    (Reference, {"to": "*", "back": "deals"}, "bad_option"),
    (Choice, {}, "bad_option"),
    (Choice, {"choices": []}, "bad_option"),
    (Choice, {"choices": {}}, "bad_option"),
    (Choice, {"choices": "abc"}, "bad_option"),
    (Choice, {"choices": 5}, "bad_option"),
    (Choice, {"choices": [""]}, "bad_option"),
    (Choice, {"choices": [" a"]}, "bad_option"),
    (Choice, {"choices": ["a|b"]}, "bad_option"),
    (Choice, {"choices": ["a", "a"]}, "bad_option"),
    (Choice, {"choices": ["a\x00"]}, "bad_option"),
    (Choice, {"choices": ["\ud800"]}, "bad_option"),
    (Choice, {"choices": ["x" * 101]}, "bad_option"),
    (Choice, {"choices": [1]}, "bad_option"),
    (Choice, {"choices": [None]}, "bad_option"),
    (Choice, {"choices": [["a"]]}, "bad_option"),
    (Choice, {"choices": [["a", "b", "c"]]}, "bad_option"),
    (Choice, {"choices": {"a": 5}}, "bad_option"),
    (MultiChoice, {"choices": ["a;b"]}, "bad_option"),
    (Json, {"schema": True}, "bad_option"),
    (Json, {"schema": {"type": "strin"}}, "bad_option"),
]


@pytest.mark.parametrize(("field_type", "options", "code"), BAD, ids=shown)
def test_a_bad_option_is_refused_when_the_type_is_made(
    field_type: type[FieldType], options: dict[Any, Any], code: str
) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        field_type.from_options(options)
    assert refusal.value.code == code


def test_a_bad_option_in_code_is_refused_with_the_same_error() -> None:
    for make in (lambda: Text(max_length=0), lambda: Choice([]), lambda: Decimal(minimum=0.5), lambda: Reference("A")):
        with pytest.raises(InvalidDefinition) as refusal:
            make()
        assert refusal.value.code == "bad_option"


@pytest.mark.parametrize("field_type", field_types().values(), ids=lambda t: t.name)
def test_options_that_are_no_object_are_refused(field_type: type[FieldType]) -> None:
    for options in (None, [], "to", 5):
        with pytest.raises(InvalidDefinition):
            field_type.from_options(options)  # type: ignore[arg-type]


def test_the_hint_lists_the_options_there_are() -> None:
    with pytest.raises(InvalidDefinition, match="options: maximum, minimum, scale"):
        Decimal.from_options({"scal": 2})


def test_choices_come_as_keys_as_labels_by_key_or_as_pairs() -> None:
    expected = {"a": "A", "b": "b"}
    assert Choice({"a": "A", "b": "b"}).choices == expected
    assert Choice([("a", "A"), "b"]).choices == expected
    assert Choice.from_options({"choices": [["a", "A"], ["b", "b"]]}) == Choice(expected)


def test_the_order_of_options_survives_an_object_that_forgets_its_order() -> None:
    """PostgreSQL keeps the keys of a JSON object by length; a list of pairs keeps the list's order."""
    several = MultiChoice({"zebra": "Z", "ox": "O", "张": "Z", "a": "A"})
    assert several.options() == {"choices": [["zebra", "Z"], ["ox", "O"], ["张", "Z"], ["a", "A"]]}
    assert MultiChoice.from_options(several.options()).parse({"a", "ox", "zebra"}) == ("zebra", "ox", "a")


def test_options_handed_out_cannot_be_used_to_change_the_type() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    free = Json(schema=schema)
    schema["type"] = "array"
    free.options()["schema"]["type"] = "array"
    free.json_schema()["type"] = "array"
    assert free.parse({"a": 1}) == {"a": 1}
    with pytest.raises(InvalidValue, match="schema_violation"):
        free.parse([])


@pytest.mark.parametrize("suffix", ["Currency", "1", "a-b", "a.b", "x" * 15, "key'", "\u0130", None, 5])
def test_a_suffix_that_could_not_be_a_column_is_refused(suffix: Any) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        Part(suffix, Kind.TEXT)
    assert refusal.value.code == "bad_part"
