"""What differs between the two databases: how a transaction begins and ends on a bare driver connection.

SQLite. ``sqlite3`` opens transactions by itself, when and how depends on settings that a host may have changed, so
crmkit says ``BEGIN IMMEDIATE``, ``COMMIT`` and ``ROLLBACK`` itself, whatever they are. Reads before the first write run
without a transaction.

PostgreSQL. Reads before the first write run in autocommit: the isolation is the same (each statement sees what is
committed) and two round trips are saved. The first write opens an ordinary transaction.
"""

from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event

from crmkit.errors import Unavailable, UsageError

__all__ = [
    "Driver",
    "PostgresDriver",
    "SqliteDriver",
    "check_references",
    "driver_of",
    "raw_connection",
    "references_enforced",
]


def raw_connection(connection: Connection) -> Any:
    """The driver's own connection; of an async engine's, the one that SQLAlchemy lays over it, which waits."""
    fairy = connection.connection
    return fairy.dbapi_connection if connection.dialect.is_async else fairy.driver_connection


class Driver(Protocol):
    """Transactions on one kind of database. ``begin`` to ``release`` are for connections that crmkit opened."""

    errors_abort: bool
    """Whether an error, of a read too, leaves the transaction unusable up to the last savepoint."""

    def taken(self, connection: Connection) -> Any:
        """Prepares a connection that was just opened; returns what ``release`` needs to leave it as it was."""
        ...

    def begin(self, connection: Connection) -> None:
        """Opens a write transaction."""
        ...

    def commit(self, connection: Connection) -> None:
        """Commits it."""
        ...

    def rollback(self, connection: Connection) -> None:
        """Rolls it back."""
        ...

    def release(self, connection: Connection, state: Any) -> None:
        """Undoes ``taken``."""
        ...

    def join(self, connection: Connection) -> None:
        """Makes sure that a host's connection is in a transaction that the host will end."""
        ...

    def hold(self, connection: Connection) -> None:
        """Lets rows be read in blocks outside a write transaction."""
        ...

    def holds(self, connection: Connection) -> bool:
        """Whether the server can hold the rows that are still to be read."""
        ...

    def let_go(self, connection: Connection) -> None:
        """Undoes ``hold``."""
        ...

    def check_alive(self, connection: Connection) -> None:
        """Raises Unavailable when the database has given the transaction up, so that a commit would keep nothing."""
        ...


class SqliteDriver:
    """See the module's docstring."""

    errors_abort = False

    def taken(self, connection: Connection) -> bool:
        """Turns references on; returns whether they were off."""
        raw = raw_connection(connection)
        if references_enforced(raw):
            return False
        _set_references(raw, "ON")
        return True

    def begin(self, connection: Connection) -> None:
        raw = raw_connection(connection)
        if not connection.in_transaction():
            connection.begin()
        if raw.in_transaction:
            # A host's listener, or sqlite3's autocommit=False, has opened one for reading; nothing was written in it.
            raw.execute("ROLLBACK")
        raw.execute("BEGIN IMMEDIATE")

    def commit(self, connection: Connection) -> None:
        raw = raw_connection(connection)
        if _autocommits(raw):
            # The driver's own commit and rollback then do nothing.
            raw.execute("COMMIT")
        connection.commit()

    def rollback(self, connection: Connection) -> None:
        raw = raw_connection(connection)
        if _autocommits(raw) and raw.in_transaction:
            raw.execute("ROLLBACK")
        connection.rollback()

    def release(self, connection: Connection, state: bool) -> None:
        if state:
            _set_references(raw_connection(connection), "OFF")

    def join(self, connection: Connection) -> None:
        raw = raw_connection(connection)
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT" or _autocommits(raw):
            raise _autocommit_refused()
        _demand_references(raw)
        if not connection.in_transaction():
            connection.begin()
        if not raw.in_transaction:
            raw.execute("BEGIN IMMEDIATE")

    def hold(self, connection: Connection) -> None:
        pass

    def holds(self, connection: Connection) -> bool:
        return False

    def let_go(self, connection: Connection) -> None:
        pass

    def check_alive(self, connection: Connection) -> None:
        if not raw_connection(connection).in_transaction:
            raise _given_up()


class PostgresDriver:
    """See the module's docstring."""

    errors_abort = True

    def taken(self, connection: Connection) -> bool:
        """Turns autocommit on; returns what it was."""
        raw = raw_connection(connection)
        before = bool(raw.autocommit)
        _autocommit(raw, True)
        return before

    def begin(self, connection: Connection) -> None:
        _autocommit(raw_connection(connection), False)
        if not connection.in_transaction():
            connection.begin()

    def commit(self, connection: Connection) -> None:
        connection.commit()
        _autocommit(raw_connection(connection), True)

    def rollback(self, connection: Connection) -> None:
        connection.rollback()
        _autocommit(raw_connection(connection), True)

    def release(self, connection: Connection, state: bool) -> None:
        _autocommit(raw_connection(connection), state)

    def join(self, connection: Connection) -> None:
        if raw_connection(connection).autocommit:
            raise _autocommit_refused()
        if not connection.in_transaction():
            connection.begin()

    def hold(self, connection: Connection) -> None:
        # A cursor on the server lives as long as the transaction.
        _autocommit(raw_connection(connection), False)

    def holds(self, connection: Connection) -> bool:
        return not raw_connection(connection).autocommit

    def let_go(self, connection: Connection) -> None:
        raw = raw_connection(connection)
        raw.rollback()
        _autocommit(raw, True)

    def check_alive(self, connection: Connection) -> None:
        # libpq's PQTRANS_INERROR: a COMMIT now would answer ROLLBACK and raise nothing.
        if raw_connection(connection).info.transaction_status == 3:
            raise _given_up()


def driver_of(dialect: str) -> Driver:
    """The driver of a dialect that :func:`~crmkit.store.sql.statement.compile_dialect` accepts."""
    return SqliteDriver() if dialect == "sqlite" else PostgresDriver()


def check_references(engine: Engine) -> None:
    """Makes every new SQLite connection of a host's engine check foreign keys; on PostgreSQL they always are.

    A host that writes to its own tables before it hands its transaction to crmkit calls this once: in an open
    transaction SQLite does not take the setting any more.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _record: _set_references(raw, "ON"))


def references_enforced(raw: Any) -> bool:
    """Whether a sqlite3 connection checks foreign keys."""
    return bool(raw.execute("PRAGMA foreign_keys").fetchone()[0])


def _set_references(raw: Any, value: str) -> None:
    """Sets them on a connection on which nothing has been done yet, or nothing any more."""
    always = getattr(raw, "autocommit", None) is False
    if always:
        # The driver keeps a transaction open at all times, in which SQLite does not take the setting.
        raw.autocommit = True
    raw.execute(f"PRAGMA foreign_keys = {value}")
    if always:
        raw.autocommit = False


def _demand_references(raw: Any) -> None:
    """Turns foreign keys on where they are off; raises UsageError where it is too late for that."""
    if not references_enforced(raw):
        raw.execute("PRAGMA foreign_keys = ON")
        if not references_enforced(raw):
            raise UsageError(
                "SQLite does not check references on this connection, and in an open transaction it cannot be told to",
                code="references_off",
                hint="call crmkit.store.check_references(engine) once, when you make the engine",
            )


def _autocommit(raw: Any, on: bool) -> None:
    # psycopg refuses even to set what is set while a transaction is open.
    if raw.autocommit is not on:
        raw.autocommit = on


def _autocommits(raw: Any) -> bool:
    return getattr(raw, "autocommit", None) is True


def _autocommit_refused() -> UsageError:
    return UsageError(
        "the connection commits each statement by itself, so a unit of work could not be undone on it",
        code="autocommit",
        hint="hand over a connection without the isolation level AUTOCOMMIT",
    )


def _given_up() -> Unavailable:
    return Unavailable(
        "the database has rolled the transaction back after an error, so nothing can be committed",
        code="rolled_back",
        hint="run the unit of work again",
    )
