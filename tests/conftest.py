"""Databases and the closed network of the test suite."""

import ipaddress
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, make_url

from crmkit import CRM
from crmkit.testing import FakeClock
from tests.plans import share_plans
from tests.postgres import Pool, Rows, administrator, empty, new_database, own_server
from tests.statements import Watch, watching

SERVER_VARIABLE = "CRMKIT_TEST_POSTGRES_URL"

share_plans()


# ------------------------------------------------------------------------------------------------------------ databases


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The URL of a database on a running PostgreSQL that may create others.

    It is the server named by CRMKIT_TEST_POSTGRES_URL, or else a new one in a temporary folder, one for each
    pytest-xdist worker (half a second), which listens on a Unix socket only.
    """
    if given := os.environ.get(SERVER_VARIABLE):
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    with own_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server: URL) -> Iterator[str]:
    """``postgresql+psycopg://...`` of one database for the whole session of this worker."""
    with new_database(postgres_server, "session") as url:
        yield url


@pytest.fixture(scope="session")
def empty_databases(postgres_server: URL) -> Iterator[Pool]:
    """PostgreSQL databases with nothing in them."""
    pool = Pool(postgres_server, "template1", empty)
    yield pool
    pool.close()


@pytest.fixture
def postgres_database(empty_databases: Pool) -> Iterator[Callable[[str], str]]:
    """``postgres_database("other")`` makes one more empty PostgreSQL database for this test and returns its URL."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(empty_databases.database(name))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of this test's own; the test runs once on SQLite (a file) and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crm.db'}"
    make: Callable[[str], str] = request.getfixturevalue("postgres_database")
    return make("test")


# ------------------------------------------------------------------------------------------------------------------ CRM

ADMIN = "ana@acme.example"
"""The administrator of the default tenant in every migrated database."""


def migrate(url: str) -> None:
    """A CRM as ``crm.migrate`` leaves it, made long before any test's clock starts."""
    crm = CRM(url, clock=FakeClock(datetime(2024, 1, 1, tzinfo=UTC), tick=timedelta(milliseconds=1)))
    try:
        crm.migrate(admin=ADMIN)
    finally:
        crm.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied: migrating takes a second, copying a millisecond."""
    path = tmp_path_factory.mktemp("template") / "crm.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: URL) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be copied with ``CREATE DATABASE ... TEMPLATE``."""
    with new_database(postgres_server, "template") as url:
        migrate(url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def migrated_databases(postgres_server: URL, postgres_template: str) -> Iterator[Pool]:
    """PostgreSQL databases with what ``migrate`` leaves in them."""
    with administrator(postgres_server.set(database=postgres_template)) as connection:
        rows = Rows(connection)
    pool = Pool(postgres_server, postgres_template, rows)
    yield pool
    pool.close()


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> Callable[[str], str]:
    """``migrated_sqlite("other")`` makes one more migrated SQLite file and returns its URL."""

    def make(name: str) -> str:
        return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / f'{name}.db')}"

    return make


@pytest.fixture
def migrated_postgres(migrated_databases: Pool) -> Iterator[Callable[[str], str]]:
    """``migrated_postgres("other")`` makes one more migrated PostgreSQL database and returns its URL."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(migrated_databases.database(name))


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes migrated databases of one kind; the test runs once with SQLite files and once with PostgreSQL."""
    fixture = "migrated_sqlite" if request.param == "sqlite" else "migrated_postgres"
    make: Callable[[str], str] = request.getfixturevalue(fixture)
    return make


@pytest.fixture
def migrated_url(migrated_database: Callable[[str], str]) -> str:
    """The URL of a migrated database of this test's own, on SQLite and on PostgreSQL."""
    return migrated_database("crm")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves by a millisecond each time it is read, so that nothing happens at the same instant."""
    return FakeClock(datetime(2024, 5, 1, 8, tzinfo=UTC), tick=timedelta(milliseconds=1))


@pytest.fixture
def open_crm(clock: FakeClock) -> Iterator[Callable[..., CRM]]:
    """``open_crm(url, plugins=[...])``: a CRM under the test's clock, whose connections are closed after the test."""
    with ExitStack() as stack:

        def make(target: Any, **options: Any) -> CRM:
            crm = CRM(target, **{"clock": clock, **options})
            stack.callback(crm.dispose)
            if isinstance(target, Engine):  # a host's, which a CRM leaves open
                stack.callback(target.dispose)
            return crm

        yield make


@pytest.fixture
def crm(open_crm: Callable[..., CRM], migrated_url: str) -> CRM:
    """A migrated CRM with the administrator ``ana@acme.example``, once on SQLite and once on PostgreSQL."""
    return open_crm(migrated_url)


# ----------------------------------------------------------------------------------------------------------- statements


@pytest.fixture(autouse=True, scope="session")
def watch() -> Iterator[Watch]:
    """Sees every statement that crmkit sends in the whole run."""
    with watching() as watch:
        yield watch


@pytest.fixture(autouse=True)
def every_statement_is_bound_to_a_tenant(watch: Watch) -> Iterator[None]:
    """Fails a test in which crmkit sent a statement about its tables that the tenant checker had not passed."""
    watch.faults.clear()
    yield
    assert watch.faults == []


# -------------------------------------------------------------------------------------------------------------- network


class OutsideNetwork(RuntimeError):
    """A test tried to leave this machine; no OSError, so that no handler of network failures hides it."""


def is_local(family: int, address: Any) -> bool:
    """Whether a socket address is on this machine: a Unix socket, ``localhost`` or a loopback number."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(address[0]).partition("%")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def closed_network() -> Iterator[None]:
    """No test reaches another machine."""

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, *arguments: Any) -> Any:
            # The address comes last in connect(address), sendto(data, address) and sendto(data, flags, address).
            if not is_local(self.family, arguments[-1]):
                raise OutsideNetwork(f"a test may not connect to {arguments[-1]!r}")
            return method(self, *arguments)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        yield
