"""What must hold for every field type and every value."""

import decimal
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import CrmkitError
from crmkit.schema import FieldType, Kind
from crmkit.schema.json_guard import compiled
from crmkit.schema.json_schema import FORMATS
from crmkit.schema.types import BUILTIN_FIELD_TYPES, Text, field_types
from crmkit.schema.types.json_document import checked_document
from tests.schema.strategies import CASES, MAX_INTEGER, ORDERED, Case, amounts, any_text, integers

pytestmark = pytest.mark.law

every_type = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)


def test_every_built_in_type_is_among_the_cases() -> None:
    assert {type(case.type) for case in CASES} == set(BUILTIN_FIELD_TYPES)


@every_type
@given(data=st.data())
def test_a_normalised_value_is_its_own_normal_form(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    assert case.type.parse(value) == value


@every_type
@given(data=st.data())
def test_parts_give_the_value_back(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    assert case.type.from_parts(*case.type.to_parts(value)) == value


@every_type
@given(data=st.data())
def test_parts_are_primitives_of_the_kind_the_type_says(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    parts = case.type.to_parts(value)
    assert len(parts) == len(case.type.parts)
    for part, primitive in zip(case.type.parts, parts, strict=True):
        assert is_primitive(part.kind, primitive), (part, primitive)
        if part.max_length is not None:
            assert len(primitive) <= part.max_length


def is_primitive(kind: Kind, value: object) -> bool:
    match kind:
        case Kind.TEXT:
            return type(value) is str and "\x00" not in value and value.encode() is not None
        case Kind.INTEGER:
            return type(value) is int and abs(value) <= MAX_INTEGER
        case Kind.ID:
            return type(value) is UUID
        case Kind.JSON:
            return bool(checked_document(value) == value and json.loads(json.dumps(value)) == value)


@every_type
@given(data=st.data())
def test_what_is_dumped_is_json_and_loads_again(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    document = json.loads(json.dumps(case.type.dump(value)))
    assert case.type.load(document) == value


@every_type
@given(data=st.data())
def test_what_is_dumped_meets_the_json_schema(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    compiled(case.type.json_schema(), FORMATS).check(case.type.dump(value))


@every_type
@given(data=st.data())
def test_text_gives_the_value_back_where_it_can_hold_it(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    text = case.type.to_text(value)
    assert type(text) is str
    if case.lossless(value):
        assert case.type.parse_text(text) == value


@every_type
@given(data=st.data())
def test_the_key_is_the_compare_part(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    assert case.type.key(value) == case.type.to_parts(value)[case.type.compare]


@pytest.mark.parametrize("case", [case for case in CASES if "eq" in case.type.operators], ids=lambda case: case.label)
@given(data=st.data())
def test_a_value_as_operand_has_the_key_of_the_value(case: Case, data: st.DataObject) -> None:
    value = case.type.parse(data.draw(case.values))
    assert case.type.key(case.type.operand(value)) == case.type.key(value)


@pytest.mark.parametrize("case", ORDERED, ids=lambda case: case.label)
@given(data=st.data())
def test_keys_stand_in_the_order_of_the_values(case: Case, data: st.DataObject) -> None:
    one, other = (case.type.parse(data.draw(case.values)) for _ in range(2))
    assert (case.type.key(one) < case.type.key(other)) == (one < other)
    assert (case.type.key(one) == case.type.key(other)) == (one == other)


@given(one=amounts, units=integers)
def test_keys_of_one_currency_stand_in_the_order_of_the_amounts(one: Any, units: int) -> None:
    money = next(case.type for case in CASES if case.type.name == "money")
    other = type(one).from_units(units, one.currency)
    assert (money.key(one) < money.key(other)) == (one < other)


@given(text=any_text)
def test_texts_that_differ_in_case_only_have_one_key(text: str) -> None:
    assert Text().key(text) == Text().key(text.casefold())


@every_type
def test_options_give_the_type_back(case: Case) -> None:
    options = json.loads(json.dumps(case.type.options(), sort_keys=True))
    again = type(case.type).from_options(options)
    assert again == case.type
    assert again.options() == case.type.options()
    assert hash(again) == hash(case.type)


@given(precision=st.integers(1, 5), data=st.data())
def test_no_context_of_the_thread_rounds_a_decimal(precision: int, data: st.DataObject) -> None:
    case = next(case for case in CASES if case.type.name == "decimal")
    value = data.draw(case.values)
    with decimal.localcontext(prec=precision, Emax=3, Emin=-3):
        assert case.type.load(case.type.dump(case.type.parse(value))) == value
        assert case.type.from_parts(*case.type.to_parts(value)) == value


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=True)
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


def check_refusal(read: Callable[[Any], object], value: object) -> None:
    """Any other error than ours comes through; ours has a code, and text that can be sent somewhere."""
    refusal = None
    try:
        read(value)
    except CrmkitError as error:
        refusal = error
    if refusal is not None:
        assert refusal.code
        assert str(refusal).encode()


@every_type
@given(value=anything)
def test_any_value_is_taken_or_refused_with_our_error(case: Case, value: object) -> None:
    for read in (case.type.parse, case.type.load, case.type.operand):
        check_refusal(read, value)


@every_type
@given(text=st.text(st.characters(codec=None)) | st.text("0123456789+-.,eE%PTDHMS:Z/ '|;{}[]\"n", max_size=30))
def test_any_text_is_taken_or_refused_with_our_error(case: Case, text: str) -> None:
    for read in (case.type.parse_text, case.type.parse, case.type.load, case.type.operand):
        check_refusal(read, text)


@pytest.mark.parametrize("field_type", BUILTIN_FIELD_TYPES, ids=lambda t: t.name)
def test_the_registry_knows_every_type_by_its_name(field_type: type[FieldType]) -> None:
    assert field_types()[field_type.name] is field_type
