"""Killed before any statement, a unit of work has happened as a whole or not at all."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import make_url

from crmkit import CRM, F
from crmkit.testing import FakeClock
from tests.nerves.processes import started
from tests.nerves.snapshots import broken, digest, snapshot
from tests.nerves.works import WORKS, Names, prepare, repeatable
from tests.staff import ADMIN

Do = Callable[[str, str, Names, int], str]


@pytest.fixture(scope="module")
def doomed() -> Iterator[Do]:
    """``doomed(url, work, names, n)``: a process does the work and dies before its n-th statement, if it gets there."""
    process = started("tests.nerves.doomed")
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def do(url: str, work: str, names: Names, dies: int) -> str:
        plain = {name: str(value) if isinstance(value, UUID) else value for name, value in names.items()}
        stdin.write(json.dumps({"url": url, "work": work, "names": plain, "dies": dies}) + "\n")
        stdin.flush()
        return stdout.readline().strip()

    yield do
    stdin.close()
    process.wait(timeout=30)
    stdout.close()
    assert process.stderr is not None
    process.stderr.close()


@pytest.fixture
def prepared(
    migrated_database: Callable[[str], str], postgres_database: Callable[..., str], tmp_path: Path
) -> tuple[Names, Callable[[str], str]]:
    """The names of what the works work on, and a maker of databases in which it is."""
    original = migrated_database("original")
    crm = repeatable(original, 3)
    names = prepare(crm)
    crm.dispose()

    def copy(name: str) -> str:
        source = make_url(original)
        if source.get_backend_name() == "sqlite":
            return f"sqlite:///{shutil.copy(str(source.database), tmp_path / f'{name}.db')}"
        return postgres_database(name, template=source.database)

    return names, copy


@pytest.mark.parametrize("work", WORKS)
def test_a_killed_unit_of_work_leaves_all_or_nothing(
    prepared: tuple[Names, Callable[[str], str]], doomed: Do, work: str
) -> None:
    """Each state that is ever found lies between two units of work: nothing, the work, and after it each plugin's."""
    names, copy = prepared
    url = copy("0")
    names |= {"rows": 320 if "postgresql" in url and work == "bulk" else 6}
    before = digest(url)
    states = [before]
    answer, dies = "", 0
    while answer != "done":
        dies += 1
        answer = doomed(url, work, names, dies)
        assert answer in ("killed", "done")
        found = digest(url)
        if found != states[-1]:
            assert found not in states
            states.append(found)
            assert broken(snapshot(url)) == []
        if found != before:
            url = copy(str(dies))
    # The work of a plugin that is told of it is a unit of work of its own.
    assert len(states) == (3 if work == "win" else 2)
    assert dies > 10


def test_what_was_committed_before_the_crash_is_told_to_plugins_after_it(
    prepared: tuple[Names, Callable[[str], str]], doomed: Do, open_crm: Callable[..., CRM]
) -> None:
    names, copy = prepared
    url = copy("crm")
    before = digest(url)
    dies = 0
    while digest(url) == before:
        dies += 1
        assert doomed(url, "win", names, dies) == "killed"
    crm = open_crm(url, clock=FakeClock(datetime(2024, 7, 1, tzinfo=UTC)))
    with crm.session(ADMIN) as me:
        assert me.deals.get(names["deal"]).outcome == "won"
        assert me.activities.where(F.kind == "note").count() == 0
    assert crm.deliver() == 1
    assert crm.deliver() == 0
    with crm.session(ADMIN) as me:
        assert [a.subject for a in me.activities.where(F.kind == "note")] == ["Won: Rollout"]
    assert broken(snapshot(url)) == []
