"""Records as they are declared and used, and what type checkers say about them."""

import copy
import pickle
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs
import pytest
from mypy import api

import crmkit.schema.record
from crmkit.errors import InvalidDefinition
from crmkit.schema import Field, Record, RecordType, field, record_type, record_type_of
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.schema.types import Choice, Date, DateTime, Integer, Json, Money, Reference, Text
from crmkit.values import Money as MoneyValue
from tests.schema.nouns import Company, Link, Note
from tests.schema.strategies import a_uuid

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def stored(draft: Record) -> Any:
    """The draft as a store would give it back."""
    values: dict[str, Any] = {
        "id": a_uuid,
        "version": 1,
        "changeset_id": a_uuid,
        "created_at": MOMENT,
        "created_by": None,
        "recorded_at": MOMENT,
    }
    for name, value in values.items():
        object.__setattr__(draft, name, value)
    return draft


def test_a_declaration_says_everything_about_a_type() -> None:
    company = record_type_of(Company)
    assert (company.key, company.plural, company.label, company.title, company.sort) == (
        "company",
        "companies",
        "Company",
        "name",
        "name",
    )
    assert company.record is Company
    assert company.table == "crm_company"
    assert [f.key for f in company.declared] == [
        *("name", "stage", "revenue", "share", "headcount", "founded", "extra", "owner")
    ]
    assert company.custom == ()
    assert company.owned
    assert not record_type_of(Link).owned
    assert list(company.by_key)[:6] == list(SYSTEM_FIELDS)
    name = company.by_key["name"]
    assert name == Field("name", Text(), labels={"en": "Name", "zh": "名称"}, required=True, unique=True)
    assert (name.label(), name.label("zh"), name.label("fr")) == ("Name", "名称", "Name")
    assert company.by_key["headcount"].label("zh") == "Headcount"
    assert company.by_key["stage"].default == "new"
    assert record_type_of(Company(name="张")) is company


def test_a_draft_has_its_values_and_no_system_fields() -> None:
    draft = Company(name="张记", revenue=MoneyValue(5, "CNY"), custom={"employees": 7})
    assert (draft.name, draft["name"], draft.stage, draft["headcount"]) == ("张记", "张记", "new", None)
    assert (draft["employees"], draft.employees) == (7, 7)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="a draft of Company has no 'id' until it is created"):
        draft.id  # noqa: B018
    with pytest.raises(KeyError):
        draft["id"]


def test_a_stored_record_has_its_system_fields() -> None:
    record = stored(Company(name="x"))
    assert (record.id, record["id"], record["version"]) == (a_uuid, a_uuid, 1)
    assert hash(record) == hash(a_uuid)


def test_an_unknown_field_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="Company has no field 'nmae'"):
        Company(name="x").nmae  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("key", ["nmae", "__class__", "__dict__", "custom", "_private", "", "name\x00"])
def test_only_fields_are_reached_by_key(key: str) -> None:
    with pytest.raises(KeyError):
        Company(name="x")[key]


def test_a_record_is_frozen_with_its_custom_values() -> None:
    given = {"employees": 7}
    draft = Company(name="x", custom=given)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        draft.name = "y"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        draft.employees = 8  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        draft.custom["employees"] = 8  # type: ignore[index]
    given["employees"] = 8
    assert draft["employees"] == 7


def test_a_reader_hands_over_custom_values_without_a_copy() -> None:
    proxy = MappingProxyType({"employees": 7})
    assert Company(name="x", custom=proxy).custom is proxy
    assert attrs.evolve(Company(name="x", custom=proxy), name="y").custom is proxy


def test_records_are_equal_by_type_and_values() -> None:
    assert Company(name="x") == Company(name="x")
    assert Company(name="x") != Company(name="x", custom={"a": 1})
    assert Company(name="x") != Note(title="x")
    assert Company(name="x") != stored(Company(name="x"))
    assert Company(name="x") != "x"


def test_a_draft_cannot_be_hashed() -> None:
    with pytest.raises(TypeError, match="a draft of Company"):
        hash(Company(name="x"))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_records_can_be_copied_and_sent_to_another_process(again: Any) -> None:
    for record in (Company(name="张", custom={"a": 1}), stored(Company(name="x", extra={"a": [1]}))):
        assert again(record) == record
        assert again(record).custom == record.custom
        with pytest.raises(TypeError):
            again(record).custom["a"] = 2


def test_a_picture_of_a_record_shows_what_has_a_value() -> None:
    assert repr(Company(name="x", custom={"a": 1})) == "Company(name='x', stage='new', a=1)"
    assert repr(stored(Note(title="x"))) == f"Note(id={a_uuid!r}, version=1, title='x')"


def declared(**fields: Any) -> RecordType:
    """A record type with these fields and a name."""
    annotations = {"name": str, **dict.fromkeys(fields, Any)}
    body = {"__annotations__": annotations, "name": field(Text()), **fields}
    return record_type_of(record_type("sample", plural="samples", title="name")(type("Sample", (Record,), body)))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"a": 5}, "not_a_field"),
        ({"a": field(Integer(), default="x")}, "bad_default"),
        ({"a": field(Choice(["x"]), default="y")}, "bad_default"),
        ({"a": field(Json(), default=attrs.Factory(list))}, "bad_default"),
        ({"my_team": field(Text())}, "bad_key"),
        ({"tags": field(Text())}, "bad_key"),
        ({"Upper": field(Text())}, "bad_key"),
        ({"x" * 49: field(Text())}, "bad_key"),
        ({"größe": field(Text())}, "bad_key"),
        ({"name_key": field(Text())}, "column_taken"),
        ({"price": field(Money()), "price_currency": field(Text())}, "column_taken"),
        ({"tenant_id": field(Integer())}, "column_taken"),
        ({"text_1": field(Text())}, "column_taken"),
        ({"superseded_at": field(DateTime())}, "column_taken"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        declared(**fields)
    assert refusal.value.code == code


def test_a_default_is_kept_in_normal_form() -> None:
    given = {"a": [1.0]}
    assert declared(a=field(Json(), default=given)).by_key["a"].default == {"a": [1]}
    assert given == {"a": [1.0]}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": "Sample"}, "bad_key"),
        ({"key": "class"}, "bad_key"),
        ({"key": "any"}, "bad_key"),
        ({"plural": "sam ples"}, "bad_key"),
        ({"table": "sample; drop table x"}, "bad_key"),
        ({"table": "x" * 60}, "bad_key"),
        ({"title": "nmae"}, "unknown_field"),
        ({"sort": "nmae"}, "unknown_field"),
        ({"indexes": (("name", "nmae"),)}, "unknown_field"),
        ({"unique": (("nmae",),)}, "unknown_field"),
    ],
)
def test_a_record_type_that_cannot_work_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        attrs.evolve(record_type_of(Note), **changes)
    assert refusal.value.code == code


def test_two_fields_of_one_key_are_refused() -> None:
    twice = Field("title", Text(), custom=True)
    with pytest.raises(InvalidDefinition) as refusal:
        record_type_of(Note).with_custom([twice])
    assert (refusal.value.code, refusal.value.fields) == ("duplicate_field", ("title",))
    for system in SYSTEM_FIELDS:
        with pytest.raises(InvalidDefinition):
            record_type_of(Note).with_custom([Field(system, Text(), custom=True)])


def test_a_class_that_is_no_record_is_refused() -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        record_type("sample", plural="samples", title="name")(type("Sample", (), {}))
    assert refusal.value.code == "not_a_record"
    with pytest.raises(InvalidDefinition) as refusal:
        record_type_of(Record)
    assert refusal.value.code == "not_declared"


@pytest.mark.parametrize(
    "column", ["", "a b", "a'", 'a"', "a.b", "a.0", "a.2.3", "A", "1a", "张", "x" * 49, "a\n", "a\x00", None, 5]
)
def test_no_column_is_anything_but_a_key_and_perhaps_a_number(column: Any) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        Field("a", Text(), column=column)
    assert refusal.value.code == "bad_column"


@pytest.mark.parametrize("slot", ["", "text_6", "text_1; --", "TEXT_1", 1])
def test_no_slot_is_anything_but_one_of_the_pool(slot: Any) -> None:
    for place in ("slot", "unique_slot"):
        with pytest.raises(InvalidDefinition) as refusal:
            Field("a", Text(), custom=True, **{place: slot})
        assert refusal.value.code == "bad_slot"


def test_the_system_fields_cannot_be_changed_by_anybody() -> None:
    with pytest.raises(TypeError):
        SYSTEM_FIELDS["id"] = Field("id", Text())  # type: ignore[index]
    assert all(f.system for f in SYSTEM_FIELDS.values())


def test_parts_of_declared_fields_have_columns_and_of_custom_fields_keys_that_no_field_could_have() -> None:
    price = Field("price", Money())
    assert price.part_columns() == ("price", "price_currency")
    assert attrs.evolve(price, custom=True, column="price.2").part_columns() == ("price.2", "price.2.currency")
    assert Field("due", Date()).part_columns() == ("due",)
    assert Field("owner", Reference("user")).part_columns() == ("owner",)


SAMPLE = """
from typing import assert_type
from uuid import UUID
from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Integer, Text


@record_type("ship", plural="ships", title="name")
class Ship(Record):
    name: str = field(Text())
    crew: int | None = field(Integer(), default=None)


right = Ship(name="Beagle", crew=74, custom={"flag": "uk"})
assert_type(right, Ship)
assert_type(right.name, str)
assert_type(right.crew, int | None)
assert_type(right.id, UUID)
Ship(nmae="Beagle")  # wrong: "nmae"
Ship(crew=74)  # wrong: "name"
Ship(name=5)  # wrong: "int"
Ship("Beagle")  # wrong: "Ship"
Ship(name="Beagle", id=right.id)  # wrong: "id"
right.name = "Endeavour"  # wrong: "name"
right.nmae  # wrong: "nmae"
"""


@pytest.mark.long
def test_a_type_checker_knows_the_constructor_and_the_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are marked wrong are errors that name what is wrong; no other line is."""
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE, encoding="utf-8")
    monkeypatch.setenv("MYPYPATH", str(Path(crmkit.schema.record.__file__).parents[2]))
    options = ["--strict", "--no-error-summary", "--config-file=", f"--cache-dir={tmp_path}"]
    report, problems, _ = api.run([*options, str(sample)])
    assert problems == ""
    lines = SAMPLE.splitlines()
    said = [line.removeprefix(f"{sample}:").partition(": error: ")[::2] for line in report.splitlines()]
    wrong = {number for number, line in enumerate(lines, start=1) if "# wrong" in line}
    assert {int(number) for number, _ in said} == wrong
    for number in wrong:
        named = lines[number - 1].partition("# wrong: ")[2]
        assert any(named in text for at, text in said if int(at) == number)


def test_ids_in_annotations_are_ids() -> None:
    assert attrs.fields(Company).owner.type == UUID | None
