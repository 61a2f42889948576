"""A verb that fails leaves nothing of itself: in a host's transaction, and in a session that goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import attrs
import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert, select
from sqlalchemy.orm import Session

from crmkit import CRM
from crmkit.errors import Unavailable
from tests.integration.faults import Fault, failing_engine
from tests.integration.restored import Restored
from tests.integration.snapshots import Snapshot, broken, snapshot
from tests.integration.units_of_work import Names, repeatable
from tests.integration.verbs import VERBS, Verb
from tests.staff import ADMIN

pytestmark = pytest.mark.timeout(900)  # hundreds of failures, one by one

ORDERS = Table("host_order", MetaData(), Column("id", Integer, primary_key=True), Column("text", String(50)))


class Change(Exception):
    """Somebody changes their mind."""


@attrs.frozen
class Host:
    """A product with a table of its own, whose database sometimes fails."""

    engine: Engine
    fault: Fault
    crm: CRM
    database: Restored
    names: Names

    @contextmanager
    def transaction(self, kind: str) -> Iterator[Any]:
        """The host's own, by a Connection or by a Session of the ORM; it commits at the end."""
        if kind == "connection":
            with self.engine.begin() as connection:
                yield connection
        else:
            with Session(self.engine) as session, session.begin():
                yield session

    def orders(self) -> list[str]:
        """What the host has committed."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(ORDERS.c["text"]).order_by(ORDERS.c["id"])))

    def statements(self, verb: Verb) -> int:
        """How many statements a joined session with the verb needs, once they are compiled; nothing is kept."""
        for _ in range(2):
            with self.engine.connect() as connection:
                order(connection, "taken back")
                with self.fault.before(0), self.crm.session(ADMIN, on=connection) as me:
                    verb(me, self.names)
                connection.rollback()
        return self.fault.sent


def order(transaction: Any, text: str) -> None:
    transaction.execute(insert(ORDERS).values(text=text))


@pytest.fixture
def host(prepared: tuple[Restored, Names]) -> Iterator[Host]:
    database, names = prepared
    database.restore()
    fault = Fault()
    with failing_engine(database.url, fault) as engine:
        crm = repeatable(engine)
        ORDERS.drop(engine, checkfirst=True)
        ORDERS.create(engine)
        yield Host(engine, fault, crm, database, names)


@pytest.mark.parametrize(
    ("kind", "verb"), [*(("connection", verb) for verb in VERBS), ("orm", "tag"), ("orm", "create_many")]
)
def test_whatever_statement_fails_a_host_commits_its_own_rows_and_none_of_the_verb(
    host: Host, kind: str, verb: str
) -> None:
    do = VERBS[verb]
    total = host.statements(do)
    before = host.database.state()
    assert total > 5
    for n in range(1, total + 1):
        with host.transaction(kind) as transaction:
            order(transaction, f"before {n}")
            with (
                pytest.raises(Unavailable) as caught,
                host.fault.before(n),
                host.crm.session(ADMIN, on=transaction) as me,
            ):
                do(me, host.names)
            order(transaction, f"after {n}")
        assert (caught.value.code, caught.value.problems[0].hint) == ("unreachable", "run the unit of work again")
        assert host.database.state() == before
    assert host.orders() == [f"{when} {n}" for n in range(1, total + 1) for when in ("before", "after")]
    with host.transaction(kind) as transaction, host.crm.session(ADMIN, on=transaction) as me:
        do(me, host.names)
    assert host.database.state() != before
    assert broken(snapshot(host.database.url)) == []


@pytest.mark.parametrize("kind", ["connection", "orm"])
def test_a_host_that_rolls_back_keeps_nothing_at_all(host: Host, kind: str) -> None:
    before = host.database.state()
    for do in VERBS.values():
        with suppress(Change), host.transaction(kind) as transaction:
            order(transaction, "taken back")
            with host.crm.session(ADMIN, on=transaction) as me:
                do(me, host.names)
                assert me.changes != []
            raise Change
        assert host.database.state() == before
    assert host.orders() == []


@pytest.mark.parametrize("kind", ["connection", "orm"])
def test_an_exception_inside_a_joined_session_takes_the_session_back_and_not_the_host(host: Host, kind: str) -> None:
    before = host.database.state()
    for verb, do in VERBS.items():
        with host.transaction(kind) as transaction:
            order(transaction, verb)
            with suppress(Change), host.crm.session(ADMIN, on=transaction) as me:
                do(me, host.names)
                assert me.changes != []
                raise Change
        assert host.database.state() == before
    assert host.orders() == list(VERBS)


def test_an_exception_inside_a_session_takes_it_back(host: Host) -> None:
    before = host.database.state()
    for do in VERBS.values():
        with suppress(Change), host.crm.session(ADMIN) as me:
            do(me, host.names)
            assert me.changes != []
            raise Change
        assert host.database.state() == before


@pytest.mark.parametrize("verb", VERBS)
def test_whatever_statement_fails_the_session_goes_on_without_the_verb(host: Host, verb: str) -> None:
    """What other verbs did before and after it is kept, as if it had never been tried."""
    do = VERBS[verb]
    rows = snapshot(host.database.url)

    def session(attempt: Callable[[Any], None]) -> dict[str, int]:
        """The rows of each table that a session leaves behind; it touches none that were there."""
        nonlocal rows
        with host.crm.session(ADMIN) as me:
            me.products.create(name=me.ids.new().hex)
            attempt(me)
            me.products.create(name=me.ids.new().hex)
            assert [change.type_key for change in me.changes] == ["product", "product"]
        before, rows = rows, snapshot(host.database.url)
        return added(before, rows)

    def fail(n: int, me: Any) -> None:
        with pytest.raises(Unavailable), host.fault.before(n):
            do(me, host.names)

    expected = session(lambda me: None)
    total = statements(host, do)
    assert total > 3
    for n in range(1, total + 1):
        assert session(partial(fail, n)) == expected
    assert broken(rows) == []
    with host.crm.session(ADMIN) as me:
        do(me, host.names)
    assert broken(snapshot(host.database.url)) == []


def statements(host: Host, do: Verb) -> int:
    """How many statements the verb needs in a session that has written already; nothing is kept."""
    for _ in range(2):
        with host.crm.session(ADMIN, dry_run=True) as me:
            me.products.create(name="x")
            with host.fault.before(0):
                do(me, host.names)
    return host.fault.sent


def added(before: Snapshot, after: Snapshot) -> dict[str, int]:
    """The number of rows that came to each table; none may have gone or changed."""
    for name, rows in before.items():
        assert [row for row in rows if row not in after[name]] == []
    return {name: len(rows) - len(before[name]) for name, rows in after.items() if len(rows) != len(before[name])}
