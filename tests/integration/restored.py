"""A database that can be put back into the state it was prepared in, and compared with it, as often as one likes."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import URL

from tests.integration.snapshots import digest
from tests.postgres import new_database

Connection = psycopg.Connection[tuple[Any, ...]]


class Restored(Protocol):
    """``url`` names the database that is used; it is as prepared only after ``restore``."""

    url: str

    def restore(self) -> None:
        """Puts everything back. Nobody who still lives may be using it."""
        ...

    def state(self) -> str:
        """A short text that differs when anything committed differs."""
        ...


class RestoredFile:
    """A SQLite file, copied from another."""

    def __init__(self, original: Path) -> None:
        self._original = original
        self._file = original.with_name("restored.db")
        self.url = f"sqlite:///{self._file}"

    def restore(self) -> None:
        for left in ("-wal", "-shm"):
            self._file.with_name(self._file.name + left).unlink(missing_ok=True)
        shutil.copyfile(self._original, self._file)

    def state(self) -> str:
        return digest(self.url)


class RestoredServer:
    """A PostgreSQL database whose rows are put back: to drop it and copy another takes twenty times as long.

    ``connection`` stays open, as a new one needs 20 ms to learn what tables and indexes there are.
    """

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url
        self._connection = connection
        names = connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'crm%'").fetchall()
        self._rows = {name: self._copied(name) for (name,) in names}
        assert any(self._rows.values())

    def restore(self) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            # References are right again only when all tables are.
            cursor.execute("SET LOCAL session_replication_role = replica")
            for name, rows in self._rows.items():
                if self._copied(name) != rows:
                    cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
                    with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy:
                        copy.write(rows)

    def state(self) -> str:
        return hashlib.sha256(repr([(name, self._copied(name)) for name in self._rows]).encode()).hexdigest()

    def _copied(self, name: str) -> bytes:
        rows = sql.SQL("COPY (SELECT * FROM {} t ORDER BY t::text) TO STDOUT").format(sql.Identifier(name))
        with self._connection.cursor() as cursor, cursor.copy(rows) as copy:
            return b"".join(map(bytes, copy))


@contextmanager
def restored_file(folder: Path, template: Path, prepare: Callable[[str], None]) -> Iterator[Restored]:
    """A file in ``folder``: the template with what ``prepare(url)`` adds."""
    original = Path(shutil.copy(template, folder / "original.db"))
    prepare(f"sqlite:///{original}")
    yield RestoredFile(original)


@contextmanager
def restored_server(server: URL, template: str, prepare: Callable[[str], None]) -> Iterator[Restored]:
    """A database on ``server``: the template with what ``prepare(url)`` adds."""
    with new_database(server, "restored", template) as url:
        prepare(url)
        with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
            yield RestoredServer(url, connection)
