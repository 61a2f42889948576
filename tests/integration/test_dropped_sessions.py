"""A session that is dropped without being closed leaves the host's pool as it was."""

import gc
import warnings
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, QueuePool, create_engine, text

from crmkit import CRM
from tests.staff import ADMIN

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """The host's, with one connection that everybody gets."""
    made = create_engine(migrated_url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=2)
    yield made
    made.dispose()


def look(crm: CRM) -> None:
    me = crm.session(ADMIN)
    assert me.accounts.count() == 0


def write(crm: CRM) -> None:
    me = crm.session(ADMIN)
    me.accounts.create(name="ACME 华为")


def stumble(crm: CRM) -> None:
    me = crm.session(ADMIN)
    with pytest.raises(AttributeError):
        me.accounts.create(name="ACME").nothing  # noqa: B018


def ask(crm: CRM) -> None:
    me = crm.session(ADMIN)
    for _ in me.accounts.where(name="x").order_by("name"):
        pass
    me.deals.totals()


def open_only(crm: CRM) -> None:
    crm.session(ADMIN)


@pytest.mark.parametrize(
    "drop",
    [
        open_only,
        write,
        pytest.param(look, marks=pytest.mark.long),
        pytest.param(stumble, marks=pytest.mark.long),
        pytest.param(ask, marks=pytest.mark.long),
    ],
)
def test_a_dropped_session_gives_its_connection_back_as_it_was(
    engine: Engine, open_crm: Callable[..., CRM], drop: Callable[[CRM], None]
) -> None:
    crm = open_crm(engine)
    gc.collect()
    gc.disable()
    try:
        drop(crm)
        # At once, and not when the garbage collector comes by: nobody else gets a connection before.
        with engine.connect() as host:
            host.execute(text("CREATE TABLE host_row (id INTEGER)"))
            host.commit()
            host.execute(text("INSERT INTO host_row VALUES (1)"))
            host.rollback()
            assert host.scalar(text("SELECT count(*) FROM host_row")) == 0
    finally:
        gc.enable()
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == 0


def test_whoever_drops_a_session_is_told(crm: CRM) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        write(crm)
    assert [warning.category for warning in told] == [ResourceWarning]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with crm.session(ADMIN) as me:
            me.accounts.create(name="ACME")
        del me
        crm.session(ADMIN).close()
    assert told == []
