"""Jobs: what is to be done after a commit, noted in its transaction, a row for each piece of work.

Whoever does a job claims it first, in a transaction of its own: the job is not due again before the lease ends, and the
lease is the mark by which its holder settles it. Work that outlives its lease is done by somebody else, and is then
refused when it comes to be settled.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import bindparam, case, delete, insert, select, update

from crmkit.store.connection.database import Database, Unit
from crmkit.store.sql.plans import Shelf
from crmkit.store.sql.sources import tenant_param
from crmkit.store.tables.columns import Codec
from crmkit.store.tables.record_tables import Tables

__all__ = ["Job", "Jobs", "Waiting"]

_MINUTE = 60 * 1_000_000
_MAX_DELAY = 24 * 60 * _MINUTE
_LEASE = 10 * _MINUTE
_NEVER = 2**62
_BATCH = 20


@attrs.frozen
class Job:
    """A job as it was claimed: what kind of work, whose (``name``), about what, which attempt, and the lease."""

    id: UUID
    kind: str
    name: str
    subject: UUID
    attempts: int
    lease: UUID


@attrs.frozen
class Waiting:
    """A job that is not done: the attempts made, the last error (None: it was never tried), when it is due again (None:
    never, it is parked).
    """

    kind: str
    name: str
    subject: UUID
    attempts: int
    error: str | None
    due_at: int | None


@attrs.frozen
class Jobs:
    """The jobs of one tenant, through one unit of work; ``now`` is in microseconds."""

    database: Database
    shelf: Shelf
    tables: Tables
    codec: Codec
    tenant_id: int
    unit: Unit
    now: int

    def add(self, kind: str, rows: Iterable[tuple[UUID, str]], subject: UUID, parked: str | None = None) -> None:
        """In the transaction of what they follow from: note jobs (id, name), or why they are never done."""

        def make(table: Any) -> Any:
            names = ("tenant_id", "id", "kind", "name", "subject", "attempts", "error", "due_at")
            return insert(table).values({n: bindparam("tenant" if n == "tenant_id" else n) for n in names})

        statement = self._statement("add", make)
        fixed = {
            "tenant": self.tenant_id,
            "kind": kind,
            "subject": self.codec.id_in(subject),
            "attempts": 0,
            "error": parked,
            "due_at": self.now if parked is None else _NEVER,
        }
        values = [{**fixed, "id": self.codec.id_in(row_id), "name": name} for row_id, name in rows]
        self.unit.write_many(statement, [tuple(row[name] for name in statement.names) for row in values])

    def claim(self, kind: str, lease: UUID, subject: UUID | None = None) -> list[Job]:
        """Takes the jobs that are due, of one subject or of all, the oldest first; nobody else gets them meanwhile.

        To be committed before they are done. Those that somebody else is claiming are passed over.
        """

        def make(table: Any) -> Any:
            found = (
                select(*(table.c[name] for name in ("id", "name", "subject", "attempts")))
                .where(
                    table.c["tenant_id"] == tenant_param(),
                    table.c["due_at"] <= bindparam("now"),
                    table.c["kind"] == bindparam("kind"),
                )
                .order_by(table.c["due_at"], table.c["id"])
                .limit(bindparam("size"))
                .with_for_update(skip_locked=True)
            )
            return found if subject is None else found.where(table.c["subject"] == bindparam("subject"))

        def hold(table: Any) -> Any:
            values: dict[str, Any] = {
                "lease": bindparam("mark"),
                "due_at": bindparam("until"),
                "attempts": bindparam("tries"),
            }
            return update(table).where(*_one(table)).values(values)

        values: dict[str, Any] = {"now": self.now, "kind": kind, "size": _BATCH}
        if subject is not None:
            values["subject"] = self.codec.id_in(subject)
        self.unit.begin_write()
        rows = self._read(("due", subject is not None), make, values)
        id_out = self.codec.id_out
        statement = self._statement("hold", hold)
        fixed = {"tenant": self.tenant_id, "mark": self.codec.id_in(lease), "until": self.now + _LEASE}
        held = [{**fixed, "row": row[0], "tries": row[3] + 1} for row in rows]
        self.unit.write_many(statement, [tuple(row[name] for name in statement.names) for row in held])
        return [Job(id_out(row[0]), kind, row[1], id_out(row[2]), row[3] + 1, lease) for row in rows]

    def settle(self, job: Job) -> bool:
        """Removes a job that is done; False if its lease ended and somebody else has claimed or done it since."""
        return bool(self._write("settle", lambda table: delete(table).where(*_held(table)), self._of(job)))

    def failed(self, job: Job, error: str) -> None:
        """Records a failure; the job is due again later, each time twice as much later, a day at most."""
        values = {
            "text": _storable(error)[:2_000],
            "again": self.now + min(_MAX_DELAY, _MINUTE * 2 ** min(job.attempts - 1, 12)),
        }
        changes: dict[str, Any] = {"error": bindparam("text"), "due_at": bindparam("again"), "lease": None}

        def make(table: Any) -> Any:
            return update(table).where(*_held(table)).values(changes)

        self._write("failed", make, {**self._of(job), **values})

    def waiting(self, kind: str) -> list[Waiting]:
        """The jobs of the kind that are not done, in the order in which they were noted."""
        names = ("name", "subject", "attempts", "error", "due_at")

        def make(table: Any) -> Any:
            found = select(*(table.c[name] for name in names)).where(
                table.c["tenant_id"] == tenant_param(), table.c["kind"] == bindparam("kind")
            )
            return found.order_by(table.c["id"])

        rows = self._read("waiting", make, {"kind": kind})
        id_out = self.codec.id_out
        return [
            Waiting(kind, name, id_out(subject), attempts, error, None if due == _NEVER else due)
            for name, subject, attempts, error, due in rows
        ]

    def release(self, kind: str, name: str | None = None) -> int:
        """Makes jobs that failed or are parked due at once, those of one name or of all; returns how many."""

        def make(table: Any) -> Any:
            of_the_kind = table.c["tenant_id"] == tenant_param(), table.c["kind"] == bindparam("of")
            chosen = update(table).where(*of_the_kind, table.c["error"].is_not(None), table.c["lease"].is_(None))
            if name is not None:
                chosen = chosen.where(table.c["name"] == bindparam("whose"))
            # One that was parked was never tried: it begins anew.
            attempts = case((table.c["due_at"] == _NEVER, 0), else_=table.c["attempts"])
            return chosen.values({"due_at": bindparam("again"), "attempts": attempts})

        values: dict[str, Any] = {"of": kind, "again": self.now} | ({} if name is None else {"whose": name})
        return self._write(("release", name is not None), make, values)

    def _of(self, job: Job) -> dict[str, Any]:
        return {"row": self.codec.id_in(job.id), "mark": self.codec.id_in(job.lease)}

    def _read(self, what: Any, make: Any, values: dict[str, Any]) -> list[Any]:
        return self.unit.read(self._statement(what, make), {"tenant": self.tenant_id, **values})

    def _write(self, what: Any, make: Any, values: dict[str, Any]) -> int:
        return self.unit.write(self._statement(what, make), {"tenant": self.tenant_id, **values})

    def _statement(self, what: Any, make: Any) -> Any:
        table = self.tables.system.job
        return self.shelf.get(("job", what), lambda: self.database.prepare(make(table)))


def _storable(words: str) -> str:
    """An error's words are anybody's: what no database can hold is written as Python writes it."""
    return words.encode(errors="backslashreplace").decode().replace("\x00", "\\x00")


def _one(table: Any) -> tuple[Any, ...]:
    return table.c["tenant_id"] == tenant_param(), table.c["id"] == bindparam("row")


def _held(table: Any) -> tuple[Any, ...]:
    return *_one(table), table.c["lease"] == bindparam("mark")
