"""What is checked before a condition runs: names, types, rights, segments and size."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidQuery, NotFound, Problem
from crmkit.query import F, days_ago, in_segment, me, my_team
from crmkit.query.bind import Binder
from crmkit.query.context import ALL_RIGHTS
from crmkit.query.lift import lift
from crmkit.query.nodes import (
    COMPARISONS,
    FALSE,
    TRUE,
    Aggregate,
    Compare,
    Expr,
    InSegment,
    Not,
    Path,
    Quantifier,
    Within,
    all_of,
    any_of,
)
from crmkit.query.text import parse
from crmkit.schema.types import Decimal
from crmkit.values import Money
from tests.query.memory import Session
from tests.query.strategies import SCHEMA, PlainGuard, custom_schema
from tests.query.worlds import DictWorld, entry, record_id

S = SCHEMA.schema
NOBODY = {"me": (), "my_team": (), "my_team_and_below": ()}
EMPTY = DictWorld(S, ())


def session(guard: PlainGuard | None = None, **segments: tuple[str, Expr]) -> Session:
    return Session(EMPTY, guard=guard or ALL_RIGHTS, segments=segments.get)


def problem(expr: Expr | str, on: str = "deal", within: Session | None = None) -> Problem:
    """The one problem with a condition."""
    with pytest.raises(InvalidQuery) as caught:
        (within or session()).bound(parse(expr) if isinstance(expr, str) else expr, on)
    (found,) = caught.value.problems
    str(caught.value).encode()
    return found


def bound(expr: Expr | str, on: str = "deal", within: Session | None = None) -> None:
    (within or session()).bound(parse(expr) if isinstance(expr, str) else expr, on)


def hiding(*fields: tuple[str, str], rows: dict[str, Expr] | None = None) -> PlainGuard:
    return PlainGuard(rows or {}, dict.fromkeys(fields, FALSE), NOBODY)


# ------------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("text", "code", "field", "hint"),
    [
        ("amont == 1", "unknown_field", "amont", "did you mean 'amount'?"),
        ("Amount == 1", "unknown_field", "Amount", "did you mean 'amount'?"),
        ("account.nam == 1", "unknown_field", "nam", "did you mean 'name'?"),
        ("vessel.flags == 1", "unknown_field", "flags", "did you mean 'flag'?"),
        ("xyzzy == 1", "unknown_field", "xyzzy", "there are: account, activities, amount"),
        ("tags == 'vip'", "unknown_field", "tags", 'write "vip" in tags'),
        ("activities == 1", "not_a_field", "activities", "ask for any"),
        ("account.deals.amount == 1", "not_a_field", "deals", "ask for any"),
        ("amount.x == 1", "not_a_reference", "amount", "only references"),
        ("id.x == 1", "not_a_reference", "id", "only references"),
        ("changeset_id.x == 1", "not_a_reference", "changeset_id", "only references"),
        ("any(activitys)", "unknown_relation", "activitys", "did you mean 'activities'?"),
        ("any(amount)", "unknown_relation", "amount", "there are: activities"),
        ("any(account.dals)", "unknown_relation", "dals", "did you mean 'deals'?"),
        ("count(deals) > 1", "unknown_relation", "deals", "there are: activities"),
        ("F == 1", "empty_path", None, None),
        ("any(F)", "empty_path", None, None),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_what_may_have_been_meant(text, code, field, hint):
    found = problem(text)
    assert (found.code, found.field) == (code, field)
    assert (found.hint or "").startswith(hint or "")
    assert (found.hint is None) is (hint is None)


HOSTILE_NAMES = [
    "__class__",
    "a; drop table crm_deal",
    "$.x",
    "amount' OR '1'='1",
    'amount" --',
    "`amount`",
    "%s",
    ":tenant",
    "?",
    "amount\0",
    "amount\n",
    "\ud800",
    "",
    "金额",
    "a" * 100_000,
    "tenant_id",
    "amount_currency",
    "text_1",
    "custom",
    "tags",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=[repr(name[:20]) for name in HOSTILE_NAMES])
def test_a_hostile_name_is_an_unknown_one(name):
    assert problem(F[name] == 1).code == "unknown_field"
    assert problem(F.account[name] == 1).code == "unknown_field"
    assert problem(F[name].is_null()).code == "unknown_field"
    assert problem(Path((name, "x")) == 1).code == "unknown_field"
    assert problem(Quantifier("any", F[name], TRUE)).code == "unknown_relation"
    assert problem(Aggregate("count", F[name], None, TRUE) > 1).code == "unknown_relation"
    assert problem(Aggregate("sum", F.activities, name, TRUE) > 1).code == "unknown_field"
    assert problem(in_segment(name)).code == "unknown_segment"
    assert len(str(problem(F[name] == 1).message)) < 120


@given(st.text())
def test_any_name_is_known_or_refused(name):
    try:
        bound(F[name].is_null())
    except InvalidQuery as error:
        assert error.code in ("unknown_field", "not_a_field")  # noqa: PT017 - a field's name may be drawn
        str(error).encode()
    else:
        assert name in S.type("deal").by_key


def test_a_record_type_that_is_not_there_is_not_found():
    with pytest.raises(NotFound):
        bound(TRUE, "dael")


# ------------------------------------------------------------------------------------------------------------ rights

UNREADABLE = [
    # what is hidden, what is asked, and the same of a name that is nowhere
    (("deal", "amount"), "amount == 5", "nowhere == 5"),
    (("deal", "amount"), "amount is None", "nowhere is None"),
    (("deal", "amount"), "name == amount", "name == nowhere"),
    (("deal", "amount"), "amount > 'much'", "nowhere > 'much'"),
    (("deal", "amount"), "'x' in amount", "'x' in nowhere"),
    (("deal", "amount"), "amount.contains('x')", "nowhere.contains('x')"),
    (("deal", "account"), "account == 5", "nowhere == 5"),
    (("deal", "account"), "account.name == 'x'", "nowhere.name == 'x'"),
    (("deal", "account"), "account.nowhere == 'x'", "nowhere.nowhere == 'x'"),
    (("deal", "account"), "'vip' in account.tags", "'vip' in nowhere.tags"),
    (("deal", "account"), "any(account.deals)", "any(nowhere.deals)"),
    (("deal", "account"), "in_segment('x', account)", "in_segment('x', nowhere)"),
    (("deal", "account"), "within(account, true)", "within(nowhere, true)"),
    (("account", "name"), "account.name == 'x'", "account.nowhere == 'x'"),
    (("activity", "deal"), "any(activities)", "any(nowhere)"),
    (("activity", "deal"), "count(activities) > 1", "count(nowhere) > 1"),
    (("activity", "deal"), "latest(activities.at) > now", "latest(nowhere.at) > now"),
    (("activity", "deal"), "activities == 1", "nowhere == 1"),
    (("activity", "deal"), "activities.subject == 'x'", "nowhere.subject == 'x'"),
    (("activity", "at"), "latest(activities.at) > now", "latest(activities.nowhere) > now"),
    (("activity", "subject"), "any(activities, subject == 'x')", "any(activities, nowhere == 'x')"),
    (("deal", "vessel"), "vessel.flag == 'x'", "nowhere.flag == 'x'"),
]


@pytest.mark.parametrize(("hidden", "asked", "unknown"), UNREADABLE, ids=[asked for _, asked, _ in UNREADABLE])
def test_what_may_not_be_read_is_refused_exactly_as_what_is_not_there(hidden, asked, unknown):
    """Code, message and place are the same but for the name, and no hint names it."""
    secret = "activities" if hidden == ("activity", "deal") else hidden[1]
    within = session(hiding(hidden))
    found, other = problem(asked, within=within), problem(unknown, within=within)
    assert found.code == other.code
    assert found.message.replace(secret, "nowhere") == other.message
    assert (found.field or "").replace(secret, "nowhere") == (other.field or "")
    for hint in (found.hint, other.hint):
        assert secret not in re.findall(r"\w+", hint or "")


def test_hints_name_only_what_may_be_read():
    within = session(hiding(("deal", "amount"), ("activity", "deal")))
    for text in ("amoun == 1", "activitie == 1", "xyzzy == 1", "any(activitie)", "any(xyzzy)"):
        hint = problem(text, within=within).hint or ""
        assert "amount" not in hint
        assert "activities" not in hint


def test_system_fields_may_always_be_read():
    everything = hiding(*(("deal", key) for key in S.type("deal").by_key))
    bound("created_at < now and version > 1", within=session(everything))


def test_a_field_that_may_be_read_of_some_records_is_known():
    guard = PlainGuard({}, {("deal", "amount"): F.owner == me}, NOBODY)
    bound("amount is None", within=session(guard))


def test_rights_are_decided_with_regard_to_no_rights():
    """A guard may look at what it hides."""
    guard = PlainGuard({"deal": F.amount > Money(1, "EUR")}, {("deal", "amount"): FALSE}, NOBODY)
    bound("name == 'x' and any(account.deals)", within=session(guard))
    assert problem("amount is None", within=session(guard)).code == "unknown_field"


# ------------------------------------------------------------------------------------------------------------- types

FIELDS = {
    "name": "x",
    "x_long_text": "x",
    "x_email": "x",
    "x_phone": "1",
    "x_url": "x",
    "x_person_name": "x",
    "x_integer": 1,
    "x_decimal": 1,
    "x_percent": 1,
    "amount": Money(1, "EUR"),
    "closed_on": "2026-01-01",
    "x_datetime": "2026-01-01T00:00:00Z",
    "x_duration": "P1DT0S",
    "x_boolean": True,
    "outcome": "won",
    "x_multi_choice": "hot",
    "account": "01890a5d-ac96-774b-bcce-b302099a8057",
    "x_address": "x",
    "x_json": "x",
}
EQUAL = {"eq", "ne", "in"}
ORDERED = {*EQUAL, "lt", "le", "gt", "ge", "between"}
TEXTUAL = {*ORDERED, "contains", "starts_with", "ends_with"}
KNOWN = {
    **dict.fromkeys(FIELDS, ORDERED),
    **dict.fromkeys(("name", "x_email", "x_phone", "x_url", "x_person_name"), TEXTUAL),
    "x_long_text": {*EQUAL, "contains", "starts_with", "ends_with"},
    "x_boolean": EQUAL,
    "outcome": EQUAL,
    "account": EQUAL,
    "x_multi_choice": {"has"},
    "x_address": set(),
    "x_json": set(),
}


@pytest.mark.parametrize("operator", COMPARISONS)
@pytest.mark.parametrize("key", FIELDS)
def test_each_type_knows_its_operators(key, operator):
    value = FIELDS[key]
    right: Any = {"in": (value,), "between": (value, value)}.get(operator, value)
    expr = Compare(operator, F[key], right)
    if operator in KNOWN[key]:
        bound(expr)
    else:
        found = problem(expr)
        assert (found.code, found.field) == ("unknown_operator", key)
        assert set((found.hint or "").removeprefix("it knows: ").split(", ")) == (KNOWN[key] or {"only null tests"})
    bound(F[key].is_null())


@pytest.mark.parametrize("operator", ["not_in", "not_between", "not_contains", "has_not", "like", "", "==", "or"])
def test_only_operators_of_the_language_are_known(operator):
    assert problem(Compare(operator, F.name, "x")).code == "unknown_operator"
    assert problem(Compare(operator, F.name, ("x",))).code == "unknown_operator"


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("amount > 10000", "not_money", "amount"),
        ("amount > 'much'", None, "amount"),
        ("x_integer > 'many'", "not_an_integer", "x_integer"),
        ("x_integer == 1.5", "not_an_integer", "x_integer"),
        ("x_integer == 9223372036854775808", "out_of_range", "x_integer"),
        ("x_integer == true", "not_an_integer", "x_integer"),
        ("x_decimal == 1.005", "too_precise", "x_decimal"),
        ("x_boolean == 1", "not_a_boolean", "x_boolean"),
        ("outcome == 'gone'", "not_an_option", "outcome"),
        ("'gone' in x_multi_choice", "not_an_option", "x_multi_choice"),
        ("closed_on == 'soon'", "not_a_date", "closed_on"),
        ("closed_on == datetime('2026-01-01T00:00:00Z')", "not_a_date", "closed_on"),
        ("x_datetime == '2026-01-01T00:00:00'", "naive_datetime", "x_datetime"),
        ("x_duration == 5", "not_a_duration", "x_duration"),
        ("account == 'ACME'", "not_an_id", "account"),
        ("name == 5", "not_text", "name"),
        ("name == 'two\\nlines'", "line_break", "name"),
        ("name > now", "type_mismatch", "name"),
        ("x_integer > days_ago(3)", "type_mismatch", "x_integer"),
        ("amount == today", "type_mismatch", "amount"),
        ("name.contains('')", "empty", "name"),
        ("name.starts_with('')", "empty", "name"),
        ("name == me", "type_mismatch", "name"),
        ("account == me", "type_mismatch", "account"),
        ("account in my_team", "type_mismatch", "account"),
        ("owner == my_team", "bad_operand", "owner"),
        ("owner in me", "bad_operand", "owner"),
        ("name == amount", "type_mismatch", "name"),
        ("x_decimal == x_percent", "type_mismatch", "x_decimal"),
        ("x_integer == x_decimal", "type_mismatch", "x_integer"),
        ("account == vessel", "type_mismatch", "account"),
        ("amount > max(activities.at)", "type_mismatch", "amount"),
        ("count(activities) > 'many'", "not_an_integer", "count"),
        ("max(activities.at) == 5", "not_an_instant", "at"),
    ],
)
def test_a_constant_or_field_that_does_not_fit_is_refused(text, code, field):
    found = problem(text)
    assert found.field == field
    assert found.code == (code or found.code)
    assert found.code != "unknown_field"


def test_decimals_of_unlike_scales_are_unlike_types():
    """They are stored as whole numbers of unlike units."""
    fields = [("deal", key, Decimal(scale=scale), False) for key, scale in (("fine", 4), ("coarse", 2), ("other", 2))]
    within = Session(DictWorld(custom_schema(fields).schema, ()))
    bound("other < coarse", within=within)
    assert problem("fine < coarse", within=within).code == "type_mismatch"


def test_a_list_may_be_as_long_as_one_likes_but_not_the_wrong_shape():
    bound(F.name.is_in(["x"] * 1_000))
    for right in ((), ("a",), ("a", "b", "c")):
        assert problem(Compare("between", F.name, right)).code == "bad_operand"
    assert problem(Compare("eq", F.name, ("a",))).code == "bad_operand"
    assert problem(Compare("in", F.name, "a")).code == "bad_operand"


def test_me_compares_with_whatever_refers_to_a_user_or_to_anything():
    bound((F.owner == me) & (F.created_by != me) & F.owner.is_in(my_team) & (F.id == me))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sum(account.deals.amount) > 5", "bad_aggregate"),
        ("sum(activities.subject) > 5", "bad_aggregate"),
        ("sum(activities.at) > now", "bad_aggregate"),
        ("latest(activities.subject) > 'x'", "bad_aggregate"),
        ("min(activities.body) > 'x'", "bad_aggregate"),
        ("max(activities.owner) == me", "bad_aggregate"),
        ("max(activities.kind) == 'call'", "bad_aggregate"),
        ("count(account.deals) > 1", "bad_aggregate"),
        ("max(activities.att) > now", "unknown_field"),
    ],
)
def test_an_aggregate_that_makes_no_sense_is_refused(text, code):
    assert problem(text).code == code


@pytest.mark.parametrize("function", ["avg", "COUNT", "count(*)", "", "group_concat"])
def test_only_aggregates_and_quantifiers_of_the_language_are_known(function):
    assert problem(Aggregate(function, F.activities, "at", TRUE).is_null()).code == "unknown_aggregate"
    assert problem(Aggregate("sum", F.activities, None, TRUE).is_null()).code == "unknown_aggregate"
    assert problem(Quantifier(function, F.activities, TRUE)).code == "unknown_quantifier"


# ---------------------------------------------------------------------------------------------------------- segments


def test_a_segment_of_another_type_and_one_that_is_not_there_are_the_same():
    within = session(hot=("account", TRUE))
    found, other = problem("in_segment('hot')", within=within), problem("in_segment('cold')", within=within)
    assert (found.code, found.message.replace("hot", "cold")) == (other.code, other.message)
    bound("in_segment('hot', account)", within=within)


def test_a_segment_that_contains_itself_is_refused():
    circle = session(a=("deal", in_segment("b") | F.name.is_null()), b=("deal", Not(in_segment("a"))))
    for name in "ab":
        assert problem(in_segment(name), within=circle).code == "segment_cycle"
    long_way = session(a=("deal", Within(F.account, F.deals.any(in_segment("a")))))
    assert problem(in_segment("a"), within=long_way).code == "segment_cycle"


def test_a_segment_may_be_used_twice():
    twice = session(a=("deal", in_segment("b") | Not(in_segment("b"))), b=("deal", F.name == "x"))
    bound(in_segment("a") & in_segment("b") & in_segment("b"), within=twice)


def test_segments_cannot_multiply_without_end():
    doubling = {f"s{n}": ("deal", in_segment(f"s{n + 1}") & in_segment(f"s{n + 1}")) for n in range(20)}
    within = session(**doubling, s20=("deal", F.name == "x"))
    assert problem(in_segment("s0"), within=within).code == "too_large"


def test_a_segment_about_what_may_not_be_read_does_not_exist():
    secret = ("deal", (F.name == "x") | (F.amount > Money(5, "EUR")))
    within = session(hiding(("deal", "amount")), rich=secret, of_rich=("deal", in_segment("rich")))
    unknown = problem("in_segment('poor')", within=within)
    found = problem("in_segment('rich')", within=within)
    assert (found.code, found.message.replace("rich", "poor"), found.hint) == (unknown.code, unknown.message, None)
    assert problem("in_segment('of_rich')", within=within).code == "unknown_segment"
    bound("in_segment('rich')", within=session(rich=secret))


def test_who_may_read_everything_is_told_what_is_wrong_in_a_segment():
    within = session(broken=("deal", F.amont == 1))
    assert problem("in_segment('broken')", within=within).field == "amont"


@pytest.mark.parametrize("name", [5, None, ("a",), ["a"]])
def test_the_name_of_a_segment_is_text(name):
    with pytest.raises(InvalidQuery):
        lift(InSegment(name))


# -------------------------------------------------------------------------------------------------------------- size


def nested(levels: int, wrap) -> Expr:
    expr: Expr = F.name == "x"
    for _ in range(levels):
        expr = wrap(expr)
    return expr


@pytest.mark.parametrize(
    ("wrap", "enough"),
    [
        (lambda e: F.subsidiaries.any(e), 4),
        (lambda e: F.subsidiaries.all(e), 4),
        (lambda e: Not(Within(F.parent, e)), 4),
        (lambda e: F.subsidiaries.count(e) > 1, 4),
        (lambda e: all_of([F.name == "a", any_of([F.name == "b", e])]), 12),
    ],
)
def test_relations_within_relations_are_bounded_and_enough(wrap, enough):
    bound(nested(enough, wrap), "account")
    assert problem(nested(20, wrap), "account").code == "too_large"


def test_a_guard_within_the_expression_counts_too():
    heavy = F.parent.parent.parent.tags.has("x")
    guarded = session(PlainGuard({"account": heavy}, {}, NOBODY))
    expr = nested(4, lambda e: F.subsidiaries.any(e))
    bound(expr, "account")
    assert problem(expr, "account", guarded).code == "too_large"
    bound(F.subsidiaries.any(), "account", guarded)


def test_a_bound_condition_can_be_bound_again_for_other_constants():
    """What a plan keeps: the condition, and where its constants come from."""
    ana, bob = record_id(S, "user", 0), record_id(S, "user", 1)
    world = DictWorld(S, (entry(S, "deal", 0, name="x", outcome="open", owner=ana),))
    for actor, held in ((ana, True), (bob, False)):
        actors = {"me": (actor,), "my_team": (), "my_team_and_below": ()}
        mine = Session(world, actors=actors, segments={"mine": ("deal", F.owner == me)}.get)
        assert mine.answers(in_segment("mine"), "deal") == [held]


def test_a_binder_serves_several_conditions():
    binder = Binder(S, guard=PlainGuard({"account": F.name == "ACME"}, {}, NOBODY))
    first = lift(F.account.name == "a")
    second = lift((F.account.name == "b") & (F.closed_on < days_ago(3)))
    binder.bind(first.shape, "deal")
    binder.bind(second.shape, "deal")
    assert binder.values(second.values)[0] == second.values
    assert binder.values(first.values)[1] == ("ACME",)
    assert len(binder.values()) == 3
