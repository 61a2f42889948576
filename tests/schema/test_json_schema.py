"""The published contract says what the parser does."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidRecord
from crmkit.schema import Field, RecordType, record_type_of
from crmkit.schema.json_schema import json_schema, validator
from crmkit.schema.parsing import RecordParser
from crmkit.schema.types import Address as AddressType
from crmkit.schema.types import (
    Boolean,
    Choice,
    Date,
    DateTime,
    Decimal,
    Duration,
    Integer,
    Json,
    LongText,
    MultiChoice,
    PersonName,
    Reference,
    Text,
)
from crmkit.schema.types import Money as MoneyType
from tests.schema.nouns import Company, Note, Person
from tests.schema.strategies import CASES, a_uuid, json_values

TREE = {"type": "object", "properties": {"child": {"$ref": "#"}}, "additionalProperties": False}


def test_the_schema_of_a_type_is_written_out() -> None:
    custom = [
        Field("tier", Choice(["gold"]), custom=True, required=True, default="gold", labels={"en": "Class"}),
        Field("tree", Json(schema=TREE), custom=True),
        Field("bag", Json(), custom=True, required=True),
    ]
    assert json_schema(record_type_of(Note).with_custom(custom)) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Note",
        "type": "object",
        "properties": {
            "title": {"title": "Title", "type": "string", "maxLength": 20, "pattern": r"\S"},
            "body": {"title": "Body", "type": ["string", "null"], "maxLength": 100_000},
            "tier": {"title": "Class", "enum": ["gold"], "default": "gold"},
            "tree": {
                "title": "Tree",
                "anyOf": [{"allOf": [{"$id": "urn:crmkit:note:tree", **TREE}]}, {"type": "null"}],
            },
            "bag": {"title": "Bag", "allOf": [{}, {"not": {"type": "null"}}]},
        },
        "required": ["title", "bag"],
        "additionalProperties": False,
    }


def test_the_schema_is_json_and_every_time_a_new_one() -> None:
    company = record_type_of(Company)
    first = json_schema(company)
    assert json.loads(json.dumps(first)) == first
    first["properties"]["name"]["type"] = "integer"
    assert json_schema(company)["properties"]["name"]["type"] == "string"


def test_the_validator_is_compiled_once_for_a_type() -> None:
    company = record_type_of(Company)
    assert validator(company) is validator(company)
    assert validator(company.with_custom([])) is not validator(company)


def test_references_inside_a_fields_schema_lead_where_they_did() -> None:
    note = record_type_of(Note).with_custom([Field("tree", Json(schema=TREE), custom=True)])
    assert accepted(note, {"title": "x", "tree": {"child": {"child": {}}}}) == (True, True)
    assert accepted(note, {"title": "x", "tree": {"child": {"title": "x"}}}) == (False, False)
    assert accepted(note, {"title": "x", "tree": None}) == (True, True)


def accepted(record_type: RecordType, document: Any) -> tuple[bool, bool]:
    """Whether the parser takes a document, and whether the published contract does."""
    before = copy.deepcopy(document)
    try:
        RecordParser(record_type).create(document, form="json")
        parsed = True
    except InvalidRecord:
        parsed = False
    valid = validator(record_type).is_valid(document)
    assert document == before
    return parsed, valid


# What JSON Schema cannot say is in the docstring of json_schema.py and is not generated here.
EXPRESSIBLE: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "text": (Text(max_length=5), st.text("a 张\u3000\t", max_size=7)),
    "long_text": (LongText(max_length=5), st.text("a 张\n", max_size=7)),
    "integer": (
        Integer(minimum=-3, maximum=3),
        st.integers(-5, 5) | st.floats(-5, 5) | st.sampled_from([3.0, -3.0, 1e300, 2**63]),
    ),
    "wide integer": (Integer(), st.integers(-(2**64), 2**64) | st.floats(allow_nan=False, allow_infinity=False)),
    "decimal": (Decimal(scale=2), st.from_regex(r"-?[0-9]{0,12}(\.[0-9]{0,3})?", fullmatch=True) | st.text("0.-e+_ ")),
    "boolean": (Boolean(), st.booleans()),
    "date": (
        Date(),
        st.dates().map(str) | st.from_regex(r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]", fullmatch=True) | st.text("0123-W"),
    ),
    "datetime": (
        DateTime(),
        st.from_regex(
            r"20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?"
            r"(Z|z|[+-][0-2][0-9]:[0-6]0)?",
            fullmatch=True,
        ),
    ),
    "duration": (
        Duration(),
        st.from_regex(r"-?P([0-9]{1,3}D)?(T([0-9]H)?([0-9]M)?([0-9](\.[0-9])?S)?)?", fullmatch=True),
    ),
    "choice": (Choice(["a", "张"]), st.sampled_from(["a", "张", "b", "A", " a"])),
    "multi_choice": (MultiChoice(["a", "张"]), st.lists(st.sampled_from(["a", "张", "b", 1]), max_size=3)),
    "money": (
        MoneyType(),
        st.fixed_dictionaries(
            {},
            optional={
                "amount": st.sampled_from(["1", "1.5", "-0.0001", "1.00001", ".5", "1.", "+1", "", 1, None]),
                "currency": st.sampled_from(["EUR", "eur", "EURO", "", 1, None]),
                "extra": st.just(1),
            },
        ),
    ),
    "reference": (
        Reference("member"),
        st.uuids().map(str) | st.uuids().map(lambda u: u.hex) | st.just(f"{{{a_uuid}}}"),
    ),
    "person_name": (
        PersonName(),
        st.dictionaries(
            st.sampled_from(["given", "family", "middle", "family_first", "first"]),
            st.sampled_from(["", " ", "Ada", "张", "x" * 201, True, None, 1]),
        ),
    ),
    "address": (
        AddressType(),
        st.dictionaries(
            st.sampled_from(["street", "city", "region", "country", "zip"]),
            st.sampled_from(["", " ", "DE", "x" * 501, None, 1]),
        ).filter(lambda address: address.get("country") in (None, "", " ", "DE", 1)),
    ),
    "json": (Json(), json_values),
    "guarded json": (Json(schema={"type": ["integer", "null"], "minimum": 0}), json_values),
}  # fmt: skip

RECORD_TYPES = {
    (name, required): record_type_of(Note).with_custom([Field("extra", type_, required=required, custom=True)])
    for name, (type_, _) in EXPRESSIBLE.items()
    for required in (True, False)
}
strange = st.sampled_from([None, True, 0, 1.5, "", "x", [], ["x"], {}, {"x": 1}])


@pytest.mark.law
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("name", list(EXPRESSIBLE))
@given(data=st.data())
def test_parser_and_contract_take_the_same_values(name: str, required: bool, data: st.DataObject) -> None:
    document = {"title": "x", "extra": data.draw(EXPRESSIBLE[name][1] | strange)}
    parsed, valid = accepted(RECORD_TYPES[name, required], document)
    assert parsed == valid


@pytest.mark.law
@given(
    document=st.dictionaries(
        st.sampled_from(["name", "stage", "headcount", "owner", "id", "version", "nmae"]),
        st.none() | st.sampled_from(["x", " ", "new", "won", 5, -1, True, str(a_uuid)]),
    )
    | strange
)
def test_parser_and_contract_take_the_same_records(document: Any) -> None:
    parsed, valid = accepted(record_type_of(Company), document)
    assert parsed == valid


CASE_TYPES = {
    case.label: record_type_of(Note).with_custom([Field("extra", case.type, required=True, custom=True)])
    for case in CASES
}


@pytest.mark.law
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
@given(data=st.data())
def test_whatever_the_parser_gives_is_valid_when_dumped(case: Any, data: st.DataObject) -> None:
    record_type = CASE_TYPES[case.label]
    value = data.draw(case.values.filter(lambda value: not isinstance(value, str) or value.strip()))
    dumped = case.type.dump(RecordParser(record_type).create({"title": "x", "extra": value})["extra"])
    assert accepted(record_type, {"title": "x", "extra": dumped}) == (True, True)


@pytest.mark.parametrize(
    ("key", "document"),
    [("email", "nobody"), ("phone", "5"), ("name", {"given": "a\x00"}), ("name", {"given": "\ud800"})],
)
def test_what_json_schema_cannot_say_the_parser_still_refuses(key: str, document: Any) -> None:
    assert accepted(record_type_of(Person), {"name": {"given": "Ada"}, key: document}) == (False, True)


@pytest.mark.parametrize("key", ["share", "revenue"])
def test_a_line_feed_at_the_end_is_refused_where_a_pattern_lets_it_through(key: str) -> None:
    document = {"share": "12\n", "revenue": {"amount": "12\n", "currency": "EUR"}}[key]
    assert accepted(record_type_of(Company), {"name": "x", key: document}) == (False, True)


@pytest.mark.parametrize("document", [None, [], "x", 5, [("title", "x")]])
def test_what_is_no_object_is_neither_valid_nor_parsed(document: Any) -> None:
    assert accepted(record_type_of(Note), document) == (False, False)
