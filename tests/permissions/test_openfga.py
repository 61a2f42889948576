"""The published OpenFGA store ``crm``: every decision it lists, given in memory."""

from collections import Counter

import pytest

from crmkit.permissions import check, explain, who_can
from tests.permissions import openfga
from tests.permissions.world import MOMENT, SCHEMA, DictWorld, rule_of

WORLD = DictWorld.of(openfga.ROWS)


def row_of(name: str):
    return WORLD.get(openfga.NOUNS[name.partition(":")[0]][0], openfga.id_of(name))


def test_the_store_is_read_in_full():
    text = openfga.STORE.read_text(encoding="utf-8")
    assert (len(openfga.CHECKS), len(openfga.OBJECTS), len(openfga.USERS)) == (42, 8, 4)
    held = {True: text.count(": true"), False: text.count(": false")}
    assert Counter(asked.expected for asked in openfga.CHECKS) == held
    assert len(openfga.DOCUMENT["tuples"]) == text.count("    relation: ")
    assert len(openfga.DOCUMENT["tests"]) == text.count("  - name: ")


@pytest.mark.parametrize("grant", openfga.GRANTS, ids=str)
def test_every_grant_of_the_model_means_something(grant):
    check(rule_of(grant), SCHEMA, openfga.ACTIONS_OF_STORE)


@pytest.mark.parametrize("asked", openfga.CHECKS, ids=str)
def test_each_check_is_decided_as_listed(asked):
    type_key = openfga.NOUNS[asked.object.partition(":")[0]][0]
    policy, row = WORLD.directory.policy(openfga.id_of(asked.user)), row_of(asked.object)
    assert explain(policy, type_key, asked.action, row, WORLD, MOMENT).allowed is asked.expected
    assert WORLD.allowed(policy, type_key, asked.action, row) is asked.expected


@pytest.mark.parametrize("asked", openfga.OBJECTS, ids=str)
def test_each_list_of_objects_is_as_listed(asked):
    policy = WORLD.directory.policy(openfga.id_of(asked.user))
    type_key = openfga.NOUNS[asked.kind][0]
    found = {
        row["id"]
        for row in WORLD.all(type_key)
        if openfga.of_kind(asked.kind, row) and WORLD.allowed(policy, type_key, asked.action, row)
    }
    assert found == set(map(openfga.id_of, asked.expected))


@pytest.mark.parametrize("asked", openfga.USERS, ids=str)
def test_each_list_of_users_is_as_listed(asked):
    type_key = openfga.NOUNS[asked.object.partition(":")[0]][0]
    found = who_can(WORLD.directory, type_key, asked.action, row_of(asked.object), WORLD, MOMENT)
    assert {user for user, _ in found} == set(map(openfga.id_of, asked.expected))


def test_what_the_store_does_not_grant_is_not_granted():
    """The model's other refusals: an admin converts no lead, closes no opportunity and completes nobody's task."""
    alice, bob = (WORLD.directory.policy(openfga.id_of(f"user:{name}")) for name in ("alice", "bob"))
    assert not WORLD.allowed(alice, "lead", "convert", row_of("lead:new-prospect"))
    assert not WORLD.allowed(alice, "deal", "close", row_of("opportunity:big-deal"))
    assert not WORLD.allowed(alice, "activity", "complete", row_of("task:follow-up"))
    assert not WORLD.allowed(bob, "activity", "complete", row_of("task:follow-up"))
    assert not WORLD.allowed(bob, "contact", "update", row_of("contact:john-doe"))
    assert not WORLD.allowed(alice, "activity", "delete", row_of("engagement:call-001"))
