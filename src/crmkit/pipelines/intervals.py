"""The intervals a deal leaves behind as it moves, and histories that cannot be.

An interval is anything with ``deal``, ``stage``, ``kind``, ``entered`` and ``left`` (None while the deal is there).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol
from uuid import UUID

import attrs

__all__ = ["Fault", "Interval", "Step", "faults", "follow"]


class Interval(Protocol):
    """A stay in a stage."""

    @property
    def id(self) -> UUID: ...
    @property
    def deal(self) -> UUID: ...
    @property
    def stage(self) -> UUID: ...
    @property
    def entered(self) -> datetime: ...
    @property
    def left(self) -> datetime | None: ...


@attrs.frozen
class Step:
    """What follows from one change of a deal: intervals to change, and perhaps one that begins."""

    changed: tuple[tuple[UUID, Mapping[str, datetime]], ...] = ()
    begins: bool = False


@attrs.frozen
class Fault:
    """What is wrong with the intervals of a deal: ``code`` for programs, ``message`` for people."""

    deal: UUID
    code: str
    message: str


def follow(intervals: Iterable[Interval], stage: UUID, since: datetime) -> Step:
    """What follows when a deal is in ``stage`` since an instant, given the intervals it has.

    A deal that was elsewhere leaves there when it comes here; one that was here already has come at another time than
    was known, and so has left the stage before.
    """
    known = sorted(intervals, key=lambda i: i.entered)
    current = next((i for i in reversed(known) if i.left is None), None)
    if current is None or current.stage != stage:
        return Step(() if current is None else ((current.id, {"left": since}),), begins=True)
    if current.entered == since:
        return Step()
    before = [i for i in known if i.left == current.entered and i is not current]
    left: list[tuple[UUID, Mapping[str, datetime]]] = [(i.id, {"left": since}) for i in before]
    return Step((*left, (current.id, {"entered": since})))


def faults(deal: Any, intervals: Iterable[Interval]) -> Iterator[Fault]:
    """Everything that cannot be about the intervals of one deal, which has ``id``, ``stage`` and ``outcome``."""
    known = sorted(intervals, key=lambda i: (i.entered, i.left is None, i.left or i.entered))
    for i in known:
        if i.left is not None and i.left < i.entered:
            yield Fault(deal.id, "left_before_entered", f"left a stage at {i.left}, before it came at {i.entered}")
    here = [i for i in known if i.left is None]
    if len(here) > 1:
        yield Fault(deal.id, "several_open", f"is in {len(here)} stages at once")
    elif not here:
        yield Fault(deal.id, "none_open", "is in no stage")
    elif here[0].stage != deal.stage:
        yield Fault(deal.id, "other_stage", "is in another stage than its intervals say")
    for one, following in pairwise(known):
        if one.left is not None and one.left > following.entered:
            yield Fault(deal.id, "overlapping", f"came to a stage at {following.entered}, before it left at {one.left}")
