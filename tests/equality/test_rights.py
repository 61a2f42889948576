"""What SQL lets an actor see is what the permission oracle says, record by record and field by field."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings

from crmkit.permissions import Policy
from crmkit.query.lift import EVERYTHING
from tests.equality.stored_worlds import StoredWorld, WorldDatabase
from tests.permissions import openfga
from tests.permissions.oracle import Oracle
from tests.permissions.strategies import TYPES, Case, worlds
from tests.permissions.world import MOMENT, SCHEMA, DictWorld


def stored(rows: Any) -> Iterator[tuple[str, UUID, dict[str, Any]]]:
    """The records of a world. Grants stay outside: what is compared is what they come to."""
    for type_key, row in rows:
        if type_key != "grant":
            fields = SCHEMA.type(type_key).fields
            yield type_key, row["id"], {f.key: f.type.parse(row[f.key]) for f in fields if row[f.key] is not None}


def seen(written: StoredWorld, policy: Policy, type_key: str, *actions: str) -> set[UUID]:
    """What SQL finds under a policy."""
    view = written.view(MOMENT, policy, policy.actor.ids)
    return set(written.reader(view).ids(type_key, EVERYTHING, *actions))


def compare(written: StoredWorld, world: DictWorld, policy: Policy, oracle: Oracle) -> None:
    for type_key in TYPES:
        rows = world.all(type_key)
        visible = [row for row in rows if oracle.allows(type_key, "read", row)]
        assert seen(written, policy, type_key) == {row["id"] for row in visible}
        for action in ("update", "delete", "assign"):
            allowed = {row["id"] for row in visible if oracle.allows(type_key, action, row)}
            assert seen(written, policy, type_key, action) == allowed
        reader = written.reader(written.view(MOMENT, policy, policy.actor.ids))
        found = {record.id: record for record in reader.records(type_key)}
        for row in visible:
            readable = oracle.readable(type_key, row)
            for f in SCHEMA.type(type_key).fields:
                assert found[row["id"]][f.key] == (row[f.key] if f.key in readable else None)


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=settings().max_examples * 2)
@given(worlds(grants_at_least=2))
def test_sql_shows_each_actor_what_the_oracle_allows(world_databases: list[WorldDatabase], case: Case) -> None:
    """Rows by scope, share and deny, fields by grant, on both databases."""
    world = case.world
    later = [(key, row["id"], {"parent": row["parent"]}) for key, row in case.later()]
    for database in world_databases:
        with database.holding(SCHEMA, stored(case.rows()), later) as written:
            for user in world.directory.active:
                compare(written, world, world.directory.policy(user), case.oracle(user))


@pytest.mark.parametrize("asked", openfga.OBJECTS, ids=str)
def test_sql_lists_the_objects_the_published_store_lists(world_databases: list[WorldDatabase], asked: Any) -> None:
    world = DictWorld.of(openfga.ROWS)
    policy = world.directory.policy(openfga.id_of(asked.user))
    type_key = openfga.NOUNS[asked.kind][0]
    of_kind = {row["id"] for row in world.all(type_key) if openfga.of_kind(asked.kind, row)}
    for database in world_databases:
        with database.holding(SCHEMA, stored(openfga.ROWS)) as written:
            found = seen(written, policy, type_key, asked.action)
            assert found & of_kind == set(map(openfga.id_of, asked.expected))


@pytest.mark.parametrize("asked", openfga.CHECKS, ids=str)
def test_sql_decides_each_check_of_the_published_store(world_databases: list[WorldDatabase], asked: Any) -> None:
    world = DictWorld.of(openfga.ROWS)
    policy = world.directory.policy(openfga.id_of(asked.user))
    type_key = openfga.NOUNS[asked.object.partition(":")[0]][0]
    for database in world_databases:
        with database.holding(SCHEMA, stored(openfga.ROWS)) as written:
            assert (openfga.id_of(asked.object) in seen(written, policy, type_key, asked.action)) is asked.expected
