"""What a database says of itself: which release it is, how it keeps text, whether it checks references."""

import attrs
from sqlalchemy import Table, func, inspect, select

from crmkit.store.connection.database import Database
from crmkit.store.connection.drivers import raw_connection, references_enforced
from crmkit.store.tables.record_tables import Tables

__all__ = ["Server", "missing_tables", "server_of"]


@attrs.frozen
class Server:
    """``version`` in the server's own words, ``encoding`` UTF8 where any text can be kept, whether ``references`` are
    checked.
    """

    version: str
    encoding: str
    references: bool


def server_of(database: Database) -> Server:
    """What the server answers. Raises Unavailable when it cannot be reached."""
    with database.open() as unit:
        if database.dialect == "sqlite":
            version = unit.read(database.prepare(select(func.sqlite_version())))[0][0]
            # Text in an SQLite file is Unicode in any of its encodings.
            return Server(f"SQLite {version}", "UTF8", references_enforced(raw_connection(unit.connection)))
        settings = [func.current_setting(name) for name in ("server_version", "server_encoding")]
        version, encoding = unit.read(database.prepare(select(*settings)))[0]
        return Server(f"PostgreSQL {version}", encoding, True)


def missing_tables(database: Database, tables: Tables) -> list[Table]:
    """The tables that record types need and that are not there, each after those it refers to."""
    with database.open() as unit:
        there = set(inspect(unit.connection).get_table_names())
    return [table for table in tables.metadata.sorted_tables if table.name not in there]
