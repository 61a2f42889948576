"""Custom fields and custom objects: definitions checked, storage chosen, a tenant's schema made of them."""

import json
import re
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidDefinition
from crmkit.schema import Field, RecordType, Slot, record_type_of
from crmkit.schema.custom import (
    FieldDefinition,
    ObjectDefinition,
    object_type,
    place,
    tenant_schema,
    to_field,
)
from crmkit.schema.field import place_of
from crmkit.schema.parts import SLOTS
from crmkit.schema.types import field_types
from tests.schema.nouns import Company, Link, Thing, sample_schema
from tests.schema.strategies import CASES, Case

TYPES = field_types()
COMPANY = record_type_of(Company)


def definition(key: str = "employees", type: str = "integer", **more: Any) -> FieldDefinition:
    return FieldDefinition("company", key, type, **more)


def placed(*definitions: FieldDefinition, used: tuple[str, ...] = (), on: RecordType = COMPANY) -> RecordType:
    """The type with the definitions placed one after the other."""
    for one in definitions:
        on = on.with_custom((*on.custom, to_field(place(attrs.evolve(one, on=on.key), on, used), TYPES)))
    return on


def problems_of(one: FieldDefinition, on: RecordType = COMPANY, **more: Any) -> dict[str, str | None]:
    with pytest.raises(InvalidDefinition) as refusal:
        place(one, on, (), **more)
    assert str(refusal.value).encode()
    return {problem.code: problem.field for problem in refusal.value.problems}


def test_a_field_is_placed_under_its_own_key_in_the_json_column() -> None:
    given_ = definition(labels={"en": " Employees ", "zh-Hans": "员工"}, options={"minimum": 0}, default=5)
    assert place(given_, COMPANY, ()) == attrs.evolve(
        given_, labels={"en": "Employees", "zh-Hans": "员工"}, column="employees"
    )


def test_a_placed_field_reads_like_any_other() -> None:
    f = to_field(
        place(definition(options={"minimum": 0}, default=5, required=True, sensitive=True), COMPANY, ()), TYPES
    )
    assert (f.key, f.type.parse(7), f.default, f.required, f.sensitive, f.custom) == (
        "employees",
        7,
        5,
        True,
        True,
        True,
    )
    assert f.part_columns() == ("employees",)


def test_a_key_that_was_used_before_gets_a_column_of_its_own() -> None:
    used = {"employees", "employees.2", "employees.4"}
    assert place(definition(), COMPANY, used).column == "employees.3"
    assert place(definition(), COMPANY, {"employees.2"}).column == "employees"


def test_the_column_of_a_renamed_field_is_not_taken() -> None:
    renamed = COMPANY.with_custom([Field("staff", TYPES["integer"](), custom=True, column="employees")])
    assert place(definition(), renamed, ()).column == "employees.2"


def test_no_part_of_a_field_lies_where_another_does() -> None:
    on = placed(definition("price", "money"), definition("price_currency", "text"), definition("price_key", "text"))
    columns = [column for f in on.custom for column in f.part_columns()]
    assert len(columns) == len(set(columns))


@pytest.mark.parametrize(
    ("type_", "options", "slot"),
    [
        ("text", {}, "text_1"),
        ("choice", {"choices": ["a"]}, "text_1"),
        ("email", {}, "text_1"),
        ("reference", {"to": "member"}, "text_1"),
        ("integer", {}, "number_1"),
        ("decimal", {}, "number_1"),
        ("money", {}, "number_1"),
        ("boolean", {}, "number_1"),
        ("duration", {}, "number_1"),
        ("date", {}, "time_1"),
        ("datetime", {}, "time_1"),
    ],
)
def test_an_indexed_field_takes_a_slot_of_its_types_pool(type_: str, options: dict[str, Any], slot: str) -> None:
    found = place(definition(type=type_, options=options, indexed=True), COMPANY, ())
    assert (found.slot, found.unique_slot) == (slot, None)


def test_a_unique_field_takes_a_slot_of_unique_values_too() -> None:
    found = place(definition(unique=True, indexed=True), COMPANY, ())
    assert (found.slot, found.unique_slot) == ("number_1", "unique_1")
    assert place(definition(unique=True), COMPANY, ()).slot is None


@pytest.mark.parametrize("pool", list(Slot))
def test_a_pool_is_given_out_to_the_last_slot_and_then_says_who_holds_it(pool: Slot) -> None:
    type_ = {Slot.TEXT: "text", Slot.NUMBER: "integer", Slot.TIME: "date", Slot.UNIQUE: "text"}[pool]
    what = {"unique": True} if pool is Slot.UNIQUE else {"indexed": True}
    on = placed(*(definition(f"f{n}", type_, **what) for n in range(len(SLOTS[pool]))))
    assert [f.unique_slot or f.slot for f in on.custom] == list(SLOTS[pool])
    with pytest.raises(InvalidDefinition) as refusal:
        place(definition("more", type_, **what), on, ())
    problem = refusal.value.problems[0]
    assert (problem.code, problem.field) == ("slots_exhausted", "more")
    for n, slot in enumerate(SLOTS[pool]):
        assert f"f{n} ({slot})" in (problem.hint or "")
    freed = on.with_custom(on.custom[1:])
    assert SLOTS[pool][0] in attrs.astuple(place(definition("more", type_, **what), freed, ()), recurse=False)


def test_a_slot_that_nobody_ever_had_is_taken_first() -> None:
    assert place(definition(indexed=True), COMPANY, {"number_1", "number_2"}).slot == "number_3"
    assert place(definition(indexed=True), COMPANY, SLOTS[Slot.NUMBER]).slot == "number_1"


@pytest.mark.parametrize("type_", ["long_text", "person_name", "address", "json", "multi_choice"])
def test_what_cannot_be_compared_or_is_too_long_is_neither_indexed_nor_unique(type_: str) -> None:
    options = {"choices": ["a"]} if type_ == "multi_choice" else {}
    found = problems_of(definition(type=type_, options=options, indexed=True, unique=True))
    assert found == {"not_indexable": "employees", "not_unique_able": "employees"}


def test_a_link_has_no_slots_and_may_have_plain_fields() -> None:
    link = record_type_of(Link)
    on_link = attrs.evolve(definition(), on="link")
    assert place(on_link, link, ()).column == "employees"
    found = problems_of(attrs.evolve(on_link, indexed=True, unique=True), link)
    assert found == {"not_indexable": "employees", "not_unique_able": "employees"}


BAD: dict[str, tuple[FieldDefinition, str]] = {
    **{
        f"the key {key!r:.20}": (definition(key), "bad_key")
        for key in ("", "Employees", "1a", "a b", "a'--", 'a"', "a.b", "größe", "a\x00", "a\n", "\ud800", "x" * 49)
    },
    **{f"the word {key}": (definition(key), "bad_key") for key in ("and", "me", "tags", "custom", "class", "from")},
    "a key that is no text": (definition(None), "bad_key"),  # type: ignore[arg-type]
    "the key of a declared field": (definition("name"), "duplicate_field"),
    "the key of a system field": (definition("version"), "duplicate_field"),
    "a type nobody knows": (definition(type="intger"), "unknown_field_type"),
    "a type that is no text": (definition(type=5), "unknown_field_type"),  # type: ignore[arg-type]
    "an option nobody knows": (definition(options={"min": 5}), "unknown_option"),
    "an option that cannot be": (definition(options={"minimum": "5"}), "bad_option"),
    "a schema that is none": (definition(type="json", options={"schema": {"type": 5}}), "bad_option"),
    "a label without text": (definition(labels={"en": " "}), "bad_label"),
    "a label that is no text": (definition(labels={"en": 5}), "bad_label"),  # type: ignore[dict-item]
    "a label too long": (definition(labels={"en": "x" * 256}), "bad_label"),
    "a label with half a surrogate pair": (definition(labels={"zh": "\ud800"}), "bad_label"),
    "a label in no language": (definition(labels={"en; --": "x"}), "bad_label"),
    "a language that is no text": (definition(labels={5: "x"}), "bad_label"),  # type: ignore[dict-item]
    "a default that does not fit": (definition(options={"minimum": 1}, default=0), "bad_default"),
    "a default that is not JSON": (definition(type="date", default="tomorrow"), "bad_default"),
    "a check that is no text": (definition(check=5), "bad_check"),  # type: ignore[arg-type]
    "a check with a NUL": (definition(check="a > \x00"), "bad_check"),
    "required that is neither": (definition(required="false"), "not_a_boolean"),  # type: ignore[arg-type]
    "unique that is neither": (definition(unique=1), "not_a_boolean"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(("one", "code"), BAD.values(), ids=list(BAD))
def test_a_bad_definition_is_refused_at_its_field(one: FieldDefinition, code: str) -> None:
    found = problems_of(one)
    assert list(found) == [code]
    assert found[code] == place_of(one.key)


def test_a_definition_for_another_type_is_refused() -> None:
    assert problems_of(attrs.evolve(definition(), on="person")) == {"wrong_type": None}


def test_every_problem_of_a_definition_is_found_at_once() -> None:
    found = problems_of(
        definition("Bad", "long_text", labels={"en": ""}, default=5, required=None, indexed=True, unique=True)
    )
    assert list(found) == [
        *("bad_key", "not_a_boolean", "bad_label", "bad_default", "not_indexable", "not_unique_able")
    ]


def test_a_name_that_leads_back_is_taken() -> None:
    assert problems_of(definition("people"), backs=sample_schema().backs("company")) == {"duplicate_field": "people"}


def test_a_type_of_a_plugin_is_known_where_it_is_given() -> None:
    text = TYPES["text"]
    assert place(definition(type="colour"), COMPANY, (), field_types={"colour": text}).type == "colour"


def test_options_that_are_no_object_are_refused() -> None:
    for options in ([], "x", 5):
        with pytest.raises(InvalidDefinition) as refusal:
            definition(options=options)
        assert refusal.value.code == "not_an_object"
    assert definition(options=None).options == {}


@pytest.mark.law
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
@given(data=st.data())
def test_a_definition_survives_being_stored(case: Case, data: st.DataObject) -> None:
    default = case.type.parse(data.draw(case.values))
    one = place(
        definition(type=case.type.name, options=case.type.options(), default=case.type.dump(default)), COMPANY, ()
    )
    stored = FieldDefinition(**json.loads(json.dumps(attrs.asdict(one))))
    assert stored == one
    f = to_field(stored, TYPES)
    assert f.type == case.type
    assert f.default == default


SAFE = re.compile(r"[a-z0-9_.]+")


@pytest.mark.law
@given(
    key=st.text(max_size=60) | st.sampled_from(["a'", 'a"."b', "$.a", "a;--", "a\x00"]),
    column=st.text(max_size=60) | st.from_regex(r"[a-z0-9_.'\"$]{1,20}"),
    type_=st.sampled_from([case.type for case in CASES]),
)
def test_no_json_path_and_no_column_has_anything_else_in_it(key: str, column: str, type_: Any) -> None:
    for column_ in (column, ""):
        stored = definition(key, type_.name, options=type_.options(), column=column_)
        try:
            f = to_field(stored, TYPES)
        except InvalidDefinition:
            continue
        assert all(SAFE.fullmatch(name) for name in f.part_columns())
        assert SAFE.fullmatch(f.key)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"column": "a'b"}, "bad_column"),
        ({"column": "a..b"}, "bad_column"),
        ({"slot": "text_1"}, "bad_slot"),
        ({"slot": "unique_1"}, "bad_slot"),
        ({"slot": "number_9"}, "bad_slot"),
        ({"unique_slot": "number_1"}, "bad_slot"),
        ({"type": "intger"}, "unknown_field_type"),
        ({"options": {"minimum": "x"}}, "bad_option"),
        ({"default": "x"}, "bad_default"),
        ({"key": "a'b"}, "bad_key"),
    ],
)
def test_a_stored_definition_that_was_tampered_with_is_refused(change: dict[str, Any], code: str) -> None:
    stored = attrs.evolve(place(definition(indexed=True), COMPANY, ()), **change)
    with pytest.raises(InvalidDefinition) as refusal:
        to_field(stored, TYPES)
    assert refusal.value.code == code


def test_two_fields_never_share_a_column_or_a_slot() -> None:
    first = place(definition("a", indexed=True, unique=True), COMPANY, ())
    for change in ({"column": "a"}, {"slot": "number_1"}, {"unique_slot": "unique_1"}):
        second = attrs.evolve(first, key="b", **{"column": "b", "slot": None, "unique_slot": None, **change})
        with pytest.raises(InvalidDefinition) as refusal:
            COMPANY.with_custom([to_field(first, TYPES), to_field(second, TYPES)])
        assert refusal.value.code == "column_taken"


def test_a_definition_that_was_not_placed_lies_under_its_key() -> None:
    assert to_field(definition(), TYPES).column == "employees"


def test_a_custom_object_is_its_base_under_another_name() -> None:
    vessel = object_type(ObjectDefinition("vessel", "vessels", "Vessel"), record_type_of(Thing))
    assert (vessel.key, vessel.plural, vessel.label, vessel.object_key) == ("vessel", "vessels", "Vessel", "vessel")
    assert (vessel.table, vessel.record, vessel.title) == ("crm_thing", Thing, "name")
    assert record_type_of(Thing).object_key is None


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (ObjectDefinition("Vessel", "vessels", "Vessel"), "bad_key"),
        (ObjectDefinition("vessel", "ves sels", "Vessel"), "bad_key"),
        (ObjectDefinition("class", "classes", "Class"), "bad_key"),
        (ObjectDefinition("vessel", "vessels", " "), "bad_label"),
        (ObjectDefinition("vessel", "vessels", "\x00"), "bad_label"),
    ],
)
def test_a_bad_object_is_refused(one: ObjectDefinition, code: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        object_type(one, record_type_of(Thing))
    assert refusal.value.code == code


VESSEL = ObjectDefinition("vessel", "vessels", "船")


def test_a_tenants_schema_has_its_fields_and_objects_and_not_their_common_base() -> None:
    declared = sample_schema()
    schema = tenant_schema(
        declared,
        [VESSEL],
        [
            definition(),
            FieldDefinition("vessel", "flag", "text"),
            FieldDefinition("vessel", "operator", "reference", options={"to": "company", "back": "fleet"}),
            FieldDefinition("person", "ship", "reference", options={"to": "vessel"}),
        ],
        TYPES,
        record_type_of(Thing),
    )
    assert set(schema.types) == {"company", "member", "person", "link", "vessel"}
    assert [f.key for f in schema.type("vessels").custom] == ["flag", "operator"]
    assert schema.backs("company")["fleet"].type == "vessel"
    assert dict(schema.backs("vessel")) == {}
    assert schema.type("company").by_key["employees"].custom
    assert set(declared.types) == {"company", "member", "person", "link", "thing"}


@pytest.mark.parametrize(
    ("objects", "definitions", "code"),
    [
        ([ObjectDefinition("company", "firms", "Firm")], [], "duplicate_type"),
        ([ObjectDefinition("firm", "companies", "Firm")], [], "duplicate_type"),
        ([VESSEL, VESSEL], [], "duplicate_type"),
        ([], [FieldDefinition("vessel", "flag", "text")], "unknown_type"),
        ([], [FieldDefinition("thing", "flag", "text")], "unknown_type"),
        ([], [definition("a", "reference", options={"to": "vessel"})], "unknown_type"),
        ([], [definition("a", "reference", options={"to": "member", "back": "name"})], "duplicate_back"),
        ([], [definition("people")], "duplicate_back"),
        ([], [definition(), definition()], "duplicate_field"),
    ],
)
def test_definitions_that_do_not_fit_together_are_refused(
    objects: list[ObjectDefinition], definitions: list[FieldDefinition], code: str
) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        tenant_schema(sample_schema(), objects, definitions, TYPES, record_type_of(Thing))
    assert refusal.value.code == code
