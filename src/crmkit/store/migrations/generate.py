"""Makes the first two revisions from the record types: ``python -m crmkit.store.migrations.generate``.

To be run again whenever a record type changes, until a release has them.
"""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Column, Index, Table

from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import Kind, Schema, record_type_of
from crmkit.schema.parts import SLOT_COLUMNS
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.tables.columns import IdType, JsonType
from crmkit.store.tables.record_tables import Tables

__all__ = ["main", "revisions"]

_FRAME_START = ("tenant_id", *SYSTEM_FIELDS)
_FRAME_END = {"live": ("custom",), "history": ("custom", "superseded_at", "superseded_by")}


def main() -> None:
    """Writes the revisions beside this file and formats them."""
    folder = Path(__file__).parent / "versions"
    tables = Tables(Schema.of(map(record_type_of, BUILTIN_RECORDS)))
    written = []
    for name, text in revisions(tables).items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(str(path))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *written], check=True)  # noqa: S603 - our own files


def revisions(tables: Tables) -> dict[str, str]:
    """The text of the revisions by file name, not formatted."""
    return {"v0001_tables.py": _tables_revision(tables), "v0002_indexes.py": _indexes_revision(tables)}


def _in_order(tables: Tables) -> list[Table]:
    """Live tables, each after those it refers to."""
    return [table for table in tables.metadata.sorted_tables if table.info["role"] == "live"]


# --------------------------------------------------------------------------------------------------------------- tables


def _tables_revision(tables: Tables) -> str:
    rows = [_row(table, tables.history[table.info["type"]]) for table in _in_order(tables)]
    return _TABLES_TEXT.replace("# ROWS", "\n".join(rows))


def _row(live: Table, history: Table) -> str:
    lines = textwrap.wrap(_fields(live), 100)
    fields = "\n".join(repr(line + (" " if line is not lines[-1] else "")) for line in lines)
    return f"({live.name!r}, {history.name!r}, ({fields}), {tuple(_keys(live))!r}),"


def _fields(table: Table) -> str:
    """The columns between those that every record has, as words: ``name!`` is NOT NULL, ``owner:id`` is no text."""
    columns = [c for c in table.columns if c.name not in (*_FRAME_START, *_FRAME_END["live"], *SLOT_COLUMNS)]
    words = [f"{c.name}{_suffix(c)}{'' if c.nullable else '!'}" for c in columns]
    if SLOT_COLUMNS[0] in table.columns:
        words.append("SLOTS")
    return " ".join(words)


def _suffix(column: "Column[object]") -> str:
    if isinstance(column.type, IdType):
        return f":{Kind.ID.value}"
    if isinstance(column.type, JsonType):
        return f":{Kind.JSON.value}"
    return f":{Kind.INTEGER.value}" if column.type.python_type is int else ""


def _keys(table: Table) -> Iterator[tuple[str, str, str]]:
    """Name, column and target of each foreign key."""
    for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
        yield str(key.name), key.column_keys[1], key.referred_table.name


# -------------------------------------------------------------------------------------------------------------- indexes


def _indexes_revision(tables: Tables) -> str:
    plain: list[str] = []
    slots: list[str] = []
    for table in sorted(tables.metadata.tables.values(), key=lambda table: table.name):
        tails = {_slot_tail(index) for index in table.indexes} - {None}
        tail = min((tail for tail in tails if tail is not None), default=None)
        regular = {} if tail is None else {f"ix_{table.name}_{slot}_{'_'.join(tail)}": slot for slot in SLOT_COLUMNS}
        found = {str(index.name) for index in table.indexes if _slot_tail(index) == tail} & set(regular)
        if tail is not None and len(found) == len([slot for slot in SLOT_COLUMNS if not slot.startswith("unique")]):
            slots.append(f"    ({table.name!r}, {' '.join(tail)!r}),")
        else:
            found = set()
        listed = sorted((_index(table, index) for index in table.indexes), key=lambda row: row[0])
        plain += [f"    {row!r}," for row in listed if row[0] not in found]
    return _INDEXES_TEXT.replace("# PLAIN", "\n".join(plain)).replace("# SLOTS", "\n".join(slots))


def _columns(index: Index) -> list[str]:
    return [column.name for column in index.columns]


def _present(index: Index) -> str:
    where = index.dialect_options["sqlite"]["where"]
    return "" if where is None else str(where.left.name)


def _slot_tail(index: Index) -> tuple[str, ...] | None:
    """The columns after the slot, in an index over tenant, slot, and those."""
    columns = _columns(index)
    return tuple(columns[2:]) if not index.unique and columns[1] == _present(index) and len(columns) > 2 else None


def _index(table: Table, index: Index) -> tuple[str, str, str, str]:
    return str(index.name), table.name, " ".join(_columns(index)), _present(index)


_TABLES_TEXT = '''"""Tables of the first release.

Foreign keys stand in CREATE TABLE and not in a revision of their own: SQLite cannot add one later. The tables come in
an order in which each follows those it refers to. Made by crmkit.store.migrations.generate.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")
_JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
_INTEGER = sa.BigInteger()
_TYPES: dict[str, Any] = {"": _TEXT, "id": _ID, "json": _JSON, "integer": _INTEGER}

_FRAME = (
    "tenant_id:integer! id:id! version:integer! changeset_id:id! created_at:integer! created_by:id recorded_at:integer!"
)
_SLOTS = (
    "text_1 text_2 text_3 text_4 text_5 number_1:integer number_2:integer number_3:integer number_4:integer "
    "time_1:integer time_2:integer time_3:integer unique_1 unique_2"
)
_SUPERSEDED = "superseded_at:integer! superseded_by:id!"

_SYSTEM = (
    ("crm_tenant", "tenant_id:integer! key! name! created_at:integer!", "tenant_id"),
    (
        "crm_changeset",
        (
            "tenant_id:integer! id:id! actor_id:id actor! recorded_at:integer! command! reason origin! "
            "causation_id:id undoes_id:id position:integer seal types!"
        ),
        "tenant_id id",
    ),
    (
        "crm_job",
        (
            "tenant_id:integer! id:id! kind! name! subject:id payload:json key order_key due_at:integer! lease:id "
            "attempts:integer! error"
        ),
        "tenant_id id",
    ),
    ("crm_upsert_key", "tenant_id:integer! key! used_at:integer!", "tenant_id key"),
)
"""Table, columns, primary key."""

_RECORDS: tuple[tuple[str, str, str, tuple[tuple[str, str, str], ...]], ...] = (
# ROWS
)
"""Live table, history table, the columns of the type itself, foreign keys (name, column, target)."""


def _columns(words: str) -> Iterator[sa.Column[object]]:
    for word in words.replace("SLOTS", _SLOTS).split():
        name, _, kind = word.rstrip("!").partition(":")
        yield sa.Column(name, _TYPES[kind], nullable=not word.endswith("!"), autoincrement=False)


def _create(op: Operations, table: str, words: str, key: str, *constraints: sa.Constraint) -> None:
    primary = sa.PrimaryKeyConstraint(*key.split(), name=f"pk_{table}")
    op.create_table(table, *_columns(words), primary, *constraints)


def _reference(name: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id", column], [f"{target}.tenant_id", f"{target}.id"], name=name)


def upgrade(op: Operations) -> None:
    """Creates them."""
    for table, words, key in _SYSTEM:
        _create(op, table, words, key)
    to_tenant = sa.ForeignKeyConstraint(["tenant_id"], ["crm_tenant.tenant_id"], name="fk_crm_tenant_state_tenant")
    words = "tenant_id:integer! schema_version:integer! policy_version:integer! zone! currency!"
    _create(op, "crm_tenant_state", words, "tenant_id", to_tenant)
    for live, history, fields, references in _RECORDS:
        words = f"{_FRAME} {fields} custom:json"
        _create(op, live, words, "tenant_id id", *(_reference(*reference) for reference in references))
        _create(op, history, f"{words} {_SUPERSEDED}", "tenant_id id version")
'''

_INDEXES_TEXT = '''"""Indexes of the first release. Made by crmkit.store.migrations.generate."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"

_INDEXES: tuple[tuple[str, str, str, str], ...] = (
# PLAIN
)
"""Name, table, columns, and the column that must have a value for a row to be in the index."""

_SLOTTED: tuple[tuple[str, str], ...] = (
# SLOTS
)
"""Tables of which each slot has an index, and the columns that follow the slot there."""

_SLOTS = "text_1 text_2 text_3 text_4 text_5 number_1 number_2 number_3 number_4 time_1 time_2 time_3"
_SYSTEM = ("crm_changeset", "crm_job", "crm_tenant")


def _create(op: Operations, name: str, table: str, columns: str, present: str) -> None:
    where = sa.column(present).is_not(None) if present else None
    unique = name.startswith("uq_")
    plain = unique or table in _SYSTEM
    nullable = [] if plain else [c for c in columns.split() if c not in ("tenant_id", "object_key", "id")]
    op.create_index(
        name,
        table,
        columns.split(),
        unique=unique,
        sqlite_where=where,
        postgresql_where=where,
        postgresql_ops=dict.fromkeys(nullable, "NULLS FIRST"),
    )


def upgrade(op: Operations) -> None:
    """Creates them."""
    for index in _INDEXES:
        _create(op, *index)
    for table, tail in _SLOTTED:
        for slot in _SLOTS.split():
            _create(op, f"ix_{table}_{slot}_{tail.replace(' ', '_')}", table, f"tenant_id {slot} {tail}", slot)
'''

if __name__ == "__main__":
    main()
