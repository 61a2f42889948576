"""A condition finds the same records in SQLite, in PostgreSQL and in memory."""

from functools import partial
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from crmkit.query.lift import lift
from tests.equality.stored_worlds import WorldDatabase
from tests.query.memory import Session, unless_too_large
from tests.query.strategies import (
    SCHEMA,
    SUBJECTS,
    actor_ids,
    custom_schemas,
    expressions,
    guards,
    moments,
    segment_sources,
    worlds,
)

CONDITIONS = 5
"""Conditions asked of each world: setting one up costs more than asking."""


def plain(entries):
    return [(entry.type_key, entry.id, dict(entry.values)) for entry in entries]


@pytest.mark.law
@pytest.mark.timeout(900)
@settings(max_examples=settings().max_examples * 20 // CONDITIONS)
@given(st.data())
def test_sql_and_memory_find_the_same_records(world_databases: list[WorldDatabase], data):
    """In random schemas, worlds, rights and moments, on both databases, by list and by count."""
    schema = data.draw(st.just(SCHEMA) | custom_schemas()).schema
    world = data.draw(worlds(schema))
    actors = data.draw(actor_ids(schema))
    guard = data.draw(guards(schema, actors))
    segments = data.draw(segment_sources(schema, guard.hidden))
    session = Session(world, data.draw(moments()), guard, actors, segments)
    asked = []
    for _ in range(CONDITIONS):
        on = data.draw(st.sampled_from(SUBJECTS))
        expr = data.draw(expressions(schema, on, hidden=guard.hidden, segments=segments.types))
        test = unless_too_large(lambda on=on, expr=expr: session.test(expr, on))
        found = unless_too_large(partial(found_in, session, guard, on, test))
        asked.append((on, lift(expr, actors), found))
        event(f"found {'some' if found else 'none'}")
    for database in world_databases:
        with database.holding(schema, plain(world.rows()), plain(world.later())) as written:
            reader = written.reader(written.view(session.moment, guard, actors, segments))
            for on, lifted, found in asked:
                assert unless_too_large(partial(reader.ids, on, lifted)) == found
                assert unless_too_large(partial(reader.count, on, lifted)) == len(found)


def found_in(session: Session, guard, on: str, test) -> list[Any]:
    """What the condition finds in memory, in the order of ids."""
    return sorted(r["id"] for r in session.world.all(on) if seen_by(session, guard, on, r) and test(r) is True)


def seen_by(session: Session, guard, on: str, row) -> bool:
    """The guard lets the record through; guards see what they decide on, so their conditions bind without a guard."""
    if on not in guard.seen:
        return True
    unguarded = Session(session.world, session.moment, actors=session.actors)
    return unguarded.test(guard.seen[on], on)(row) is True
