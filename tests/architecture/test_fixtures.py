"""The databases and the closed network that every other test relies on."""

import socket
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import create_engine, inspect, make_url, text

from crmkit import CRM
from tests.integration.snapshots import digest
from tests.postgres import Pool, connected
from tests.staff import ADMIN


def run(url: str, *statements: str) -> list[str]:
    """Runs statements on a database and returns the names of its tables."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        return inspect(engine).get_table_names()
    finally:
        engine.dispose()


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_gets_an_empty_database_of_the_kind_it_asked_for(database_url: str, time: str) -> None:
    assert run(database_url) == []
    assert run(database_url, f"CREATE TABLE {time} (id INTEGER)") == [time]


def test_both_databases_keep_chinese_text(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE firm (name TEXT)"))
        connection.execute(text("INSERT INTO firm VALUES (:name)"), {"name": "上海宝钢"})
        assert connection.execute(text("SELECT name FROM firm")).scalar_one() == "上海宝钢"
    engine.dispose()


def test_the_session_has_a_postgresql_of_its_own(postgres_url: str) -> None:
    assert make_url(postgres_url).drivername == "postgresql+psycopg"
    assert run(postgres_url) == []


def test_further_databases_are_apart(postgres_database: Callable[[str], str]) -> None:
    one, other = postgres_database("one"), postgres_database("other")
    assert run(one, "CREATE TABLE only_here (id INTEGER)") == ["only_here"]
    assert run(other) == []


def test_a_connection_left_open_does_not_keep_a_database_from_going(postgres_database: Callable[[str], str]) -> None:
    """The fixture drops the database while this connection is open; an error there would fail the test."""
    engine = create_engine(postgres_database("left_open"))
    connection = engine.connect()
    assert connection.execute(text("SELECT 1")).scalar_one() == 1
    connection.detach()
    connection.close()


def test_a_migrated_database_comes_back_as_it_was_at_first(
    migrated_databases: Pool, migrated_postgres: Callable[[str], str], open_crm: Callable[..., CRM]
) -> None:
    """What was there is back, what came is gone, and what was left open is closed."""
    first = digest(migrated_postgres("untouched"))
    with migrated_databases.database("used") as url:
        crm = open_crm(url)
        with crm.session(ADMIN) as me:
            account = me.accounts.create(name="宝钢", headcount=3)
            me.accounts.create(name="子公司", parent=account)
            me.users.update(me.actor.id, name="Ana Maria")
            me.roles.delete(me.roles.one(name="rep"))
        left_open = connected(url)
        left_open.execute("BEGIN; UPDATE crm_account SET industry = 'steel'")
        assert digest(url) != first
    with migrated_databases.database("again") as again:
        assert (again, digest(again)) == (url, first)
        with open_crm(again).session(ADMIN) as me:
            assert isinstance(me.accounts.create(name="宝钢").id, UUID)
    left_open.close()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE more (id INTEGER)",
        "ALTER TABLE crm_account ADD COLUMN more INTEGER",
        "ALTER TABLE crm_account ALTER COLUMN industry SET NOT NULL",
        "DROP TABLE crm_account CASCADE",
        "CREATE INDEX more ON crm_account (tenant_id, industry)",
        "CREATE SCHEMA more",
        "CREATE FUNCTION more() RETURNS integer LANGUAGE sql RETURN 1",
    ],
)
def test_a_migrated_database_with_another_schema_does_not_come_back(migrated_databases: Pool, change: str) -> None:
    with migrated_databases.database("changed") as url:
        run(url, change)
    with migrated_databases.database("next") as following:
        assert following != url


def test_a_database_with_a_setting_of_its_own_does_not_come_back(empty_databases: Pool) -> None:
    with empty_databases.database("set") as url:
        run(url, f"ALTER DATABASE {make_url(url).database} SET lock_timeout = 1")
    with empty_databases.database("next") as following:
        assert following != url


def test_an_empty_database_comes_back_empty(empty_databases: Pool) -> None:
    with empty_databases.database("first") as url:
        run(url, "CREATE TABLE one (id INTEGER PRIMARY KEY)", "CREATE VIEW two AS SELECT * FROM one")
    with empty_databases.database("second") as again:
        assert (again, run(again)) == (url, [])


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 80)])
def test_a_test_cannot_leave_the_machine(address: tuple[str, int]) -> None:
    with socket.socket() as stream, pytest.raises(RuntimeError, match="may not connect"):
        stream.connect(address)
    with socket.socket() as stream, pytest.raises(RuntimeError, match="may not connect"):
        stream.connect_ex(address)
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(RuntimeError, match="may not connect"):
        datagrams.sendto(b"question", address)


def test_a_test_can_talk_to_its_own_machine() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        client.sendall(b"hello")
        assert accepted.recv(5) == b"hello"
