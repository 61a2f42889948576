"""Killed before any statement, a unit of work has happened as a whole or not at all."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from crmkit import CRM, F
from crmkit.testing import FakeClock
from tests.integration.processes import started
from tests.integration.restored import Restored
from tests.integration.snapshots import broken, snapshot
from tests.integration.units_of_work import WORKS, Names
from tests.staff import ADMIN

pytestmark = pytest.mark.timeout(900)  # hundreds of processes are killed, one by one

Do = Callable[[str, int | None], str]

TRANSACTIONS = {"sell": 3, "deliver": 3, "undo": 1, "bulk": 1, "define": 1}
"""Claiming what is to be told is a transaction, and so is what a plugin does that is told of it."""


@pytest.fixture(scope="module")
def killed(prepared: tuple[Restored, Names]) -> Iterator[Do]:
    """``killed(work, n)`` does the work in a process that is killed before statement n: ``killed_process.py``."""
    database, names = prepared
    process = started("tests.integration.killed_process")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    plain = {name: str(value) for name, value in names.items()}

    def do(work: str, before: int | None) -> str:
        stdin.write(json.dumps({"url": database.url, "work": work, "names": plain, "killed_before": before}) + "\n")
        stdin.flush()
        return stdout.readline().strip() or stderr.read()

    yield do
    stdin.close()
    process.wait(timeout=30)
    stdout.close()
    stderr.close()


def counted(database: Restored, killed: Do, work: str) -> int:
    """The number of statements of a work, once they are compiled; the database is as it was."""
    database.restore()
    assert killed(work, None) == "warm"
    database.restore()
    done, total = killed(work, 0).split()
    assert done == "done"
    return int(total)


@pytest.mark.parametrize("work", WORKS)
def test_a_work_killed_before_any_statement_leaves_all_or_nothing(
    prepared: tuple[Restored, Names], killed: Do, work: str
) -> None:
    """The later it is killed the more transactions it leaves, each whole; afterwards it can be done on what is left."""
    database, _ = prepared
    total = counted(database, killed, work)
    states = [database.state()]
    database.restore()
    before = database.state()
    assert total > 10
    for number in range(total, 0, -1):
        if states[-1] != before:
            database.restore()
        assert killed(work, number) == "killed"
        state = database.state()
        if state != states[-1]:
            assert broken(snapshot(database.url)) == []
            states.append(state)
    assert states[-1] == before
    assert len(states) == len(set(states)) == 1 + TRANSACTIONS[work]
    assert killed(work, 0) == f"done {total}"
    assert database.state() == states[0]


def test_what_was_committed_before_the_crash_is_told_to_plugins_after_it(
    prepared: tuple[Restored, Names], killed: Do, open_crm: Callable[..., CRM]
) -> None:
    database, _ = prepared
    sold = counted(database, killed, "sell")
    database.restore()
    before = database.state()
    lives = 1
    while sold - lives > 1:
        database.restore()
        middle = (lives + sold) // 2
        assert killed("sell", middle) == "killed"
        lives, sold = (middle, sold) if database.state() == before else (lives, middle)
    database.restore()
    assert killed("sell", sold) == "killed"
    crm = open_crm(database.url, clock=FakeClock(datetime(2024, 7, 1, tzinfo=UTC)))
    with crm.session(ADMIN) as me:
        assert me.deals.one(name="展览会").outcome == "won"
        assert me.activities.where(F.kind == "note").count() == 0
    assert crm.deliver() == 3
    assert crm.deliver() == 0
    with crm.session(ADMIN) as me:
        notes = sorted(note.subject for note in me.activities.where(F.kind == "note"))
    assert notes == ["Won: Ausbau", "Won: Rollout", "Won: 展览会"]
    assert broken(snapshot(database.url)) == []
