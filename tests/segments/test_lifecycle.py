"""The ways of the lifecycle, as data."""

from itertools import product

import pytest

from crmkit.records.lifecycle import LIFECYCLE, WAYS, refusal, ways_from


def test_no_two_ways_lead_from_one_state_to_the_same() -> None:
    pairs = [(way.from_state, way.to_state) for way in WAYS]
    assert len(pairs) == len(set(pairs))
    assert {state for pair in pairs for state in pair} == set(LIFECYCLE)
    assert all(start != end for start, end in pairs)


def test_every_state_can_be_reached_and_left() -> None:
    reached = {"new"}
    while more := {w.to_state for w in WAYS if w.from_state in reached} - reached:
        reached |= more
    assert reached == set(LIFECYCLE)
    assert all(list(ways_from(state)) for state in LIFECYCLE)


@pytest.mark.parametrize(("state", "to"), list(product(LIFECYCLE, repeat=2)))
def test_an_account_goes_where_a_way_leads_and_back_with_a_reason(state: str, to: str) -> None:
    ways = {w.to_state: w for w in ways_from(state)}
    without, given = refusal(state, to, None), refusal(state, to, "客户回来了")
    if state == to:
        assert (without, given) == (None, None)
    elif to not in ways:
        assert without is not None
        assert given is not None
        assert (without.code, given.code, without.field) == ("no_way", "no_way", "lifecycle")
    elif ways[to].back:
        assert without is not None
        assert (without.code, without.field, given) == ("reason_required", "lifecycle_reason", None)
        assert refusal(state, to, " \n") == without
    else:
        assert (without, given) == (None, None)
