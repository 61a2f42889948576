"""Upserts of one key at once make one record, by whatever field, from threads and from processes."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, create_engine

from crmkit import CRM
from crmkit.errors import CrmkitError, Unavailable
from crmkit.schema.types import Text
from crmkit.store import check_references
from tests.staff import ADMIN

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
    # Two that meet their keys in opposite orders may have to be told to try again; nobody makes a second record.
    assert {error.problems[0].code for error in errors} <= {"serialization"}
    with crms[0].session(ADMIN) as me:
        assert sorted(account.name.casefold()[-2:] for account in me.accounts) == ["me", "华为"]


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
