"""A list of values in a statement finds exactly the rows that hold one of them, however long it is."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, select

from crmkit.store import TENANT, Database, Statement
from crmkit.store.sql.lists import LISTED, among, list_width, listed
from tests.store.samples import adding, row_for, sample_tables

TABLES = sample_tables()
USER = TABLES.live["user"]
HARD = ["", "NULL", "{}", "a,b", 'say "x"', "back\\slash", "'", " ", "张伟", "\u202eabc", "👩‍👩‍👧‍👦", "x" * 3_000]
NUMBERS = range(1, LISTED + 100)


def email(number: int) -> str:
    return HARD[number] if number < len(HARD) else f"{number}@x.example"


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Database]:
    yield from filled("sqlite://")


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[Database]:
    yield from filled(postgres_url)


def filled(url: str) -> Iterator[Database]:
    """Users of two tenants, with e-mail addresses that are hard to quote."""
    database = Database(url, tables=TABLES)
    with database.open() as unit:
        unit.begin_write()
        TABLES.metadata.create_all(unit.connection)
        for tenant in (1, 2):
            rows = [row_for(USER, database.codec, n, tenant, email=email(n), email_key=email(n), name="x", name_key="x")
                    for n in NUMBERS]  # fmt: skip
            unit.write_many(adding(database, USER), rows)
            unit.commit()
    yield database
    with database.open() as unit:
        unit.begin_write()
        TABLES.metadata.drop_all(unit.connection)
        unit.commit()
    database.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    made: Database = request.getfixturevalue(request.param)
    return made


def asking(database: Database, column: str, count: int) -> Statement:
    wanted = among(USER.c[column], "wanted", list_width(database.codec, count))
    found = select(USER.c.email_key).where(USER.c.tenant_id == bindparam(TENANT), wanted)
    return database.prepare(found)


def found(database: Database, column: str, values: Sequence[Any]) -> list[str]:
    width = list_width(database.codec, len(values))
    with database.open() as unit:
        statement = asking(database, column, len(values))
        return sorted(row[0] for row in unit.read(statement, {TENANT: 1} | listed("wanted", values, width)))


@pytest.mark.parametrize("count", [1, 2, 3, 17, LISTED])
def test_a_list_finds_the_rows_of_its_texts_and_of_its_ids_and_no_others(database: Database, count: int) -> None:
    numbers = list(NUMBERS)[:count]
    absent = UUID(int=10**9)
    expected = sorted(email(n) for n in numbers)
    texts = [email(n) for n in numbers]
    ids = [database.codec.id_in(UUID(int=n)) for n in numbers]
    assert found(database, "email_key", texts) == expected
    assert found(database, "id", ids) == expected
    assert found(database, "id", [*ids, ids[0], database.codec.id_in(absent)]) == expected
    assert found(database, "version", [2] * count) == []
    assert len(found(database, "version", [1] * count)) == len(NUMBERS)


def test_a_value_that_holds_the_marks_of_an_array_is_one_value(database: Database) -> None:
    for text in ("{a,b}", '"a"', "a,b,c", "NULL,NULL", "\\"):
        assert found(database, "email_key", [text]) == []


def test_postgresql_gets_one_parameter_for_a_list_of_any_length(postgres: Database, sqlite: Database) -> None:
    lengths = (1, 2, 3, 100, LISTED)
    assert {asking(postgres, "id", n).sql for n in lengths} == {asking(postgres, "id", 1).sql}
    assert {len(asking(postgres, "id", n).names) for n in lengths} == {2}
    assert [len(asking(sqlite, "id", n).names) for n in lengths] == [2, 3, 5, 129, LISTED + 1]
