"""The savepoints of a host's transaction: what the host takes back, the unit of work joined to it has not done."""

from typing import Any, Protocol
from weakref import ref

from sqlalchemy import Connection, event
from sqlalchemy.sql.elements import ReleaseSavepointClause, RollbackToSavepointClause, SavepointClause

from crmkit.errors import UsageError

__all__ = ["HostSavepoints", "Joined", "Keeper"]


class Keeper(Protocol):
    """Somebody who keeps what follows from the writes of a unit of work."""

    def remembered(self) -> Any:
        """What there is to go back to."""
        ...

    def went_back(self, to: Any) -> None:
        """The writes since then are undone; ``to`` is what was remembered then, None for before the first write."""
        ...


class Joined(Protocol):
    """A unit of work that is joined to a host's connection."""

    @property
    def writing(self) -> bool: ...
    @property
    def keeper(self) -> Keeper | None: ...
    def lost(self) -> None: ...


class HostSavepoints:
    """Follows the savepoints that a host makes on its connection while a unit of work is joined to it."""

    def __init__(self, connection: Connection, unit: Joined) -> None:
        self._connection = connection
        self._unit = ref(unit)
        self._open: dict[str, tuple[bool, Any]] = {}
        # The event of a savepoint is told before it has a name; its statement has one.
        event.listen(connection, "after_execute", self._sent)

    def stop(self) -> None:
        """Follow no longer: the unit is closed."""
        event.remove(self._connection, "after_execute", self._sent)

    def check(self) -> None:
        """Raises UsageError (``savepoint_open``) if the host has a savepoint open within the unit's: with the unit's it
        would be gone, and with it the host's chance to go back.
        """
        if any(wrote for wrote, _ in self._open.values()):
            raise UsageError(
                "a savepoint that you made after the session began to write is still open",
                code="savepoint_open",
                hint="release it or roll it back, then end the session",
            )

    def _sent(self, _connection: Connection, clause: Any, *_: Any) -> None:
        if isinstance(clause, SavepointClause):
            self._made(clause.ident)
        elif isinstance(clause, ReleaseSavepointClause):
            self._gone(clause.ident)
        elif isinstance(clause, RollbackToSavepointClause):
            self._undone(clause.ident)

    def _made(self, name: str) -> None:
        unit = self._unit()
        if unit is not None:
            keeper = unit.keeper
            self._open[name] = unit.writing, None if keeper is None else keeper.remembered()

    def _undone(self, name: str) -> None:
        unit = self._unit()
        if unit is None:
            return
        # One that is older than the unit, or than its first write, has taken the unit's own savepoint along.
        wrote, remembered = self._open.get(name, (False, None))
        self._gone(name)
        if unit.writing and not wrote:
            unit.lost()
        if unit.keeper is not None:
            unit.keeper.went_back(remembered)

    def _gone(self, name: str) -> None:
        """The savepoint has ended, and with it those that were made within it."""
        names = list(self._open)
        for ended in names[names.index(name) :] if name in self._open else names:
            del self._open[ended]
