"""One connection for everybody: how units of work take turns on a database in memory.

A SQLite database in memory lives and dies with its connection, so all units of work share one. A statement outside a
transaction takes the gate for as long as it runs; a write transaction keeps it until it ends, so no thread sees what
another has not committed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crmkit.errors import Unavailable, UsageError

__all__ = ["PATIENCE", "Gate"]

PATIENCE = 10
"""Seconds one waits for another writer, here and for the lock on a file."""


class Gate:
    """A lock that knows which unit of work holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: object = None
        self._thread = 0

    def take(self, unit: object) -> None:
        """Waits for the gate and keeps it until ``give``; taking it twice is taking it once.

        Raises Unavailable after ten seconds, and UsageError at once when waiting could never end, because the unit
        of work that holds it is this thread's own.
        """
        if self._holder is unit:
            return
        if self._holder is not None and self._thread == threading.get_ident():
            raise UsageError(
                "another unit of work of this thread is writing to this database in memory",
                code="memory_busy",
                hint="commit or close it first, or use a file",
            )
        if not self._lock.acquire(timeout=PATIENCE):
            raise Unavailable("the database is locked by another unit of work", code="locked", hint="run it again")
        self._thread = threading.get_ident()
        self._holder = unit

    def held_by(self, unit: object) -> bool:
        """Whether ``unit`` holds the gate."""
        return self._holder is unit

    def give(self, unit: object) -> None:
        """Lets the next one in; nothing happens when ``unit`` does not hold the gate."""
        if self._holder is unit:
            self._holder = None
            self._lock.release()

    @contextmanager
    def turn(self, unit: object) -> Iterator[None]:
        """The gate for one statement; a transaction that holds it keeps it."""
        held = self._holder is unit
        self.take(unit)
        try:
            yield
        finally:
            if not held:
                self.give(unit)
