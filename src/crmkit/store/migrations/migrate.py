"""Bringing a database to this release, and telling whether it is there.

alembic is loaded only when a revision is run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, select
from sqlalchemy.exc import SQLAlchemyError

from crmkit.errors import CrmkitError, NotMigrated
from crmkit.store.connection.database import Database
from crmkit.store.connection.failures import translate
from crmkit.store.connection.server import missing_tables
from crmkit.store.migrations import HEAD, VERSION_TABLE
from crmkit.store.tables.record_tables import Tables

__all__ = ["create_missing", "current", "include_name", "migrate", "pending"]

_FOLDER = Path(__file__).parent


def migrate(database: Database) -> bool:
    """Brings the database to this release, in one transaction; returns whether there was anything to do.

    Raises NotMigrated when a newer release was here (``newer``), and Unavailable when the database cannot be reached.
    """
    if not pending(database):
        return False
    try:
        with database.open() as unit:
            unit.begin_write()
            _upgrade(unit.connection)
            unit.commit()
    except CrmkitError:
        # On PostgreSQL two processes may do this at once; the second fails, and finds everything done.
        if pending(database):
            raise
    return True


def current(database: Database) -> str | None:
    """The revision the database is at; None when crmkit was never here."""
    table = Table(VERSION_TABLE, MetaData(), Column("version_num", String), info={"scope": "local"})
    with database.open() as unit:
        try:
            rows = unit.read(database.prepare(select(table.c.version_num)))
        except NotMigrated:
            return None
    return str(rows[0][0]) if rows else None


def pending(database: Database) -> bool:
    """Whether the database is at another revision than this release; costs one statement."""
    return current(database) != HEAD


def create_missing(database: Database, tables: Tables) -> list[str]:
    """Creates the tables of record types that plugins brought; returns their names.

    Raises NotMigrated when the database is not at this release.
    """
    if pending(database):
        raise NotMigrated("the database is not at this release", hint="run crmkit migrate")
    missing = missing_tables(database, tables)
    if missing:
        with database.open() as unit:
            unit.begin_write()
            tables.metadata.create_all(unit.connection, tables=missing, checkfirst=False)
            unit.commit()
    return [table.name for table in missing]


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """For ``context.configure(include_name=...)`` in a host's alembic: False for crmkit's own tables.

    crmkit's tables are those that begin with ``crm_``, and ``crmkit_version``; without this, autogenerate in the host
    would propose to drop them.
    """
    table = name if type_ == "table" else parent_names.get("table_name")
    return not (table or "").startswith(("crm_", VERSION_TABLE))


def _upgrade(connection: Connection) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    script = ScriptDirectory(str(_FOLDER))

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)

    if connection.dialect.name == "postgresql":
        # A sharded database must create references one after the other; a plain one does not mind the setting.
        connection.exec_driver_sql("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "fn": steps})
    try:
        # The operations are handed to each revision: alembic's own ``op`` is one for all threads.
        context.run_migrations(op=Operations(context))
    except CommandError as error:
        raise NotMigrated(
            "the database was migrated by a newer release", code="newer", hint="upgrade crmkit"
        ) from error
    except SQLAlchemyError as error:
        raise translate(error) from error
