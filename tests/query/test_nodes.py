"""The tree a person writes in Python, and taking its constants out."""

import pickle
from typing import Any

import pytest
from hypothesis import given

from crmkit.errors import InvalidQuery
from crmkit.query import F, days_ago, days_from_now, in_segment, me, my_team
from crmkit.query.lift import MAX_LEVELS, MAX_NODES, MAX_STEPS, MAX_VALUES, lift
from crmkit.query.nodes import (
    FALSE,
    TRUE,
    Actors,
    And,
    Compare,
    Constant,
    HasTag,
    InSegment,
    IsNull,
    Not,
    Or,
    Path,
    Quantifier,
    RelativeTime,
    Within,
    all_of,
    any_of,
    joined,
)
from crmkit.records import Account, Deal
from crmkit.values import Money, PersonName
from tests.query.strategies import SCHEMA, expressions
from tests.query.worlds import record_id

one, two, three = F.name == "a", F.name == "b", F.name == "c"

# What a type checker would refuse.
A_FLAG: Any = True
A_NUMBER: Any = 5
A_FLOAT: Any = 1.5
A_TEXT: Any = "account"
A_LIST: Any = ["b"]
A_PATH: Any = F.a


def code_of(call) -> str:
    with pytest.raises(InvalidQuery) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize(
    ("expr", "shape"),
    [
        (F.amount > 5, ("compare", "gt", ("path", ("amount",)), ("value", 0))),
        (F.account.industry == "saas", ("compare", "eq", ("path", ("account", "industry")), ("value", 0))),
        (F.name.is_in(["a", "b"]), ("compare", "in", ("path", ("name",)), ("values", 0, 1))),
        (F.a.between(1, 2), ("compare", "between", ("path", ("a",)), ("values", 0, 1))),
        (F.name == None, ("null", ("path", ("name",)))),  # noqa: E711 - that is how it is written
        (F.name != None, ("not", ("null", ("path", ("name",))))),  # noqa: E711
        (F.a > F.b, ("compare", "gt", ("path", ("a",)), ("path", ("b",)))),
        (F["count"] == 1, ("compare", "eq", ("path", ("count",)), ("value", 0))),
        (F.tags.has("vip"), ("tag", 0)),
        (F.account.tags.has("vip"), ("within", ("account",), ("tag", 0))),
        (F.channels.has("mail"), ("compare", "has", ("path", ("channels",)), ("value", 0))),
        (in_segment("hot"), ("segment", "hot")),
        (F.account.in_segment("hot"), ("within", ("account",), ("segment", "hot"))),
        (F.deals.any(), ("quantifier", "any", ("deals",), ("constant", True))),
        (
            F.deals.count() > 1,
            ("compare", "gt", ("aggregate", "count", ("deals",), None, ("constant", True)), ("value", 0)),
        ),
        (F.owner == me, ("compare", "eq", ("path", ("owner",)), ("actor", 0))),
        (F.owner.is_in(my_team), ("compare", "in", ("path", ("owner",)), ("actors",))),
        (
            one & two & three,
            ("and", lift(one).shape, *[("compare", "eq", ("path", ("name",)), ("value", i)) for i in (1, 2)]),
        ),
    ],
)
def test_an_expression_has_a_shape_without_its_constants(expr, shape):
    assert lift(expr).shape == shape


def test_constants_come_in_the_order_in_which_they_are_written():
    lifted = lift((F.name == "a") & F.deals.any(F.amount > Money("1", "EUR")) & F.stage.is_in(["x", "y"]))
    assert lifted.values == ("a", Money("1", "EUR"), "x", "y")


def test_two_expressions_that_differ_in_constants_only_have_one_shape():
    assert lift((F.name == "a") | (F.amount > 1)) == lift((F.name == "张三") | (F.amount > 10**12))


def test_actors_become_ids_and_nobody_is_no_value():
    ids = {"me": (record_id(SCHEMA.schema, "user", 0),), "my_team": (), "my_team_and_below": ()}
    assert lift(F.owner == me, ids).values == ids["me"]
    assert lift(F.owner == me).values == (None,)
    assert lift(F.owner.is_in(my_team), ids).values == ()


def test_a_record_stands_for_its_id_and_a_name_for_the_whole_of_it():
    acme = Account(name="ACME")
    object.__setattr__(acme, "id", record_id(SCHEMA.schema, "account", 0))
    assert lift(F.account == acme).values == (acme.id,)
    assert lift(F.account.is_in([acme])).values == (acme.id,)
    assert lift(F.name == PersonName(given="三", family="张")).values == ("张三",)
    assert code_of(lambda: lift(F.deal == Deal(name="x", pipeline=acme.id, stage=acme.id))) == "not_created"


def test_conditions_of_one_kind_are_flattened():
    nested = And((one, And((two, And((three,)))), Or((And((one, two)),))))
    assert lift(nested).shape == lift(And((one, two, three, one, two))).shape
    assert lift(Or((one, Or((two,))))).shape == lift(one | two).shape
    assert isinstance(joined(nested), And)


@pytest.mark.parametrize(
    ("junction", "value"), [(And(()), True), (Or(()), False), (And((Or(()),)), False), (Or((And(()), And(()))), None)]
)
def test_a_junction_of_nothing_is_a_constant(junction, value):
    shape = lift(junction).shape
    assert shape == (("or", ("constant", True), ("constant", True)) if value is None else ("constant", value))


def test_all_of_and_any_of_take_constants_in():
    assert all_of(()) is TRUE
    assert any_of(()) is FALSE
    assert all_of((TRUE, one)) is one
    assert all_of((FALSE, one)) is FALSE
    assert any_of((TRUE, one)) is TRUE
    assert any_of((FALSE, one)) is one


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda: bool(F.a == 1), "not_boolean"),
        (lambda: 1 < F.a < 3, "not_boolean"),
        (lambda: (F.a == 1) & A_FLAG, "not_a_condition"),
        (lambda: F.a.is_in("abc"), "not_a_list"),
        (lambda: F.a.is_in(5), "not_a_list"),
        (lambda: F[A_NUMBER], "bad_name"),
        (lambda: F.amount.sum(), "bad_aggregate"),
        (lambda: F.deals.any(A_NUMBER), "not_a_condition"),
        (lambda: days_ago(A_FLOAT), "bad_days"),
        (lambda: days_ago(True), "bad_days"),
        (lambda: days_from_now(10**9), "bad_days"),
        (lambda: lift(A_NUMBER), "not_a_condition"),
        (lambda: lift(A_PATH), "not_a_condition"),
        (lambda: lift(F.a < None), "null_operand"),
        (lambda: lift(F.a.is_in([1, None])), "null_operand"),
        (lambda: lift(F.a.between(None, 3)), "null_operand"),
        (lambda: lift(F.a == (F.b == 1)), "not_a_constant"),
        (lambda: lift(F.a.is_in([F.b])), "not_a_constant"),
        (lambda: lift(F.owner.is_in([me])), "not_a_constant"),
        (lambda: lift(F.owner == Actors("everybody")), "unknown_actor_set"),
        (lambda: lift(Compare("eq", A_NUMBER, 5)), "not_a_field"),
        (lambda: lift(Constant(A_NUMBER)), "not_a_condition"),
        (lambda: lift(HasTag(5)), "not_a_condition"),
        (lambda: lift(InSegment(["x"])), "not_a_condition"),
        (lambda: lift(IsNull(Path(("a", A_LIST)))), "bad_name"),
        (lambda: lift(Within(A_TEXT, one)), "not_a_condition"),
        (lambda: lift(Quantifier("any", A_TEXT, one)), "not_a_condition"),
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(write, code):
    assert code_of(write) == code


def test_python_cannot_iterate_or_search_a_path():
    with pytest.raises(TypeError):
        list(F.tags)
    with pytest.raises(TypeError):
        "vip" in F.tags  # noqa: B015 - the search is what fails


def test_nodes_survive_pickling():
    expr = F.account.industry.contains("a") & (F.at < days_ago(3)) & (F.owner == me)
    assert lift(pickle.loads(pickle.dumps(expr))) == lift(expr)


def test_what_is_too_large_is_refused_and_what_is_as_large_as_may_be_is_not():
    chain, nest, wide = one, one, [one] * (MAX_NODES - 1)
    for _ in range(MAX_LEVELS - 1):
        nest = Not(nest)
    assert lift(nest).shape[0] == "not"
    assert code_of(lambda: lift(Not(nest))) == "too_large"
    assert len(lift(any_of(wide)).shape) == MAX_NODES
    assert code_of(lambda: lift(any_of([*wide, one]))) == "too_large"
    assert lift(F.a.is_in(range(MAX_VALUES))).shape[3][0] == "values"
    assert code_of(lambda: lift(F.a.is_in(range(MAX_VALUES + 1)))) == "too_large"
    assert lift(Path(("a",) * MAX_STEPS) == 1).shape[0] == "compare"
    assert code_of(lambda: lift(Path(("a",) * (MAX_STEPS + 1)) == 1)) == "too_large"
    for _ in range(5_000):
        chain = And((chain,))
    assert lift(chain).shape == lift(one).shape


def test_relative_times_are_equal_when_they_mean_the_same():
    assert days_ago(30) == RelativeTime("now", -30) == days_from_now(-30)
    assert days_ago(0) != RelativeTime("today")


@given(expressions(SCHEMA.schema, "deal", shared=True))
def test_a_shape_is_hashable_and_lifting_is_repeatable(expr):
    lifted = lift(expr, {"me": (), "my_team": (), "my_team_and_below": (), "teams": ()})
    again = lift(expr, {"me": (), "my_team": (), "my_team_and_below": (), "teams": ()})
    assert lifted == again
    assert hash(lifted.shape) == hash(again.shape)
    assert lifted.values == again.values
