"""Histories that cannot have happened: found and named, so that metrics leave them out and say so."""

import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence

import attrs

from crmkit.features.metrics.tallies.facts import DealFact, Spell, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import from_micros, to_micros

__all__ = ["Fault", "by_deal", "every_fault_of", "faults_of", "find_faults", "in_time"]


@attrs.frozen(order=False)
class Fault:
    """What is impossible in the history of a deal.

    ``code`` is one of ``left_before_entered``, ``after_as_of`` (entered or left after the instant at which it is
    known), ``two_open_spells``, ``overlapping_spells``, ``unknown_stage``, ``unknown_deal`` (a spell of a deal that is
    not there), ``open_without_spell`` (an open deal that is in no stage), ``closed_in_open_stage`` (a closed deal that
    is still in an open one). ``other_stage`` (the deal says it is in a stage, and its spells in another) is found by
    :func:`every_fault_of` alone.
    """

    deal: Hashable
    code: str
    message: str


def find_faults(
    deals: Iterable[DealFact], spells: Iterable[Spell], stages: Iterable[StageFact], frame: Frame
) -> tuple[Fault, ...]:
    """Every fault for which figures leave deals out, in the order of deals' ids as texts; each code once a deal.

    A spell that begins when another ends does not overlap it, and one that ends when it begins is a stage passed
    through. Takes as long as sorting the spells of each deal.
    """
    known = {stage.id for stage in stages}
    of_deals = by_deal(spells)
    found: dict[tuple[Hashable, str], Fault] = {}
    for deal in deals:
        for fault in faults_of(deal, in_time(of_deals.pop(deal.id, ())), known, frame):
            found[fault.deal, fault.code] = fault
    for id_ in of_deals:
        found[id_, "unknown_deal"] = Fault(id_, "unknown_deal", f"there are spells of deal {id_}, and no such deal")
    return tuple(sorted(found.values(), key=lambda fault: (repr(fault.deal), fault.code)))


def every_fault_of(
    deal: DealFact, spells: Sequence[Spell], known: Collection[Hashable], frame: Frame
) -> Iterator[Fault]:
    """As :func:`faults_of`, and whether the stage the deal says it is in is that of its spells: all it has, in whatever
    pipeline.
    """
    yield from faults_of(deal, spells, known, frame)
    lasting = [spell.stage for spell in spells if spell.left is None]
    if deal.stage is not None and lasting and deal.stage not in lasting:
        told = f"deal {deal.id} says it is in stage {deal.stage}, and its history in {lasting[-1]}"
        yield Fault(deal.id, "other_stage", told)


def faults_of(deal: DealFact, spells: Sequence[Spell], known: Collection[Hashable], frame: Frame) -> Iterator[Fault]:
    """What is impossible in the history of one deal, each code once; ``known`` are the ids of all stages.

    ``spells`` are those of the deal, the first entered first.
    """
    codes: set[str] = set()
    for code, what in _faults(deal, spells, known, to_micros(frame.as_of)):
        if code not in codes:
            codes.add(code)
            yield Fault(deal.id, code, f"deal {deal.id} {what}")


def _faults(
    deal: DealFact, spells: Sequence[Spell], known: Collection[Hashable], now: int
) -> Iterator[tuple[str, str]]:
    sound: list[tuple[int, float, Spell]] = []
    for spell in spells:
        entered, left = to_micros(spell.entered), None if spell.left is None else to_micros(spell.left)
        if spell.stage not in known:
            yield "unknown_stage", f"was in stage {spell.stage}, which there is not"
        if left is not None and left < entered:
            yield "left_before_entered", f"left stage {spell.stage} before it entered it"
        elif max(entered, left or entered) > now:
            yield "after_as_of", f"moves in stage {spell.stage} after {from_micros(now).isoformat()}"
        else:
            sound.append((entered, math.inf if left is None else left, spell))
    yield from _at_once(sound)
    lasting = [spell for spell in spells if spell.left is None]
    if deal.outcome == "open" and not lasting:
        yield "open_without_spell", "is open and in no stage"
    if deal.outcome != "open" and any(spell.kind == "open" for spell in lasting):
        yield "closed_in_open_stage", f"is {deal.outcome} and still in an open stage"


def _at_once(spells: list[tuple[int, float, Spell]]) -> Iterator[tuple[str, str]]:
    """What of sound spells goes on at the same time."""
    spells.sort(key=lambda spell: spell[:2])
    until, holder = -math.inf, None
    for entered, left, spell in spells:
        if holder is not None and entered < until:
            code = "two_open_spells" if left == until == math.inf else "overlapping_spells"
            yield code, f"is or was in the stages {holder.stage} and {spell.stage} at once"
        if left > until:
            until, holder = left, spell


def by_deal(spells: Iterable[Spell]) -> dict[Hashable, list[Spell]]:
    """The spells of each deal, as they come."""
    found: dict[Hashable, list[Spell]] = {}
    for spell in spells:
        found.setdefault(spell.deal, []).append(spell)
    return found


def in_time(spells: Iterable[Spell]) -> list[Spell]:
    """The spells of one deal, from the first entered to the last."""
    return sorted(spells, key=_by_time)


def _by_time(spell: Spell) -> tuple[int, float, int]:
    # Datetimes of one zone compare by the clock on the wall, which shows some hours twice; so by microseconds. Stages
    # passed through at one instant come before the one that lasts, the lower before the higher.
    return to_micros(spell.entered), math.inf if spell.left is None else to_micros(spell.left), spell.position
