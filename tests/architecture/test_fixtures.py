"""The databases and the closed network that every other test relies on."""

import socket
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, inspect, make_url, text


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


def test_further_databases_are_apart_and_may_copy_another(postgres_database: Callable[..., str]) -> None:
    one, other = postgres_database("one"), postgres_database("other")
    assert run(one, "CREATE TABLE only_here (id INTEGER)") == ["only_here"]
    assert run(other) == []
    assert run(postgres_database("copy", template=str(make_url(one).database))) == ["only_here"]


def test_a_connection_left_open_does_not_keep_a_database_from_going(postgres_database: Callable[..., str]) -> None:
    """The fixture drops the database while this connection is open; an error there would fail the test."""
    engine = create_engine(postgres_database("left_open"))
    connection = engine.connect()
    assert connection.execute(text("SELECT 1")).scalar_one() == 1
    connection.detach()
    connection.close()


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
