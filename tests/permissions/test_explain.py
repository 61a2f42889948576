"""Decisions come with reasons that name their source."""

from datetime import timedelta

import pytest

from crmkit.errors import NotFound
from crmkit.permissions import SYSTEM, Decision, Reason, explain, who_can
from crmkit.query import F, in_segment
from crmkit.values import Money
from tests.permissions.world import MOMENT, NOW, DictWorld, Row, new_id, new_row

ANA, BEN, CHEN = (new_id("user", n) for n in range(3))
REP, INTERN = new_id("role", 0), new_id("role", 1)
EMEA = new_id("team", 0)
DEAL = new_row("deal", 0, name="Rollout", owner=BEN)


def grant(number: int, role=REP, **values) -> tuple[str, Row]:
    return "grant", new_row("grant", number, role=role, **{"on": "deal", "action": "read", "scope": "own", **values})


def share(number: int, **values) -> tuple[str, Row]:
    values = {"record_type": "deal", "record": DEAL["id"], "level": "read", "reason": "joint bid", **values}
    return "share", new_row("share", number, **values)


def world(*rows: tuple[str, Row]) -> DictWorld:
    names = ("Ana", "Ben", "陈")
    fixed = [
        *(("user", new_row("user", n, name=name, email=f"u{n}@acme.example")) for n, name in enumerate(names)),
        ("role", new_row("role", 0, name="Sales rep")),
        ("role", new_row("role", 1, name="实习生")),
        ("team", new_row("team", 0, name="EMEA")),
        *(("team_member", new_row("team_member", n, team=EMEA, user=user)) for n, user in enumerate([ANA, BEN])),
        ("role_member", new_row("role_member", 0, role=REP, user=ANA)),
        ("role_member", new_row("role_member", 1, role=REP, user=BEN)),
        ("role_member", new_row("role_member", 2, role=INTERN, user=CHEN)),
    ]
    return DictWorld.of([*fixed, *rows])


def asked(here: DictWorld, action="read", user=ANA, type_key="deal", row=DEAL) -> Decision:
    return explain(here.directory.policy(user), type_key, action, row, here, MOMENT)


def test_each_rule_is_named_with_its_role_and_whether_it_held():
    here = world(grant(0), grant(1, scope="team", fields=["name", "amount"]), grant(2, scope="all", on="account"))
    assert asked(here) == Decision(
        True,
        (
            Reason("role Sales rep: read own deals", "allow", False),
            Reason("role Sales rep: read deals of own team (only amount, name)", "allow", True),
        ),
    )


def test_a_deny_that_holds_refuses_whatever_allows():
    here = world(grant(0, scope="all"), grant(1, on="*", action="*", effect="deny", scope="team_and_below"))
    decision = asked(here)
    assert not decision
    denies = "role Sales rep denies: do anything with records of any type of own team and teams below"
    assert decision.reasons[1] == Reason(denies, "deny", True)


def test_a_deny_of_fields_is_no_reason_about_the_record():
    here = world(grant(0, scope="all"), grant(1, scope="all", effect="deny", fields=["amount"]))
    assert asked(here) == Decision(True, (Reason("role Sales rep: read all deals", "allow", True),))


def test_a_condition_on_a_value_that_is_missing_is_unknown_and_not_shown():
    here = world(grant(0, scope="where", where=F.margin > 40))
    source = "role Sales rep: read deals that meet its condition"
    assert asked(here) == Decision(False, (Reason(source, "allow", None),))


def test_shares_are_named_with_whom_they_reach_until_when_and_why():
    soon = NOW + timedelta(hours=1)
    here = world(
        grant(0),
        share(0, user=ANA, expires_at=soon),
        share(1, team=EMEA, level="edit", reason="联合投标"),
        share(2, user=CHEN),
        share(3, user=ANA, record=new_id("deal", 9)),
    )
    assert [(reason.source, reason.held) for reason in asked(here).reasons[1:]] == [
        (f"shared with Ana to read until {soon.isoformat(timespec='minutes')}: joint bid", True),
        ("shared with team EMEA to edit: 联合投标", True),
    ]


def test_a_share_that_is_over_or_not_enough_does_not_hold():
    here = world(grant(0), grant(1, action="update"), share(0, user=ANA, expires_at=NOW), share(1, user=ANA))
    assert [reason.held for reason in asked(here).reasons] == [False, False, True]
    decision = asked(here, "update")
    assert not decision.allowed
    assert [reason.held for reason in decision.reasons] == [False, False, False]


def test_a_share_gives_no_right_that_no_role_gives():
    here = world(share(0, user=CHEN, level="edit"))
    assert asked(here, user=CHEN) == Decision(False, (Reason("no role of 陈 allows: read deals", "deny", True),))


def test_what_may_not_be_read_may_not_be_changed_and_the_reason_says_so():
    here = world(grant(0), grant(1, action="update", scope="all"))
    assert asked(here, "update") == Decision(
        False,
        (
            Reason("role Sales rep: update all deals", "allow", True),
            Reason("Ana may not read this deal", "deny", True),
        ),
    )


def test_a_new_record_need_not_be_readable_by_whoever_creates_it():
    here = world(grant(0, action="create", scope="all"))
    assert asked(here, "create").allowed


def test_the_system_needs_no_reason():
    here = world()
    decision = explain(here.directory.policy_of(SYSTEM), "deal", "delete", DEAL, here, MOMENT)
    assert decision == Decision(True, (Reason("the system may do everything", "allow", True),))


def test_a_role_and_a_team_without_a_name_at_hand_are_named_by_id():
    here = world(grant(0), share(0, team=EMEA)).without("role", REP).without("team", EMEA)
    assert [reason.source for reason in asked(here).reasons] == [
        f"role {REP}: read own deals",
        f"shared with team {EMEA} to read: joint bid",
    ]


def test_a_condition_may_ask_for_a_segment():
    here = world(grant(0, scope="where", where=in_segment("big")))
    big = {"big": ("deal", F.amount > Money("10", "EUR"))}
    policy = here.directory.policy(ANA)
    for amount, allowed in ((Money("11", "EUR"), True), (Money("9", "EUR"), False)):
        row = DEAL | {"amount": amount}
        assert explain(policy, "deal", "read", row, here, MOMENT, big.get).allowed is allowed


def test_who_can_names_active_users_in_order_with_their_reasons():
    here = world(grant(0), grant(1, scope="team", action="update"), grant(2, INTERN, scope="all"))
    assert [user for user, _ in who_can(here.directory, "deal", "read", DEAL, here, MOMENT)] == [BEN, CHEN]
    found = who_can(here.directory, "deal", "update", DEAL, here, MOMENT)
    assert found == ((BEN, asked(here, "update", BEN)),)


def test_who_can_passes_over_users_who_left():
    here = world(grant(0, scope="all"))
    left = new_row("user", 0, name="Ana", email="u0@acme.example", active=False)
    here = here.without("user", ANA).with_row("user", left)
    assert [user for user, _ in who_can(here.directory, "deal", "read", DEAL, here, MOMENT)] == [BEN]


def test_an_unknown_type_is_refused():
    here = world()
    with pytest.raises(NotFound):
        asked(here, type_key="deel")
    with pytest.raises(NotFound):
        who_can(here.directory, "deel", "read", DEAL, here, MOMENT)
