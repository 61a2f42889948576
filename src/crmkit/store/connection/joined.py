"""A unit of work in a host's transaction: the savepoint in which it writes, and what the host does to it meanwhile."""

import threading
from typing import Any

from sqlalchemy import Connection, event

from crmkit.errors import UsageError
from crmkit.store.connection.drivers import Driver, raw_connection

__all__ = ["JoinedSavepoint"]


class JoinedSavepoint:
    """The savepoint in a host's transaction, from the first write of a unit of work until the unit or the host ends it.

    It does not know the unit, so it can end in an orderly way when the unit was dropped.
    """

    def __init__(self, connection: Connection, driver: Driver) -> None:
        self.open = False
        self._connection = connection
        self._driver = driver
        self._thread = threading.get_ident()
        # Two units may be joined to one connection at the same time, and their savepoints must not be confused.
        self._name = f"crmkit_{id(self):x}"
        self._ended = False
        self._told = False
        event.listen(connection, "commit", self._host_commits)
        event.listen(connection, "rollback", self._host_rolls_back)

    def begin(self) -> None:
        """Makes the savepoint, in a transaction that the host will end."""
        self._driver.join(self._connection)
        self._command(f"SAVEPOINT {self._name}")
        self.open = True

    def release(self) -> None:
        """Keeps what was written, as far as the host keeps it."""
        self._command(f"RELEASE SAVEPOINT {self._name}")
        self.open = False

    def undo(self) -> None:
        """Undoes what was written, of which nothing is left when the host has ended the transaction.

        Raises UsageError (``transaction_ended``) then, unless that was said before.
        """
        if self._ended:
            if not self._told:
                self.check()
            return
        self._command(f"ROLLBACK TO SAVEPOINT {self._name}")
        self.release()

    def lost(self) -> None:
        """The host went back to a savepoint of its own that is older, and this one is gone."""
        self.open = False

    def stop(self) -> None:
        """Follow the host's transaction no longer."""
        event.remove(self._connection, "commit", self._host_commits)
        event.remove(self._connection, "rollback", self._host_rolls_back)

    def abandon(self) -> None:
        """The unit was dropped: what it wrote is undone. Where that cannot be, the host may not commit it."""
        if self.open and self._thread == threading.get_ident():
            self.undo()
        if not self.open:
            self.stop()

    @property
    def ended(self) -> bool:
        """Whether the host has ended the transaction in which the savepoint was open."""
        return self._ended

    def check(self) -> None:
        """Raises UsageError (``transaction_ended``) if so."""
        if self._ended:
            self._told = True
            raise UsageError(
                "the transaction was ended while a unit of work was open in it",
                code="transaction_ended",
                hint="commit or roll back after the unit of work is closed",
            )

    def _host_commits(self, connection: Connection) -> None:
        """The host commits in the middle: records would be kept, and nobody would know who wrote them."""
        if not self.open:
            return
        # SQLAlchemy takes a transaction whose commit was refused for ended, and would give the connection back to its
        # pool as it is: whoever got it next would commit what lies in it.
        raw_connection(connection).rollback()
        self._told = True
        connection.dispatch.rollback(connection)  # two units may be joined to it
        raise UsageError(
            "crmkit is still at work in this transaction",
            code="unit_under_way",
            hint="commit after the block of the session: its changeset is written when that ends",
        )

    def _host_rolls_back(self, _connection: Connection) -> None:
        if self.open:
            self.open, self._ended = False, True

    def _command(self, sql: str) -> Any:
        raw_connection(self._connection).execute(sql)
