"""Rows written without crmkit, so that two databases differ in what a test says and in nothing else."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import make_url

from tests.integration.snapshots import snapshot

Row = dict[str, Any]


def insert_rows(url: str, rows: Iterable[tuple[str, Row]]) -> None:
    """Inserts rows by table, references in any order."""
    with writing(url) as execute:
        for table, row in rows:
            execute("INSERT INTO {} ({}) VALUES ({})", table, row)


def rewrite(url: str, change: Callable[[str, Row], Row | None]) -> int:
    """Changes rows as ``change(table, row)`` says, or removes them where that is None; returns how many it changed."""
    changed = 0
    found = snapshot(url)
    with writing(url) as execute:
        for table, rows in found.items():
            for row in rows:
                new = change(table, dict(row))
                if new != row:
                    changed += 1
                    key = {c: row[c] for c in ("tenant_id", "id", "version") if c in row}
                    execute("DELETE FROM {} WHERE ({}) = ({})", table, key)
                    if new is not None:
                        execute("INSERT INTO {} ({}) VALUES ({})", table, new)
    return changed


@contextmanager
def writing(url: str) -> Iterator[Callable[[str, str, Row], None]]:
    """Gives a function that sends a statement about a table and the columns and values of a row; commits at the end."""
    if make_url(url).get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(make_url(url).database))) as file, file:

            def to_sqlite(pattern: str, table: str, row: Row) -> None:
                columns = ", ".join(f'"{column}"' for column in row)
                file.execute(pattern.format(table, columns, ", ".join("?" * len(row))), [*row.values()])

            yield to_sqlite
        return
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        connection.execute("SET session_replication_role = replica")  # references are not checked

        def to_postgresql(pattern: str, table: str, row: Row) -> None:
            columns = sql.SQL(", ").join(map(sql.Identifier, row))
            places = sql.SQL(", ").join([sql.Placeholder()] * len(row))
            values = [Jsonb(value) if isinstance(value, dict | list) else value for value in row.values()]
            query = sql.SQL(pattern).format(sql.Identifier(table), columns, places)  # type: ignore[arg-type]
            connection.execute(query, values)

        yield to_postgresql
