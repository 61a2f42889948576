"""How much an expression may nest before a database refuses its statement.

The narrowest place is SQLite's parser: before release 3.46 its stack holds 100 entries, and how many each construct
takes was measured. An expression that does not fit is refused with an error of its own, never with the database's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import attrs

from crmkit.query.lift import MAX_NODES, too_large

__all__ = ["CLAUSES", "WAYS", "Scale"]

_ROOM = 90
"""What is left of the 100 by the statement around the expression."""
CLAUSES: Mapping[str, int] = MappingProxyType({"and": 3, "or": 3, "not": 2, "within": 3, "tag": 20, "shared": 13})
"""Entries that a clause takes, by the head of its shape; a comparison takes none."""
WAYS: Mapping[str, int] = MappingProxyType({"step": 11, "any": 12, "none": 13, "all": 15, "aggregate": 12})
"""Entries that a way to other records takes."""


@attrs.define
class Scale:
    """Weighs expressions while they are bound."""

    _room: int | None = None
    _least: int = 0
    _clauses: int = 0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """One expression, with the segments in it, from nothing. ``weight`` is what it takes in the end."""
        outer, self._room, self._least, self._clauses = (self._room, self._least, self._clauses), _ROOM, _ROOM, 0
        try:
            yield
        finally:
            self._room, self._least, self._clauses = outer

    @property
    def weight(self) -> int:
        """Of what was measured so far, the path that takes most."""
        return _ROOM - self._least

    @contextmanager
    def nested(self, weight: int, clauses: int = 0) -> Iterator[None]:
        """What is bound now lies within something of a weight.

        Raises InvalidQuery (``too_large``), which lifting cannot see coming: segments multiply.
        """
        outer = _ROOM if self._room is None else self._room
        self._room = outer - weight
        self._least = min(self._least, self._room)
        self._clauses += clauses
        try:
            if self._room < 0 or self._clauses > MAX_NODES:
                raise too_large()
            yield
        finally:
            self._room = outer

    def add(self, weight: int) -> None:
        """Something of a weight is here. Raises InvalidQuery (``too_large``)."""
        if self._room is not None:
            with self.nested(weight):
                pass
