"""A host's transaction and its pool stay the host's, whatever it does while a session is joined to it."""

import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, QueuePool, create_engine, text
from sqlalchemy.orm import Session as OrmSession

from crmkit import CRM
from crmkit.errors import UsageError
from crmkit.store import check_references
from tests.staff import ADMIN

KINDS = pytest.mark.parametrize("orm", [False, True], ids=["connection", "orm session"])


class Undecided(Exception):
    """Somebody changes their mind."""


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """The host's, with one connection that everybody gets, and a table of its own."""
    made = create_engine(migrated_url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=2)
    check_references(made)
    with made.begin() as host:
        host.execute(text("CREATE TABLE host_row (id INTEGER)"))
    yield made
    made.dispose()


@contextmanager
def host_of(engine: Engine, orm: bool) -> Iterator[Any]:
    with OrmSession(engine) if orm else engine.connect() as host:
        yield host


def add(host: Any, number: int) -> None:
    host.execute(text("INSERT INTO host_row VALUES (:n)"), {"n": number})


def left(engine: Engine, crm: CRM) -> tuple[list[int], list[str]]:
    """The host's rows after the next user of the pool has committed one, and the accounts."""
    with engine.connect() as host:
        add(host, 0)
        host.commit()
        rows = sorted(host.scalars(text("SELECT id FROM host_row")))
    with crm.session(ADMIN) as me:
        return rows, sorted(account.name for account in me.accounts)


def commit_within(crm: CRM, host: Any) -> None:
    with crm.session(ADMIN, on=host) as me:
        me.accounts.create(name="宝钢")
        host.commit()


def commit_within_and_go_on(crm: CRM, host: Any) -> None:
    with crm.session(ADMIN, on=host) as me:
        me.accounts.create(name="宝钢")
        with pytest.raises(UsageError) as refused:
            host.commit()
        assert refused.value.code == "unit_under_way"
        for use in (me.accounts.count, lambda: me.accounts.create(name="鞍钢"), me.commit):
            with pytest.raises(UsageError) as refused:
                use()
            assert refused.value.code == "transaction_ended"


def commit_within_a_verb(crm: CRM, host: Any) -> None:
    with crm.session(ADMIN, on=host) as me:
        me.accounts.create(name="宝钢")
        me.accounts.create_many([{"name": "鞍钢"}], progress=lambda n: host.commit())


def commit_within_two_sessions(crm: CRM, host: Any) -> None:
    with crm.session(ADMIN, on=host) as outer:
        outer.accounts.create(name="宝钢")
        commit_within(crm, host)


def roll_back_within(crm: CRM, host: Any) -> None:
    with crm.session(ADMIN, on=host) as me:
        me.accounts.create(name="宝钢")
        host.rollback()
        with pytest.raises(UsageError):
            me.accounts.create(name="鞍钢")


@KINDS
@pytest.mark.parametrize(
    ("do", "code"),
    [
        (commit_within, "unit_under_way"),
        (commit_within_and_go_on, "transaction_ended"),
        (commit_within_a_verb, "unit_under_way"),
        (commit_within_two_sessions, "unit_under_way"),
        (roll_back_within, "transaction_ended"),
    ],
)
def test_a_transaction_that_ends_too_early_keeps_nothing_and_leaves_nothing_to_the_next_user_of_the_pool(
    engine: Engine, open_crm: Callable[..., CRM], orm: bool, do: Callable[[CRM, Any], None], code: str
) -> None:
    crm = open_crm(engine)
    with host_of(engine, orm) as host:
        add(host, 1)
        with pytest.raises(UsageError) as refused:
            do(crm, host)
        assert refused.value.code == code
    assert left(engine, crm) == ([0], [])


def roll_back_and_raise(crm: CRM, host: Any) -> None:
    with crm.session(ADMIN, on=host) as me:
        me.accounts.create(name="宝钢")
        host.rollback()
        raise Undecided


@KINDS
def test_who_rolls_back_and_raises_sees_what_was_raised(
    engine: Engine, open_crm: Callable[..., CRM], orm: bool
) -> None:
    crm = open_crm(engine)
    with host_of(engine, orm) as host:
        with pytest.raises(Undecided):
            roll_back_and_raise(crm, host)
        add(host, 2)
        host.commit()
    assert left(engine, crm) == ([0, 2], [])


@KINDS
@pytest.mark.parametrize("writes", [False, True])
def test_a_joined_session_that_is_dropped_takes_its_own_writes_back_and_nothing_of_the_host(
    engine: Engine, open_crm: Callable[..., CRM], orm: bool, writes: bool
) -> None:
    crm = open_crm(engine)
    gc.collect()
    gc.disable()
    try:
        with host_of(engine, orm) as host:
            add(host, 1)
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                drop(crm, host, writes)
            assert [warning.category for warning in told] == [ResourceWarning]
            add(host, 2)
            with crm.session(ADMIN, on=host) as me:
                me.accounts.create(name="鞍钢")
            host.commit()
    finally:
        gc.enable()
    assert left(engine, crm) == ([0, 1, 2], ["鞍钢"])


def drop(crm: CRM, host: Any, writes: bool) -> None:
    me = crm.session(ADMIN, on=host)
    if writes:
        me.accounts.create(name="宝钢")
    assert me.accounts.count() == writes


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_session_on_a_database_in_memory_that_is_dropped_keeps_nobody_out() -> None:
    crm = CRM("sqlite://")
    crm.migrate(admin=ADMIN)

    def write() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="鞍钢")

    def dropped() -> None:
        crm.session(ADMIN).accounts.create(name="宝钢")

    gc.collect()
    gc.disable()
    try:
        dropped()
        write()
        other = threading.Thread(target=write)
        dropped()
        other.start()
        other.join()
    finally:
        gc.enable()
    with crm.session(ADMIN) as me:
        assert [account.name for account in me.accounts] == ["鞍钢", "鞍钢"]
    crm.dispose()
