"""Plugins are told of every commit at least once, whatever happens; what goes wrong there hurts nobody else."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmkit import CRM, F
from crmkit.sdk import Committed, hookimpl
from crmkit.testing import FakeClock
from tests.integration.snapshots import broken, snapshot
from tests.staff import ADMIN, grant

OpenCrm = Callable[..., CRM]
Hook = Callable[[Any, tuple[Committed, ...]], Any]


class Listener:
    """A plugin that is told of accounts, remembers what it heard, and then does something."""

    listens_to: tuple[str, ...] = ("account",)

    def __init__(self, name: str, then: Hook = lambda session, changes: None, role: Any = "postman") -> None:
        self.name, self.then, self.role = name, then, role
        self.heard: list[tuple[Committed, ...]] = []

    @hookimpl
    def crmkit_after_commit(self, session: Any, changes: tuple[Committed, ...]) -> None:
        self.heard.append(changes)
        self.then(session, changes)


def fail(session: Any, changes: Any) -> None:
    session.activities.create(kind="note", subject="never kept")
    raise ConnectionError("no postman at 上海")


def write_down(session: Any, changes: Any) -> None:
    for change in changes:
        session.activities.create(kind="note", subject=f"{change.kind} {change.id}")


def answer(session: Any, changes: Any) -> None:
    session.accounts.create(name=f"answer {session.origin}")


@pytest.fixture
def url(migrated_url: str, open_crm: OpenCrm) -> str:
    """With a role in which plugins may write."""
    with open_crm(migrated_url).session(ADMIN) as me:
        role = me.roles.create(name="postman")
        for on in ("account", "activity"):
            grant(me, role, on, "create read")
    return migrated_url


def create(crm: CRM, name: str, **options: Any) -> Any:
    with crm.session(ADMIN, **options) as me:
        me.accounts.create(name=name)
    return me.changeset_id


def create_and_die(crm: CRM, name: str) -> Any:
    """The commit happens and nothing after it does."""
    with crm.session(ADMIN) as me:
        me.after_commit = None
        me.accounts.create(name=name)
    return me.changeset_id


def notes(crm: CRM) -> list[str]:
    with crm.session(ADMIN) as me:
        return sorted(note.subject for note in me.activities.where(F.kind == "note"))


def problems(crm: CRM) -> dict[str, str]:
    return {finding.what: finding.detail for finding in crm.examine() if finding.status == "problem"}


def test_a_plugin_that_fails_hurts_neither_the_commit_nor_the_plugins_beside_it(url: str, open_crm: OpenCrm) -> None:
    failing, other = Listener("failing", fail), Listener("other", write_down)
    crm = open_crm(url, plugins=[failing, other])
    changeset = create(crm, "宝钢")
    with crm.session(ADMIN) as me:
        assert [account.name for account in me.accounts] == ["宝钢"]
        (account,) = me.accounts
    assert notes(crm) == [f"create {account.id}"]
    assert failing.heard == other.heard == [(Committed("create", "account", account.id, changeset),)]
    ((plugin, attempts, error),) = crm.undelivered()
    assert (plugin, attempts) == ("failing", 1)
    for words in ("failing", "crmkit_after_commit", "ConnectionError", "no postman at 上海"):
        assert words in error
    assert "failing" in problems(crm)["deliveries of default"]
    assert broken(snapshot(url)) == []


@pytest.mark.parametrize("words", ["a\x00b", "a\ud800b", "说" * 5_000], ids=["NUL", "half a pair", "long"])
def test_what_a_plugin_says_when_it_fails_is_kept_whatever_it_is(url: str, open_crm: OpenCrm, words: str) -> None:
    def fail_so(session: Any, changes: Any) -> None:
        raise ValueError(words)

    crm = open_crm(url, plugins=[Listener("failing", fail_so), Listener("other", write_down)])
    create(crm, "宝钢")
    assert len(notes(crm)) == 1
    ((plugin, attempts, error),) = crm.undelivered()
    assert (plugin, attempts) == ("failing", 1)
    assert "ValueError" in error
    assert words[0] in error
    assert crm.deliver() == 0


def test_an_error_that_cannot_even_say_what_is_wrong_hurts_nobody(url: str, open_crm: OpenCrm) -> None:
    class Speechless(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def fail_so(session: Any, changes: Any) -> None:
        raise Speechless

    crm = open_crm(url, plugins=[Listener("failing", fail_so), Listener("other", write_down)])
    create(crm, "宝钢")
    ((plugin, _, error),) = crm.undelivered()
    assert (plugin, len(notes(crm))) == ("failing", 1)
    assert "Speechless" in error


def test_what_failed_is_told_again_later_each_time_twice_as_much_later(url: str, open_crm: OpenCrm) -> None:
    clock = FakeClock(datetime(2024, 6, 1, tzinfo=UTC))
    failing = Listener("failing", fail)
    crm = open_crm(url, plugins=[failing], clock=clock)
    create(crm, "宝钢")
    waits = []
    for attempt in range(1, 15):
        assert crm.undelivered()[0][:2] == ("failing", attempt)
        waited = 0
        for minutes in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440):
            clock.move(minutes=minutes - waited, seconds=-1)
            assert crm.deliver() == 0
            early = len(failing.heard) == attempt
            clock.move(seconds=1)
            waited = minutes
            assert crm.deliver() == 0
            if len(failing.heard) == attempt + 1:
                assert early
                waits.append(minutes)
                break
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440, 1440]
    failing.then = write_down
    clock.move(days=1)
    assert crm.deliver() == 1
    assert (crm.undelivered(), len(notes(crm)), problems(crm)) == ([], 1, {})
    clock.move(days=400)
    assert crm.deliver() == 0
    assert set(failing.heard) == {failing.heard[0]}


def test_a_plugin_that_fails_for_one_changeset_is_told_of_the_next(url: str, open_crm: OpenCrm) -> None:
    def fail_first(session: Any, changes: Any) -> None:
        if changes[0].changeset_id == first:
            fail(session, changes)
        write_down(session, changes)

    first: Any = None
    picky = Listener("picky", fail)
    crm = open_crm(url, plugins=[picky])
    first = create(crm, "first")
    picky.then = fail_first
    second = create(crm, "second")
    assert [changes[0].changeset_id for changes in picky.heard] == [first, second]
    assert len(notes(crm)) == 1
    assert [row[:2] for row in crm.undelivered()] == [("picky", 1)]


def test_a_plugin_without_a_role_listens_and_what_it_writes_is_refused(url: str, open_crm: OpenCrm) -> None:
    crm = open_crm(url, plugins=[Listener("guest", write_down, role=None)])
    create(crm, "宝钢")
    ((plugin, _, error),) = crm.undelivered()
    assert plugin == "guest"
    assert "may not create" in error
    assert notes(crm) == []


@pytest.mark.parametrize("role", ["no such role", "\x00", "\ud800", 5], ids=ascii)
def test_a_plugin_with_a_role_that_is_none_hurts_nobody(url: str, open_crm: OpenCrm, role: Any) -> None:
    crm = open_crm(url, plugins=[Listener("lost", write_down, role=role)])
    create(crm, "宝钢")
    assert [row[:2] for row in crm.undelivered()] == [("lost", 1)]
    assert notes(crm) == []
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == 1


def test_what_was_committed_before_a_crash_is_told_by_the_next_process(url: str, open_crm: OpenCrm) -> None:
    changeset = create_and_die(open_crm(url, plugins=[Listener("diary", write_down)]), "宝钢")
    diary = Listener("diary", write_down)
    crm = open_crm(url, plugins=[diary], clock=FakeClock(datetime(2024, 6, 1, tzinfo=UTC)))
    assert notes(crm) == []
    assert crm.deliver() == 1
    assert [change.changeset_id for changes in diary.heard for change in changes] == [changeset]
    assert (len(notes(crm)), crm.deliver()) == (1, 0)


def test_a_crash_while_a_plugin_is_told_is_told_again_and_its_writes_are_there_once(
    url: str, open_crm: OpenCrm
) -> None:
    class PowerCut(BaseException):
        """Nothing handles it."""

    def die(session: Any, changes: Any) -> None:
        write_down(session, changes)
        raise PowerCut

    diary = Listener("diary", die)
    clock = FakeClock(datetime(2024, 6, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
    crm = open_crm(url, plugins=[diary], clock=clock)
    with pytest.raises(PowerCut):
        create(crm, "宝钢")
    assert notes(crm) == []
    diary.then = write_down
    assert crm.deliver() == 0, "the lease of who died has not ended"
    clock.move(minutes=10)
    assert crm.deliver() == 1
    assert len(notes(crm)) == 1
    assert (len(diary.heard), len(set(diary.heard))) == (2, 1)
    assert broken(snapshot(url)) == []


def test_a_plugin_is_told_of_many_commits_in_their_order_each_once(url: str, open_crm: OpenCrm) -> None:
    """More than one batch of deliveries, some of which it refuses to hear."""
    clock = FakeClock(datetime(2024, 6, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
    crm = open_crm(url, plugins=[Listener("diary")], clock=clock)
    made = [create_and_die(crm, f"客户 {n}") for n in range(120)]
    bad = set(made[::10])

    def fail_some(session: Any, changes: Any) -> None:
        if changes[0].changeset_id in bad:
            fail(session, changes)

    diary = Listener("diary", fail_some)
    crm = open_crm(url, plugins=[diary], clock=clock)
    assert crm.deliver() == len(made) - len(bad)
    assert [changes[0].changeset_id for changes in diary.heard] == made
    assert len(crm.undelivered()) == len(bad)
    assert notes(crm) == []


def test_a_plugin_is_not_told_of_what_it_did_itself(url: str, open_crm: OpenCrm) -> None:
    echo = Listener("echo", answer)
    crm = open_crm(url, plugins=[echo])
    create(crm, "宝钢")
    assert len(echo.heard) == 1
    with crm.session(ADMIN) as me:
        assert sorted(account.name for account in me.accounts) == ["answer echo", "宝钢"]
    assert crm.undelivered() == []


def test_plugins_that_answer_each_other_without_end_are_parked_and_shown(url: str, open_crm: OpenCrm) -> None:
    clock = FakeClock(datetime(2024, 6, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
    ping, pong = Listener("ping", answer), Listener("pong", answer)
    crm = open_crm(url, plugins=[ping, pong], clock=clock)
    create(crm, "宝钢")
    heard = len(ping.heard) + len(pong.heard)
    with crm.session(ADMIN) as me:
        made = me.accounts.count()
    assert 8 < made == heard + 1
    failures = crm.undelivered()
    assert {plugin for plugin, _, _ in failures} == {"ping", "pong"}
    assert all("without end" in error for _, _, error in failures)
    assert "without end" in problems(crm)["deliveries of default"]
    clock.move(days=400)
    assert crm.deliver() == 0
    assert (len(ping.heard) + len(pong.heard), crm.undelivered()) == (heard, failures)
    create_one_more = create(crm, "还有一个")
    assert any(changes[0].changeset_id == create_one_more for changes in ping.heard)
    assert broken(snapshot(url)) == []


def test_two_that_deliver_at_once_tell_nothing_twice(url: str, open_crm: OpenCrm) -> None:
    made = [create_and_die(open_crm(url, plugins=[Listener("diary")]), f"客户 {n}") for n in range(12)]
    diaries = [Listener("diary", write_down) for _ in range(2)]
    crms = [open_crm(url, plugins=[d], clock=FakeClock(datetime(2024, 6, 1, tzinfo=UTC))) for d in diaries]
    barrier = threading.Barrier(2)
    done: list[int] = []

    def deliver(crm: CRM) -> None:
        crm.tenants.list()
        barrier.wait()
        done.append(crm.deliver())

    threads = [threading.Thread(target=deliver, args=(crm,)) for crm in crms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = Counter(changes[0].changeset_id for diary in diaries for changes in diary.heard)
    assert told == Counter(made)
    assert len(notes(crms[0])) == sum(done) == len(made)
    assert crms[0].undelivered() == []
    assert broken(snapshot(url)) == []


def test_what_somebody_has_claimed_nobody_else_tells_until_the_lease_ends(url: str, open_crm: OpenCrm) -> None:
    clock = FakeClock(datetime(2024, 6, 1, tzinfo=UTC))
    create_and_die(open_crm(url, plugins=[Listener("diary")]), "宝钢")
    second = Listener("diary", write_down)
    other = open_crm(url, plugins=[second], clock=clock)

    def slow(session: Any, changes: Any) -> None:
        assert other.deliver() == 0
        clock.move(minutes=9)
        assert other.deliver() == 0
        clock.move(minutes=1)
        assert other.deliver() == 1
        session.activities.create(kind="note", subject="too late")

    first = Listener("diary", slow)
    crm = open_crm(url, plugins=[first], clock=clock)
    assert crm.deliver() == 0
    assert first.heard == second.heard
    assert [note.partition(" ")[0] for note in notes(crm)] == ["create"]
    assert (crm.undelivered(), crm.deliver()) == ([], 0)
    assert broken(snapshot(url)) == []


def test_a_plugin_that_takes_its_time_keeps_nobody_from_writing(url: str, open_crm: OpenCrm) -> None:
    create_and_die(open_crm(url, plugins=[Listener("slow")]), "宝钢")
    other = open_crm(url, plugins=[])

    def look_around(session: Any, changes: Any) -> None:
        assert session.accounts.count() == 1
        create(other, "written meanwhile")
        write_down(session, changes)

    crm = open_crm(url, plugins=[Listener("slow", look_around)], clock=FakeClock(datetime(2024, 6, 1, tzinfo=UTC)))
    assert crm.deliver() == 1
    with crm.session(ADMIN) as me:
        assert sorted(account.name for account in me.accounts) == ["written meanwhile", "宝钢"]
    assert len(notes(crm)) == 1


def test_all_tenants_are_served_unless_one_is_named(url: str, open_crm: OpenCrm) -> None:
    diary = Listener("diary", role=None)
    crm = open_crm(url, plugins=[diary], clock=FakeClock(datetime(2024, 6, 1, tzinfo=UTC), tick=timedelta(seconds=1)))
    for key in ("north", "south"):
        crm.tenants.create(key)
        with crm.system(tenant=key) as me:
            me.after_commit = None
            me.accounts.create(name=key)
    assert [row[:2] for row in crm.undelivered()] == [("diary", 0), ("diary", 0)]
    assert [row[2] for row in crm.undelivered("north")] == [""]
    assert {"deliveries of north", "deliveries of south"} <= problems(crm).keys()
    assert crm.deliver("north") == 1
    assert crm.deliver() == 1
    assert (crm.undelivered(), problems(crm)) == ([], {})
    assert crm.seal("north") > 0
    assert crm.seal() > crm.seal() == 0


def test_what_failed_or_was_parked_is_told_again_when_somebody_asks_for_it(url: str, open_crm: OpenCrm) -> None:
    clock = FakeClock(datetime(2024, 6, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
    ping, pong, failing = Listener("ping", answer), Listener("pong", answer), Listener("failing", fail)
    crm = open_crm(url, plugins=[ping, pong, failing], clock=clock)
    create(crm, "宝钢")
    waiting = Counter(plugin for plugin, _, _ in crm.undelivered())
    assert waiting.keys() == {"ping", "pong", "failing"}
    ping.then = pong.then = failing.then = lambda session, changes: None
    assert crm.deliver() == 0
    assert crm.redeliver("ping") == waiting["ping"]
    assert crm.redeliver() == waiting["pong"] + waiting["failing"]
    assert (crm.undelivered(), crm.redeliver()) == ([], 0)
