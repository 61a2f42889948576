"""Impossible histories are found and named."""

from collections.abc import Callable
from datetime import datetime
from itertools import permutations

import attrs
import pytest
from hypothesis import given

from crmkit.features.metrics.tallies.facts import Spell
from crmkit.features.metrics.tallies.faults import find_faults
from tests.analytics.journeys import FRAME, STAGES, Journey, apart, day, journey, some_journeys


def spell(entered: datetime, left: datetime | None, stage: str = "new") -> Spell:
    return Spell(deal="a", stage=stage, entered=entered, left=left)


def codes(deal_outcome: str, *spells: Spell) -> list[str]:
    deal, _ = journey("a", ("new" if deal_outcome == "open" else "won", 0))
    return [fault.code for fault in find_faults([deal], spells, STAGES, FRAME)]


@pytest.mark.parametrize(
    ("outcome", "spells", "expected"),
    [
        ("open", [spell(day(5), day(4)), spell(day(6), None)], ["left_before_entered"]),
        ("open", [spell(day(1), None), spell(day(5), None, "fit")], ["two_open_spells"]),
        ("open", [spell(day(1), day(6)), spell(day(5), None, "fit")], ["overlapping_spells"]),
        ("open", [spell(day(1), day(9)), spell(day(2), day(3), "fit"), spell(day(9), None)], ["overlapping_spells"]),
        ("open", [spell(day(1), None), spell(day(5), day(6), "fit")], ["overlapping_spells"]),
        (
            "open",
            [spell(day(1), None), spell(day(2), day(3), "fit"), spell(day(5), None, "bid")],
            ["overlapping_spells", "two_open_spells"],
        ),
        ("open", [spell(day(1), day(5))], ["open_without_spell"]),
        ("open", [], ["open_without_spell"]),
        ("open", [spell(day(1), None, "gone")], ["unknown_stage"]),
        ("won", [spell(day(1), None)], ["closed_in_open_stage"]),
        ("open", [spell(day(101), None)], ["after_as_of"]),
        ("open", [spell(day(1), day(101)), spell(day(101), None)], ["after_as_of"]),
        ("won", [], []),
        ("won", [spell(day(1), day(5))], []),
        ("open", [spell(day(1), day(5)), spell(day(5), day(5), "fit"), spell(day(5), None, "bid")], []),
        ("open", [spell(day(1), day(5)), spell(day(7), None)], []),
    ],
)
def test_each_fault_is_found_by_its_name_in_any_order(outcome: str, spells: list[Spell], expected: list[str]) -> None:
    for order in permutations(spells):
        assert codes(outcome, *order) == expected


def test_a_fault_names_the_deal_and_the_stages() -> None:
    deal, _ = journey("张三", ("new", 0))
    spells = [attrs.evolve(one, deal="张三") for one in (spell(day(1), None), spell(day(2), None, "报价"))]
    [open_twice, unknown] = find_faults([deal], spells, STAGES, FRAME)
    assert (open_twice.deal, open_twice.code) == ("张三", "two_open_spells")
    assert "张三" in open_twice.message
    assert "报价" in open_twice.message
    assert unknown.code == "unknown_stage"


def test_several_faults_of_a_deal_are_all_named_each_once() -> None:
    bad = [spell(day(5), day(4), "gone"), spell(day(9), day(8), "gone")]
    assert codes("open", *bad) == ["left_before_entered", "open_without_spell", "unknown_stage"]


def test_spells_of_a_deal_that_is_not_there_are_named() -> None:
    [fault] = find_faults([], [spell(day(1), None)], STAGES, FRAME)
    assert (fault.deal, fault.code) == ("a", "unknown_deal")


@pytest.mark.law
@given(some_journeys())
def test_sound_histories_have_no_fault(journeys: list[Journey]) -> None:
    deals, spells = apart(journeys)
    assert find_faults(deals, spells, STAGES, FRAME) == ()


@pytest.mark.law
@given(some_journeys())
def test_the_order_of_facts_does_not_matter(journeys: list[Journey]) -> None:
    deals, spells = apart(journeys)
    broken: Callable[[Spell], Spell] = lambda one: attrs.evolve(one, left=day(101))  # noqa: E731
    spells = [broken(one) if number % 3 == 0 else one for number, one in enumerate(spells)]
    once = find_faults(deals, spells, STAGES, FRAME)
    assert find_faults(reversed(deals), reversed(spells), STAGES, FRAME) == once
