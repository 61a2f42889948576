"""A database: SQLite or PostgreSQL, given as a URL or as the host's own engine."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from inspect import iscoroutinefunction
from time import sleep
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.sql.elements import ClauseElement

from crmkit.errors import UsageError
from crmkit.store.connection.drivers import driver_of
from crmkit.store.connection.failures import translate
from crmkit.store.connection.shared_connection import PATIENCE, Gate
from crmkit.store.connection.unit import Audit, Unit
from crmkit.store.sql.statement import Statement, compile_dialect, prepared
from crmkit.store.tables.columns import Codec

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

    from crmkit.store.tables.record_tables import Tables

__all__ = ["Database", "Statement", "Unit"]

_DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg"}
_ATTEMPTS = 1_000
_RUN_SYNC = "inside async code pass the synchronous connection or session that run_sync gives you"


class Database:
    """Where records are kept. Nothing is opened until it is used.

    ``target`` is a URL (``sqlite:///crm.db``, ``sqlite://`` for one in memory, ``postgresql://user@host/name``) or the
    host's Engine. ``synchronous`` says what SQLite waits for at a commit: FULL survives a power cut, NORMAL only a
    killed process. ``tables`` lets errors name fields. ``audit`` is told of every statement.

    ``dialect`` is ``sqlite`` or ``postgresql``; ``codec`` converts values for its driver.

    Raises UsageError: ``bad_url``, ``unsupported_database``, ``shared_per_thread``, ``async_engine``.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        *,
        tables: "Tables | None" = None,
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        audit: Audit | None = None,
    ) -> None:
        if synchronous not in ("FULL", "NORMAL"):
            raise UsageError("synchronous is FULL or NORMAL", code="bad_option", hint="leave it out for FULL")
        if _waits(target):
            raise UsageError(
                "crmkit cannot open connections of an async engine",
                code="async_engine",
                hint=f"give the database's URL, and join by crm.session(user, on=...): {_RUN_SYNC}",
            )
        self.tables = tables
        self._synchronous = synchronous
        self._audit = audit
        self._own = not isinstance(target, Engine)
        self._engine = target if isinstance(target, Engine) else None
        self._url = target.url if isinstance(target, Engine) else _url(target)
        self.dialect = _supported(self._url)
        self.codec = Codec(self.dialect)
        self._driver = driver_of(self.dialect)
        self._compile_dialect = compile_dialect(self.dialect)
        self._gate = Gate() if _shares_connection(self._url, self._engine) else None
        self._shared: Connection | None = None

    @property
    def engine(self) -> Engine:
        """The engine, made when it is first asked for."""
        if self._engine is None:
            self._engine = self._sqlite_engine() if self.dialect == "sqlite" else self._postgres_engine()
        return self._engine

    def prepare(self, clause: ClauseElement) -> Statement:
        """The statement of a clause, checked and compiled; keep it, nothing is cached here.

        Raises UsageError when the clause names a tenant's table without binding its tenant.
        """
        return prepared(clause, self._compile_dialect)

    def open(self, on: "Connection | Session | scoped_session[Session] | None" = None) -> Unit:
        """A unit of work, on a connection of its own or joined to a host's Connection or Session.

        Raises Unavailable when the database cannot be reached, StorageError when its file is none or cannot be opened.
        """
        if on is not None:
            return self._unit(self._connection_of(on), owns=False, join=_session_of(on))
        if self._gate is not None:
            return self._unit(self._shared_connection(self._gate), owns=True)
        return self._unit(self._connect(), owns=True)

    def dispose(self) -> None:
        """Closes the connections crmkit opened; a host's engine is left alone. A database in memory is gone."""
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._own and self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def __repr__(self) -> str:
        return f"Database({self._url.render_as_string(hide_password=True)!r})"

    # ---------------------------------------------------------------------------------------------------------- opening

    def _unit(self, connection: Connection, *, owns: bool, join: Callable[[], object] | None = None) -> Unit:
        return Unit(
            connection,
            self._driver,
            owns=owns,
            prepare=self.prepare,
            gate=self._gate if owns else None,
            tables=self.tables,
            audit=self._audit,
            join=join,
        )

    def _connect(self) -> Connection:
        try:
            return self.engine.connect()
        except SQLAlchemyError as error:
            raise translate(error, self.tables, self._url) from error

    def _shared_connection(self, gate: Gate) -> Connection:
        with gate.turn(self):
            if self._shared is None:
                self._shared = self._connect()
                self._driver.taken(self._shared)
            return self._shared

    def _connection_of(self, on: Any) -> Connection:
        connection = on if isinstance(on, Connection) else _asked(on)
        if not isinstance(connection, Connection):
            raise UsageError(
                f"{type(on).__name__} is neither a Connection nor a Session of SQLAlchemy",
                code="not_a_connection",
                hint=_RUN_SYNC,
            )
        _supported(connection.engine)
        if connection.dialect.name != self.dialect:
            raise UsageError(
                f"the connection is to {connection.dialect.name}, this database is {self.dialect}",
                code="other_database",
                hint="give the connection to the CRM that was made for its database",
            )
        return connection

    # ---------------------------------------------------------------------------------------------------------- engines

    def _sqlite_engine(self) -> Engine:
        options: dict[str, Any] = {}
        arguments: dict[str, Any] = {"isolation_level": None, "timeout": PATIENCE}
        if self._gate is not None:
            options["poolclass"] = StaticPool
            arguments["check_same_thread"] = False
        engine = create_engine(self._url, connect_args=arguments, **options)
        event.listen(engine, "connect", self._prepare_sqlite)
        return engine

    def _prepare_sqlite(self, raw: Any, _record: object) -> None:
        if self._gate is None:
            _write_ahead(raw)
        raw.execute(f"PRAGMA synchronous = {self._synchronous}")
        raw.execute("PRAGMA foreign_keys = ON")

    def _postgres_engine(self) -> Engine:
        try:
            return create_engine(self._url)
        except ModuleNotFoundError as error:
            raise UsageError(
                "PostgreSQL needs psycopg 3", code="driver_missing", hint="pip install crmkit[postgres]"
            ) from error


def _write_ahead(raw: Any) -> None:
    """Turns the write-ahead log on; of two connections that do so at once on a new file, SQLite refuses one without
    waiting as it does for everything else.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not left:
                raise
            sleep(PATIENCE / _ATTEMPTS)
        else:
            return


def _waits(target: Any) -> bool:
    """Whether this is an async engine, or the one inside it."""
    engine = getattr(target, "sync_engine", target)
    return isinstance(engine, Engine) and engine.dialect.is_async


def _asked(session: Any) -> Any:
    """What a Session answers when it is asked for its connection; None if it is none, or would have to be awaited.

    It is known by its method, not its class: a host without the ORM should not import it for us.
    """
    ask = None
    with suppress(SQLAlchemyError):  # the accessor of an AsyncConnection
        ask = getattr(session, "connection", None)
    return ask() if callable(ask) and not iscoroutinefunction(ask) else None


def _session_of(on: Any) -> Callable[[], object] | None:
    """How a Session is asked for its connection once more; None for a Connection."""
    return None if isinstance(on, Connection) else on.connection


def _url(target: str | URL) -> URL:
    try:
        url = make_url(target)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, so it is not shown.
        raise UsageError(
            "the database's URL cannot be read",
            code="bad_url",
            hint="write it like sqlite:///crm.db or postgresql://user:password@host/name",
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return url


def _supported(what: URL | Engine) -> str:
    """The dialect's name, if crmkit runs on it with this driver."""
    name = what.get_backend_name() if isinstance(what, URL) else what.dialect.name
    if name in _DRIVERS:
        driver = what.get_driver_name() if isinstance(what, URL) else what.dialect.driver
        if driver == _DRIVERS[name]:
            return name
        name = f"{name}+{driver}"
    raise UsageError(
        f"crmkit does not run on {name}",
        code="unsupported_database",
        hint="use SQLite, or PostgreSQL with psycopg 3 (postgresql+psycopg://...)",
    )


def _shares_connection(url: URL, engine: Engine | None) -> bool:
    """Whether all units of work have one connection, because the database is in memory."""
    if engine is not None:
        if isinstance(engine.pool, SingletonThreadPool):
            raise UsageError(
                "this engine keeps a database in memory for each thread",
                code="shared_per_thread",
                hint="create_engine(..., poolclass=StaticPool), or give crmkit the URL sqlite://",
            )
        return isinstance(engine.pool, StaticPool)
    name = url.database or ""
    in_memory = name in ("", ":memory:") or url.query.get("mode") == "memory" or name.startswith("file::memory:")
    return url.get_backend_name() == "sqlite" and in_memory
