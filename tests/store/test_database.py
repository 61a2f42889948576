"""A unit of work reads and writes on a connection of its own or inside a host's transaction, and loses nothing."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    StaticPool,
    Table,
    and_,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session

from crmkit.errors import Duplicate, InvalidRecord, NotMigrated, StorageError, Unavailable, UsageError
from crmkit.schema import Record, record_type
from crmkit.store import STATEMENT_OPTION, TENANT, Database, Statement, Unit, check_references
from crmkit.store.connection.drivers import raw_connection
from tests.store.samples import adding, row_for, sample_tables


@record_type("unmade", plural="unmades", title="id", link=True)
class Unmade(Record):
    """A type whose tables nobody made."""


TABLES = sample_tables()
USER = TABLES.live["user"]
COMPANY = TABLES.live["company"]


def opened(target: str | Engine, **options: Any) -> Database:
    return Database(target, tables=TABLES, **options)


def build(database: Database, *more: str) -> None:
    """The sample tables, and whatever else is to be made, in one transaction."""
    with database.open() as unit:
        unit.begin_write()
        TABLES.metadata.create_all(unit.connection)
        for sql in more:
            unit.connection.exec_driver_sql(sql)
        unit.commit()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with the sample tables."""
    made = opened(database_url)
    build(made)
    yield made
    made.dispose()


@pytest.fixture
def memory() -> Iterator[Database]:
    made = opened("sqlite://")
    build(made)
    yield made
    made.dispose()


def user_row(database: Database, number: int, tenant: int = 1, **values: Any) -> tuple[Any, ...]:
    named = {"email": f"{number}@x.example", "email_key": f"{number}@x.example", "name": "张伟", "name_key": "张伟"}
    return row_for(USER, database.codec, number, tenant, **{**named, **values})


def users(database: Database) -> Statement:
    return database.prepare(select(USER.c.name).where(USER.c.tenant_id == bindparam(TENANT)).order_by(USER.c.id))


def count(database: Database) -> int:
    """How many users another unit of work sees."""
    with database.open() as unit:
        return len(unit.read(users(database), {TENANT: 1}))


def add_users(database: Database, *numbers: int, on: Any = None, commit: bool = True) -> None:
    with database.open(on) as unit:
        unit.write_many(adding(database, USER), [user_row(database, number) for number in numbers])
        if commit:
            unit.commit()


# -------------------------------------------------------------------------------------------------------------- opening


def test_nothing_is_opened_until_it_is_used(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'crm.db'}")
    database.prepare(select(literal(1)))
    assert list(tmp_path.iterdir()) == []
    with database.open() as unit:
        unit.read(database.prepare(select(literal(1))))
    assert (tmp_path / "crm.db").exists()
    database.dispose()


@pytest.mark.parametrize(
    "url", ["postgres://u:secret@h/db", "postgresql://u:secret@h/db", "postgresql+psycopg://u@h/db"]
)
def test_postgresql_means_psycopg_3_however_it_is_written(url: str) -> None:
    database = Database(url)
    assert database.dialect == "postgresql"
    assert "secret" not in repr(database)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://u:secret@h/db", "unsupported_database"),
        ("postgresql+asyncpg://u:secret@h/db", "unsupported_database"),
        ("postgresql+psycopg2://u:secret@h/db", "unsupported_database"),
        ("sqlite+aiosqlite:///secret.db", "unsupported_database"),
        ("nonsense://u:secret@h/db", "unsupported_database"),
        ("u:secret@h", "bad_url"),
        ("postgresql://u:secret@h:port/db", "bad_url"),
        ("", "bad_url"),
    ],
)
def test_another_database_is_refused_without_showing_the_password(url: str, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        Database(url)
    assert refused.value.code == code
    assert "secret" not in str(refused.value)


def test_a_database_that_cannot_be_reached_is_unavailable_and_keeps_the_password_to_itself(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        Database(f"postgresql://u:secret@/db?host={tmp_path}").open()
    assert refused.value.code == "unreachable"
    assert "secret" not in str(refused.value)


def test_a_file_that_can_be_no_database_is_not_tried_again(tmp_path: Path) -> None:
    """Whoever runs a unit of work again when the database is unavailable would do so for nothing."""
    text = tmp_path / "notes.txt"
    text.write_text("a text that is long enough to be read as the head of a file" * 9)
    for file, code in (
        (tmp_path / "nowhere" / "crm.db", "cannot_open"),
        (tmp_path, "cannot_open"),
        (text, "not_a_database"),
    ):
        for target in (f"sqlite:///{file}", create_engine(f"sqlite:///{file}")):
            with pytest.raises(StorageError) as refused, Database(target).open() as unit:
                unit.begin_write()
            assert not isinstance(refused.value, Unavailable)
            assert refused.value.code == code
            assert str(file) in str(refused.value.problems[0].hint)
    assert text.read_text().startswith("a text")


def test_sqlite_is_set_up_for_safety_and_speed(tmp_path: Path) -> None:
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}
    for synchronous, number in (("FULL", 2), ("NORMAL", 1)):
        database = Database(f"sqlite:///{tmp_path / 'crm.db'}", synchronous=synchronous)  # type: ignore[arg-type]
        with database.open() as unit:
            raw = raw_connection(unit.connection)
            found = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in (*wanted, "synchronous")}
        assert found == {**wanted, "synchronous": number}
        database.dispose()
    with pytest.raises(UsageError, match="FULL or NORMAL"):
        Database("sqlite://", synchronous="OFF; DROP TABLE x")  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------------- reading


def test_rows_come_back_as_the_drivers_own_tuples(database: Database) -> None:
    add_users(database, 2, 1)
    statement = database.prepare(
        select(USER.c.id, USER.c.name).where(USER.c.tenant_id == bindparam(TENANT)).order_by(USER.c.id)
    )
    with database.open() as unit:
        rows = unit.read(statement, {TENANT: 1})
        assert unit.read(statement, {TENANT: 2}) == []
    assert [(database.codec.id_out(raw), name) for raw, name in rows] == [(UUID(int=1), "张伟"), (UUID(int=2), "张伟")]
    assert {type(row) for row in rows} == {tuple}


def test_a_stream_gives_every_row_once_in_blocks(database: Database) -> None:
    add_users(database, *range(1, 21))
    statement = users(database)
    for block, sizes in ((7, [7, 7, 6]), (20, [20]), (1, [1] * 20), (1000, [20])):
        with database.open() as unit:
            assert [len(rows) for rows in unit.stream(statement, {TENANT: 1}, block)] == sizes
            assert unit.sent == 1


def test_a_stream_leaves_rows_on_the_server_until_they_are_asked_for(database: Database) -> None:
    add_users(database, *range(1, 21))
    with database.open() as unit:
        stream = unit.stream(users(database), {TENANT: 1}, 5)
        assert len(next(stream)) == 5
        if database.dialect == "postgresql":
            assert raw_connection(unit.connection).execute("SELECT count(*) FROM pg_cursors").fetchone() == (1,)
        other = unit.stream(users(database), {TENANT: 1}, 20)
        assert len(next(other)) == 20
        stream.close()
        other.close()
        assert len(unit.read(users(database), {TENANT: 1})) == 20
        if database.dialect == "postgresql":
            assert raw_connection(unit.connection).info.transaction_status == 0


def test_one_may_write_while_streaming(database: Database) -> None:
    add_users(database, *range(1, 11))
    rename = database.prepare(
        update(USER)
        .where(USER.c.tenant_id == bindparam(TENANT), USER.c.id == bindparam("key"))
        .values(name=bindparam("name"))
    )
    ids = database.prepare(select(USER.c.id).where(USER.c.tenant_id == bindparam(TENANT)).order_by(USER.c.id))
    with database.open() as unit:
        unit.begin_write()
        for rows in unit.stream(ids, {TENANT: 1}, 3):
            for (key,) in rows:
                unit.write(rename, {TENANT: 1, "key": key, "name": "王芳"})
        unit.commit()
    with database.open() as unit:
        assert unit.read(users(database), {TENANT: 1}) == [("王芳",)] * 10


def test_reading_opens_no_transaction(database: Database) -> None:
    with database.open() as unit:
        unit.read(users(database), {TENANT: 1})
        raw = raw_connection(unit.connection)
        if database.dialect == "sqlite":
            assert not raw.in_transaction
        else:
            assert raw.info.transaction_status == 0


def test_a_statement_that_changes_rows_opens_a_transaction_even_when_it_is_read(database: Database) -> None:
    add_users(database, 1)
    gone = database.prepare(delete(USER).where(USER.c.tenant_id == bindparam(TENANT)).returning(USER.c.name))
    with database.open() as unit:
        assert unit.read(gone, {TENANT: 1}) == [("张伟",)]
        assert count(database) == 1
    assert count(database) == 1


# -------------------------------------------------------------------------------------------------------------- writing


def test_what_is_committed_stays_and_what_is_not_does_not(database: Database) -> None:
    add_users(database, 1)
    add_users(database, 2, commit=False)

    def fail() -> None:
        with database.open() as unit:
            unit.write_many(adding(database, USER), [user_row(database, 3)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert count(database) == 1


def test_a_write_says_how_many_rows_it_touched(database: Database) -> None:
    rename = database.prepare(
        update(USER).where(USER.c.tenant_id == bindparam(TENANT), USER.c.id == bindparam("key")).values(name="x")
    )
    key = database.codec.id_in
    with database.open() as unit:
        assert unit.write_many(adding(database, USER), [user_row(database, n) for n in range(1, 6)]) == 5
        assert unit.write(rename, {TENANT: 1, "key": key(UUID(int=1))}) == 1
        assert unit.write(rename, {TENANT: 2, "key": key(UUID(int=1))} | {TENANT: 1, "key": key(UUID(int=9))}) == 0
        assert unit.write_many(adding(database, USER), []) == 0
        unit.commit()


def test_a_unit_of_work_can_go_on_after_a_commit_and_after_a_rollback(database: Database) -> None:
    with database.open() as unit:
        for number, keep in ((1, True), (2, False), (3, True)):
            unit.write_many(adding(database, USER), [user_row(database, number)])
            assert len(unit.read(users(database), {TENANT: 1})) == (1 if number == 1 else 2)
            if keep:
                unit.commit()
            else:
                unit.rollback()
    assert count(database) == 2


def test_a_closed_unit_of_work_refuses(database: Database) -> None:
    unit = database.open()
    unit.close()
    unit.close()
    for use in (unit.begin_write, unit.commit, unit.rollback, lambda: unit.read(users(database), {TENANT: 1})):
        with pytest.raises(UsageError) as refused:
            use()
        assert refused.value.code == "closed"


def test_savepoints_nest_and_undo_only_what_is_inside(database: Database) -> None:
    add = adding(database, USER)

    def within(unit: Unit, *numbers: int) -> None:
        with unit.savepoint():
            for number in numbers:
                unit.write_many(add, [user_row(database, number)])
            if 5 in numbers:
                raise RuntimeError

    with database.open() as unit:
        unit.write_many(add, [user_row(database, 1)])
        with unit.savepoint():
            unit.write_many(add, [user_row(database, 2)])
            with pytest.raises(Duplicate):
                within(unit, 3, 2)
            within(unit, 4)
        with pytest.raises(RuntimeError):
            within(unit, 5)
        unit.commit()
    names = database.prepare(select(USER.c.email).where(USER.c.tenant_id == bindparam(TENANT)).order_by(USER.c.id))
    with database.open() as unit:
        assert [email[0] for (email,) in unit.read(names, {TENANT: 1})] == ["1", "2", "4"]


def test_copying_in_adds_the_rows_whatever_the_order_of_their_columns(database: Database) -> None:
    names = [column.name for column in USER.columns]
    rows = [user_row(database, number) for number in range(1, 1001)]
    with database.open() as unit:
        unit.copy_in(USER, names, rows[:500])
        unit.copy_in(USER, names[::-1], [row[::-1] for row in rows[500:]])
        unit.copy_in(USER, names, [])
        unit.commit()
        assert unit.sent == 2
    assert count(database) == 1000


def test_copying_in_writes_json_and_chinese(database: Database) -> None:
    document = {"备注": ["重要", None, 1.5], 'quote"\\\t\n': True}
    names = ["tenant_id", "id", "version", "changeset_id", "created_at", "recorded_at", "name", "notes"]
    key = database.codec.id_in(UUID(int=1))
    with database.open() as unit:
        unit.copy_in(COMPANY, names, [(1, key, 1, key, 0, 0, "北京\t公司\\n", database.codec.json_in(document))])
        unit.commit()
    found = database.prepare(select(COMPANY.c.name, COMPANY.c.notes).where(COMPANY.c.tenant_id == bindparam(TENANT)))
    with database.open() as unit:
        ((name, notes),) = unit.read(found, {TENANT: 1})
    assert (name, database.codec.json_out(notes)) == ("北京\t公司\\n", document)


def test_a_host_that_uses_core_gets_python_values(database: Database) -> None:
    document = {"备注": [1, None]}
    values = {"tenant_id": 1, "version": 1, "created_at": 0, "recorded_at": 0, "name": "x"}
    with database.engine.connect() as connection:
        changeset = UUID(int=7)
        for number, notes in ((1, document), (2, None)):
            connection.execute(
                insert(COMPANY), {**values, "id": UUID(int=number), "changeset_id": changeset, "notes": notes}
            )
        rows = connection.execute(select(COMPANY.c.id, COMPANY.c.notes).order_by(COMPANY.c.id)).all()
        missing = connection.execute(select(func.count()).where(COMPANY.c.notes.is_(None))).scalar_one()
        named = connection.execute(select(COMPANY.c.name).where(COMPANY.c.id == UUID(int=2))).scalar_one()
        connection.rollback()
    assert [tuple(row) for row in rows] == [(UUID(int=1), document), (UUID(int=2), None)]
    assert (missing, named) == (1, "x")


# ----------------------------------------------------------------------------------------------------------- the tenant


def test_a_unit_of_work_writes_for_one_tenant(database: Database) -> None:
    add = adding(database, USER)
    names = [column.name for column in USER.columns]
    mixed = [user_row(database, 2), user_row(database, 3, tenant=2)]
    for write in (
        lambda unit: unit.write_many(add, mixed),
        lambda unit: unit.copy_in(USER, names, mixed),
        lambda unit: unit.write_many(add, mixed[1:]),
        lambda unit: unit.copy_in(USER, names, mixed[1:]),
        lambda unit: unit.write(
            database.prepare(delete(USER).where(USER.c.tenant_id == bindparam(TENANT))), {TENANT: 2}
        ),
    ):
        with database.open() as unit:
            unit.write_many(add, [user_row(database, 1)])
            with pytest.raises(UsageError) as refused:
                write(unit)
            assert refused.value.code == "two_tenants"
            assert len(unit.read(users(database), {TENANT: 1})) == 1
            assert unit.read(users(database), {TENANT: 2}) == []


def test_after_a_commit_the_next_tenant_may_write(database: Database) -> None:
    with database.open() as unit:
        for tenant in (1, 2):
            unit.write_many(adding(database, USER), [user_row(database, 1, tenant)])
            unit.commit()
        assert [len(unit.read(users(database), {TENANT: tenant})) for tenant in (1, 2, 3)] == [1, 1, 0]


def test_rows_without_their_tenant_are_not_copied_in(database: Database) -> None:
    with database.open() as unit, pytest.raises(UsageError) as refused:
        unit.copy_in(USER, ["id", "name"], [(database.codec.id_in(UUID(int=1)), "x")])
    assert refused.value.code == "unbound_tenant"
    assert unit.sent == 0


# ----------------------------------------------------------------------------------------------------------- statements


def test_a_statement_is_checked_before_it_is_compiled(database: Database) -> None:
    with pytest.raises(UsageError) as refused:
        database.prepare(select(USER))
    assert refused.value.code == "unbound_tenant"


def test_values_in_the_clause_are_kept_as_the_driver_wants_them(database: Database) -> None:
    add_users(database, 1, 2, 3)
    ours = USER.c.tenant_id == bindparam(TENANT)
    statement = database.prepare(
        select(USER.c.email)
        .where(ours, USER.c.id.in_([UUID(int=1), UUID(int=3)]), USER.c.name == "张伟")
        .order_by(USER.c.id)
        .limit(1)
        .offset(1)
    )
    assert statement.needed == (TENANT,)
    with database.open() as unit:
        assert unit.read(statement, {TENANT: 1}) == [("3@x.example",)]
        nobody = database.prepare(select(USER.c.email).where(ours, USER.c.id.in_([])))
        assert unit.read(nobody, {TENANT: 1}) == []


def test_a_percent_sign_and_a_backslash_reach_the_database_as_they_are(database: Database) -> None:
    with database.open() as unit:
        unit.write_many(
            adding(database, USER), [user_row(database, 1, name="100 %"), user_row(database, 2, name="100 x")]
        )
        for escape in ("\\", "/"):
            like = USER.c.name.like(bindparam("pattern"), escape=escape)
            statement = database.prepare(select(USER.c.name).where(and_(USER.c.tenant_id == bindparam(TENANT), like)))
            assert unit.read(statement, {TENANT: 1, "pattern": f"100 {escape}%"}) == [("100 %",)]
        literally = database.prepare(
            select(USER.c.name).where(USER.c.tenant_id == bindparam(TENANT), USER.c.name == "100 %")
        )
        assert unit.read(literally, {TENANT: 1}) == [("100 %",)]


def test_a_missing_value_is_named_and_nothing_is_sent(database: Database) -> None:
    with database.open() as unit, pytest.raises(UsageError) as refused:
        unit.read(users(database), {})
    assert refused.value.code == "unbound_value"
    assert "tenant" in str(refused.value)
    assert unit.sent == 0


def test_a_list_of_open_length_is_refused_when_it_is_prepared(database: Database) -> None:
    ours = USER.c.tenant_id == bindparam(TENANT)
    with pytest.raises(UsageError) as refused:
        database.prepare(select(USER.c.id).where(ours, USER.c.name.in_(bindparam("names", expanding=True))))
    assert refused.value.code == "open_list"


def test_a_statement_with_values_of_its_own_cannot_be_sent_for_many_rows(database: Database) -> None:
    statement = database.prepare(insert(USER).values(tenant_id=bindparam(TENANT), id=UUID(int=1)))
    with database.open() as unit, pytest.raises(UsageError) as refused:
        unit.write_many(statement, [(1,)])
    assert refused.value.code == "literal_in_many"
    assert unit.sent == 0


def test_every_statement_is_told_to_the_audit_and_marked_for_listeners(database_url: str) -> None:
    told: list[tuple[str, Any]] = []
    marks: list[Any] = []
    database = opened(database_url, audit=lambda sql, clause: told.append((sql, clause)))
    build(database)

    def listen(_connection: Any, _cursor: Any, _sql: str, _parameters: Any, context: Any, _many: bool) -> None:
        marks.append(context.execution_options.get(STATEMENT_OPTION))

    event.listen(database.engine, "before_cursor_execute", listen)
    add, read = adding(database, USER), users(database)
    with database.open() as unit:
        unit.write_many(add, [user_row(database, 1), user_row(database, 2)])
        unit.read(read, {TENANT: 1})
        with unit.savepoint():
            unit.copy_in(USER, [c.name for c in USER.columns], [user_row(database, 3)])
        unit.commit()
        assert unit.sent == 3
    assert [clause for _, clause in told][:2] == [add.clause, read.clause]
    assert told[0][0] == add.sql
    assert marks[:2] == [add, read]
    assert None not in marks
    database.dispose()


# ------------------------------------------------------------------------------------------------- one writer at a time


def test_a_second_writer_is_told_to_come_again(tmp_path: Path) -> None:
    database = opened(create_engine(f"sqlite:///{tmp_path / 'crm.db'}", connect_args={"timeout": 0.05}))
    build(database)
    with database.open() as first, database.open() as second:
        first.begin_write()
        with pytest.raises(Unavailable) as refused:
            second.begin_write()
        assert refused.value.code == "locked"
        assert second.read(users(database), {TENANT: 1}) == []
        first.commit()
        second.begin_write()
    database.engine.dispose()


def test_nobody_sees_what_is_not_committed(database: Database) -> None:
    with database.open() as unit:
        unit.write_many(adding(database, USER), [user_row(database, 1)])
        assert count(database) == 0
        unit.commit()
        assert count(database) == 1


def test_a_transaction_that_the_database_gave_up_cannot_be_committed(database: Database) -> None:
    add = adding(database, USER)
    with database.open() as unit:
        unit.write_many(add, [user_row(database, 1)])
        if database.dialect == "sqlite":
            raw_connection(unit.connection).execute("ROLLBACK")  # as a full disk does
        else:
            with pytest.raises(Duplicate):
                unit.write_many(add, [user_row(database, 1)])
        with pytest.raises(Unavailable) as refused:
            unit.commit()
        assert refused.value.code == "rolled_back"
    assert count(database) == 0


# ------------------------------------------------------------------------------------------------- a database in memory


def test_a_database_in_memory_is_the_same_for_all_threads(memory: Database) -> None:
    add, read = adding(memory, USER), users(memory)
    seen: list[int] = []

    def work(worker: int) -> None:
        for turn in range(10):
            with memory.open() as unit:
                before = len(unit.read(read, {TENANT: 1}))
                unit.write_many(add, [user_row(memory, worker * 100 + turn * 2)])
                unit.write_many(add, [user_row(memory, worker * 100 + turn * 2 + 1)])
                seen.append(before)
                if turn % 2:
                    unit.commit()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(memory) == 8 * 5 * 2
    assert all(number % 2 == 0 for number in seen)


def test_closing_a_reader_does_not_end_a_writers_transaction_in_memory(memory: Database) -> None:
    with memory.open() as writer:
        with memory.open() as reader:
            reader.read(users(memory), {TENANT: 1})
            writer.write_many(adding(memory, USER), [user_row(memory, 1)])
        writer.commit()
    assert count(memory) == 1


def test_a_thread_that_would_wait_for_itself_is_told(memory: Database) -> None:
    with memory.open() as writer, memory.open() as other:
        writer.write_many(adding(memory, USER), [user_row(memory, 1)])
        for use in (other.begin_write, lambda: other.read(users(memory), {TENANT: 1})):
            with pytest.raises(UsageError) as refused:
                use()
            assert refused.value.code == "memory_busy"
        writer.commit()
        assert len(other.read(users(memory), {TENANT: 1})) == 1


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_each_database_in_memory_is_its_own(url: str) -> None:
    one, other = opened(url), opened("sqlite://")
    build(one)
    add_users(one, 1)
    assert count(one) == 1
    with pytest.raises(NotMigrated):
        count(other)
    one.dispose()
    other.dispose()


def test_a_hosts_engine_with_one_connection_is_shared_as_well() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    database = opened(engine)
    build(database)
    with database.open() as writer:
        with database.open() as reader:
            writer.write_many(adding(database, USER), [user_row(database, 1)])
            reader.close()
        writer.commit()
    assert count(database) == 1
    database.dispose()
    engine.dispose()


def test_a_hosts_engine_with_a_database_for_each_thread_is_refused() -> None:
    engine = create_engine("sqlite://")
    with pytest.raises(UsageError) as refused:
        Database(engine)
    assert refused.value.code == "shared_per_thread"


# ------------------------------------------------------------------------------------------------------ a host's engine


def stock(url: str) -> Engine:
    return create_engine(url)


def without_transactions(url: str) -> Engine:
    return create_engine(url, connect_args={"isolation_level": None})


def with_begin(url: str) -> Engine:
    """The recipe of SQLAlchemy's documentation."""
    engine = create_engine(url, connect_args={"isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def with_references(url: str) -> Engine:
    engine = with_begin(url)
    check_references(engine)
    return engine


def never_autocommitting(url: str) -> Engine:
    """The setting that Python 3.12 recommends: the driver is always in a transaction."""
    engine = create_engine(url, connect_args={"autocommit": False})
    check_references(engine)
    return engine


def always_autocommitting(url: str) -> Engine:
    return create_engine(url, connect_args={"autocommit": True})


theirs_table = Table("theirs", MetaData(), Column("n", Integer))
HOSTS = [stock, without_transactions, with_begin, with_references]
if sys.version_info >= (3, 12):
    HOSTS.append(never_autocommitting)


@pytest.fixture(params=[*HOSTS, "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A host's engine with crmkit's tables and one of its own; four settings of SQLite, one of PostgreSQL."""
    if request.param == "postgresql":
        make, url = stock, request.getfixturevalue("postgres_database")("host")
    else:
        make, url = request.param, f"sqlite:///{tmp_path / 'host.db'}"
    ours = opened(url)
    build(ours, "CREATE TABLE theirs (n INTEGER)")
    ours.dispose()
    engine = make(url)
    yield engine
    engine.dispose()


def work_first(connection: Connection) -> None:
    """The host writes before crmkit does; by then references must be checked, as the host was told to see to."""
    if connection.dialect.name == "sqlite":
        raw_connection(connection).execute("PRAGMA foreign_keys = ON")
    connection.exec_driver_sql("INSERT INTO theirs VALUES (1)")


def theirs(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM theirs").scalar_one()  # type: ignore[no-any-return]


def test_on_a_hosts_engine_crmkit_opens_and_commits(host: Engine) -> None:
    database = opened(host)
    with database.open() as unit:
        assert unit.owns
        assert unit.read(users(database), {TENANT: 1}) == []
        unit.write_many(adding(database, USER), [user_row(database, 1)])
        unit.commit()
        unit.write_many(adding(database, USER), [user_row(database, 2)])
    assert count(database) == 1


@pytest.mark.parametrize("make", [stock, always_autocommitting] if sys.version_info >= (3, 12) else [stock])
def test_on_a_hosts_engine_the_drivers_own_idea_of_transactions_does_not_matter(
    make: Callable[[str], Engine], tmp_path: Path
) -> None:
    engine = make(f"sqlite:///{tmp_path / 'host.db'}")
    database = opened(engine)
    build(database)
    add_users(database, 1)
    add_users(database, 2, commit=False)
    assert count(database) == 1
    engine.dispose()


def test_a_hosts_engine_is_left_as_it_was(host: Engine) -> None:
    def settings() -> Any:
        with host.connect() as connection:
            raw = raw_connection(connection)
            if host.dialect.name == "sqlite":
                return raw.execute("PRAGMA foreign_keys").fetchone(), raw.isolation_level, raw.in_transaction
            return raw.autocommit, raw.info.transaction_status

    before = settings()
    database = opened(host)
    add_users(database, 1)
    lost = row_for(COMPANY, database.codec, 1, name="x", owner=database.codec.id_in(UUID(int=99)))
    with database.open() as unit, pytest.raises(InvalidRecord):
        unit.write_many(adding(database, COMPANY), [lost])
    assert settings() == before
    database.dispose()
    assert settings() == before


def test_a_hosts_connection_is_never_committed(host: Engine) -> None:
    database = opened(host)
    with host.connect() as connection:
        work_first(connection)
        add_users(database, 1, on=connection)
        connection.rollback()
    assert count(database) == 0


def test_a_hosts_commit_keeps_what_crmkit_wrote(host: Engine) -> None:
    database = opened(host)
    with host.connect() as connection:
        work_first(connection)
        with database.open(connection) as unit:
            assert not unit.owns
            unit.write_many(adding(database, USER), [user_row(database, 1)])
            unit.commit()
        assert count(database) == 0
        connection.exec_driver_sql("INSERT INTO theirs VALUES (2)")
        connection.commit()
    assert (count(database), theirs(host)) == (1, 2)


def test_what_crmkit_rolls_back_leaves_the_hosts_work_alone(host: Engine) -> None:
    database = opened(host)
    with host.connect() as connection:
        work_first(connection)
        add_users(database, 1, on=connection, commit=False)
        with pytest.raises(Duplicate):
            add_users(database, 2, 2, on=connection)
        connection.exec_driver_sql("INSERT INTO theirs VALUES (2)")
        connection.commit()
    assert (count(database), theirs(host)) == (0, 2)


def test_a_hosts_session_is_joined_like_its_connection(host: Engine) -> None:
    database = opened(host)
    check_references(host)
    host.dispose()
    for keep in (False, True):
        with Session(host) as session:
            session.execute(theirs_table.insert(), {"n": 1})
            add_users(database, 1, on=session)
            assert count(database) == 0
            if keep:
                session.commit()
    assert count(database) == 1
    assert theirs(host) >= 1


def test_two_units_of_work_may_share_a_hosts_connection(host: Engine) -> None:
    database = opened(host)
    with host.connect() as connection, database.open(connection) as one:
        one.write_many(adding(database, USER), [user_row(database, 1)])
        with database.open(connection) as other:
            other.write_many(adding(database, USER), [user_row(database, 2)])
        one.commit()
        connection.commit()
    assert count(database) == 1


def test_an_error_while_reading_does_not_spoil_a_hosts_transaction(host: Engine) -> None:
    database = opened(host)
    unmade = sample_tables(Unmade).live["unmade"]
    wrong = database.prepare(select(unmade.c.id).where(unmade.c.tenant_id == bindparam(TENANT)))
    with host.connect() as connection:
        connection.exec_driver_sql("INSERT INTO theirs VALUES (1)")
        with database.open(connection) as unit, pytest.raises(NotMigrated):
            unit.read(wrong, {TENANT: 1})
        connection.commit()
    assert theirs(host) == 1


def test_a_connection_that_commits_by_itself_is_refused(host: Engine) -> None:
    database = opened(host)
    with host.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        with pytest.raises(UsageError) as refused:
            add_users(database, 1, on=connection)
        assert refused.value.code == "autocommit"
    assert count(database) == 0


def test_what_is_no_connection_or_not_to_this_database_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        database.open("crm.db")  # type: ignore[arg-type]
    assert refused.value.code == "not_a_connection"
    other = create_engine("sqlite://")
    with other.connect() as connection:
        if database.dialect == "postgresql":
            with pytest.raises(UsageError) as refused:
                database.open(connection)
            assert refused.value.code == "other_database"
    other.dispose()


def test_references_that_cannot_be_checked_any_more_are_refused_with_the_remedy(tmp_path: Path) -> None:
    engine = stock(f"sqlite:///{tmp_path / 'host.db'}")
    database = opened(engine)
    build(database, "CREATE TABLE theirs (n INTEGER)")
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO theirs VALUES (1)")
        with pytest.raises(UsageError) as refused:
            add_users(database, 1, on=connection)
        assert refused.value.code == "references_off"
        assert "check_references" in str(refused.value)
        connection.commit()
    assert (count(database), theirs(engine)) == (0, 1)
    engine.dispose()
