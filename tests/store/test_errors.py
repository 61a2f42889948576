"""What a database refuses reaches the caller as one of crmkit's errors, with the fields and without the data."""

import sqlite3
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, bindparam, cast, create_engine, delete, func, select
from sqlalchemy.exc import OperationalError, PendingRollbackError, TimeoutError

from crmkit.errors import (
    CrmkitError,
    Duplicate,
    InvalidQuery,
    InvalidRecord,
    NotMigrated,
    StorageError,
    Unavailable,
    UsageError,
)
from crmkit.store import TENANT, Database, translate
from crmkit.store.connection.drivers import raw_connection
from tests.store.samples import adding, row_for, sample_tables

TABLES = sample_tables()
USER, COMPANY, MEMBERSHIP = (TABLES.live[key] for key in ("user", "company", "membership"))
OURS = {TENANT: 1}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with the sample tables."""
    made = Database(database_url, tables=TABLES)
    with made.open() as unit:
        unit.begin_write()
        TABLES.metadata.create_all(unit.connection)
        unit.commit()
    yield made
    made.dispose()


def user(database: Database, number: int, **values: Any) -> tuple[Any, ...]:
    return row_for(USER, database.codec, number, **{"email": "geheim@x", "name": "李娜", **values})


def refusal(database: Database, table: Table, *rows: tuple[Any, ...]) -> CrmkitError:
    """What adding the rows ends in; that nothing of them stays is checked as well."""
    before = counted(database, table)
    with database.open() as unit, pytest.raises(CrmkitError) as refused:
        unit.write_many(adding(database, table), list(rows))
    assert counted(database, table) == before
    return refused.value


def counted(database: Database, table: Table) -> int:
    with database.open() as unit:
        statement = database.prepare(select(func.count()).where(table.c.tenant_id == bindparam(TENANT)))
        return int(unit.read(statement, OURS)[0][0])


def test_a_unique_value_that_is_taken_names_the_field_and_not_the_value(database: Database) -> None:
    error = refusal(database, USER, user(database, 1, email_key="geheim@x"), user(database, 2, email_key="geheim@x"))
    assert isinstance(error, Duplicate)
    assert (error.code, error.fields) == ("duplicate", ("email",))
    assert "geheim" not in str(error)


def test_a_unique_pair_names_both_fields(database: Database) -> None:
    with database.open() as unit:
        unit.write_many(adding(database, COMPANY), [row_for(COMPANY, database.codec, 1, name="x")])
        unit.commit()
    one = database.codec.id_in(UUID(int=1))
    rows = [row_for(MEMBERSHIP, database.codec, number, company=one, subject=one) for number in (1, 2)]
    assert refusal(database, MEMBERSHIP, *rows).fields == ("company", "subject")


def test_a_unique_slot_and_an_id_are_named_too(database: Database) -> None:
    rows = [user(database, number, email_key=str(number), unique_1="x") for number in (1, 2)]
    assert refusal(database, USER, *rows).fields == ("unique_1",)
    rows = [user(database, 1, email_key=key) for key in "ab"]
    assert refusal(database, USER, *rows).fields == ("id",)


def test_the_same_value_is_free_in_another_tenant(database: Database) -> None:
    for tenant in (1, 2):
        with database.open() as unit:
            unit.write_many(adding(database, USER), [row_for(USER, database.codec, 1, tenant, **NAMED)])
            unit.commit()
    assert counted(database, USER) == 1


NAMED = {"email": "x", "email_key": "x", "name": "x"}


def test_a_reference_to_nothing_is_an_invalid_record(database: Database) -> None:
    row = row_for(COMPANY, database.codec, 1, name="x", parent=database.codec.id_in(UUID(int=2)))
    error = refusal(database, COMPANY, row)
    assert isinstance(error, InvalidRecord)
    assert error.code == "reference"
    # SQLite does not say which reference it was.
    assert error.fields == (("parent",) if database.dialect == "postgresql" else ())


def test_a_reference_into_another_tenant_is_a_reference_to_nothing(database: Database) -> None:
    with database.open() as unit:
        unit.write_many(adding(database, USER), [row_for(USER, database.codec, 7, tenant=2, **NAMED)])
        unit.commit()
    row = row_for(COMPANY, database.codec, 1, name="x", owner=database.codec.id_in(UUID(int=7)))
    assert refusal(database, COMPANY, row).code == "reference"


def test_a_record_that_others_refer_to_stays(database: Database) -> None:
    owner = database.codec.id_in(UUID(int=7))
    with database.open() as unit:
        unit.write_many(adding(database, USER), [row_for(USER, database.codec, 7, **NAMED)])
        unit.write_many(adding(database, COMPANY), [row_for(COMPANY, database.codec, 1, name="x", owner=owner)])
        unit.commit()
    gone = database.prepare(delete(USER).where(USER.c.tenant_id == bindparam(TENANT)))
    with database.open() as unit, pytest.raises(InvalidRecord) as refused:
        unit.write(gone, OURS)
    assert refused.value.code == "reference"
    assert counted(database, USER) == 1


def test_a_missing_value_names_its_field(database: Database) -> None:
    error = refusal(database, USER, user(database, 1, email=None))
    assert isinstance(error, InvalidRecord)
    assert (error.code, error.fields) == ("required", ("email",))


def test_a_total_past_64_bits_is_an_invalid_query(database: Database) -> None:
    most = 2**63 - 1
    with database.open() as unit:
        rows = [row_for(COMPANY, database.codec, number, name="x", size=most) for number in (1, 2)]
        unit.write_many(adding(database, COMPANY), rows)
        unit.commit()
    total = database.prepare(
        select(cast(func.sum(COMPANY.c.size), BigInteger)).where(COMPANY.c.tenant_id == bindparam(TENANT))
    )
    with database.open() as unit, pytest.raises(InvalidQuery) as refused:
        unit.read(total, OURS)
    assert refused.value.code == "overflow"


@pytest.mark.parametrize(
    "change", ["DROP TABLE crm_membership", "ALTER TABLE crm_membership RENAME COLUMN subject TO x"]
)
def test_a_missing_table_or_column_says_to_migrate(database: Database, change: str) -> None:
    with database.open() as unit:
        unit.begin_write()
        unit.connection.exec_driver_sql(change)
        unit.commit()
    statement = database.prepare(select(MEMBERSHIP.c.subject).where(MEMBERSHIP.c.tenant_id == bindparam(TENANT)))
    with database.open() as unit, pytest.raises(NotMigrated, match="crmkit migrate"):
        unit.read(statement, OURS)
    with database.open() as unit, pytest.raises(NotMigrated):
        list(unit.stream(statement, OURS))
    row = row_for(MEMBERSHIP, database.codec, 1)
    with database.open() as unit, pytest.raises(NotMigrated):
        unit.write_many(adding(database, MEMBERSHIP), [row])


def test_a_row_that_cannot_be_copied_in_is_refused_the_same_way(database: Database) -> None:
    names = [column.name for column in USER.columns]
    with database.open() as unit:
        with pytest.raises(Duplicate) as refused:
            unit.copy_in(USER, names, [user(database, 1, email_key="x"), user(database, 2, email_key="x")])
        assert refused.value.fields == ("email",)
        unit.rollback()
        unit.copy_in(USER, names, [user(database, 1, email_key="x")])
        unit.commit()
    assert counted(database, USER) == 1


def test_a_connection_that_went_away_is_unavailable_and_the_next_one_works(
    database: Database, postgres_url: str
) -> None:
    if database.dialect == "sqlite":
        # A file that is gone cannot be read; the pool gives a new connection to the one that is there again.
        pass
    with database.open() as unit:
        unit.write_many(adding(database, USER), [user(database, 1, email_key="x")])
        if database.dialect == "postgresql":
            pid = unit.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with psycopg.connect(plain(database), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        else:
            raw_connection(unit.connection).close()
        with pytest.raises(Unavailable) as refused:
            unit.read(database.prepare(select(func.count()).where(USER.c.tenant_id == bindparam(TENANT))), OURS)
        assert refused.value.code == "unreachable"
    assert counted(database, USER) == 0


def plain(database: Database) -> str:
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


# ----------------------------------------------------------------------------------------- what drivers say, by itself


class Diagnosis:
    def __init__(self, **known: str) -> None:
        self.column_name = known.get("column")
        self.table_name = known.get("table")
        self.constraint_name = known.get("constraint")
        self.message_primary = known.get("message")


def postgres_error(state: str | None, kind: type[psycopg.Error] = psycopg.DatabaseError, **known: str) -> psycopg.Error:
    class Reported(kind):  # type: ignore[valid-type, misc]
        sqlstate = state
        diag = Diagnosis(**known)

    Reported.__name__ = kind.__name__
    Reported.__module__ = kind.__module__
    return Reported("secret words")


@pytest.mark.parametrize(
    "message",
    [
        'duplicate key value violates unique constraint "uq_crm_user_email_key_102008"',
        "doppelter Schlüsselwert verletzt Unique-Constraint »uq_crm_user_email_key_102008«",
        '重复键违反唯一约束 "uq_crm_user_email_key_102008"',
    ],
)
def test_a_shards_constraint_is_known_by_its_name_in_the_message_in_any_language(message: str) -> None:
    error = translate(postgres_error("23505", message=message), TABLES)
    assert isinstance(error, Duplicate)
    assert error.fields == ("email",)


def test_a_shards_foreign_key_and_column_are_known_too() -> None:
    reference = translate(postgres_error("23503", message='... "fk_crm_company_parent_102044" ...'), TABLES)
    assert (reference.code, reference.fields) == ("reference", ("parent",))
    missing = translate(postgres_error("23502", column="email", table="crm_user_102044"), TABLES)
    assert (missing.code, missing.fields) == ("required", ("email",))


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("40001", "serialization"),
        ("40P01", "serialization"),
        ("55P03", "locked"),
        ("XX000", "rolled_back"),
        ("25P02", "rolled_back"),
        ("08006", "unreachable"),
        ("57P01", "unreachable"),
        ("53300", "unreachable"),
        ("28P01", "unreachable"),
        ("3D000", "unreachable"),
        (None, "unreachable"),
    ],
)
def test_what_may_work_the_next_time_is_unavailable(state: str | None, code: str) -> None:
    error = translate(postgres_error(state, psycopg.OperationalError), TABLES)
    assert isinstance(error, Unavailable)
    assert error.code == code
    assert "again" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("words", ["database is locked", "database table is locked: crm_user", "interrupted"])
def test_a_busy_sqlite_is_unavailable(words: str) -> None:
    assert translate(sqlite3.OperationalError(words)).code == "locked"


@pytest.mark.parametrize("words", ["disk I/O error", "attempt to write a readonly database"])
def test_a_file_that_cannot_be_used_is_unavailable(words: str) -> None:
    assert translate(sqlite3.OperationalError(words)).code == "unreachable"


@pytest.mark.parametrize(("state", "code"), [("54000", "too_long"), ("22001", "too_long")])
def test_a_text_too_long_for_its_index_is_an_invalid_record(state: str, code: str) -> None:
    error = translate(postgres_error(state))
    assert isinstance(error, InvalidRecord)
    assert error.code == code


def test_without_tables_nothing_is_named_but_the_kind_is_right() -> None:
    assert translate(postgres_error("23505", constraint="uq_crm_user_email_key")).fields == ()
    assert isinstance(translate(sqlite3.IntegrityError("UNIQUE constraint failed: t.a, t.b")), Duplicate)
    assert isinstance(translate(sqlite3.IntegrityError("NOT NULL constraint failed: t.a"), TABLES), InvalidRecord)


def test_what_is_not_known_is_a_storage_error_without_the_drivers_words() -> None:
    for unknown in (sqlite3.OperationalError("secret words"), postgres_error("22012"), postgres_error(None)):
        error = translate(unknown, TABLES)
        assert type(error) is StorageError
        assert "secret" not in str(error)


def test_sqlalchemys_own_errors_are_known() -> None:
    assert translate(TimeoutError("secret")).code == "timeout"
    assert translate(PendingRollbackError("secret")).code == "rolled_back"
    wrapped = OperationalError("SELECT secret", {}, sqlite3.OperationalError("database is locked"))
    assert translate(wrapped).code == "locked"
    assert "secret" not in str(translate(wrapped))


def test_the_values_of_a_refused_record_are_not_in_the_chain_of_errors(database: Database) -> None:
    """A traceback is written to logs as a whole."""
    error = refusal(database, USER, user(database, 1, email_key="x"), user(database, 2, email_key="x"))
    causes = list(chain(error))
    assert len(causes) > 1
    assert "李娜" not in "".join(map(str, causes))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_a_host_that_ends_its_transaction_too_early_is_told(database: Database) -> None:
    with database.engine.connect() as connection:
        unit = database.open(connection)
        unit.write_many(adding(database, USER), [user(database, 1, email_key="x")])
        connection.rollback()
        with pytest.raises(UsageError) as refused:
            unit.close()
        assert refused.value.code == "transaction_ended"
        connection.rollback()
    assert counted(database, USER) == 0


def test_no_connection_free_in_time_is_unavailable(tmp_path: Any) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'crm.db'}", pool_size=1, max_overflow=0, pool_timeout=0.01)
    database = Database(engine)
    with database.open(), pytest.raises(Unavailable) as refused:
        database.open()
    assert refused.value.code == "timeout"
    with database.open() as unit:
        table = Table("t", MetaData(), Column("a", Text), info={"scope": "local"})
        with pytest.raises(NotMigrated):
            unit.read(database.prepare(select(table.c.a)))
    engine.dispose()
