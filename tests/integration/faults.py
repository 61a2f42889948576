"""A database that fails before a chosen statement: the statement never gets there, and the driver says so."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus
from sqlalchemy import Engine, create_engine, make_url

from crmkit.store import check_references


class Fault:
    """Counts what is sent while it is armed, and fails one of them."""

    def __init__(self) -> None:
        self.sent = 0
        self._fails = 0
        self._armed = False

    @contextmanager
    def before(self, statement: int) -> Iterator[None]:
        """In the block the n-th statement fails, counted from 1; with 0 none does, they are only counted."""
        self.sent, self._fails, self._armed = 0, statement, True
        try:
            yield
        finally:
            self._armed = False

    def now(self) -> bool:
        """Whether the statement that is about to be sent fails."""
        self.sent += self._armed
        return self._armed and self.sent == self._fails


@contextmanager
def failing_engine(url: str, fault: Fault) -> Iterator[Engine]:
    """A host's engine on which ``fault`` comes true."""
    sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = create_engine(url, connect_args={"factory": _failing_sqlite(fault)} if sqlite else {})
    check_references(engine)
    with pytest.MonkeyPatch.context() as patch:
        if not sqlite:
            patch.setattr(psycopg.Connection, "wait", _failing_wait(fault))
        yield engine
        engine.dispose()


def _failing_sqlite(fault: Fault) -> type[sqlite3.Connection]:
    def check() -> None:
        if fault.now():
            raise sqlite3.OperationalError("disk I/O error")

    class Cursor(sqlite3.Cursor):
        def execute(self, *arguments: Any) -> Any:
            check()
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> Any:
            check()
            return super().executemany(*arguments)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, *arguments: Any) -> Any:
            return self.cursor().execute(*arguments)

        def commit(self) -> None:
            check()
            super().commit()

    return Connection


def _failing_wait(fault: Fault) -> Any:
    exchange = psycopg.Connection.wait

    def wait(connection: Any, *arguments: Any, **named: Any) -> Any:
        server = connection.pgconn
        # A pipeline, by which many rows are sent, fails before it is begun: psycopg cannot leave one half way.
        if server.pipeline_status == PipelineStatus.OFF and fault.now():
            if fault.sent > 1 and server.transaction_status == TransactionStatus.INTRANS:
                # The server too knows of an error: it then refuses everything up to the last savepoint, which is what
                # the first statement sets.
                server.exec_(b"SELECT 1 / 0")
            raise psycopg.errors.QueryCanceled("canceling statement due to user request")
        return exchange(connection, *arguments, **named)

    return wait
