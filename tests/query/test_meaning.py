"""What conditions mean in memory agrees with an oracle that was written from the documentation."""

import pytest
from hypothesis import event, given, settings

from crmkit.query.nodes import Not
from tests.query.memory import Session, unless_too_large
from tests.query.oracle import Oracle
from tests.query.strategies import CONDITIONS, Case, cases


def session_of(case: Case) -> Session:
    return Session(case.world, case.moment, case.guard, case.actors, case.segments)


def oracle_of(case: Case) -> Oracle:
    guard = case.guard
    return Oracle(case.world.schema, case.world, case.moment, case.actors, case.segments, guard.seen, guard.fields)


@pytest.mark.law
@settings(max_examples=settings().max_examples * 20 // CONDITIONS)
@given(cases())
def test_a_condition_means_what_the_documentation_says(case):
    """In random schemas, worlds and rights, at moments when clocks change."""
    session, oracle = session_of(case), oracle_of(case)
    for on, expr in case.questions:
        test = unless_too_large(lambda on=on, expr=expr: session.test(expr, on))
        for row in case.world.all(on):
            expected = oracle.test(expr, on, row)
            event(f"answer {expected}")
            assert test(row) is expected


@given(cases())
def test_the_negation_of_a_condition_is_its_contrary_and_keeps_the_unknown(case):
    contrary = {True: False, False: True, None: None}
    session = session_of(case)
    for on, expr in case.questions:
        held = unless_too_large(lambda on=on, expr=expr: session.answers(expr, on))
        assert unless_too_large(lambda on=on, expr=expr: session.answers(Not(expr), on)) == [contrary[h] for h in held]
