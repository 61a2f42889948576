"""What a policy says in single cases; the laws are in test_laws."""

from uuid import UUID

import pytest

from crmkit.errors import NotFound, UsageError
from crmkit.permissions import SYSTEM, Actor, Policy, Rule, Teams
from crmkit.query import F, me, my_team
from crmkit.query.context import ALL_RIGHTS, Guard
from crmkit.query.lift import Lifted
from crmkit.schema import Field, Schema
from crmkit.schema.types import Text
from crmkit.values import Money
from tests.permissions.world import BUILTIN_SCHEMA, SCHEMA, DictWorld, new_id, new_row

REP, OTHER_ROLE = UUID(int=1), UUID(int=2)
ME, MATE, STRANGER = (new_id("user", n) for n in range(3))
NEVER, ALWAYS = ("constant", False), ("constant", True)
MINE = ("compare", "eq", ("path", ("owner",)), ("actor", 0))


def rule(on="deal", action="read", scope="all", **values) -> Rule:
    return Rule(**{"role": REP, "on": on, "action": action, "scope": scope, **values})


def where(expr, **values) -> Rule:
    return rule(scope="where", where=expr, **values)


def actor(*mates: UUID, name: str = "Ana") -> Actor:
    """A rep in a team of these and herself."""
    members = [{"team": new_id("team", 1), "user": user} for user in (ME, *mates)]
    teams = Teams.of([{"id": new_id("team", 1), "parent": None}], members)
    user = {"id": ME, "name": name, "active": True}
    return Actor.of(user, [{"role": REP, "user": ME}], teams)


def policy(*rules: Rule, who: Actor | None = None, schema: Schema = SCHEMA) -> Policy:
    return Policy(who or actor(MATE), rules, schema)


def deal(number=0, **values):
    return new_row("deal", number, name="Rollout", **values)


def allowed(held: Policy, row, action="read", type_key="deal") -> bool:
    return DictWorld.of([]).allowed(held, type_key, action, row)


def test_a_policy_is_a_guard_of_queries() -> None:
    guards: list[Guard] = [policy(), ALL_RIGHTS]
    assert len({guard.signature for guard in guards}) == 2


# ----------------------------------------------------------------------------------------------------------------- rows


def test_nothing_granted_is_nothing_allowed():
    held = policy()
    assert held.rows("deal").shape == NEVER
    assert not held.may("deal", "read")
    assert held.field("deal", "name") is held.writable("deal", "name") is False


def test_rules_of_roles_the_actor_does_not_hold_are_passed_over():
    held = policy(rule(role=OTHER_ROLE), rule(on="account"))
    assert not held.may("deal", "read")
    assert held.may("account", "read")


def test_a_right_to_one_thing_is_no_right_to_another():
    held = policy(rule())
    assert not any(held.may("deal", action) for action in ("update", "delete", "create", "history", "see_sensitive"))
    assert not held.may("deal", "no_such_action")


def test_the_widest_of_several_scopes_is_the_only_one_left():
    assert policy(rule(scope="own"), rule(scope="all"), where(F.name == "x")).rows("deal").shape == ALWAYS
    held = policy(rule(scope="own", action="delete"), rule(scope="team", action="delete"))
    assert held.scope("deal", "delete").shape == ("compare", "in", ("path", ("owner",)), ("actors", 0, 1))


def test_own_is_the_owner_and_of_users_the_user():
    held = policy(rule(on="*", action="*", scope="own"))
    assert held.scope("deal", "delete").shape == MINE
    assert held.rows("user").shape == ("compare", "eq", ("path", ("id",)), ("actor", 0))
    assert not held.may("product", "read")
    assert allowed(held, deal(owner=ME))
    assert not allowed(held, deal(owner=MATE))
    assert not allowed(held, deal(owner=None))


def test_a_custom_field_that_is_called_owner_but_names_no_user_makes_nobody_the_owner():
    text = Field("owner", Text(), custom=True)
    held = policy(rule(on="product", scope="own"), schema=BUILTIN_SCHEMA.with_custom({"product": [text]}))
    assert not held.may("product", "read")


def test_a_deny_takes_records_away_from_allows():
    held = policy(rule(), rule(scope="own", effect="deny"))
    assert not allowed(held, deal(owner=ME))
    assert allowed(held, deal(owner=MATE))


def test_a_deny_that_is_unknown_of_a_record_does_not_hide_it():
    held = policy(rule(), where(F.amount > Money("10", "EUR"), effect="deny"), rule(scope="own", effect="deny"))
    assert allowed(held, deal(owner=None, amount=None))
    assert not allowed(held, deal(owner=None, amount=Money("11", "EUR")))
    assert allowed(held, deal(owner=None, amount=Money("11", "CNY")))


def test_an_allow_that_is_unknown_of_a_record_does_not_show_it():
    held = policy(where(~(F.amount > Money("10", "EUR"))))
    assert not allowed(held, deal(amount=None))
    assert allowed(held, deal(amount=Money("9", "EUR")))


def test_denied_everywhere_is_denied_in_every_respect():
    held = policy(rule(action="*"), rule(action="*", on="*", effect="deny"))
    assert held.rows("deal").shape == NEVER
    assert held.field("deal", "name") is held.writable("deal", "name") is held.field("deal", "id") is False


def test_records_that_belong_to_nobody_cannot_be_shared():
    held = policy(where(F.name == "a", on="*"), where(F.name == "a", on="*", action="update"))
    assert held.rows("product").shape[0] == held.rows("user").shape[0] == "compare"
    assert [term[0] for term in held.rows("deal").shape[1:]] == ["compare", "shared"]
    assert held.rows("deal").shape[2][1] == ("read", "edit")
    assert held.scope("deal", "update").shape[2][1] == ("edit",)


def test_a_share_that_ends_now_has_ended_and_one_to_read_lets_nobody_update():
    held = policy(rule(scope="own"), rule(scope="own", action="update"))
    row = deal(owner=STRANGER)
    share = new_row("share", 0, record_type="deal", record=row["id"], user=ME, level="read", reason="r")
    world = DictWorld.of([("share", share)])
    assert world.allowed(held, "deal", "read", row)
    assert not world.allowed(held, "deal", "update", row)


def test_a_plugin_owns_nothing_and_may_do_what_its_roles_allow():
    held = policy(rule(scope="own"), rule(on="account"), who=Actor.plugin("quotes", [REP]))
    assert not allowed(held, deal(owner=None))
    assert held.rows("account").shape == ALWAYS


def test_the_system_may_do_everything_and_sets_no_system_fields():
    held = policy(who=SYSTEM)
    assert held.rows("deal").shape == held.scope("grant", "anything").shape == ALWAYS
    assert held.field("deal", "margin") is held.writable("deal", "owner") is True
    assert held.writable("deal", "version") is held.field("deal", "nmae") is False


def test_a_type_is_known_by_key_and_plural_and_an_unknown_one_is_refused():
    held = policy(rule(scope="own"))
    assert held.scope("deals", "read") == held.rows("deal")
    for ask in (held.rows, lambda key: held.field(key, "name"), lambda key: held.writable(key, "name")):
        with pytest.raises(NotFound) as refused:
            ask("deel")
        assert refused.value.problems[0].hint == "did you mean 'deal'?"


def test_answers_are_composed_once():
    held = policy(rule(scope="team"), rule(scope="own", fields=["amount"]), rule(action="update"))
    assert held.rows("deal") is held.rows("deal")
    assert held.field("deal", "amount") is held.field("deal", "amount")
    assert held.signature is held.signature


# --------------------------------------------------------------------------------------------------------------- fields


def test_a_role_that_covers_all_fields_needs_no_condition_for_any():
    held = policy(rule(scope="team"), where(F.tags.has("vip")), rule(scope="own", fields=["name"]))
    assert {held.field("deal", f.key) for f in SCHEMA.type("deal").fields if not f.sensitive} == {True}


def test_a_field_is_read_where_a_rule_that_covers_it_allows():
    held = policy(rule(on="user", scope="team", fields=["name"]), rule(on="user", scope="own"))
    assert held.field("user", "name") is True
    assert held.field("user", "email") == Lifted(("compare", "eq", ("path", ("id",)), ("actor", 0)), ())
    assert policy(rule(fields=["name"])).field("deal", "amount") is False


def test_shared_records_show_the_fields_that_any_rule_covers():
    held = policy(rule(scope="own", fields=["name"]))
    assert held.field("deal", "name") is True
    assert held.field("deal", "amount") is False


def test_system_fields_are_read_wherever_the_record_is_and_set_by_nobody():
    held = policy(rule(action="*", fields=["name"]))
    assert held.field("deal", "created_at") is True
    assert held.writable("deal", "created_at") is False
    assert policy().field("deal", "id") is False


def test_an_unknown_field_is_neither_read_nor_set():
    held = policy(rule(action="*"))
    assert held.field("deal", "nmae") is held.writable("deal", "nmae") is False


def test_a_deny_that_names_fields_takes_them_and_leaves_the_record():
    held = policy(rule(), rule(effect="deny", fields=["amount"]), rule(scope="own", effect="deny", fields=["name"]))
    assert held.rows("deal").shape == ALWAYS
    assert held.field("deal", "amount") is False
    assert held.field("deal", "stage") is True
    assert held.field("deal", "name").shape == ("not", ("within", (), MINE))


def test_a_sensitive_field_takes_see_sensitive_as_well():
    assert policy(rule()).field("deal", "margin") is False
    assert policy(rule(), rule(action="see_sensitive")).field("deal", "margin") is True
    assert policy(rule(action="*")).field("deal", "margin") is True
    own = policy(rule(), rule(action="see_sensitive", scope="own"))
    assert own.field("deal", "margin").shape == MINE
    assert own.field("deal", "amount") is True
    assert policy(rule(), rule(action="see_sensitive", fields=["name"])).field("deal", "margin") is False
    assert policy(rule(fields=["name"]), rule(action="see_sensitive")).field("deal", "margin") is False


def test_see_sensitive_can_be_denied_on_records_and_on_fields():
    may = (rule(), rule(action="see_sensitive"))
    assert policy(*may, rule(action="see_sensitive", effect="deny")).field("deal", "margin") is False
    assert policy(*may, rule(action="see_sensitive", effect="deny", fields=["margin"])).field("deal", "margin") is False
    own = policy(*may, rule(action="see_sensitive", effect="deny", scope="own"))
    assert own.field("deal", "margin").shape == ("not", ("within", (), MINE))


def test_a_share_shows_no_sensitive_field():
    held = policy(rule(scope="own"), rule(action="see_sensitive", scope="own"))
    assert held.field("deal", "margin").shape == MINE


# --------------------------------------------------------------------------------------------------------------- writes


def test_what_may_not_be_read_may_not_be_updated_but_may_be_given_to_a_new_record():
    held = policy(rule(fields=["name"]), rule(action="update"), rule(action="create"))
    assert held.writable("deal", "amount") is False
    assert held.writable("deal", "name") is True
    assert held.writable("deal", "amount", "create") is held.writable("deal", "margin", "create") is True


def test_the_owner_is_updated_by_whoever_may_also_assign():
    assert policy(rule(), rule(action="update")).writable("deal", "owner") is False
    assert policy(rule(), rule(action="update"), rule(action="assign")).writable("deal", "owner") is True
    own = policy(rule(), rule(action="update"), rule(action="assign", scope="own"))
    assert own.writable("deal", "owner").shape == MINE
    assert own.writable("deal", "name") is True
    assert policy(rule(), rule(action="create")).writable("deal", "owner", "create") is True


def test_fields_are_frozen_by_a_deny_to_update_them():
    held = policy(rule(), rule(action="update"), rule(action="update", effect="deny", fields=["amount"]))
    assert held.writable("deal", "amount") is False
    assert held.writable("deal", "name") is held.field("deal", "amount") is True


def test_a_new_record_is_judged_by_its_values():
    held = policy(rule(action="create", scope="own"), where(F.name == "联合投标", action="create"))
    assert allowed(held, deal(owner=ME), "create")
    assert not allowed(held, deal(owner=MATE), "create")
    assert allowed(held, deal(owner=MATE) | {"name": "联合投标"}, "create")


def test_only_creating_and_updating_set_fields():
    with pytest.raises(UsageError) as refused:
        policy(rule(action="*")).writable("deal", "name", "delete")
    assert refused.value.code == "not_a_write"


# ------------------------------------------------------------------------------------------------------------ signature


def test_two_reps_in_teams_of_one_size_share_their_plans():
    rules = [rule(scope="team"), rule(action="update", scope="own")]
    one, other = policy(*rules), policy(*reversed(rules), who=actor(STRANGER, name="Bo"))
    assert one.signature == other.signature
    assert one.rows("deal").shape == other.rows("deal").shape
    assert one.rows("deal").values != other.rows("deal").values


def test_how_large_the_team_is_matters_to_nobody_who_sees_everything():
    everything = rule(on="*", action="*")
    assert policy(everything).signature == policy(everything, who=actor(MATE, STRANGER)).signature
    assert policy(rule(scope="team")).signature != policy(rule(scope="team"), who=actor()).signature
    looks = where(F.account.owner.is_in(my_team), action="delete")
    assert policy(looks).signature != policy(looks, who=actor()).signature


def test_what_role_a_rule_comes_from_and_what_it_is_compared_with_do_not_matter():
    one = policy(where(F.name == "a"), rule(role=OTHER_ROLE))
    assert one.signature == policy(where(F.name == "b")).signature
    assert one.rows("deal").shape == policy(where(F.name == "b")).rows("deal").shape
    assert hash(one.signature) == hash(policy(where(F.name == "b")).signature)


def test_a_rule_within_another_does_not_matter():
    assert policy(rule()).signature == policy(rule(), rule(scope="own"), where(F.name == "a"), rule()).signature


def test_which_right_has_which_scope_matters():
    one = policy(rule(scope="own"), rule(action="delete", scope="team"))
    assert one.signature != policy(rule(scope="team"), rule(action="delete", scope="own")).signature


def test_what_looks_alike_and_is_not_matters():
    alike = policy(where(F.owner == me)), policy(where(F.owner == ME)), policy(where(F.owner != me))
    assert len({held.signature for held in alike}) == 3
    assert policy(rule()).signature != policy(rule(fields=["name"])).signature
    assert policy(rule()).signature != policy(rule(effect="deny")).signature


def test_two_conditions_that_differ_in_a_constant_are_two():
    """Beside each other they are a disjunction, where one condition twice is that condition."""
    twice = policy(where(F.name == "a"), where(F.name == "a", action="*"))
    two = policy(where(F.name == "a"), where(F.name == "b", action="*"))
    assert twice.rows("deal").shape != two.rows("deal").shape
    assert twice.signature != two.signature


def test_the_order_of_rules_does_not_change_the_shape():
    a, b = where(F.name == "a"), where(F.tags.has("vip"))
    assert policy(a, b).rows("deal").shape == policy(b, a).rows("deal").shape
    assert policy(a, b).signature == policy(b, a).signature
