"""The intervals a deal leaves behind as it moves.

An interval is anything with ``deal``, ``stage``, ``kind``, ``entered`` and ``left`` (None while the deal is there).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

import attrs

__all__ = ["Interval", "Step", "follow"]


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
