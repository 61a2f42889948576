"""Nobody's work is lost because two write at once: one wins, the other is told what has changed."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM
from crmkit.errors import CrmkitError, Duplicate, InvalidRecord, Unavailable
from crmkit.schema.types import Text
from crmkit.values import SystemClock
from tests.integration.concurrent_edits import Report, count_up
from tests.integration.processes import started
from tests.integration.snapshots import broken, snapshot
from tests.staff import ADMIN

THREADS, PROCESSES = 8, 4
OpenCrm = Callable[..., CRM]


@pytest.fixture
def crm(open_crm: OpenCrm, migrated_url: str) -> CRM:
    """On the machine's clock: the fake one of other tests is not made for threads."""
    return open_crm(migrated_url, clock=SystemClock())


def together(*tasks: Callable[[], Any]) -> list[Any]:
    """Runs tasks in threads that begin at the same time; gives their results, or what they raised, in order."""
    barrier = threading.Barrier(len(tasks))
    results: list[Any] = [None] * len(tasks)

    def run(place: int, task: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[place] = task()
        except CrmkitError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place, task)) for place, task in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def some_accounts(crm: CRM, count: int) -> list[UUID]:
    with crm.session(ADMIN) as me:
        return list(me.accounts.create_many([{"name": f"客户 {n}", "headcount": 0} for n in range(count)]).ids)


def check_reports(crm: CRM, url: str, reports: list[Report]) -> None:
    done: Counter[str] = Counter()
    for report in reports:
        assert report["other"] == []
        assert all(fields and set(fields) <= {"description", "headcount"} for fields in report["lost"])
        done.update(report["done"])
    assert sum(done.values()) > 0
    with crm.session(ADMIN) as me:
        for account in me.accounts:
            assert (account.headcount, account.version) == (done[str(account.id)], done[str(account.id)] + 1)
            assert [v.record.version for v in me.accounts.history(account.id)] == [*range(1, account.version + 1)]
    assert broken(snapshot(url)) == []


def test_threads_that_edit_the_same_records_lose_nothing(crm: CRM, migrated_url: str) -> None:
    accounts = some_accounts(crm, 2)
    tasks = [lambda n=n: count_up(crm, accounts[:: 1 if n % 2 else -1], 8, f"thread {n}") for n in range(THREADS)]
    reports = together(*tasks)
    check_reports(crm, migrated_url, reports)
    assert any(report["lost"] for report in reports)


def test_processes_that_edit_the_same_records_lose_nothing(crm: CRM, migrated_url: str) -> None:
    accounts = list(map(str, some_accounts(crm, 2)))
    editors = [
        started("tests.integration.concurrent_edits", migrated_url, "12", f"进程 {n}", *accounts)
        for n in range(PROCESSES)
    ]
    for editor in editors:
        assert editor.stdin is not None
        editor.stdin.write("go\n")
        editor.stdin.flush()
    answers = [editor.communicate(timeout=60) for editor in editors]
    assert [editor.returncode for editor in editors] == [0] * PROCESSES, answers
    check_reports(crm, migrated_url, [json.loads(out) for out, _ in answers])


def test_of_several_who_want_the_same_unique_value_one_gets_it(crm: CRM, migrated_url: str) -> None:
    """Built-in and custom fields, and two fields that are unique together."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        team = me.teams.create(name="team")
        user = me.users.one(email=ADMIN)
    wanted: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
        "email": (lambda me: me.users.create(email="bo@acme.example", name="Bo"), {"email"}),
        "code": (lambda me: me.accounts.create(name="A", code="ß7"), {"code"}),
        "bulk": (lambda me: me.accounts.create_many([{"name": "A", "code": "8"}, {"name": "B"}], stop=True), {"code"}),
        "both": (lambda me: me.records("team_member").create(team=team, user=user), {"team", "user"}),
    }

    def attempt(make: Callable[[Any], Any]) -> str:
        with crm.session(ADMIN) as me:
            make(me)
            return "won"

    for make, fields in wanted.values():
        results = together(*[lambda make=make: attempt(make)] * THREADS)
        losers = [result for result in results if result != "won"]
        assert len(losers) == THREADS - 1
        for loser in losers:
            cause = loser.__cause__ if loser.code == "duplicate" and not isinstance(loser, Duplicate) else loser
            assert isinstance(cause, Duplicate)
            assert set(cause.fields) <= fields
            assert cause.fields
    assert broken(snapshot(migrated_url)) == []


def test_who_edits_several_records_edits_all_of_them_or_none(crm: CRM, migrated_url: str) -> None:
    """In opposite orders, which a database may end by giving one of them up."""
    one, other = some_accounts(crm, 2)

    def edit(name: str, order: tuple[UUID, UUID]) -> str:
        with crm.session(ADMIN) as me:
            me.accounts.update(order[0], description=name)
            me.accounts.update(order[1], description=name)
        return name

    for turn in range(3):
        tasks = [
            lambda n=n, turn=turn: edit(f"{turn} {n}", (one, other) if n % 2 else (other, one))
            for n in range(THREADS // 2)
        ]
        results = together(*tasks)
        won = [result for result in results if isinstance(result, str)]
        assert won
        assert all(
            isinstance(result, Unavailable) or result.code == "conflict" for result in results if result not in won
        )
        with crm.session(ADMIN) as me:
            assert {account.description for account in me.accounts} <= set(won)
            assert len({account.description for account in me.accounts}) == 1
    assert broken(snapshot(migrated_url)) == []


def test_a_record_is_not_deleted_while_another_begins_to_refer_to_it(crm: CRM, migrated_url: str) -> None:
    for _ in range(3):
        (account,) = some_accounts(crm, 1)

        def delete(account: UUID = account) -> str:
            with crm.session(ADMIN) as me:
                me.accounts.delete(account)
            return "deleted"

        def refer(account: UUID = account) -> str:
            with crm.session(ADMIN) as me:
                me.contacts.create(name="Max Muster", account=account)
            return "referred"

        results = together(delete, refer)
        won = [result for result in results if isinstance(result, str)]
        assert len(won) == 1
        assert all(isinstance(result, InvalidRecord) for result in results if result not in won)
        with crm.session(ADMIN) as me:
            referred = me.contacts.where(account=account).count()
            assert (me.accounts.get_many([account]) != {}, referred) == (won == ["referred"], int(won == ["referred"]))
            me.contacts.where().delete()
            me.accounts.where().delete()
    assert broken(snapshot(migrated_url)) == []
