"""What a session knows of fields and rights is what the database holds, whatever was taken back before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.orm import Session as OrmSession

from crmkit import CRM, Session
from crmkit.errors import CrmkitError, InputError, UsageError
from crmkit.kernel.definitions.tenant_schema import load_rules, load_schema
from crmkit.kernel.session import memory
from crmkit.schema.types import Choice, Integer, Text
from crmkit.store import check_references
from tests.staff import ADMIN


class Undecided(Exception):
    """Somebody changes their mind."""


@contextmanager
def kept(_me: Any, _host: Connection) -> Iterator[None]:
    yield


@contextmanager
def refused(me: Any, _host: Connection) -> Iterator[None]:
    """A verb that does not come to its end."""
    with suppress(Undecided), me.doing("account.refused"):
        yield
        raise Undecided


@contextmanager
def dry_run(me: Any, _host: Connection) -> Iterator[None]:
    with me.bulk("account.dry_run", stop=False, dry_run=True):
        yield


@contextmanager
def host_savepoint(_me: Any, host: Connection) -> Iterator[None]:
    savepoint = host.begin_nested()
    yield
    savepoint.rollback()


def regrant(me: Any, number: int) -> None:
    role = me.roles.one(name="admin")
    grants = me.records("grant")
    own = [g for g in grants.where(role=role.id) if g.on == f"lead{number}" or g.on == "lead"]
    if own:
        grants.delete(own[0])
    else:
        grants.create(role=role, on="lead", action="read", scope="own", effect="deny")


def fill(me: Any, number: int) -> None:
    """Something that relies on a field, so that it cannot be removed."""
    me.segments.create(name=f"segment {number}", on="account", where=f"f{number} is None")


WORK: dict[str, Callable[[Any, int], Any]] = {
    "add": lambda me, n: me.fields.add("account", f"f{n}", Text()),
    "remove": lambda me, n: me.fields.remove("account", f"f{n}"),
    "change": lambda me, n: me.fields.change("account", f"f{n}", Choice({"a": "Alpha", "b": "乙"})),
    "retype": lambda me, n: me.fields.change("account", f"f{n}", Integer()),
    "segment": fill,
    "grant": regrant,
    "join": lambda me, n: me.roles.create(name=f"role {n}"),
    "account": lambda me, n: me.accounts.create(name=f"account {n}"),
}
FRAMES = {"kept": kept, "refused": refused, "dry run": dry_run, "host": host_savepoint}


def known(me: Any) -> Any:
    return me.tenant_schema.token, sorted(repr(rule) for rule in me.policy.rules)


def stored(me: Any) -> Any:
    """What a session that begins now would know, read past everything that is kept."""
    schema = load_schema(me.reading(me.base_view()), me.crm.declared, me.crm.field_types)
    return schema.token, sorted(repr(rule) for rule in load_rules(me.present_reader(), me.actor.role_ids))


@attrs.frozen
class Step:
    frame: str
    work: tuple[tuple[str, int], ...]


STEPS = st.builds(
    Step,
    st.sampled_from(sorted(FRAMES)),
    st.lists(st.tuples(st.sampled_from(sorted(WORK)), st.integers(0, 1)), min_size=1, max_size=2).map(tuple),
)


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """The host's."""
    made = create_engine(migrated_url)
    check_references(made)
    yield made
    made.dispose()


@pytest.mark.law
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=7))
def test_a_session_knows_what_the_database_holds_after_whatever_was_taken_back(
    crm: CRM, engine: Engine, steps: list[Step]
) -> None:
    with engine.connect() as host, host.begin() as transaction:
        with crm.session(ADMIN, on=host) as me:
            for step in steps:
                with FRAMES[step.frame](me, host):
                    for name, number in step.work:
                        with suppress(InputError):
                            WORK[name](me, number)
                        assert known(me) == stored(me)
                assert known(me) == stored(me), step
            me.unit.rollback()
        transaction.rollback()


def test_what_was_refused_after_other_changes_does_not_stay_in_force(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "trial_end", Text())
        me.fields.add("account", "plan", Choice({"a": "Alpha"}))
        me.accounts.create(name="ACME", trial_end="soon", plan="a")
        me.segments.create(name="on trial", on="account", where="trial_end is not None")
    with crm.session(ADMIN) as me:
        me.fields.add("account", "other", Text())
        with pytest.raises(InputError):
            me.fields.remove("account", "trial_end")
        me.fields.change("account", "plan", Choice({"a": "Omega"}))
    with crm.session(ADMIN) as me:
        assert me.accounts.one(name="ACME").trial_end == "soon"


def test_a_dry_run_of_rights_gives_no_rights(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        role = me.roles.create(name="clerk")
        grants = me.records("grant")
        clerk = me.users.create(email="clerk@acme.example", name="Clerk")
        me.records("role_member").create(role=role, user=clerk)
        for on, action in (("grant", "create"), ("grant", "read"), ("role", "read"), ("account", "read")):
            grants.create(role=role, on=on, action=action, scope="all")
        account = me.accounts.create(name="ACME")
    with crm.session("clerk@acme.example") as me:
        me.records("grant").create(role=role.id, on="lead", action="read", scope="all")
        rows = [{"role": role.id, "on": "account", "action": "delete", "scope": "all"}]
        assert me.records("grant").create_many(rows, dry_run=True).counts == {"created": 1}
        with pytest.raises(CrmkitError):
            me.accounts.delete(account.id)
    with crm.session(ADMIN) as me:
        assert me.accounts.get(account.id).name == "ACME"


def test_whatever_a_session_keeps_has_its_place_among_what_is_forgotten() -> None:
    lasting = {
        "changesets",  # is how they are read, and holds none
        "started_at",  # is the moment, until a commit
        "state",  # is what the session stands on, and is set back with what was taken back
    }
    kept = {name for kind in Session.__mro__ for name, it in vars(kind).items() if isinstance(it, cached_property)}
    assert kept == {*memory._OF_DEFINITIONS, *memory._OF_RECORDS} | lasting


@pytest.mark.parametrize("before", [False, True], ids=["at first", "after other work"])
@pytest.mark.parametrize("orm", [False, True], ids=["connection", "orm session"])
def test_what_a_host_takes_back_was_not_done_and_the_session_goes_on(
    crm: CRM, engine: Engine, before: bool, orm: bool
) -> None:
    with OrmSession(engine) as host, host.begin():
        on: Any = host if orm else host.connection()
        with crm.session(ADMIN, on=on) as me:
            if before:
                me.accounts.create(name="before")
            savepoint = on.begin_nested()
            me.fields.add("account", "plan", Text())
            me.accounts.create(name="taken back", plan="a")
            savepoint.rollback()
            with pytest.raises(InputError):
                me.accounts.create(name="no such field", plan="a")
            with on.begin_nested():
                me.accounts.create(name="kept 保留")
            assert {change.after.name for change in me.changes if change.after} == {"kept 保留", *["before"] * before}
    with crm.session(ADMIN) as me:
        assert {account.name for account in me.accounts} == {"kept 保留", *["before"] * before}
        assert not me.undo(me.log(1)[0]).refused
        assert me.accounts.count() == 0


def test_a_unit_that_a_host_took_back_whole_leaves_no_changeset(crm: CRM, engine: Engine) -> None:
    with crm.session(ADMIN) as me:
        changesets = len(me.log(100))
    with engine.begin() as host:
        savepoint = host.begin_nested()
        with crm.session(ADMIN, on=host) as me:
            inner = host.begin_nested()
            me.accounts.create(name="taken back")
            inner.rollback()
        savepoint.commit()
    with crm.session(ADMIN) as me:
        assert len(me.log(100)) == changesets
        assert me.accounts.count() == 0


def test_what_was_committed_within_a_savepoint_goes_with_it(crm: CRM, engine: Engine) -> None:
    with crm.session(ADMIN) as me:
        before = me.state
    with engine.begin() as host:
        savepoint = host.begin_nested()
        with crm.session(ADMIN, on=host) as me:
            me.fields.add("account", "plan", Text())
            me.commit()
            with crm.session(ADMIN, on=host) as another:
                assert "plan" in another.type_of("account").by_key
            savepoint.rollback()
            assert "plan" not in me.type_of("account").by_key
            assert (me.state, me.committed, me.changeset_id) == (before, [], None)
            me.accounts.create(name="kept")
    with crm.session(ADMIN) as me:
        assert [account.name for account in me.accounts] == ["kept"]
        assert [change.type_key for change in me.changes_of(me.log(1)[0])] == ["account"]


def test_a_session_does_not_end_within_a_savepoint_that_is_younger_than_its_writes(crm: CRM, engine: Engine) -> None:
    """With the session's own savepoint the host's would be gone."""
    with engine.begin() as host, crm.session(ADMIN, on=host) as me:
        me.accounts.create(name="before")
        with host.begin_nested():
            me.accounts.create(name="within")
            with pytest.raises(UsageError) as refused:
                me.commit()
            assert refused.value.code == "savepoint_open"
        savepoint = host.begin_nested()
        me.accounts.create(name="taken back")
        savepoint.rollback()
        me.commit()
    with crm.session(ADMIN) as me:
        assert sorted(account.name for account in me.accounts) == ["before", "within"]
