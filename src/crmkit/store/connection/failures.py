"""What a database's refusal means: driver errors become crmkit's own, and name fields where they can.

The driver's words are never repeated, for they may hold values of records or parts of a URL; they are in the cause.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, PendingRollbackError, ResourceClosedError, TimeoutError

from crmkit.errors import (
    CrmkitError,
    Duplicate,
    InvalidQuery,
    InvalidRecord,
    NotMigrated,
    Problem,
    StorageError,
    Unavailable,
    UsageError,
)
from crmkit.store.tables.names import SHARD_SUFFIX

if TYPE_CHECKING:
    from crmkit.store.tables.record_tables import Tables

__all__ = ["translate"]

_AGAIN = "run the unit of work again"

_SQLITE = (
    ("unique", re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")),
    ("not_null", re.compile(r"NOT NULL constraint failed: (?P<table>\w+)\.(?P<column>\w+)")),
    ("reference", re.compile(r"FOREIGN KEY constraint failed")),
    ("not_migrated", re.compile(r"no such (?:table|column)|has no column named")),
    ("overflow", re.compile(r"integer overflow")),
    ("ended", re.compile(r"no such savepoint")),
    ("locked", re.compile(r"is locked|locking protocol|interrupted")),
    ("cannot_open", re.compile(r"unable to open")),
    ("not_a_database", re.compile(r"not a database")),
    ("unreachable", re.compile(r"disk I/O error|disk is full|readonly|closed database")),
)
"""SQLite tells what happened by words alone."""

_POSTGRES = (
    ("unique", ("23505",)),
    ("not_null", ("23502",)),
    ("reference", ("23503", "23001")),
    ("not_migrated", ("42P01", "42703", "3F000")),
    ("overflow", ("22003",)),
    ("too_long", ("54000", "22001")),
    ("ended", ("3B001", "25P01")),
    ("locked", ("55P03",)),
    ("serialization", ("40",)),
    ("rolled_back", ("25P02", "XX000")),
    ("unreachable", ("08", "57", "53", "28", "3D000", "25006")),
)
"""SQLSTATE codes, or classes of them (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

_UNAVAILABLE = {
    "locked": "the database is locked by another unit of work",
    "serialization": "another unit of work changed the same rows at the same time",
    "rolled_back": "the database has rolled the transaction back",
    "unreachable": "the database cannot be reached or cannot be written",
    "timeout": "no connection to the database became free in time",
}

_UNUSABLE = {
    "cannot_open": ("the database's file cannot be opened", "its folder must be there, and it must be a file of yours"),
    "not_a_database": ("the file is no SQLite database", "give the path of one, or of a file that is not there yet"),
}
"""What stays as it is however often it is tried."""


def translate(error: Exception, tables: "Tables | None" = None, url: URL | None = None) -> CrmkitError:
    """The crmkit error for what SQLAlchemy or a driver raised; raise it ``from`` the other.

    Duplicate (``duplicate``) names the fields of the unique constraint, InvalidRecord (``reference``, ``required``,
    ``too_long``) the field, as far as the database says which and ``tables`` knows it. InvalidQuery (``overflow``):
    a sum left 64 bits. NotMigrated: a table or column is missing. Unavailable: the work can be tried again. UsageError
    (``transaction_ended``): the host ended its transaction too early. Anything else is a StorageError, of which
    ``cannot_open`` and ``not_a_database`` name the file in ``url``.
    """
    if isinstance(error, TimeoutError):
        return Unavailable(_UNAVAILABLE["timeout"], code="timeout", hint=_AGAIN)
    if isinstance(error, PendingRollbackError):
        return Unavailable(_UNAVAILABLE["rolled_back"], code="rolled_back", hint=_AGAIN)
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    kind, names = ("ended", []) if isinstance(error, ResourceClosedError) else _kind(cause)
    if kind == "unique":
        return _duplicate(names, tables)
    if kind == "reference":
        return _bad_reference(names, tables)
    if kind == "not_null":
        return _missing(names, tables)
    if kind == "overflow":
        return InvalidQuery("a total does not fit 64 bits", code="overflow", hint="narrow the query")
    if kind == "too_long":
        return InvalidRecord("a text is too long for its index", code="too_long", hint="shorten it")
    if kind == "ended":
        return UsageError(
            "the transaction was ended while a unit of work was open in it",
            code="transaction_ended",
            hint="commit or roll back after the unit of work is closed",
        )
    if kind == "not_migrated":
        return NotMigrated("the database lacks a table or column of this release", hint="run crmkit migrate")
    if kind in _UNAVAILABLE:
        return Unavailable(_UNAVAILABLE[kind], code=kind, hint=_AGAIN)
    if kind in _UNUSABLE:
        message, hint = _UNUSABLE[kind]
        file = url.database if url is not None else None
        return StorageError(message, code=kind, hint=f"{file}: {hint}" if file else hint)
    return StorageError(f"the database reported {type(cause).__name__}", hint="the cause of this error has its words")


def _kind(cause: Any) -> tuple[str, list[str]]:
    """What happened, and the names in what the database said, the likeliest first."""
    if type(cause).__module__.partition(".")[0] == "psycopg":
        return _postgres_kind(cause)
    words = str(cause)
    for kind, pattern in _SQLITE:
        found = pattern.search(words)
        if found:
            return kind, [name for group in found.groups() for name in group.split(", ")]
    return "", []


def _postgres_kind(cause: Any) -> tuple[str, list[str]]:
    state = cause.sqlstate
    if state is None:
        # Without a SQLSTATE the server said nothing: the connection could not be made or was lost.
        return ("unreachable" if type(cause).__name__ in ("OperationalError", "ConnectionTimeout") else ""), []
    for kind, states in _POSTGRES:
        if state.startswith(states):
            return kind, list(_postgres_names(cause))
    return "", []


def _postgres_names(cause: Any) -> Iterator[str]:
    """Names in the diagnosis and then in the message, which may be in any language, without a shard's number."""
    diagnosis = cause.diag
    if diagnosis.column_name:
        yield SHARD_SUFFIX.sub("", diagnosis.table_name or "")
        yield diagnosis.column_name
    for name in (diagnosis.constraint_name or "", *re.findall(r"\w+", diagnosis.message_primary or "")):
        yield SHARD_SUFFIX.sub("", name)


def _duplicate(names: list[str], tables: "Tables | None") -> Duplicate:
    found = None
    if tables is not None:
        by_name = (tables.unique_fields(name) for name in names)
        found = tables.unique_fields(names) or next((known for known in by_name if known), None)
    if found is None:
        return Duplicate("a unique value is taken", hint="choose another value or update the record that has it")
    key, fields = found
    together = " and ".join(fields)
    return Duplicate(
        [
            Problem("duplicate", f"another {key} has this {together}", field=f, hint="choose another value")
            for f in fields
        ]
    )


def _bad_reference(names: list[str], tables: "Tables | None") -> InvalidRecord:
    known = (tables.reference_field(name) for name in names) if tables is not None else ()
    found = next((field for field in known if field), None)
    return InvalidRecord(
        "a record refers to one that does not exist, or one that others refer to was to be removed",
        code="reference",
        field=found and found[1],
        hint="create the one it refers to first; remove those that refer to it first",
    )


def _missing(names: list[str], tables: "Tables | None") -> InvalidRecord:
    found = tables.column_field(names[0], names[1]) if tables is not None and len(names) > 1 else None
    return InvalidRecord("a value is required", code="required", field=found and found[1], hint="give one")
