import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import URL

from crmkit import CRM, Money
from crmkit.cli.demo import command
from crmkit.cli.demo.calendar import Calendar
from crmkit.cli.demo.load import Loaded, load
from crmkit.schema.types import Integer
from crmkit.testing import FakeClock
from tests.cli.command import CHIEF, REP, Answer, run
from tests.postgres import new_database

# ------------------------------------------------------------------------------------------------------ a small company


@attrs.frozen(slots=False)
class Company:
    """A migrated database with a few records, an administrator and a rep; ids by name."""

    url: str
    ids: dict[str, Any]
    changesets: dict[str, str]
    open: Callable[[str], CRM]

    def __call__(self, *arguments: str, user: str = CHIEF) -> Answer:
        """The answer to a command on this database."""
        return run(*arguments, CRMKIT_DB=self.url, CRMKIT_USER=user)

    @cached_property
    def crm(self) -> CRM:
        """The database for the test itself, some days after it was filled."""
        return self.open(self.url)


def found(crm: CRM, clock: FakeClock) -> tuple[dict[str, Any], dict[str, str]]:
    """Fills a company on two days; returns ids and changesets by name."""
    ids: dict[str, Any] = {}
    with crm.session(CHIEF, reason="一家公司") as me:
        me.fields.add("account", "headroom", Integer(minimum=0), label="Headroom", indexed=True)
        bo = me.users.create(name="Bo Li", email=REP)
        me.records("role_member").create(role=me.roles.one(name="rep"), user=bo)
        for name, headroom, owner in (("ACME", 3, None), ("北京科技有限公司", 12, bo), ("Żółw & Sons", None, bo)):
            ids[name] = me.accounts.create(name=name, headroom=headroom, owner=owner or me.actor.id).id
        deal = me.deals.create(name="展会", account=ids["北京科技有限公司"], amount=Money("12000.50", "CNY"), owner=bo)
        ids["deal"], ids["bo"] = deal.id, bo.id
        me.objects.add("vessel", plural="vessels", label="Vessel")
        ids["vessel"] = me.records("vessel").create(name="远洋号").id
    made = me.changeset_id
    clock.move(days=1)
    with crm.session(CHIEF, reason="renamed") as me:
        me.accounts.update(ids["ACME"], name="ACME Ltd")
    return ids, {"made": str(made), "renamed": str(me.changeset_id)}


@pytest.fixture(scope="session")
def company_template(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], dict[str, str]]:
    """A file with a company in it, to be copied."""
    path = Path(shutil.copy(sqlite_template, tmp_path_factory.mktemp("company") / "company.db"))
    clock = FakeClock(datetime(2024, 5, 1, 8, tzinfo=UTC), tick=timedelta(milliseconds=1))
    crm = CRM(f"sqlite:///{path}", clock=clock)
    try:
        return (path, *found(crm, clock))
    finally:
        crm.dispose()


@pytest.fixture
def company(
    company_template: tuple[Path, dict[str, Any], dict[str, str]],
    tmp_path: Path,
    open_crm: Callable[..., CRM],
    clock: FakeClock,
) -> Company:
    path, ids, changesets = company_template
    clock.move(days=3)
    return Company(f"sqlite:///{shutil.copy(path, tmp_path / 'company.db')}", ids, changesets, open_crm)


# ------------------------------------------------------------------------------------------------------------- the demo


@attrs.frozen
class Demo:
    """The demo, loaded once for all tests; a test that changes records changes them back."""

    url: str
    crm: CRM
    loaded: Loaded
    progress: list[int]


@attrs.frozen
class DemoRun:
    """The folder in which ``crmkit demo`` was run without any option, its answer, and the records it had loaded."""

    folder: Path
    answer: Answer
    file: Path
    loaded: Loaded
    progress: list[int]


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The command runs once, on SQLite; ``file`` is a copy made when the records were loaded and not yet shown."""
    folder, file = tmp_path_factory.mktemp("somewhere"), tmp_path_factory.mktemp("demo") / "demo.db"
    progress: list[int] = []
    results: list[Loaded] = []

    def load_and_copy(crm: CRM, calendar: Calendar, _: object) -> Loaded:
        results.append(load(crm, calendar, progress.append))
        # Not a copy of the file: what is committed last is in the log beside it.
        with closing(sqlite3.connect(folder / "crmkit-demo.db")) as made, closing(sqlite3.connect(file)) as copy:
            made.backup(copy)
        return results[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "load", load_and_copy)
        patch.chdir(folder)
        answer = run("demo")
    return DemoRun(folder, answer, file, results[0], progress)


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def demo(request: pytest.FixtureRequest) -> Iterator[Demo]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            once: DemoRun = request.getfixturevalue("demo_run")
            url, loaded, progress = f"sqlite:///{once.file}", once.loaded, once.progress
        else:
            server: URL = request.getfixturevalue("postgres_server")
            url = stack.enter_context(new_database(server, "demo"))
            calendar, progress = Calendar(), list[int]()
            loading = CRM(url, clock=calendar)
            loaded = load(loading, calendar, progress.append)
            loading.dispose()
        # The files end with 2017; what tests do, they do in 2018, and every look at the clock takes a millisecond.
        crm = CRM(url, clock=FakeClock(datetime(2018, 1, 1, tzinfo=UTC), tick=timedelta(milliseconds=1)))
        stack.callback(crm.dispose)
        yield Demo(url, crm, loaded, progress)


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """The path of a file that is not there yet."""
    return tmp_path / "new.db"
