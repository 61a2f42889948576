"""A unit of work: everything crmkit sends to a database goes through here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from logging import INFO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import finalize, ref

from sqlalchemy import BindParameter, Connection, Table, bindparam, insert
from sqlalchemy.sql.elements import ClauseElement

from crmkit.errors import CrmkitError, StorageError, UsageError
from crmkit.store.connection.abandoned import abandoned, abandoned_in_host, abandoned_in_memory
from crmkit.store.connection.drivers import Driver, raw_connection
from crmkit.store.connection.host_savepoints import HostSavepoints, Keeper
from crmkit.store.connection.joined import JoinedSavepoint
from crmkit.store.connection.shared_connection import Gate
from crmkit.store.connection.translating import Translating
from crmkit.store.sql.statement import Statement
from crmkit.store.sql.tenant_check import TENANT

if TYPE_CHECKING:
    from crmkit.store.tables.record_tables import Tables

__all__ = ["Audit", "Row", "Unit"]

Row = tuple[Any, ...]
Audit = Callable[[str, ClauseElement | None], None]
"""Told of every statement that is sent: its SQL, and the clause that was checked (None for COPY)."""

_NOTHING: Mapping[str, Any] = {}


class Unit:
    """A unit of work on one connection, for one thread at a time.

    Reads run as they come; the first write opens a transaction that ``commit`` or ``rollback`` ends. On a host's
    connection (``owns`` is False) the writes lie in a savepoint of the host's transaction: ``commit`` releases it,
    ``rollback`` undoes it, and the host alone decides about the transaction. Leaving the context without ``commit``
    rolls back.

    Rows are the driver's own tuples; values are raw driver values (see :class:`~crmkit.store.Codec`).
    Whatever the database refuses is raised as a :class:`~crmkit.errors.CrmkitError`.
    """

    def __init__(
        self,
        connection: Connection,
        driver: Driver,
        *,
        owns: bool,
        prepare: Callable[[ClauseElement], Statement],
        gate: Gate | None = None,
        tables: "Tables | None" = None,
        audit: Audit | None = None,
        join: Callable[[], object] | None = None,
    ) -> None:
        """``join`` is called before anything is sent: a host's ORM Session then begins a savepoint it has promised."""
        self.owns = owns
        self.sent = 0
        self._connection = connection
        self._driver = driver
        self._prepare = prepare
        self._gate = gate
        self._join = join
        self._audit = audit
        self._closed = False
        self._writing = False
        self._holds = 0
        self._savepoints = 0
        self._tenant: Any = None
        self._failing = Translating(connection, tables, owns=owns)
        self._errors = self._failing.errors
        self._direct = owns and _unheard(connection)
        self._keeper: ref[Keeper] | None = None
        self._host_savepoints = None if owns else HostSavepoints(connection, self)
        self._joined = None if owns else JoinedSavepoint(connection, driver)
        self._turn = object()
        """Holds the gate in place of the unit, which nothing must keep when it is dropped."""
        with self._failing:
            self._state = driver.taken(connection) if owns and gate is None else None
        self._dropped = self._when_dropped()

    def _when_dropped(self) -> "finalize[Any, Self]":
        if self._joined is not None and self._host_savepoints is not None:
            return finalize(self, abandoned_in_host, self._joined, self._host_savepoints)
        if self._gate is not None:
            return finalize(self, abandoned_in_memory, self._connection, self._driver, self._gate, self._turn)
        return finalize(self, abandoned, self._connection, self._driver, self._state)

    @property
    def writing(self) -> bool:
        """Whether there is a transaction, or in a host's the savepoint, in which the unit writes."""
        return self._writing

    @property
    def keeper(self) -> Keeper | None:
        """Who keeps what follows from what is written, and is told when a host takes it back."""
        return None if self._keeper is None else self._keeper()

    @keeper.setter
    def keeper(self, keeper: Keeper) -> None:
        self._keeper = ref(keeper)

    @property
    def connection(self) -> Connection:
        """The connection itself, for migrations."""
        self._check_open()
        return self._connection

    # ---------------------------------------------------------------------------------------------------------- reading

    def read(self, statement: Statement, values: Mapping[str, Any] = _NOTHING) -> list[Row]:
        """All rows."""
        parameters = statement.bind(values)
        if statement.writes:
            self._write_for(values.get(TENANT))
        if self._gate is None:
            return self._fetch(statement, parameters)
        with self._gate.turn(self._turn):
            return self._fetch(statement, parameters)

    def _fetch(self, statement: Statement, parameters: tuple[Any, ...]) -> list[Row]:
        answer = self._send(statement, parameters)
        try:
            with self._failing:
                cursor = answer if self._direct else answer.cursor
                return [] if cursor is None or cursor.description is None else cursor.fetchall()
        finally:
            answer.close()

    def stream(
        self, statement: Statement, values: Mapping[str, Any] = _NOTHING, block: int = 1000
    ) -> Iterator[list[Row]]:
        """The rows in lists of ``block``, no more than one of which is held at a time.

        PostgreSQL keeps the others on the server, until the transaction ends. A database in memory gives all at once.
        """
        if self._gate is not None:
            rows = self.read(statement, values)
            yield from (rows[start : start + block] for start in range(0, len(rows), block))
            return
        parameters = statement.bind(values)
        with self._held(), self._cursor(statement, parameters) as cursor:
            while rows := self._block(cursor, block):
                yield rows

    def _block(self, cursor: Any, size: int) -> list[Row]:
        with self._failing:
            return cursor.fetchmany(size)  # type: ignore[no-any-return]

    @contextmanager
    def _cursor(self, statement: Statement, parameters: tuple[Any, ...]) -> Iterator[Any]:
        """A cursor on the rows, on the server where there is one and a transaction to keep it."""
        cursor: Any
        if self._driver.holds(self._connection):
            # SQLAlchemy's own server-side result would take the first row for itself.
            cursor = raw_connection(self._connection).cursor(self._name(self.sent))
        else:
            answer = self._send(statement, parameters)
            cursor = answer if self._direct else answer.cursor
        try:
            if self._driver.holds(self._connection):
                self._before(statement)
                with self._failing:
                    cursor.execute(statement.sql, parameters)
            yield cursor
        finally:
            with suppress(*self._errors):
                cursor.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keeps a transaction for cursors open while nothing is written."""
        if self._writing or not self.owns:
            yield
            return
        with self._failing:
            self._driver.hold(self._connection)
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._let_go()

    def _let_go(self) -> None:
        if not (self._holds or self._writing or self._closed):
            with self._failing:
                self._driver.let_go(self._connection)

    # ---------------------------------------------------------------------------------------------------------- writing

    def write(self, statement: Statement, values: Mapping[str, Any] = _NOTHING) -> int:
        """Sends one change; returns the number of rows it touched."""
        parameters = statement.bind(values)
        self._write_for(values.get(TENANT))
        return self._counted(statement, parameters)

    def write_many(self, statement: Statement, rows: Sequence[Row]) -> int:
        """Sends one change for each row of ready parameters, in the order of ``statement.names``.

        Returns the number of rows touched altogether.

        Raises UsageError when the statement has values of its own (give them as parameters), or the rows belong to
        more than one tenant.
        """
        if not rows:
            return 0
        if statement.literals:
            raise UsageError(
                "a statement for many rows cannot hold values of its own",
                code="literal_in_many",
                hint="make each a bindparam",
            )
        self._write_for_rows(rows, statement.index(TENANT))
        return self._counted(statement, list(rows))

    def copy_in(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Adds rows that hold values for ``columns``, by COPY where there is one that can be sent at once.

        A tenant's table needs ``tenant_id`` among the columns, the same in every row. Raises UsageError if it is not.
        """
        if not rows:
            return
        tenants = table.info.get("scope") == "tenant"
        if tenants and "tenant_id" not in columns:
            raise UsageError(f"rows for {table.name!r} have no tenant_id", code="unbound_tenant", hint="add the column")
        if not self._driver.errors_abort or self._connection.dialect.is_async:
            self._insert_rows(table, columns, rows)
            return
        self._write_for_rows(rows, columns.index("tenant_id") if tenants else None)
        preparer = self._connection.dialect.identifier_preparer
        listed = ", ".join(preparer.quote(table.c[column].name) for column in columns)
        sql = f"COPY {preparer.format_table(table)} ({listed}) FROM STDIN"
        self._count(sql, None)
        with self._failing, raw_connection(self._connection).cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)

    def _insert_rows(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        parameters: dict[str, BindParameter[Any]] = {
            name: bindparam(TENANT if name == "tenant_id" else name) for name in columns
        }
        statement = self._prepare(insert(table).values(parameters))
        named = ["tenant_id" if name == TENANT else name for name in statement.names]
        if named != list(columns):
            places = [columns.index(name) for name in named]
            rows = [tuple([row[place] for place in places]) for row in rows]
        self.write_many(statement, rows)

    # ----------------------------------------------------------------------------------------------------- transaction

    def begin_write(self) -> None:
        """Opens the transaction, or in a host's the savepoint, unless it is open already.

        SQLite waits here for other writers, ten seconds at most, then Unavailable is raised; so it is when the database
        has given up the transaction that was open.
        """
        self._check_open()
        if self._join is not None:
            with self._failing:
                self._join()
        if self._writing:
            # SQLite ends a transaction by itself when a disk is full: what follows would be kept piece by piece.
            with self._failing:
                self._driver.check_alive(self._connection)
            return
        if self._gate is not None:
            self._gate.take(self._turn)
        try:
            with self._failing:
                if self._joined is None:
                    self._driver.begin(self._connection)
                else:
                    self._joined.begin()
        except BaseException:
            self._give_gate()
            raise
        self._writing = True

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone when an exception leaves the block; blocks nest."""
        if self.owns and not (self._writing or self._holds):
            with self._first_writes():
                yield
            return
        self.begin_write()
        self._savepoints += 1
        name = self._name(self._savepoints)
        try:
            with self._failing:
                self._command(f"SAVEPOINT {name}")
            try:
                yield
                with self._failing:
                    self._command(f"RELEASE SAVEPOINT {name}")
            except BaseException as error:
                try:
                    self._undo_to(name)
                except CrmkitError:
                    # When the connection is gone or the database gave up, its first error is the one to see. After any
                    # other one somebody may go on, with what is still there.
                    if not isinstance(error, StorageError):
                        raise
                raise
        finally:
            self._savepoints -= 1

    def _undo_to(self, name: str) -> None:
        if self._joined is not None and self._joined.ended:
            return
        with self._failing:
            self._command(f"ROLLBACK TO SAVEPOINT {name}")
            self._command(f"RELEASE SAVEPOINT {name}")

    @contextmanager
    def _first_writes(self) -> Iterator[None]:
        """A savepoint before which nothing was written is the transaction itself: two round trips less."""
        self.begin_write()
        try:
            yield
        except BaseException:
            with suppress(*self._errors):
                self.rollback()
            raise

    def check_commit(self) -> None:
        """Raises UsageError where a commit would be refused (``closed``, ``transaction_ended``, ``savepoint_open``)."""
        self._check_open()
        if self._writing and self._host_savepoints is not None:
            self._host_savepoints.check()

    def commit(self) -> None:
        """Keeps what was written; for a host's transaction, as far as the host keeps it."""
        self.check_commit()
        if not self._writing:
            return
        with self._failing:
            self._driver.check_alive(self._connection)
            if self._joined is None:
                self._driver.commit(self._connection)
            else:
                self._joined.release()
        self._ended()

    def rollback(self) -> None:
        """Undoes what was written since the unit began or was last committed."""
        self._check_not_closed()
        if not self._writing:
            return
        try:
            with self._failing:
                if self._joined is None:
                    self._driver.rollback(self._connection)
                else:
                    self._joined.undo()
        finally:
            self._ended()

    def lost(self) -> None:
        """The host has taken back all that was written, and the savepoint with it."""
        if self._joined is not None:
            self._joined.lost()
        self._ended()

    def close(self) -> None:
        """Rolls back what is not committed and gives the connection back; closing twice is closing once."""
        if self._closed:
            return
        self._dropped.detach()
        try:
            self._abandon()
        finally:
            self._closed = True
            if self._host_savepoints is not None:
                self._host_savepoints.stop()
            if self._joined is not None:
                self._joined.stop()
            if self.owns and self._gate is None:
                self._connection.close()

    def _abandon(self) -> None:
        try:
            self.rollback()
            if self.owns and self._gate is None:
                self._driver.release(self._connection, self._state)
        except (CrmkitError, *self._errors):
            if not self.owns:
                raise
            # The connection is gone, and with it what was not committed; the pool must not hand it out again.
            self._connection.invalidate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(*self._errors):
                self.close()

    # --------------------------------------------------------------------------------------------------------- sending

    def _send(self, statement: Statement, parameters: tuple[Any, ...] | list[Row]) -> Any:
        """The answer, whose caller closes it: SQLAlchemy's, or the cursor itself.

        SQLAlchemy describes to itself the columns of each result, of which nothing here makes use: on a connection of
        crmkit's own to which nobody listens, the driver is asked itself (a page of W3: 1.02 ms instead of 1.14).
        """
        self._before(statement)
        with self._failing:
            if self._direct:
                cursor = raw_connection(self._connection).cursor()
                send = cursor.executemany if isinstance(parameters, list) else cursor.execute
                send(statement.sql, parameters)
                return cursor
            options = statement.options
            return self._connection.exec_driver_sql(statement.sql, parameters, execution_options=options)

    def _counted(self, statement: Statement, parameters: tuple[Any, ...] | list[Row]) -> int:
        answer = self._send(statement, parameters)
        count: int = answer.rowcount
        answer.close()
        return count

    def _before(self, statement: Statement) -> None:
        self._check_open()
        if self._join is not None:
            with self._failing:
                self._join()
        if not self.owns and not self._writing and self._driver.errors_abort:
            self.begin_write()
        self._count(statement.sql, statement.clause)

    def _count(self, sql: str, clause: ClauseElement | None) -> None:
        self.sent += 1
        if self._audit is not None:
            self._audit(sql, clause)

    def _command(self, sql: str) -> None:
        raw_connection(self._connection).execute(sql)

    def _write_for(self, tenant: Any) -> None:
        """One tenant a transaction: a sharded database could not commit two together."""
        self.begin_write()
        if tenant is not None and tenant != self._tenant:
            if self._tenant is not None:
                raise UsageError(
                    "a unit of work writes for one tenant", code="two_tenants", hint="commit, then begin the other"
                )
            self._tenant = tenant

    def _write_for_rows(self, rows: Sequence[Row], position: int | None) -> None:
        if position is None:
            self.begin_write()
            return
        tenants = {row[position] for row in rows}
        for tenant in tenants:
            self._write_for(tenant)

    def _name(self, depth: int) -> str:
        return f"crmkit_{id(self):x}_{depth}"

    def _ended(self) -> None:
        self._writing = False
        self._tenant = None
        self._give_gate()

    def _give_gate(self) -> None:
        if self._gate is not None:
            self._gate.give(self._turn)

    def _check_open(self) -> None:
        self._check_not_closed()
        if self._joined is not None:
            self._joined.check()

    def _check_not_closed(self) -> None:
        if self._closed:
            raise UsageError("the unit of work is closed", code="closed", hint="open another")


def _unheard(connection: Connection) -> bool:
    """Whether nobody listens to, or logs, what SQLAlchemy sends through this connection."""
    engine, heard, dialect = connection.engine, connection.dispatch, connection.dialect.dispatch
    return not (
        heard.before_cursor_execute
        or heard.after_cursor_execute
        or dialect.do_execute
        or dialect.do_executemany
        or dialect.handle_error
        or engine.logger.isEnabledFor(INFO)
    )
