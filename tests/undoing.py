"""What an undo does, whichever road it takes: record by record, or all that is alike at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from crmkit.kernel.undo import undo
from crmkit.kernel.undo.in_sets import Together
from crmkit.kernel.undo.plan import UndoEntry
from crmkit.store.connection.drivers import raw_connection

Told = dict[str, Any]


@contextmanager
def one_by_one() -> Iterator[None]:
    """Inside, every record is undone by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(undo, "together", lambda *_: None)
        yield


@contextmanager
def counting() -> Iterator[list[int]]:
    """How many records each set held that was set back inside."""
    counts: list[int] = []
    original = Together.do

    def do(self: Together) -> None:
        original(self)
        counts.append(len(self.fields))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Together, "do", do)
        yield counts


def told(me: Any, changeset: UUID) -> Told:
    """Undoes in a session; what it says, what the session says it changed, and every row of the tenant after it."""
    result = me.undo(changeset)
    changes = [(c.type_key, c.id, [(f.key, f.before, f.after) for f in c.fields]) for c in me.changes]
    return {
        **{name: sorted(map(shown, getattr(result, name))) for name in ("reverted", "kept", "refused")},
        "changes": sorted(changes, key=repr),
        "rows": {table.name: rows(me, table.name) for table in me.crm.tables.metadata.sorted_tables if tenants(table)},
    }


def shown(entry: UndoEntry) -> tuple[Any, ...]:
    return entry.type_key, entry.id, entry.fields, entry.reason, [(p.code, p.field) for p in entry.problems]


def tenants(table: Any) -> bool:
    return table.info.get("role") in ("live", "history")


def rows(me: Any, table: str) -> list[Any]:
    """The rows of a table, the instant and the changeset of the session by their names."""
    cursor = raw_connection(me.unit.connection).execute(f'SELECT * FROM "{table}" WHERE tenant_id = {me.tenant.id}')
    stamp = me._stamp
    names = {} if stamp is None else {stamp.at: "now", me.crm.codec.id_in(stamp.changeset_id): "this"}
    columns = [column[0] for column in cursor.description]
    told = ("recorded_at", "changeset_id", "superseded_at", "superseded_by")
    found = (
        tuple(names.get(v, v) if c in told else v for c, v in zip(columns, row, strict=True))
        for row in cursor.fetchall()
    )
    return sorted(found, key=repr)
