"""All record types together."""

from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit.errors import InvalidDefinition, NotFound
from crmkit.schema import Field, Record, RecordType, Schema, field, record_type, record_type_of
from crmkit.schema.schema import Back, suggestion
from crmkit.schema.types import Reference, Text
from tests.schema.nouns import Company, Link, Member, Note, Person, Thing, sample_schema


def types(*more: RecordType) -> list[RecordType]:
    return [*map(record_type_of, (Company, Member, Person, Link, Thing)), *more]


def reference(key: str, to: str, back: str | None = None) -> Field:
    return Field(key, Reference(to, back), custom=True)


def test_a_type_is_found_by_key_and_by_plural() -> None:
    schema = sample_schema()
    assert schema.type("company") is schema.type("companies") is record_type_of(Company)


@pytest.mark.parametrize(("name", "hint"), [("compny", "did you mean 'company'?"), ("x" * 1_000_000, "there are: ")])
def test_an_unknown_type_is_not_found_and_a_near_one_named(name: str, hint: str) -> None:
    with pytest.raises(NotFound) as refusal:
        sample_schema().type(name)
    assert refusal.value.code == "unknown_type"
    assert (refusal.value.problems[0].hint or "").startswith(hint)
    assert len(str(refusal.value)) < 300


def test_ways_back_are_found_by_name() -> None:
    schema = sample_schema()
    assert dict(schema.backs("company")) == {
        "people": Back("people", "person", "company"),
        "links": Back("links", "link", "company"),
    }
    assert dict(schema.backs("member")) == {}


CLASHES: dict[str, tuple[RecordType, str]] = {
    "two types of one key": (attrs.evolve(record_type_of(Note), key="company"), "duplicate_type"),
    "two types of one plural": (attrs.evolve(record_type_of(Note), plural="companies"), "duplicate_type"),
    "a plural that is another's key": (attrs.evolve(record_type_of(Note), plural="company"), "duplicate_type"),
    "a key that is another's plural": (attrs.evolve(record_type_of(Note), key="companies"), "duplicate_type"),
    "a reference to no type": (record_type_of(Note).with_custom([reference("to", "compny")]), "unknown_type"),
    "a way back that is a field": (
        record_type_of(Note).with_custom([reference("to", "company", "name")]),
        "duplicate_back",
    ),
    "a way back that is a system field": (
        record_type_of(Note).with_custom([reference("to", "company", "version")]),
        "duplicate_back",
    ),
    "two ways back of one name": (
        record_type_of(Note).with_custom([reference("to", "company", "people")]),
        "duplicate_back",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("clashing", "code"), CLASHES.values(), ids=list(CLASHES))
def test_types_that_do_not_fit_together_are_refused(clashing: RecordType, code: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        Schema.of(types(clashing))
    assert refusal.value.code == code


def test_a_plural_may_be_the_key() -> None:
    assert Schema.of(types(attrs.evolve(record_type_of(Note), key="news", plural="news"))).type("news").key == "news"


def test_a_tenant_gets_its_own_schema_and_the_declared_one_stays() -> None:
    declared = sample_schema()
    tenants = declared.with_custom({"company": [Field("employees", Text(), custom=True)]})
    assert [f.key for f in tenants.type("company").custom] == ["employees"]
    assert "employees" not in declared.type("company").by_key
    assert tenants.type("member").fields == declared.type("member").fields


def test_custom_fields_take_the_place_of_those_there_were() -> None:
    once = sample_schema().with_custom({"company": [Field("a", Text(), custom=True)]})
    assert [f.key for f in once.with_custom({"company": [Field("b", Text(), custom=True)]}).type("company").custom] == [
        "b"
    ]


def test_a_custom_field_may_not_close_a_way_back() -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        sample_schema().with_custom({"company": [Field("people", Text(), custom=True)]})
    assert refusal.value.code == "duplicate_back"


def test_fields_for_a_type_there_is_not_are_refused() -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        sample_schema().with_custom({"compny": []})
    assert (refusal.value.code, refusal.value.problems[0].hint) == ("unknown_type", "did you mean 'company'?")


def test_a_custom_object_may_not_take_the_place_of_a_declared_type() -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        sample_schema().with_custom({}, [attrs.evolve(record_type_of(Thing), key="company", object_key="company")])
    assert refusal.value.code == "duplicate_type"


def test_a_suggestion_is_made_of_whatever_there_is() -> None:
    assert suggestion("nmae", ["name", "email"]) == "did you mean 'name'?"
    assert suggestion("zzz", ["name", "email"]) == "there are: email, name"
    assert suggestion(None, ["name"]) == "there are: name"
    assert suggestion("name", []) is None


def test_a_reference_to_anything_needs_no_type() -> None:
    @record_type("pin", plural="pins", title="label")
    class Pin(Record):
        label: str = field(Text())
        record: UUID = field(Reference("*"))

    schema: Any = Schema.of(types(record_type_of(Pin)))
    assert schema.type("pin").by_key["record"].required
