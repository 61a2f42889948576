"""A session that is dropped without being closed leaves the host's pool as it was."""

import gc
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pytest
from sqlalchemy import Engine, QueuePool, create_engine, text

from crmkit import CRM, F
from crmkit.errors import CrmkitError, UsageError
from crmkit.schema.types import Integer, Text
from crmkit.sdk import Change, Veto, hookimpl
from tests.integration.mirrored_tenants import ANA, NORTH, furnish_north
from tests.integration.public_api import Caller, Use, uses
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


# ----------------------------------------------------------------------------------------------------------- no cycles


@attrs.frozen
class KeptTags:
    """Some tags never come off again."""

    name: str = "kept_tags"
    listens_to: tuple[str, ...] = ("tagging", "product")

    @hookimpl
    def crmkit_before_change(self, session: Any, changes: tuple[Change, ...]) -> list[Veto]:
        if changes[0].type_key == "product":
            raise ArithmeticError("the plugin fails")
        return [Veto(change.row, "it stays", None, "kept", None) for change in changes if change.kind == "delete"]


def tagged(me: Any) -> Any:
    account = me.accounts.create(name="tagged")
    me.accounts.tag(account, "kept")
    return account


REFUSED: Mapping[str, Use] = {
    "a bad value": lambda me, w: me.accounts.create(name="x", headcount="many"),
    "a required value": lambda me, w: me.accounts.create(),
    "an unknown field": lambda me, w: me.accounts.where(F.nothing == 1),
    "a duplicate": lambda me, w: [me.tags.create(name="twice") for _ in range(2)],
    "duplicates in bulk": lambda me, w: me.tags.create_many([{"name": "twice"}] * 2, stop=True),
    "a stale record": lambda me, w: [
        me.accounts.update(old, name=name) for old in [me.accounts.get(w.spare)] for name in "ab"
    ],
    "what is not there": lambda me, w: me.accounts.get(w.deal),
    "a reference to nothing": lambda me, w: me.deals.create(name="x", account=w.deal),
    "a blank key": lambda me, w: me.accounts.upsert(code=" ", name="x", by="code"),
    "blank keys": lambda me, w: me.accounts.upsert_many([{"name": "x"}], by="code", stop=True),
    "several": lambda me, w: (
        [me.accounts.create(name="twice") for _ in range(2)] and me.accounts.upsert(name="twice", by="name")
    ),
    "a tag that stays": lambda me, w: me.accounts.delete(tagged(me)),
    "tags that stay": lambda me, w: me.accounts.delete_many([tagged(me), tagged(me)], stop=True),
    "tags that stay with a tag": lambda me, w: tagged(me) and me.tags.delete(me.tags.one(name="kept")),
    "a plugin that fails": lambda me, w: me.products.create(name="x"),
    "a field in use": lambda me, w: (
        me.segments.create(name="coded", on="account", where="code is not None"),
        me.fields.remove("account", "code"),
    ),
    "a type that does not fit": lambda me, w: me.fields.change("account", "code", Integer()),
    "a field twice": lambda me, w: me.fields.add("account", "code", Text()),
    "an undo that cannot be": lambda me, w: [me.accounts.delete(w.parent), me.undo(w.first_changeset)],
    "a commit within a verb": lambda me, w: me.accounts.create_many(me.commit() for _ in range(1)),
    "rows that fail": lambda me, w: me.accounts.create_many({"name": 1 // n} for n in (1, 0)),
    "progress that fails": lambda me, w: me.accounts.create_many([{"name": "x"}], progress=lambda n: n // 0),
}
"""What is not done, for many reasons: the error must not lead back to the session."""


def unfinished(answer: Any) -> None:
    """Looks at the first of what comes one by one, and leaves the rest."""
    if isinstance(answer, Iterator):
        next(answer, None)


def dropped(caller: Caller, use: Use) -> tuple["weakref.ref[Any]", bool]:
    """A session in which that was done, and which nobody keeps; whether it was refused."""
    me = caller.crm.session(ANA, tenant=NORTH)
    try:
        unfinished(use(me, caller))
    except (CrmkitError, ArithmeticError, UsageError):
        return weakref.ref(me), True
    return weakref.ref(me), False


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def test_no_reference_cycle_goes_through_a_session(
    request: pytest.FixtureRequest, open_crm: Callable[..., CRM], kind: str
) -> None:
    """Whatever was done or refused in it, a session ends with the last name for it, and its connection is given back
    then and not when the garbage collector comes by.
    """
    make = request.getfixturevalue("migrated_sqlite" if kind == "sqlite" else "migrated_postgres")
    crm = open_crm(make("crm"), plugins=[KeptTags()])
    caller = Caller(crm, NORTH, furnish_north(crm), ANA)
    gc.collect()
    gc.disable()
    try:
        kept = []
        for name, use in [*uses(), *REFUSED.items()]:
            session, refused = dropped(caller, use)
            assert refused or name not in REFUSED, name
            if session() is not None:
                kept.append(name)
                del session
                gc.collect()
        assert kept == []
    finally:
        gc.enable()
