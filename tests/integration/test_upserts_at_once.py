"""Upserts of one key at once make one record, by whatever field, from threads and from processes."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import attrs
import pytest
from sqlalchemy import Engine, create_engine, text

from crmkit import CRM
from crmkit.errors import CrmkitError, Duplicate, InvalidQuery, Unavailable
from crmkit.kernel.writes.batching import BLOCK
from crmkit.schema.types import Text
from crmkit.sdk import Change, hookimpl
from crmkit.store import check_references
from tests.staff import ADMIN, hire

LONG = pytest.mark.long

PROCESS = """
import sys
from crmkit import CRM
crm = CRM(sys.argv[1])
sys.stdin.readline()
for _ in range(5):
    for name in ("华为", "ACME"):
        with crm.session("ana@acme.example") as me:
            me.accounts.upsert(name=name, description=sys.argv[2], by="name")
crm.dispose()
"""


@pytest.fixture
def url(migrated_url: str, open_crm: Callable[..., CRM]) -> str:
    with open_crm(migrated_url).session(ADMIN) as me:
        me.fields.add("account", "ext", Text(), unique=True)
        me.fields.add("account", "plain", Text())
    return migrated_url


@pytest.mark.parametrize(
    "by",
    [
        "name",
        pytest.param("ext", marks=LONG),
        pytest.param("plain", marks=LONG),
        pytest.param(("name", "plain"), marks=LONG),
    ],
    ids=str,
)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_threads_that_upsert_one_key_at_once_make_one_record(
    url: str, open_crm: Callable[..., CRM], by: str | tuple[str, ...], bulk: bool
) -> None:
    crms = [open_crm(url) for _ in range(8)]
    errors: list[CrmkitError] = []
    barrier = threading.Barrier(len(crms))

    def upsert(crm: CRM, number: int) -> None:
        # Spellings of one name, in orders of their own.
        names = ["Ｈuawei 华为", "huawei 华为", "ACME"][:: 1 if number % 2 else -1]
        rows = [{"name": n, "ext": n, "plain": n, "description": str(number)} for n in names]
        barrier.wait()
        try:
            with crm.session(ADMIN) as me:
                if bulk:
                    assert not me.accounts.upsert_many(rows, by=by).refused
                else:
                    for row in rows:
                        me.accounts.upsert(row, by=by)
        except CrmkitError as error:
            errors.append(error)

    threads = [threading.Thread(target=upsert, args=(crm, number)) for number, crm in enumerate(crms)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Two that meet their keys one by one in opposite orders may have to be told to try again, and are not kept waiting;
    # in bulk they meet them in one order. Nobody makes a second record.
    assert {error.problems[0].code for error in errors} <= (set() if bulk else {"serialization"})
    with crms[0].session(ADMIN) as me:
        assert sorted(account.name.casefold()[-2:] for account in me.accounts) == ["me", "华为"]


def test_hosts_that_upsert_one_key_in_transactions_of_their_own_make_one_record(
    url: str, open_crm: Callable[..., CRM]
) -> None:
    engine = create_engine(url, pool_size=8, connect_args={"timeout": 60} if url.startswith("sqlite") else {})
    check_references(engine)
    crm = open_crm(engine)
    barrier = threading.Barrier(8)

    def serve(number: int) -> str:
        barrier.wait()
        for _ in range(3):
            with engine.begin() as host, crm.session(ADMIN, on=host) as me:
                made = me.accounts.upsert(name="华为", description=f"request {number}", by="name")
        return str(made.id)

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(serve, range(8)))) == 1
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == 1
        assert me.accounts.upsert(name="华为", description="again", by="name").description == "again"


def until_somebody_waits(url: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for _ in range(3_000):
                if connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    return
                sleep(0.01)
    finally:
        engine.dispose()


@pytest.fixture
def meanwhile(migrated_postgres: Callable[[str], str], open_crm: Callable[..., CRM]) -> tuple[CRM, list[str]]:
    """A CRM in which somebody else creates an account between the look-up of an upsert and its writing; the places at
    which they do so, in which they commit at once or while the upsert waits.
    """
    url = migrated_postgres("crm")
    other, how = open_crm(url), list[str]()

    @attrs.frozen
    class Meanwhile:
        name: str = "meanwhile"
        listens_to: tuple[str, ...] = ("account",)

        @hookimpl
        def crmkit_before_change(self, session: Any, changes: tuple[Change, ...]) -> None:
            if not how or changes[0].values.get("ext") != "7":
                return
            when = how.pop()
            started = threading.Event()
            create = threading.Thread(target=lambda: them(when, started))
            create.start()
            started.wait(30)
            if when == "committed":
                create.join(30)

    def them(when: str, started: threading.Event) -> None:
        with other.session(ADMIN) as me:
            me.accounts.create(name="theirs", ext="7")
            if when == "committed":
                me.commit()
            started.set()
            if when == "open":
                until_somebody_waits(url)

    with other.session(ADMIN) as me:
        me.fields.add("account", "ext", Text(), unique=True)
    return open_crm(url, plugins=[Meanwhile()]), how


@pytest.mark.parametrize("when", ["committed", "open"])
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_who_is_later_with_a_unique_value_updates(meanwhile: tuple[CRM, list[str]], when: str, bulk: bool) -> None:
    crm, how = meanwhile
    rows = [{"name": f"mine {n}", "ext": n, "industry": "steel"} for n in ("6", "7", "8", "6")]
    how.append(when)
    with crm.session(ADMIN) as me:
        if bulk:
            result = me.accounts.upsert_many(rows, by="ext")
            assert [outcome.status for outcome in result.outcomes] == ["created", "updated", "created", "unchanged"]
        else:
            for row in rows:
                me.accounts.upsert(row, by="ext")
    assert how == []
    with crm.session(ADMIN) as me:
        found = me.accounts.order_by("ext")
        assert [(a.name, a.ext, a.version) for a in found] == [
            ("mine 6", "6", 1),
            ("mine 7", "7", 2),
            ("mine 8", "8", 1),
        ]


def test_a_unique_value_of_a_record_out_of_sight_is_taken(url: str, open_crm: Callable[..., CRM]) -> None:
    crm = open_crm(url)
    with crm.session(ADMIN) as me:
        me.accounts.create(name="hidden", ext="7")
    hire(crm, "bo@acme.example", "rep")
    rows = [{"name": "a", "ext": "6"}, {"name": "b", "ext": "7"}, {"name": "c", "ext": "8"}]
    with crm.session("bo@acme.example") as me:
        result = me.accounts.upsert_many(rows, by="ext")
        assert [outcome.status for outcome in result.outcomes] == ["created", "refused", "created"]
        assert [(p.code, p.row) for o in result.refused for p in o.problems] == [("duplicate", 1)]
        with pytest.raises(Duplicate):
            me.accounts.upsert(rows[1], by="ext")


def test_the_keys_of_a_block_are_held_by_one_statement(
    migrated_postgres: Callable[[str], str], open_crm: Callable[..., CRM]
) -> None:
    sent: list[str] = []
    crm = open_crm(migrated_postgres("crm"), audit=lambda sql, _: sent.append(sql))
    with crm.session(ADMIN) as me:
        me.accounts.upsert_many([{"name": f"客户 {n}"} for n in range(2 * BLOCK + 1)], by="name")
    assert sum("crm_upsert_key" in sql for sql in sent) == 3


def test_an_upsert_that_is_refused_holds_nothing(url: str, open_crm: Callable[..., CRM]) -> None:
    crm, other = open_crm(url), open_crm(url)
    with crm.session(ADMIN) as me:
        for _ in range(2):
            me.accounts.create(name="twice")
        me.commit()
        with pytest.raises(InvalidQuery):
            me.accounts.upsert(name="twice", by="name")
        with other.session(ADMIN) as them:
            assert not them.accounts.upsert_many([{"name": "once"}], by="name").refused


def test_processes_that_upsert_one_key_at_once_make_one_record(url: str, open_crm: Callable[..., CRM]) -> None:
    made = [
        subprocess.Popen([sys.executable, "-c", PROCESS, url, str(n)], stdin=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    for process in made:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(100) for process in made] == [0] * len(made)
    for process in made:
        assert process.stdin is not None
        process.stdin.close()
    with open_crm(url).session(ADMIN) as me:
        assert sorted(account.name for account in me.accounts) == ["ACME", "华为"]
        assert not me.accounts.upsert_many([{"name": "acme", "description": "again"}], by="name").refused


def upsert_too_late(engine: Engine, crm: CRM, other: CRM) -> None:
    """Another session makes the account after the host's transaction has begun."""
    with engine.connect() as host, host.begin(), crm.session(ADMIN, on=host) as me:
        assert me.accounts.count() == 0
        with other.session(ADMIN) as them:
            them.accounts.upsert(name="华为", by="name")
        me.accounts.upsert(name="华为", by="name")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_host_that_sees_the_past_is_told_to_try_again(
    migrated_postgres: Callable[[str], str], open_crm: Callable[..., CRM], level: str
) -> None:
    """What somebody has made since its transaction began it cannot find, and must not make a second time."""
    url = migrated_postgres("crm")
    crm, other = open_crm(url), open_crm(url)
    engine = create_engine(url, isolation_level=level)
    check_references(engine)
    try:
        with pytest.raises(Unavailable):
            upsert_too_late(engine, crm, other)
        with engine.connect() as host, host.begin(), crm.session(ADMIN, on=host) as me:
            assert me.accounts.upsert(name="华为", industry="telecom", by="name").industry == "telecom"
    finally:
        engine.dispose()
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == 1
