"""A record's values parsed in one pass, all problems collected."""

import csv
import io
from collections import UserDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidRecord
from crmkit.schema import Field, Record, field, record_type, record_type_of
from crmkit.schema.parsing import RecordParser
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.schema.types import Choice, Date, Integer, Json, LongText, MultiChoice, Text
from crmkit.values import Money, PersonName
from tests.schema.nouns import Company, Note, Person
from tests.schema.strategies import CASES, Case, a_uuid
from tests.schema.test_declarations import stored

CUSTOM = (
    Field("employees", Integer(minimum=1), custom=True),
    Field("tier", Choice({"gold": "Gold", "tin": "Blech"}), custom=True, default="tin", required=True),
    Field("areas", MultiChoice(["北京", "上海"]), custom=True),
)
COMPANY = RecordParser(record_type_of(Company).with_custom(CUSTOM))
PERSON = RecordParser(record_type_of(Person))
NOTE = RecordParser(record_type_of(Note))
NOTHING_GIVEN = {
    "name": "张记",
    "stage": "new",
    "revenue": None,
    "share": None,
    "headcount": None,
    "founded": None,
    "extra": None,
    "owner": None,
    "employees": None,
    "tier": "tin",
    "areas": None,
}


def problems_of(parse: Any, *arguments: Any, **more: Any) -> list[tuple[str, str | None, int | None]]:
    with pytest.raises(InvalidRecord) as refusal:
        parse(*arguments, **more)
    str(refusal.value).encode()
    return [(problem.code, problem.field, problem.row) for problem in refusal.value.problems]


def test_a_record_to_be_created_has_every_field_declared_ones_first() -> None:
    created = COMPANY.create({"name": "张记"})
    assert created == NOTHING_GIVEN
    assert list(created) == list(NOTHING_GIVEN)


def test_values_are_normalised_in_each_form() -> None:
    python = {"name": "x", "revenue": Money(5, "EUR"), "share": "12.5", "areas": {"上海", "北京"}, "tier": "gold"}
    text = {
        "name": " x ",
        "revenue": "5 EUR",
        "share": "12,5 %",
        "areas": "上海;北京",
        "tier": "GOLD",
        "employees": " ",
    }
    document = {
        "name": "x",
        "revenue": {"amount": "5", "currency": "EUR"},
        "share": "12.50",
        "areas": ["上海", "北京"],
        "tier": "gold",
        "employees": None,
    }
    expected = {
        **NOTHING_GIVEN,
        "name": "x",
        "revenue": Money(5, "EUR"),
        "share": Decimal("12.5"),
        "areas": ("北京", "上海"),
        "tier": "gold",
    }
    assert COMPANY.create(python) == expected
    assert COMPANY.create(text, form="text") == expected
    assert COMPANY.create(document, form="json") == expected


def test_a_change_has_what_is_given_and_nothing_else() -> None:
    assert COMPANY.change({}) == {}
    assert COMPANY.change({"headcount": 7, "revenue": None}) == {"headcount": 7, "revenue": None}
    assert COMPANY.change({"headcount": "7", "revenue": " "}, form="text") == {"headcount": 7, "revenue": None}


def test_a_default_fills_what_is_not_given_and_never_replaces_none() -> None:
    assert COMPANY.create({"name": "x"})["stage"] == "new"
    assert COMPANY.create({"name": "x", "stage": "  "}, form="text")["stage"] == "new"
    parser = RecordParser(record_type_of(Note).with_custom([Field("mood", Text(), default="fine", custom=True)]))
    assert parser.create({"title": "x"})["mood"] == "fine"
    assert parser.create({"title": "x", "mood": None})["mood"] is None
    assert parser.create({"title": "x", "mood": None}, form="json")["mood"] is None
    assert parser.change({"mood": "  "}, form="text") == {"mood": None}


def test_a_default_that_can_be_changed_is_nobody_elses() -> None:
    parser = RecordParser(record_type_of(Note).with_custom([Field("bag", Json(), default={"a": []}, custom=True)]))
    parser.create({"title": "x"})["bag"]["a"].append(1)
    assert parser.create({"title": "x"})["bag"] == {"a": []}


def test_what_is_given_stays_as_it_was() -> None:
    inner = [1.0]
    given_ = {"name": "x", "extra": {"a": inner}}
    created = COMPANY.create(given_)
    inner.append(2)
    assert created["extra"] == {"a": [1]}
    assert given_ == {"name": "x", "extra": {"a": [1.0, 2]}}


@pytest.mark.parametrize("wrap", [dict, MappingProxyType, UserDict])
def test_any_mapping_is_taken(wrap: Any) -> None:
    assert NOTE.create(wrap({"title": "x"})) == {"title": "x", "body": None}


def test_all_problems_are_found_at_once_each_at_its_place() -> None:
    wrong = {
        "headcount": -1,
        "revenue": 12.5,
        "nmae": "x",
        "founded": "2026-01-01",
        "id": a_uuid,
        "employees": 0,
        "areas": ["Paris"],
    }
    assert problems_of(COMPANY.create, wrong, row=3) == [
        ("too_small", "headcount", 3),
        ("not_money", "revenue", 3),
        ("unknown_field", "nmae", 3),
        ("not_a_date", "founded", 3),
        ("read_only", "id", 3),
        ("too_small", "employees", 3),
        ("not_an_option", "areas", 3),
        ("required", "name", 3),
    ]


def test_an_unknown_field_comes_with_what_was_probably_meant() -> None:
    with pytest.raises(InvalidRecord, match="did you mean 'headcount'"):
        COMPANY.create({"name": "x", "head_count": 5})


@pytest.mark.parametrize("key", list(SYSTEM_FIELDS))
@pytest.mark.parametrize("value", [None, 1])
def test_fields_of_the_system_are_read_only(key: str, value: Any) -> None:
    assert problems_of(COMPANY.change, {key: value}) == [("read_only", key, None)]
    assert problems_of(COMPANY.create, {"name": "x", key: value}, form="json") == [("read_only", key, None)]


@pytest.mark.parametrize("key", [None, 5, b"name", ("name",), "", "custom", "Name", "name ", "\ud800", "x" * 1_000_000])
@pytest.mark.parametrize("form", ["python", "text", "json"])
def test_a_key_that_is_no_field_is_refused(key: Any, form: Any) -> None:
    for value in ("x", None, ""):
        for problems in (
            problems_of(NOTE.create, {"title": "x", key: value}, form=form),
            problems_of(NOTE.change, {key: value}, form=form),
        ):
            assert [code for code, _, _ in problems] == ["unknown_field"]


def test_cells_beyond_the_header_of_a_file_are_refused_and_missing_ones_empty() -> None:
    long, short = csv.DictReader(io.StringIO("title,body\na,b,c\nd\n"))
    assert problems_of(NOTE.create, long, form="text") == [("unknown_field", None, None)]
    assert NOTE.create(short, form="text") == {"title": "d", "body": None}


def test_a_thousand_unknown_fields_are_all_named() -> None:
    given_ = {"title": "x", **{f"unknown_{n}": n for n in range(1000)}}
    assert len(problems_of(NOTE.create, given_)) == 1000


@pytest.mark.parametrize("values", [None, [], [("title", "x")], "title", 5, object()])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    assert problems_of(NOTE.create, values, row=1) == [("not_a_mapping", None, 1)]
    assert problems_of(NOTE.change, values) == [("not_a_mapping", None, None)]


def test_an_empty_text_is_a_document_like_any_other() -> None:
    parser = RecordParser(record_type_of(Note).with_custom([Field("bag", Json(), required=True, custom=True)]))
    assert parser.create({"title": "x", "bag": ""})["bag"] == ""
    assert problems_of(parser.create, {"title": "x", "bag": None}) == [("required", "bag", None)]


@pytest.mark.parametrize("blank", [None, "", "  ", "\u00a0\t", "\u3000"])
def test_a_required_field_cannot_be_left_blank(blank: Any) -> None:
    assert problems_of(NOTE.create, {"title": blank}) == [("required", "title", None)]
    assert problems_of(NOTE.create, {"title": blank}, form="json") == [("required", "title", None)]
    assert problems_of(NOTE.change, {"title": blank}, row=2) == [("required", "title", 2)]
    assert problems_of(NOTE.change, {"title": blank or ""}, form="text") == [("required", "title", None)]
    assert NOTE.create({"title": "x", "body": blank})["body"] == blank


def test_a_required_field_with_a_default_may_be_left_out_and_not_emptied() -> None:
    assert COMPANY.create({"name": "x"})["tier"] == "tin"
    assert problems_of(COMPANY.create, {"name": "x", "tier": None}) == [("required", "tier", None)]


def test_a_text_that_is_blank_by_default_may_be_blank_and_not_none() -> None:
    @record_type("memo", plural="memos", title="title")
    class Memo(Record):
        title: str = field(Text())
        body: str = field(Text(), default="")

    memo = RecordParser(record_type_of(Memo))
    assert memo.create({"title": "x"}) == {"title": "x", "body": ""}
    assert memo.change({"body": ""}) == {"body": ""}
    assert problems_of(memo.create, {"title": "x", "body": None}) == [("required", "body", None)]
    assert problems_of(memo.change, {"body": None}) == [("required", "body", None)]


def test_a_required_field_that_is_wrong_is_reported_once() -> None:
    assert problems_of(NOTE.create, {"title": 5}) == [("not_text", "title", None)]
    assert problems_of(NOTE.create, {"title": "x" * 21}, form="text") == [("too_long", "title", None)]


@pytest.mark.parametrize("cell", [5, 5.0, True, b"x", ["x"]])
def test_a_cell_of_text_is_text(cell: Any) -> None:
    assert problems_of(COMPANY.create, {"name": "x", "headcount": cell}, form="text") == [
        ("not_text", "headcount", None)
    ]


def test_a_draft_is_read_like_its_values_in_whatever_form() -> None:
    draft = Company(name="x", headcount=5, custom={"employees": 7})
    for form in ("python", "text", "json"):
        created = COMPANY.create(draft, form=form)  # type: ignore[arg-type]
        assert created == {**NOTHING_GIVEN, "name": "x", "headcount": 5, "employees": 7}
    assert COMPANY.change(draft)["headcount"] == 5
    assert problems_of(COMPANY.create, Company(name="x", headcount=-1, custom={"emploees": 7})) == [
        ("too_small", "headcount", None),
        ("unknown_field", "emploees", None),
    ]


def test_a_draft_of_another_type_or_a_stored_record_is_refused() -> None:
    assert problems_of(COMPANY.create, Note(title="x"), row=1) == [("wrong_type", None, 1)]
    assert problems_of(COMPANY.create, stored(Company(name="x"))) == [("read_only", "id", None)]


def test_a_draft_does_not_give_a_declared_field_twice() -> None:
    draft = Company(name="x", custom={"name": "y", "version": 2})
    assert problems_of(COMPANY.create, draft) == [("unknown_field", "name", None)]
    assert problems_of(COMPANY.create, Company(name="x", custom={"version": 2})) == [("read_only", "version", None)]


def test_a_name_is_taken_as_text_from_python_and_from_cells_but_not_from_json() -> None:
    expected = PersonName(given="Ada", family="Lovelace")
    assert PERSON.create({"name": "Ada Lovelace"})["name"] == expected
    assert PERSON.create({"name": "Lovelace, Ada"}, form="text")["name"] == expected
    assert PERSON.create({"name": {"given": "Ada", "family": "Lovelace"}}, form="json")["name"] == expected
    assert problems_of(PERSON.create, {"name": "Ada Lovelace"}, form="json") == [("not_a_name", "name", None)]


@pytest.mark.law
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
@given(data=st.data())
def test_a_parsed_record_parses_to_itself(case: Case, data: st.DataObject) -> None:
    record_type = record_type_of(Note).with_custom([Field("extra", case.type, custom=True)])
    parser = RecordParser(record_type)
    created = parser.create({"title": "x", "extra": data.draw(case.values)})
    assert parser.create(created) == created
    assert parser.create({"title": "x", "extra": case.type.dump(created["extra"])}, form="json") == created
    assert parser.change(created) == created


@pytest.mark.law
@given(
    values=st.dictionaries(
        st.sampled_from(["title", "body", "due", "id", "x"]) | st.text() | st.integers() | st.none(),
        st.none() | st.text(st.characters(codec=None)) | st.integers() | st.floats() | st.lists(st.text()),
        max_size=5,
    ),
    form=st.sampled_from(["python", "text", "json"]),
    row=st.none() | st.integers(0, 10),
)
def test_whatever_is_given_ends_in_every_field_or_in_problems_with_their_row(values: Any, form: Any, row: Any) -> None:
    parser = RecordParser(record_type_of(Note).with_custom([Field("due", Date(), custom=True)]))
    for parse in (parser.create, parser.change):
        try:
            result = parse(values, form=form, row=row)
        except InvalidRecord as refusal:
            assert refusal.problems  # noqa: PT017 - a refusal is one of the two ends
            assert all(problem.row == row and problem.code for problem in refusal.problems)  # noqa: PT017
        else:
            assert set(result) <= {"title", "body", "due"}


def test_long_text_keeps_its_lines_in_every_form() -> None:
    assert LongText() == record_type_of(Note).by_key["body"].type
    for form in ("python", "text", "json"):
        assert NOTE.create({"title": "x", "body": " a\r\n b "}, form=form)["body"] == " a\r\n b "  # type: ignore[arg-type]
