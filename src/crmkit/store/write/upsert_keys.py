"""Keys by which records are upserted: two units of work that use the same one take turns."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam

from crmkit.store.connection.database import Database, Unit
from crmkit.store.sql.plans import Shelf
from crmkit.store.tables.record_tables import Tables

__all__ = ["hold_keys"]


def hold_keys(
    database: Database, shelf: Shelf, tables: Tables, unit: Unit, tenant_id: int, keys: Iterable[str], now: int
) -> None:
    """Whoever else wants to hold one of these keys waits until this unit of work ends, and finds what it has made.

    SQLite lets one unit write at a time, so there it is enough to have begun. On PostgreSQL a unit that sees the
    database as it was when it began (REPEATABLE READ) ends in Unavailable where somebody has used the key since:
    what they have made it could not find.
    """
    unit.begin_write()
    if database.dialect != "postgresql":
        return

    def make() -> Any:
        # Whoever has SQLite never loads the other dialect.
        from sqlalchemy.dialects.postgresql import insert

        table = tables.system.upsert_key
        added = insert(table).values(tenant_id=bindparam("tenant"), key=bindparam("held"), used_at=bindparam("used"))
        return database.prepare(
            added.on_conflict_do_update(index_elements=["tenant_id", "key"], set_={"used_at": added.excluded.used_at})
        )

    statement = shelf.get(("upsert_key", "hold"), make)
    # In one order: two that hold several do not wait for each other.
    rows = [{"tenant": tenant_id, "held": key, "used": now} for key in sorted(set(keys))]
    unit.write_many(statement, [tuple(row[name] for name in statement.names) for row in rows])
