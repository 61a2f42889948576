"""When the database itself fails, it is said in our words, nothing is left, and the next session works."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, make_url

from crmkit import CRM
from crmkit.errors import StorageError, Unavailable
from tests.integration.snapshots import broken, digest, snapshot
from tests.postgres import POOL
from tests.staff import ADMIN

OpenCRM = Callable[..., CRM]


def file_of(url: str) -> str:
    return str(make_url(url).database)


def raised(work: Callable[[], object]) -> StorageError:
    """The error of work that the database fails: it has a hint, and keeps what the driver said as its cause."""
    with pytest.raises(StorageError) as caught:
        work()
    assert caught.value.problems[0].hint
    assert caught.value.__cause__ is not None or caught.value.code == "rolled_back"
    return caught.value


def create(crm: CRM, *names: str) -> None:
    """A unit of work with an account for each name."""
    with crm.session(ADMIN) as me:
        for name in names:
            me.accounts.create(name=name)


def works(crm: CRM, url: str) -> None:
    """The next session of the same CRM does its work."""
    create(crm, "宝钢")
    with crm.session(ADMIN) as me:
        assert me.accounts.where(name="宝钢").count() == 1
    assert broken(snapshot(url)) == []


# --------------------------------------------------------------------------------------------------------------- SQLite


@pytest.fixture
def file_url(migrated_sqlite: Callable[[str], str]) -> str:
    """A migrated SQLite file."""
    return migrated_sqlite("crm")


@pytest.fixture
def impatient(file_url: str, open_crm: OpenCRM) -> CRM:
    """A CRM that waits a moment for locks, not ten seconds."""
    return open_crm(create_engine(file_url, connect_args={"timeout": 0.05}))


def test_a_file_that_somebody_else_is_writing_to_is_locked(file_url: str, impatient: CRM) -> None:
    before = digest(file_url)
    with closing(sqlite3.connect(file_of(file_url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = raised(lambda: create(impatient, "ACME"))
        other.execute("ROLLBACK")
    assert (type(error), error.code) == (Unavailable, "locked")
    assert digest(file_url) == before
    works(impatient, file_url)


def test_a_file_that_somebody_else_is_reading_is_locked_when_it_comes_to_the_commit(
    file_url: str, impatient: CRM
) -> None:
    """Without a write-ahead log a reader keeps the writer from committing."""
    with closing(sqlite3.connect(file_of(file_url), isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        before = digest(file_url)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM crm_account").fetchone()
        error = raised(lambda: create(impatient, "ACME"))
        other.execute("ROLLBACK")
    assert (type(error), error.code) == (Unavailable, "locked")
    assert digest(file_url) == before
    works(impatient, file_url)


def test_a_full_disk_is_unavailable(file_url: str, open_crm: OpenCRM) -> None:
    before = digest(file_url)
    engine = create_engine(file_url)
    limit = _full_after(engine, 8)
    crm = open_crm(engine)
    error = raised(lambda: create(crm, *(f"客户 {n} {'x' * 200}" for n in range(2_000))))
    assert (type(error), error.code) == (Unavailable, "unreachable")
    assert digest(file_url) == before
    limit.clear()
    engine.dispose()
    works(crm, file_url)


def _full_after(engine: Engine, pages: int) -> list[int]:
    """New connections may add so many pages to the file, until the list is cleared."""
    limit = [pages]

    def connected(raw: Any, _record: object) -> None:
        for more in limit:
            raw.execute(f"PRAGMA max_page_count = {raw.execute('PRAGMA page_count').fetchone()[0] + more}")

    event.listen(engine, "connect", connected)
    return limit


def test_a_session_does_not_go_on_when_sqlite_has_given_its_transaction_up(file_url: str, open_crm: OpenCRM) -> None:
    """What comes after it would be committed statement by statement, without a changeset."""
    with closing(sqlite3.connect(file_of(file_url))) as other:
        other.execute(
            "CREATE TRIGGER gives_up BEFORE INSERT ON crm_account WHEN new.name = 'bad' "
            "BEGIN SELECT RAISE(ROLLBACK, 'disk I/O error'); END"
        )
    before = digest(file_url)
    crm = open_crm(file_url)

    def go_on() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="good")
            raised(lambda: me.accounts.create(name="bad"))
            assert raised(lambda: me.accounts.create(name="better")).code == "rolled_back"

    assert raised(go_on).code == "rolled_back"
    assert digest(file_url) == before
    works(crm, file_url)


def test_a_file_that_cannot_be_written_can_be_read(file_url: str, open_crm: OpenCRM) -> None:
    path = Path(file_of(file_url))
    before = digest(file_url)
    crm = open_crm(f"sqlite:///file:{path}?mode=ro&uri=true")
    error = raised(lambda: create(crm, "ACME"))
    assert (type(error), error.code) == (Unavailable, "unreachable")
    assert digest(file_url) == before
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == 0
        assert me.users.count() == 1


# ----------------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture
def server_url(migrated_postgres: Callable[[str], str]) -> str:
    """A migrated PostgreSQL database."""
    return migrated_postgres("crm")


def cut(url: str) -> None:
    """Ends every connection of crmkit to the database, and waits until they are gone."""
    with psycopg.connect(url.replace("+psycopg", "", 1)) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' "
            "AND application_name <> %s",
            [POOL],
        ).fetchall()
    assert ended == [(True,)]


def test_a_connection_that_is_lost_between_two_verbs_takes_the_session_with_it(
    server_url: str, open_crm: OpenCRM
) -> None:
    crm = open_crm(server_url)
    before = digest(server_url)

    def lose() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="ACME")
            cut(server_url)
            me.accounts.create(name="Other")

    error = raised(lose)
    assert (type(error), error.code) == (Unavailable, "unreachable")
    assert digest(server_url) == before
    works(crm, server_url)


def test_a_loss_that_was_caught_is_raised_again_when_the_session_is_to_be_kept(
    server_url: str, open_crm: OpenCRM
) -> None:
    crm = open_crm(server_url)
    before = digest(server_url)

    def lose() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="ACME")
            cut(server_url)
            for use in (me.accounts.count, lambda: me.accounts.create(name="Other"), lambda: list(me.accounts)):
                error = raised(use)
                assert isinstance(error, Unavailable)

    error = raised(lose)
    assert isinstance(error, Unavailable)
    assert digest(server_url) == before
    works(crm, server_url)


def test_a_connection_that_is_lost_before_the_commit_keeps_nothing(server_url: str, open_crm: OpenCRM) -> None:
    crm = open_crm(server_url)
    before = digest(server_url)

    def lose() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="ACME")
            cut(server_url)

    error = raised(lose)
    assert (type(error), error.code) == (Unavailable, "unreachable")
    assert digest(server_url) == before
    works(crm, server_url)


def test_a_connection_that_was_lost_while_nobody_used_it_is_noticed_and_replaced(
    server_url: str, open_crm: OpenCRM
) -> None:
    crm = open_crm(server_url)
    create(crm, "ACME")
    before = digest(server_url)
    cut(server_url)
    error = raised(lambda: create(crm, "Other"))
    assert (type(error), error.code) == (Unavailable, "unreachable")
    assert digest(server_url) == before
    works(crm, server_url)


def test_of_two_units_of_work_that_lock_each_other_out_one_happens_and_one_can_be_run_again(
    server_url: str, open_crm: OpenCRM
) -> None:
    crm = open_crm(server_url)
    create(crm, "a", "b")
    both = threading.Barrier(2, timeout=20)
    failed: dict[str, Unavailable] = {}

    def update(city: str, *names: str, meet: bool = True) -> None:
        with crm.session(ADMIN) as me:
            accounts = {account.name: account for account in me.accounts.where()}
            me.accounts.update(accounts[names[0]], industry=city)
            if meet:
                both.wait()
            me.accounts.update(accounts[names[1]], industry=city)

    def attempt(city: str, *names: str) -> None:
        try:
            update(city, *names)
        except Unavailable as error:
            failed[city] = error

    orders = {"Berlin": ("a", "b"), "上海": ("b", "a")}
    threads = [threading.Thread(target=attempt, args=(city, *names)) for city, names in orders.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    [(loser, error)] = failed.items()
    [winner] = orders.keys() - failed.keys()
    assert (error.code, error.problems[0].hint) == ("serialization", "run the unit of work again")
    with crm.session(ADMIN) as me:
        assert {account.industry for account in me.accounts.where()} == {winner}
    update(loser, *orders[loser], meet=False)
    with crm.session(ADMIN) as me:
        assert {account.industry for account in me.accounts.where()} == {loser}
    works(crm, server_url)


def test_a_write_that_cannot_be_serialized_can_be_run_again(server_url: str, open_crm: OpenCRM) -> None:
    """On a host's engine that demands snapshots, the second to write a row is refused whatever it read before."""
    engine = create_engine(server_url, isolation_level="REPEATABLE READ")
    crm = open_crm(engine)
    create(crm, "a", "b")

    def late() -> None:
        with crm.session(ADMIN) as me:
            accounts = {account.name: account for account in me.accounts.where()}
            me.accounts.update(accounts["a"], industry="late")
            with crm.session(ADMIN) as other:
                other.accounts.update(accounts["b"].id, industry="early")
            before.append(digest(server_url))
            me.accounts.update(accounts["b"].id, industry="late")

    before: list[str] = []
    error = raised(late)
    assert (type(error), error.code) == (Unavailable, "serialization")
    assert digest(server_url) == before[0]
    with crm.session(ADMIN) as me:
        assert {account.name: account.industry for account in me.accounts.where()} == {"a": None, "b": "early"}
    works(crm, server_url)
    engine.dispose()
