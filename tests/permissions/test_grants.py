"""Grants as rules, and the check they pass before they are stored."""

from uuid import UUID

import pytest

from crmkit.errors import InvalidDefinition, InvalidQuery
from crmkit.permissions import ACTIONS, Rule, check
from crmkit.query import F, days_ago, in_segment, me, my_team
from crmkit.query.json_form import to_json
from crmkit.query.lift import MAX_LEVELS
from crmkit.query.nodes import FALSE, SharedWith
from crmkit.values import Money
from tests.permissions.world import SCHEMA, new_row, rule_of

ROLE = UUID(int=1)


def rule(**values) -> Rule:
    return Rule(**{"role": ROLE, "on": "deal", "action": "read", **values})


def where(expr, **values) -> Rule:
    return rule(scope="where", where=expr, **values)


# ---------------------------------------------------------------------------------------------------------------- rules


def test_a_rule_is_what_the_row_of_a_grant_says():
    row = new_row("grant", 1, role=ROLE, on="deal", action="update", scope="team", fields=["name", "amount"])
    assert Rule.from_row(row) == rule(action="update", scope="team", fields=frozenset({"name", "amount"}))
    assert Rule.from_row(row | {"effect": "deny"}).effect == "deny"


def test_a_stored_condition_comes_back_as_it_was():
    condition = (F.amount > Money("10000", "EUR")) & F.account.owner.is_in(my_team) & ~F.tags.has("重要")
    row = new_row("grant", 1, role=ROLE, on="deal", action="read", scope="where", where=condition)
    assert rule_of(row) == where(condition)


def test_rules_are_equal_if_they_say_the_same():
    assert where(F.owner == me) == where(F.owner == me)
    assert hash(where(F.owner == me)) == hash(where(F.owner == me))
    assert where(F.owner == me) != where(F.owner == ROLE)
    assert where(F.probability == 1) != where(F.probability == True)  # noqa: E712 - the operator builds a condition
    assert where(F.name == "a") != where(F.name == "b")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"scope": "mine"}, "unknown_scope"),
        ({"scope": None}, "unknown_scope"),
        ({"effect": "maybe"}, "unknown_effect"),
        ({"scope": "where"}, "bad_where"),
        ({"scope": "where", "where": "amount > 5"}, "bad_where"),
        ({"scope": "team", "where": F.owner == me}, "bad_where"),
        ({"fields": "name"}, "bad_fields"),
        ({"fields": 5}, "bad_fields"),
        ({"fields": []}, "bad_fields"),
        ({"fields": ["name", 5]}, "bad_fields"),
    ],
)
def test_a_rule_that_says_nothing_clear_is_refused(values, code):
    with pytest.raises(InvalidDefinition) as refused:
        rule(**values)
    assert refused.value.code == code
    assert refused.value.fields


def test_a_row_with_a_condition_of_no_known_form_is_refused():
    with pytest.raises(InvalidQuery):
        Rule.from_row(new_row("grant", 1, role=ROLE, on="deal", action="read", scope="where", where={"sql": "1=1"}))


def test_a_stored_condition_cannot_speak_of_shares():
    row = new_row("grant", 1, role=ROLE, on="deal", action="read", scope="where")
    with pytest.raises(InvalidQuery):
        Rule.from_row(row | {"where": to_json(SharedWith(("read",)))})


# ---------------------------------------------------------------------------------------------------------------- check


@pytest.mark.parametrize(
    "good",
    [
        rule(),
        rule(on="*", action="*"),
        rule(on="*", action="*", scope="own"),
        rule(on="user", scope="own"),
        rule(on="deal", scope="team_and_below", fields=["margin"], action="see_sensitive"),
        rule(on="*", fields=["headcount"]),
        rule(action="*", fields=["amount"], effect="deny"),
        where(F.created_by == me, on="*"),
        where(F.tags.has("重要"), on="*"),
        where((F.amount > Money("5", "EUR")) | (F.expected_close < days_ago(30))),
        where(F.activities.count(F.at > days_ago(30)) >= 3, on="account"),
        where(FALSE),
        rule(action="convert"),
    ],
    ids=str,
)
def test_a_grant_that_means_something_passes(good):
    check(good, SCHEMA, ACTIONS.with_("convert"))


@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        (rule(on="deals"), "unknown_type", "on"),
        (rule(on="vessel", fields=["x"]), "unknown_type", "on"),
        (rule(action="raed"), "unknown_action", "action"),
        (rule(fields=["nmae"]), "unknown_field", "fields"),
        (rule(fields=["id"]), "unknown_field", "fields"),
        (rule(on="*", fields=["nmae"]), "unknown_field", "fields"),
        (rule(action="delete", fields=["name"]), "no_fields", "fields"),
        (rule(on="product", scope="own"), "no_owner", "scope"),
        (rule(on="grant", scope="team"), "no_owner", "scope"),
        (where(F.regin == "EMEA"), "unknown_field", "where"),
        (where(F.owner == me, on="*"), "unknown_field", "where"),
        (where(F.amount > "lots"), "not_an_amount", "where"),
        (where(~(F.name.is_null() | (F.probability == "half"))), "not_a_number", "where"),
        (where(F.deals.any(F.probability > "half"), on="account"), "not_a_number", "where"),
        (where(F.deals.count(F.probability > "half") > 1, on="account"), "not_a_number", "where"),
        (where(F.name.contains("")), "empty", "where"),
        (where(F.expected_close == me), "type_mismatch", "where"),
        (where(in_segment("hot")), "unknown_segment", "where"),
    ],
    ids=str,
)
def test_a_grant_that_means_nothing_is_refused_with_its_place(bad, code, field):
    with pytest.raises(InvalidDefinition) as refused:
        check(bad, SCHEMA)
    assert [(problem.code, problem.field) for problem in refused.value.problems] == [(code, field)]


def test_everything_wrong_with_a_grant_is_said_at_once():
    with pytest.raises(InvalidDefinition) as refused:
        check(where(F.nmae == "x", action="raed", fields=["nmae"]), SCHEMA)
    assert [problem.field for problem in refused.value.problems] == ["action", "fields", "fields", "where"]
    assert refused.value.problems[0].hint == "did you mean 'read'?"


def test_a_condition_on_a_segment_passes_where_there_is_one():
    segments = {"hot": ("deal", F.amount > Money("5", "EUR"))}
    check(where(in_segment("hot")), SCHEMA, ACTIONS, segments.get)
    with pytest.raises(InvalidDefinition):
        check(where(in_segment("hot"), on="account"), SCHEMA, ACTIONS, segments.get)


def test_a_condition_that_would_be_too_large_beside_others_is_refused_now():
    """Alone it is not: a policy sets it among shares, and a deny within two clauses more."""
    nested = F.name == "x"
    for _ in range(MAX_LEVELS - 2):
        nested = ~nested
    with pytest.raises(InvalidDefinition) as refused:
        check(where(nested), SCHEMA)
    assert refused.value.code == "too_large"
