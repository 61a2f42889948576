"""The JSON form: what it looks like, that writing and reading agree, and that the published schema says the same."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from crmkit.errors import InvalidQuery
from crmkit.query import F, days_ago, in_segment, me, my_team, now, today
from crmkit.query.json_form import JSON_FORM_SCHEMA, from_json, to_json
from crmkit.query.lift import MAX_DEPTH, MAX_STEPS, MAX_VALUES, NOBODY, lift
from crmkit.query.nodes import (
    FALSE,
    TRUE,
    And,
    Compare,
    Constant,
    Expr,
    IsNull,
    Not,
    Or,
    Path,
    RelativeTime,
    SharedWith,
    Within,
    holds,
)
from crmkit.values import Money, PersonName
from tests.query.strategies import SCHEMA, SUBJECTS, expressions

AN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ACTORS = {**NOBODY, "teams": ()}
VALIDATOR = Draft202012Validator(JSON_FORM_SCHEMA)
A = {"path": ["a"]}
ONE = {"eq": [A, 1]}

FORMS = [
    (F.a == 1, ONE),
    (F.a == "张三", {"eq": [A, "张三"]}),
    (F.a == True, {"eq": [A, True]}),  # noqa: E712 - a condition, not a comparison
    (F.account.industry != "x", {"ne": [{"path": ["account", "industry"]}, "x"]}),
    (F.a < F.b, {"lt": [A, {"path": ["b"]}]}),
    (F.a.is_in([1, "x"]), {"in": [A, [1, "x"]]}),
    (F.a.is_in([]), {"in": [A, []]}),
    (F.a.between(1, 2), {"between": [A, 1, 2]}),
    (F.a.contains("x"), {"contains": [A, "x"]}),
    (F.a.has("x"), {"has": [A, "x"]}),
    (F.a.is_null(), {"null": A}),
    (F.owner == me, {"eq": [{"path": ["owner"]}, {"$actors": "me"}]}),
    (F.owner.is_in(my_team), {"in": [{"path": ["owner"]}, {"$actors": "my_team"}]}),
    (F.a >= days_ago(30), {"ge": [A, {"$time": "now", "days": -30}]}),
    (F.a >= today, {"ge": [A, {"$time": "today", "days": 0}]}),
    (F.a == Money("12000", "EUR"), {"eq": [A, {"$money": ["12000.00", "EUR"]}]}),
    (F.a == Decimal("-1.50"), {"eq": [A, {"$decimal": "-1.50"}]}),
    (F.a == Decimal("1E+3"), {"eq": [A, {"$decimal": "1000"}]}),
    (F.a == date(2024, 2, 29), {"eq": [A, {"$date": "2024-02-29"}]}),
    (
        F.a == datetime(2024, 2, 29, 8, tzinfo=timezone(timedelta(hours=8))),
        {"eq": [A, {"$datetime": "2024-02-29T00:00:00+00:00"}]},
    ),
    (F.a == timedelta(days=1, microseconds=-1), {"eq": [A, {"$duration": "P0DT86399.999999S"}]}),
    (F.a == UUID(AN_ID), {"eq": [A, {"$id": AN_ID}]}),
    ((F.a == 1) & (F.a == 1), {"and": [ONE, ONE]}),
    ((F.a == 1) | ~(F.a == 1), {"or": [ONE, {"not": ONE}]}),
    (TRUE, {"constant": True}),
    (Not(FALSE), {"not": {"constant": False}}),
    (F.deals.any(), {"any": {"relation": ["deals"]}}),
    (F.deals.none(F.a == 1), {"none": {"relation": ["deals"], "where": ONE}}),
    (F.deals.all(TRUE), {"all": {"relation": ["deals"], "where": {"constant": True}}}),
    (F.deals.count() > 3, {"gt": [{"count": {"relation": ["deals"]}}, 3]}),
    (
        F.deals.amount.sum(F.a == 1).is_null(),
        {"null": {"sum": {"relation": ["deals"], "field": "amount", "where": ONE}}},
    ),
    (F.tags.has("vip"), {"tag": "vip"}),
    (F.account.tags.has("vip"), {"within": {"path": ["account"], "where": {"tag": "vip"}}}),
    (holds(F.a == 1), {"within": {"path": [], "where": ONE}}),
    (in_segment("热"), {"segment": "热"}),
]


def same(one: Expr, other: Expr) -> bool:
    """Equal in shape and in constants, and in the types of these."""
    left, right = lift(one, ACTORS), lift(other, ACTORS)
    return left == right and [(type(v), v) for v in left.values] == [(type(v), v) for v in right.values]


def code_of(call) -> str:
    with pytest.raises(InvalidQuery) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize(("expr", "document"), FORMS, ids=[json.dumps(document)[:50] for _, document in FORMS])
def test_an_expression_has_one_form_which_is_read_back(expr, document):
    assert to_json(expr) == document
    assert same(from_json(document), expr)
    assert same(from_json(json.loads(json.dumps(document))), expr)
    VALIDATOR.validate(document)


@pytest.mark.law
@settings(max_examples=settings().max_examples * 20)
@given(st.sampled_from(SUBJECTS).flatmap(lambda on: expressions(SCHEMA.schema, on, segments={"热": "deal"})))
def test_every_expression_has_a_form_which_is_read_back(expr):
    document = to_json(expr)
    assert same(from_json(json.loads(json.dumps(document))), expr)
    assert to_json(from_json(document)) == document
    VALIDATOR.validate(document)


def test_expressions_of_one_shape_and_equal_constants_have_equal_forms():
    nested = And((F.a == 1, And((F.a == 1, Or((F.a == 1,))))))
    assert to_json(nested) == {"and": [ONE, ONE, ONE]}
    assert to_json(And(())) == {"constant": True}
    assert to_json(F.deals.any(And(()))) == {"any": {"relation": ["deals"]}}


def test_texts_and_numbers_of_other_classes_become_plain_ones():
    class Kind(StrEnum):
        CALL = "call"

    class Number(IntEnum):
        SEVEN = 7

    document = to_json(F.a.is_in([Kind.CALL, Number.SEVEN, PersonName.parse("张三")]))
    assert document == {"in": [A, ["call", 7, "张三"]]}
    assert [type(value) for value in document["in"][1]] == [str, int, str]


@pytest.mark.parametrize(
    ("expr", "code"),
    [
        (F.a == 1.5, "no_json_form"),
        (F.a == object(), "no_json_form"),
        (F.a == [1], "no_json_form"),
        (F.a == 2**63, "out_of_range"),
        (F.a == Decimal("NaN"), "out_of_range"),
        (F.a == Decimal("1E+999999"), "out_of_range"),
        (F.a == Decimal("1E-999999"), "out_of_range"),
        (F.a == "a\0", "bad_text"),
        (F.a == "\ud800", "bad_text"),
        (F.tags.has("\0"), "bad_text"),
        (F.a == datetime(2024, 1, 1), "naive_datetime"),
        (F["a b"] == 1, "bad_name"),
        (F[""] == 1, "bad_name"),
        (F.a < None, "null_operand"),
        (Compare("in", F.a, 5), "bad_operand"),
        (Compare("eq", F.a, (5,)), "bad_operand"),
        (Compare("between", F.a, (5,)), "bad_operand"),
        (Compare("like", F.a, "x"), "bad_operand"),
        (5, "not_a_condition"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_refused(expr, code):
    assert code_of(lambda: to_json(expr)) == code


def test_a_share_has_no_form():
    """Who could write one into a segment could ask with whom records are shared."""
    document = {"shared": ["read", "edit"]}
    assert code_of(lambda: to_json(SharedWith(("read", "edit")))) == "not_a_condition"
    assert code_of(lambda: from_json(document)) == "bad_form"
    assert code_of(lambda: from_json({"and": [ONE, {"not": document}]})) == "bad_form"
    assert not VALIDATOR.is_valid(document)


WRONG: list[Any] = [
    None,
    5,
    "a == 1",
    [],
    [ONE],
    {},
    {"eq": [A, 1], "ne": [A, 1]},
    {"unknown": 1},
    {"EQ": [A, 1]},
    {"not_in": [A, [1]]},
    {"all": {"relation": ["deals"], "where": None}},
    {"any": {"relation": ["deals"], "where": None}},
    {"eq": [A]},
    {"eq": [A, 1, 2]},
    {"eq": {"left": A, "right": 1}},
    {"eq": [1, A]},
    {"eq": [A, None]},
    {"eq": [A, 1.5]},
    {"eq": [A, [1]]},
    {"eq": [A, {"a": 1}]},
    {"eq": [A, {}]},
    {"eq": [A, ONE]},
    {"eq": [A, {"path": []}]},
    {"eq": [A, {"$money": ["1", "EUR", "x"]}]},
    {"eq": [A, {"$money": [1, "EUR"]}]},
    {"eq": [A, {"$money": ["1", "eur"]}]},
    {"eq": [A, {"$money": ["1e5", "EUR"]}]},
    {"eq": [A, {"$money": ["1\n", "EUR"]}]},
    {"eq": [A, {"$money": ["1", "EUR"], "more": 1}]},
    {"eq": [A, {"$decimal": 1}]},
    {"eq": [A, {"$decimal": "NaN"}]},
    {"eq": [A, {"$decimal": "1e999999"}]},
    {"eq": [A, {"$decimal": "1\n"}]},
    {"eq": [A, {"$date": "2024-1-1"}]},
    {"eq": [A, {"$datetime": "2024-01-01T00:00:00"}]},
    {"eq": [A, {"$datetime": "2024-01-01"}]},
    {"eq": [A, {"$duration": "1 day"}]},
    {"eq": [A, {"$id": "5"}]},
    {"eq": [A, {"$actors": "everybody"}]},
    {"eq": [A, {"$time": "now"}]},
    {"eq": [A, {"$time": "noon", "days": 0}]},
    {"eq": [A, {"$sql": "1"}]},
    {"in": [A, 5]},
    {"in": [A, "abc"]},
    {"in": [A, {"$time": "now", "days": 0}]},
    {"in": [A, [{"$actors": "me"}]]},
    {"in": [A, [[1]]]},
    {"in": [A, [None]]},
    {"between": [A, 1]},
    {"between": [A, [1, 2]]},
    {"between": [A, {"$actors": "me"}, 1]},
    {"and": []},
    {"and": ONE},
    {"and": [5]},
    {"or": []},
    {"not": [ONE]},
    {"not": None},
    {"constant": 1},
    {"constant": "true"},
    {"null": ["a"]},
    {"null": {"field": "a"}},
    {"null": {"path": "a"}},
    {"null": {"path": [1]}},
    {"null": {"path": [""]}},
    {"null": {"path": ["__class__"]}},
    {"null": {"path": ["a\n"]}},
    {"null": {"path": ["$.x"]}},
    {"null": {"path": ["a; drop table"]}},
    {"null": {"path": ["名"]}},
    {"null": {"path": ["a"], "more": 1}},
    {"null": {"count": {"relation": ["deals"], "field": "x"}}},
    {"null": {"sum": {"relation": ["deals"]}}},
    {"null": {"avg": {"relation": ["deals"], "field": "x"}}},
    {"any": {"path": ["deals"]}},
    {"any": {"relation": []}},
    {"any": {"relation": ["deals"], "where": None}},
    {"any": {"relation": ["deals"], "where": True}},
    {"any": ["deals"]},
    {"all": {"relation": ["deals"]}},
    {"within": {"path": ["account"]}},
    {"within": {"path": ["account"], "where": ONE, "more": 1}},
    {"within": {"where": ONE}},
    {"tag": 5},
    {"tag": None},
    {"tag": "a\0"},
    {"tag": "\ud800"},
    {"segment": ["x"]},
    {"segment": None},
    {1: 2},
]


@pytest.mark.parametrize("document", WRONG, ids=[repr(document)[:60] for document in WRONG])
def test_a_wrong_form_is_refused_by_reading_and_by_the_schema(document):
    with pytest.raises(InvalidQuery) as caught:
        from_json(document)
    assert caught.value.code == "bad_form"
    str(caught.value).encode()
    if document != {1: 2}:
        assert not VALIDATOR.is_valid(document)


def test_an_error_says_where():
    with pytest.raises(InvalidQuery) as caught:
        from_json({"and": [ONE, {"any": {"relation": ["deals"], "where": {"eq": [A, None]}}}]})
    assert caught.value.problems[0].hint == "at $.and[1].any.where.eq[1]"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"eq": [A, {"$date": "2024-02-30"}]}, "not_a_date"),
        ({"eq": [A, {"$datetime": "2024-01-01T25:00:00Z"}]}, "not_an_instant"),
        ({"eq": [A, {"$datetime": "0001-01-01T00:00:00+14:00"}]}, "out_of_range"),
        ({"eq": [A, {"$duration": "P999999999DT0S"}]}, "out_of_range"),
        ({"eq": [A, {"$money": ["999999999999999", "EUR"]}]}, "out_of_range"),
        ({"null": {"path": ["a"] * (MAX_STEPS + 1)}}, "bad_form"),
        ({"in": [A, [1] * (MAX_VALUES + 1)]}, "bad_form"),
        ({"eq": [A, 2**63]}, "out_of_range"),
        ({"eq": [A, {"$time": "now", "days": 10**7}]}, "bad_days"),
        ({"eq": [A, {"$time": "now", "days": True}]}, "bad_days"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_own_code(document, code):
    assert code_of(lambda: from_json(document)) == code


def test_a_whole_number_may_be_written_with_a_point_as_in_json():
    assert same(from_json({"eq": [A, 5.0]}), F.a == 5)
    assert same(from_json({"eq": [A, {"$time": "now", "days": -3.0}]}), F.a == days_ago(3))
    VALIDATOR.validate({"eq": [A, 5.0]})


def test_depth_is_bounded_before_the_stack_is():
    document: object = ONE
    for _ in range(MAX_DEPTH - 1):
        document = {"not": document}
    assert lift(from_json(document)).shape[0] == "not"
    assert code_of(lambda: from_json({"not": document})) == "too_large"
    for _ in range(100_000):
        document = {"not": document}
    assert code_of(lambda: from_json(document)) == "too_large"


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([5.0, 1.5, 2**63 - 1, 2**63]),
    st.sampled_from(["a", "won", "EUR", "1.50", "2024-02-29", "me", "now", "", "张", "a\n", AN_ID, "P1DT2S"]),
)
WORDS = (
    "and or not constant eq ne gt in between has null any all none within tag segment shared path count sum relation "
    "field where $money $decimal $date $datetime $duration $id $time $actors days"
)
KEYS = st.sampled_from(WORDS.split())
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged(draw):
    """A good document in which one place has been changed."""
    document = json.loads(json.dumps(to_json(draw(expressions(SCHEMA.schema, "deal", segments={"热": "deal"})))))
    places = list(_places(document))
    holder, key = draw(st.sampled_from(places))
    change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
    if change == "replace":
        holder[key] = draw(DOCUMENTS)
    elif change == "remove":
        del holder[key]
    elif isinstance(holder, dict):
        holder[draw(KEYS)] = draw(LEAVES)
    else:
        holder.insert(key, draw(LEAVES))
    return document


def _places(document):
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


VALUE_CODES = {"not_a_date", "not_an_instant", "out_of_range", "too_large", "not_a_duration"}
"""What the schema cannot say: the calendar, ranges of 64 bits in text, depth."""


@pytest.mark.law
@settings(max_examples=settings().max_examples * 20)
@given(DOCUMENTS | damaged())
def test_the_schema_accepts_what_reading_accepts(document):
    refusal = refusal_of(document)
    event(refusal or "read")
    if refusal is None:
        VALIDATOR.validate(document)
    elif refusal not in VALUE_CODES:
        assert not VALIDATOR.is_valid(document)


def refusal_of(document) -> str | None:
    try:
        from_json(document)
    except InvalidQuery as error:
        str(error).encode()
        return error.code
    return None


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(JSON_FORM_SCHEMA)
    assert json.loads(json.dumps(JSON_FORM_SCHEMA)) == JSON_FORM_SCHEMA


def test_reading_makes_nodes_of_the_classes_that_python_makes():
    expr = from_json({"and": [{"null": A}, {"within": {"path": [], "where": ONE}}, {"constant": True}]})
    assert isinstance(expr, And)
    null, within, constant = expr.items
    assert isinstance(null, IsNull)
    assert isinstance(within, Within)
    assert isinstance(within.path, Path)
    assert isinstance(constant, Constant)
    moment = from_json({"eq": [A, {"$time": "now", "days": 0}]})
    assert isinstance(moment, Compare)
    assert moment.right == now == RelativeTime("now")
    assert isinstance(moment.right.days, int)


def test_instants_of_any_zone_are_written_in_utc():
    east = datetime(2024, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    assert to_json(F.a == east) == to_json(F.a == east.astimezone(UTC))
