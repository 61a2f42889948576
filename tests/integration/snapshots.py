"""What is in a database, read behind crmkit's back, and what must hold of it whatever happened."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy import make_url

Rows = list[dict[str, Any]]
Snapshot = dict[str, Rows]


def snapshot(url: str) -> Snapshot:
    """Every row of every table of crmkit that is committed, in an order that depends on the rows alone."""
    found = {name: _ordered(rows) for name, rows in _tables(url)}
    assert "crm_changeset" in found  # an empty picture would make every comparison true
    return found


def digest(url: str) -> str:
    """A short text that differs when anything committed differs."""
    return hashlib.sha256(repr(sorted(snapshot(url).items())).encode()).hexdigest()


def _tables(url: str) -> Iterator[tuple[str, Rows]]:
    if make_url(url).get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(make_url(url).database))) as file:
            file.row_factory = sqlite3.Row
            names = [r[0] for r in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                if name.startswith("crm_"):
                    yield name, [dict(row) for row in file.execute(f'SELECT * FROM "{name}"')]
        return
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, row_factory=psycopg.rows.dict_row) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for name in [row["tablename"] for row in found]:
            if name.startswith("crm_"):
                query = psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(name))
                yield name, connection.execute(query).fetchall()


def _ordered(rows: Rows) -> Rows:
    return sorted(rows, key=repr)


def broken(found: Snapshot) -> list[str]:
    """What does not hold and always must: changesets are there, versions have no gaps, times do not overlap."""
    changesets = {(row["tenant_id"], row["id"]) for row in found["crm_changeset"]}
    problems = [
        f"crm_job: {row['id']!r} tells of a changeset that is not there"
        for row in found["crm_job"]
        if (row["tenant_id"], row["subject"]) not in changesets
    ]
    for name, live in found.items():
        if f"{name}_history" in found:
            problems += _broken_records(name, live, found[f"{name}_history"], changesets)
    return problems


def _broken_records(name: str, live: Rows, history: Rows, changesets: set[tuple[Any, Any]]) -> Iterator[str]:
    versions: dict[tuple[Any, Any], Rows] = {}
    for row in (*history, *live):
        versions.setdefault((row["tenant_id"], row["id"]), []).append(row)
        for column in ("changeset_id", "superseded_by"):
            if column in row and (row["tenant_id"], row[column]) not in changesets:
                yield f"{name} {row['id']!r} version {row['version']}: {column} is not there"
    if len({(row["tenant_id"], row["id"]) for row in live}) != len(live):
        yield f"{name}: a record is there twice"
    for (_, record_id), rows in versions.items():
        rows.sort(key=lambda row: row["version"])
        numbers = [row["version"] for row in rows]
        if numbers != list(range(1, len(rows) + 1)):
            yield f"{name} {record_id!r}: versions {numbers}"
        if any("superseded_at" not in row for row in rows[:-1]):
            yield f"{name} {record_id!r}: a version follows the live one"
        yield from _broken_times(name, rows)


def _broken_times(name: str, rows: Rows) -> Iterator[str]:
    """No two versions of a record are there at one instant."""
    ends = 0
    for row in rows:
        if row["recorded_at"] < ends:
            yield f"{name} {row['id']!r} version {row['version']}: begins before the one before it ends"
        ends = row.get("superseded_at", row["recorded_at"])
        if ends < row["recorded_at"]:
            yield f"{name} {row['id']!r} version {row['version']}: ends before it begins"
