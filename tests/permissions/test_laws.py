"""Policies in memory equal the oracle, and obey the laws of denying, allowing and sharing."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit.errors import InvalidQuery, UnknownActor
from crmkit.permissions import SYSTEM, Actor, Policy, check, explain, who_can
from crmkit.query import F
from crmkit.query.bind import Binder
from crmkit.query.context import WorldContext
from crmkit.query.lift import Lifted, lift
from tests.permissions.oracle import Oracle
from tests.permissions.strategies import ACTIONS, TYPES, Case, deals, grants, worlds
from tests.permissions.world import MOMENT, SCHEMA, DictWorld, Row, rule_of

pytestmark = pytest.mark.law

SOME = settings(max_examples=settings().max_examples * 5)
MANY = settings(max_examples=settings().max_examples * 10)


def questions(case: Case) -> Iterator[tuple[str, Row]]:
    for type_key in TYPES:
        for row in case.world.all(type_key):
            yield type_key, row


def policies(case: Case) -> Iterator[tuple[Policy, Oracle]]:
    for user in case.world.directory.active:
        yield case.world.directory.policy(user), case.oracle(user)


def everything(world: DictWorld, policy: Policy) -> set[tuple[object, ...]]:
    """All a policy allows in a world, as a set of facts."""
    facts: set[tuple[object, ...]] = set()
    for type_key in TYPES:
        for row in world.all(type_key):
            facts |= {(type_key, row["id"], a) for a in ACTIONS if world.allowed(policy, type_key, a, row)}
            if world.allowed(policy, type_key, "read", row):
                facts |= {(type_key, row["id"], "reads", f) for f in world.readable(policy, type_key, row)}
                if world.allowed(policy, type_key, "update", row):
                    facts |= {(type_key, row["id"], "sets", f) for f in world.writable(policy, type_key, row)}
            if world.allowed(policy, type_key, "create", row):
                facts |= {(type_key, row["id"], "gives", f) for f in world.writable(policy, type_key, row, "create")}
    return facts


@MANY
@given(worlds(grants_at_least=2))
def test_a_policy_allows_on_each_record_what_the_oracle_does(case: Case) -> None:
    for policy, oracle in policies(case):
        for type_key, row in questions(case):
            for action in ACTIONS:
                allowed = oracle.allows(type_key, action, row)
                assert case.world.allowed(policy, type_key, action, row) is allowed
                assert policy.may(type_key, action) or not allowed


@MANY
@given(worlds(grants_at_least=2))
def test_a_policy_shows_and_changes_the_fields_the_oracle_does(case: Case) -> None:
    for policy, oracle in policies(case):
        for type_key, row in questions(case):
            if oracle.may(type_key, "read", row):
                assert case.world.readable(policy, type_key, row) == oracle.readable(type_key, row)
            if oracle.may(type_key, "update", row):
                assert case.world.writable(policy, type_key, row) == oracle.updatable(type_key, row)


@given(worlds(grants_at_least=2), st.data())
def test_the_values_of_a_new_record_decide_whether_it_may_be_created(case: Case, data: st.DataObject) -> None:
    accounts = len(case.world.all("account"))
    draft = data.draw(deals(99, len(case.world.all("user")), accounts))
    for policy, oracle in policies(case):
        assert case.world.allowed(policy, "deal", "create", draft) is oracle.may("deal", "create", draft)
        if oracle.may("deal", "create", draft):
            assert case.world.writable(policy, "deal", draft, "create") == oracle.creatable("deal", draft)


@given(worlds())
def test_only_active_users_act(case: Case) -> None:
    active = set(case.world.directory.active)
    for row in case.world.all("user"):
        assert (row["id"] in active) is case.oracle(row["id"]).active()
        if row["id"] not in active:
            with pytest.raises(UnknownActor):
                case.world.directory.actor(row["id"])


@SOME
@given(worlds(grants_at_least=2), st.sampled_from(ACTIONS))
def test_an_explanation_gives_the_decision_and_reasons_that_add_up_to_it(case: Case, action: str) -> None:
    for policy, oracle in policies(case):
        for type_key, row in questions(case):
            decision = explain(policy, type_key, action, row, case.world, MOMENT)
            assert decision.allowed is oracle.may(type_key, action, row)
            held = {reason.effect for reason in decision.reasons if reason.held is True}
            assert decision.allowed is (held == {"allow"})


@given(worlds(grants_at_least=2), st.sampled_from(ACTIONS))
def test_who_can_names_everybody_who_may_and_nobody_else(case: Case, action: str) -> None:
    for type_key, row in questions(case):
        found = who_can(case.world.directory, type_key, action, row, case.world, MOMENT)
        expected = [user for user in case.world.directory.active if case.oracle(user).may(type_key, action, row)]
        assert [user for user, _ in found] == expected
        assert all(decision.allowed for _, decision in found)


@given(worlds(grants_at_least=2))
def test_a_filter_sees_a_field_exactly_where_it_may_be_read(case: Case) -> None:
    for policy, oracle in policies(case):
        for key in ("amount", "margin"):
            lifted = lift(F[key].not_null())
            binder = Binder(SCHEMA, policy, actors=policy.actor.ids)
            if policy.field("deal", key) is False:
                with pytest.raises(InvalidQuery) as refused:
                    binder.bind(lifted.shape, "deal")
                assert refused.value.code == "unknown_field"
                continue
            bound = binder.bind(lifted.shape, "deal")
            context = WorldContext(case.world, binder.values(lifted.values), MOMENT)
            for row in case.world.all("deal"):
                if oracle.may("deal", "read", row):
                    seen = row[key] is not None and key in oracle.readable("deal", row)
                    assert bound.test(context, row) is seen


@given(worlds(), st.data())
def test_one_more_deny_never_reveals(case: Case, data: st.DataObject) -> None:
    more = case.with_grant(*data.draw(grants(50, len(case.world.all("role")), "deny")))
    for user in case.world.directory.active:
        before = everything(case.world, case.world.directory.policy(user))
        assert everything(more.world, more.world.directory.policy(user)) <= before


@given(worlds(), st.data())
def test_one_more_allow_never_hides(case: Case, data: st.DataObject) -> None:
    more = case.with_grant(*data.draw(grants(50, len(case.world.all("role")), "allow")))
    for user in case.world.directory.active:
        before = everything(case.world, case.world.directory.policy(user))
        assert everything(more.world, more.world.directory.policy(user)) >= before


@given(worlds(grants_at_least=2))
def test_one_share_less_never_reveals(case: Case) -> None:
    for share in case.world.all("share"):
        less = case.world.without("share", share["id"])
        for user in case.world.directory.active:
            before = everything(case.world, case.world.directory.policy(user))
            assert everything(less, less.directory.policy(user)) <= before


@given(worlds())
def test_without_a_role_nobody_sees_anything_not_even_what_is_shared_with_them(case: Case) -> None:
    world = case.world
    for member in world.all("role_member"):
        world = world.without("role_member", member["id"])
    for user in world.directory.active:
        policy = world.directory.policy(user)
        assert everything(world, policy) == set()
        assert not any(policy.may(type_key, action) for type_key in TYPES for action in ACTIONS)
        assert policy.field("deal", "name") is False


@given(worlds())
def test_the_system_may_do_everything(case: Case) -> None:
    policy = case.world.directory.policy_of(SYSTEM)
    for type_key, row in questions(case):
        assert all(case.world.allowed(policy, type_key, action, row) for action in ACTIONS)
        fields = {f.key for f in SCHEMA.type(type_key).fields}
        assert case.world.readable(policy, type_key, row) == fields
        assert case.world.writable(policy, type_key, row) == fields
        assert explain(policy, type_key, "delete", row, case.world, MOMENT).allowed


@SOME
@given(worlds(grants_at_least=3))
def test_equal_signatures_mean_equal_shapes(case: Case) -> None:
    # Whoever has a role more gives this law pairs that are nearly alike.
    roles = [row["id"] for row in case.world.all("role")]
    users = [case.world.directory.actor(user) for user in case.world.directory.active]
    plugins = [Actor.plugin("p", held) for n in range(len(roles) + 1) for held in combinations(roles, n)]
    made = [case.world.directory.policy_of(actor) for actor in (*users, *plugins)]
    for one, other in combinations(made, 2):
        if one.signature == other.signature:
            assert hash(one.signature) == hash(other.signature)
            assert shapes(one) == shapes(other)


def shapes(policy: Policy) -> list[object]:
    answers: list[bool | Lifted] = [policy.scope(type_key, action) for type_key in TYPES for action in ACTIONS]
    for type_key in TYPES:
        for f in SCHEMA.type(type_key).fields:
            answers += [policy.field(type_key, f.key), policy.writable(type_key, f.key)]
            answers.append(policy.writable(type_key, f.key, "create"))
    return [answer if isinstance(answer, bool) else answer.shape for answer in answers]


@given(worlds(grants_at_least=1))
def test_the_order_of_rules_and_roles_changes_nothing(case: Case) -> None:
    directory = case.world.directory
    for user in directory.active:
        actor = directory.actor(user)
        one, other = directory.policy_of(actor), Policy(actor, reversed(directory.rules), SCHEMA)
        assert shapes(one) == shapes(other)
        assert everything(case.world, one) == everything(case.world, other)


@given(st.data())
def test_every_generated_grant_could_be_stored(data: st.DataObject) -> None:
    """The worlds of these laws are ones that the check lets through."""
    row, _ = data.draw(grants(0, 1))
    check(rule_of(row), SCHEMA)
