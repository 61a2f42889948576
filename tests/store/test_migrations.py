"""The tables that migrations make are the tables the schema asks for, and migrating again changes nothing."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, create_engine, event, inspect

from crmkit.errors import CrmkitError, NotMigrated, Unavailable
from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import Record, Schema, field, record_type, record_type_of
from crmkit.schema.types import Reference, Text
from crmkit.store import Database, Tables
from crmkit.store import migrations as revisions
from crmkit.store.migrations import HEAD, VERSION_TABLE
from crmkit.store.migrations.generate import revisions as generated
from crmkit.store.migrations.migrate import create_missing, current, include_name, migrate, pending

FOLDER = Path(revisions.__file__).parent


@record_type("vessel", plural="vessels", title="imo", table="harbour_vessel")
class Vessel(Record):
    """A type that a plugin brought."""

    imo: str = field(Text(), unique=True)
    operator: Any = field(Reference("account"), default=None)


def builtin(*more: type[Record]) -> Tables:
    return Tables(Schema.of(map(record_type_of, (*BUILTIN_RECORDS, *more))))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def everything(connection: Connection) -> set[Any]:
    """What the database itself says it holds, in its own words."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master")
        # alembic adds constraints in an order of its own.
        return {
            (kind, name, table, frozenset(words(sql))) for kind, name, table, sql in rows if VERSION_TABLE not in table
        }
    queries = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> %s",
        """SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> %s AND contype <> 'n'""",
        """SELECT table_name, column_name, ordinal_position, data_type, is_nullable, collation_name, column_default
           FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> %s""",
    )
    return {tuple(row) for query in queries for row in connection.exec_driver_sql(query, (VERSION_TABLE,))}


def differences(connection: Connection, tables: Tables) -> list[Any]:
    """What alembic finds different; of indexes on PostgreSQL only which there are.

    It takes ``NULLS FIRST`` in the database for an expression that the metadata lacks; ``everything`` compares the
    definitions in the database's own words.
    """
    options = {"version_table": VERSION_TABLE, "compare_type": True}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata)
    if connection.dialect.name == "sqlite":
        return found
    added = sorted(str(d[1].name) for d in found if d[0] == "add_index")
    removed = sorted(str(d[1].name) for d in found if d[0] == "remove_index")
    assert added == removed
    return [d for d in found if d[0] not in ("add_index", "remove_index")]


def words(sql: str | None) -> list[str]:
    return [line.strip().rstrip(",") for line in (sql or "").replace('"', "").splitlines()]


def test_migrations_make_what_the_schema_asks_for(database: Database, database_url: str) -> None:
    tables = builtin()
    migrate(database)
    with database.engine.connect() as connection:
        assert differences(connection, tables) == []
        migrated = everything(connection)
        connection.rollback()
        if database.dialect == "postgresql":
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
            connection.commit()
    fresh = Database(database_url if database.dialect == "postgresql" else "sqlite://")
    with fresh.open() as unit:
        unit.begin_write()
        tables.metadata.create_all(unit.connection)
        unit.commit()
        assert everything(unit.connection) == migrated
    fresh.dispose()


def test_the_revisions_in_the_package_are_those_the_record_types_ask_for(tmp_path: Path) -> None:
    """Run ``python -m crmkit.store.migrations.generate`` when this fails, until a release has them."""
    for name, text in generated(builtin()).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert loaded(tmp_path / name) == loaded(FOLDER / "versions" / name)


def loaded(path: Path) -> dict[str, Any]:
    """The data a revision states, however it is laid out."""
    names: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return {key: value for key, value in names.items() if isinstance(value, str | tuple) and key != "__file__"}


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert ScriptDirectory(str(FOLDER)).get_heads() == [HEAD]
    code = (
        "import sys, crmkit.store.migrations.migrate as m; "
        "from crmkit.store import Database; "
        "assert m.pending(Database('sqlite://')); "
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_migrating_twice_is_migrating_once(database: Database) -> None:
    assert pending(database)
    assert current(database) is None
    assert migrate(database)
    assert (pending(database), current(database)) == (False, HEAD)
    with database.engine.connect() as connection:
        before = everything(connection)
    assert not migrate(database)
    with database.engine.connect() as connection:
        assert everything(connection) == before


def test_a_migration_that_fails_leaves_nothing(database: Database) -> None:
    with database.open() as unit:
        unit.begin_write()
        unit.connection.exec_driver_sql("CREATE TABLE crm_user_history (theirs INTEGER)")
        unit.commit()
    with pytest.raises(CrmkitError):
        migrate(database)
    assert current(database) is None
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["crm_user_history"]


def test_a_database_of_a_newer_release_is_left_alone(database: Database) -> None:
    migrate(database)
    with database.open() as unit:
        unit.begin_write()
        unit.connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
        unit.commit()
    assert pending(database)
    with pytest.raises(NotMigrated) as refused:
        migrate(database)
    assert refused.value.code == "newer"
    assert current(database) == "9999"


def test_two_who_migrate_at_once_both_find_it_done(database_url: str) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        mine = Database(database_url)
        try:
            for _ in range(3):
                try:
                    migrate(mine)
                    break
                except Unavailable:
                    continue
            assert not pending(mine)
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)
        finally:
            mine.dispose()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_in_memory_can_be_migrated() -> None:
    database = Database("sqlite://")
    migrate(database)
    assert not pending(database)
    database.dispose()


def test_a_sharded_postgresql_is_told_to_change_its_shards_one_after_the_other(
    postgres_database: Callable[[str], str],
) -> None:
    database = Database(postgres_database("sequential"))
    settings = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def ask(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if "REFERENCES" in statement:
            settings.append(*cursor.execute("SHOW citus.multi_shard_modify_mode").fetchone())

    migrate(database)
    database.dispose()
    assert set(settings) == {"sequential"}


@pytest.mark.parametrize("stock", [True, False])
def test_a_hosts_own_engine_can_be_migrated(tmp_path: Path, stock: bool) -> None:
    url = f"sqlite:///{tmp_path / 'host.db'}"
    engine = create_engine(url) if stock else create_engine(url, connect_args={"isolation_level": None})
    database = Database(engine)
    assert migrate(database)
    assert not pending(database)
    engine.dispose()


# -------------------------------------------------------------------------------------------------------------- plugins


def test_a_plugins_tables_are_made_where_they_are_missing(database: Database) -> None:
    migrate(database)
    tables = builtin(Vessel)
    assert create_missing(database, builtin()) == []
    assert sorted(create_missing(database, tables)) == ["harbour_vessel", "harbour_vessel_history"]
    assert create_missing(database, tables) == []
    with database.engine.connect() as connection:
        assert differences(connection, tables) == []


def test_a_plugins_tables_wait_for_crmkits_own(database: Database) -> None:
    with pytest.raises(NotMigrated):
        create_missing(database, builtin(Vessel))
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []


# --------------------------------------------------------------------------------------------------------- a host's own


def host_changes(engine: Engine, metadata: MetaData, **options: Any) -> list[Any]:
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_a_hosts_autogenerate_does_not_see_crmkits_tables(database: Database) -> None:
    migrate(database)
    theirs = MetaData()
    table = Table("theirs", theirs, Column("n", Integer))
    assert len(host_changes(database.engine, theirs)) > 40
    changes = host_changes(database.engine, theirs, include_name=include_name)
    assert [(change[0], change[1].name) for change in changes] == [("add_table", "theirs")]
    with database.open() as unit:
        unit.begin_write()
        table.create(unit.connection)
        unit.commit()
    assert host_changes(database.engine, theirs, include_name=include_name) == []
    found = host_changes(database.engine, MetaData(), include_name=include_name)
    assert [(change[0], change[1].name) for change in found] == [("remove_table", "theirs")]


@pytest.mark.parametrize(
    ("name", "kind", "table", "seen"),
    [
        ("crm_deal", "table", None, False),
        ("crm_object_history", "table", None, False),
        ("crmkit_version", "table", None, False),
        ("ix_crm_deal_owner_amount_id", "index", "crm_deal", False),
        ("crm", "table", None, True),
        ("orders", "table", None, True),
        ("crm_id", "column", "orders", True),
        (None, "schema", None, True),
    ],
)
def test_only_crmkits_tables_are_left_out(name: str | None, kind: str, table: str | None, seen: bool) -> None:
    parents = {} if table is None else {"table_name": table}
    assert include_name(name, kind, parents) is seen


def test_a_host_keeps_its_own_version_table(database: Database) -> None:
    migrate(database)
    with database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
        mine = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert mine.get_current_revision() == HEAD
