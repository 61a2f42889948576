"""The outbox: what was committed and is still to be told to plugins, one row for each plugin and changeset."""

from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import bindparam, delete, insert, select, update

from crmkit.store.connection.database import Database, Unit
from crmkit.store.sql.plans import Shelf
from crmkit.store.sql.sources import tenant_param
from crmkit.store.tables.columns import Codec
from crmkit.store.tables.record_tables import Tables

__all__ = ["Due", "Outbox"]

_BATCH = 50
_NEVER = 2**62
_MINUTE = 60_000_000
_MAX_DELAY = 24 * 60 * _MINUTE


@attrs.frozen
class Due:
    """One thing to tell: which changeset, to which plugin, and how often it was tried."""

    id: UUID
    changeset_id: UUID
    plugin: str
    attempts: int


@attrs.frozen
class Outbox:
    """The outbox of one tenant, through one unit of work; ``now`` is in microseconds."""

    database: Database
    shelf: Shelf
    tables: Tables
    codec: Codec
    tenant_id: int
    unit: Unit
    now: int

    def add(self, row_id: UUID, changeset_id: UUID, plugin: str, parked: str | None = None) -> None:
        """In the transaction of the changeset: note that the plugin is to be told of it, or why it never will be."""
        values = {
            "id": self.codec.id_in(row_id),
            "changeset_id": self.codec.id_in(changeset_id),
            "plugin": plugin,
            "attempts": 0,
            "error": parked,
            "next_at": self.now if parked is None else _NEVER,
        }
        self._write("add", lambda table: insert(table).values(_named(table)), values)

    def due(self, changeset_id: UUID | None) -> list[Due]:
        """What is to be told now, of one changeset or of all, the oldest first."""

        def make(table: Any) -> Any:
            found = (
                select(table.c["id"], table.c["changeset_id"], table.c["plugin"], table.c["attempts"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["next_at"] <= bindparam("now"))
                .order_by(table.c["next_at"], table.c["id"])
                .limit(bindparam("size"))
            )
            return found if changeset_id is None else found.where(table.c["changeset_id"] == bindparam("changeset"))

        values: dict[str, Any] = {"now": self.now, "size": _BATCH}
        if changeset_id is not None:
            values["changeset"] = self.codec.id_in(changeset_id)
        id_out = self.codec.id_out
        rows = self._read(("due", changeset_id is None), make, values)
        return [Due(id_out(row[0]), id_out(row[1]), row[2], row[3]) for row in rows]

    def take(self, due: Due) -> bool:
        """Remove it; False if somebody else did."""
        return bool(
            self._write("take", lambda table: delete(table).where(*_one(table)), {"row": self.codec.id_in(due.id)})
        )

    def failed(self, due: Due, error: str) -> None:
        """Record a failure and try again later, each time twice as much later, a day at most."""
        values = {
            "row": self.codec.id_in(due.id),
            "tries": due.attempts + 1,
            "text": _storable(error)[:2_000],
            "again": self.now + min(_MAX_DELAY, _MINUTE * 2 ** min(due.attempts, 12)),
        }
        changes: dict[str, Any] = {
            "attempts": bindparam("tries"),
            "error": bindparam("text"),
            "next_at": bindparam("again"),
        }
        self._write("failed", lambda table: update(table).where(*_one(table)).values(changes), values)

    def failures(self) -> list[tuple[str, int, str]]:
        """What could not be told yet: plugin, attempts, the last error."""
        rows = self._read(
            "failures",
            lambda table: (
                select(table.c["plugin"], table.c["attempts"], table.c["error"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["error"].is_not(None))
                .order_by(table.c["id"])
            ),
            {},
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def _read(self, what: Any, make: Any, values: dict[str, Any]) -> list[Any]:
        return self.unit.read(self._statement(what, make), {"tenant": self.tenant_id, **values})

    def _write(self, what: Any, make: Any, values: dict[str, Any]) -> int:
        return self.unit.write(self._statement(what, make), {"tenant": self.tenant_id, **values})

    def _statement(self, what: Any, make: Any) -> Any:
        table = self.tables.system.outbox
        return self.shelf.get(("outbox", what), lambda: self.database.prepare(make(table)))


def _storable(words: str) -> str:
    """An error's words are anybody's: what no database can hold is written as Python writes it."""
    return words.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


def _one(table: Any) -> tuple[Any, ...]:
    return table.c["tenant_id"] == tenant_param(), table.c["id"] == bindparam("row")


def _named(table: Any) -> dict[str, Any]:
    return {c.name: bindparam("tenant" if c.name == "tenant_id" else c.name) for c in table.columns}
