"""Fields and rights that are changed while a session is under way: nothing is written as if they had not been."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine

from crmkit import CRM
from crmkit.errors import Conflict, CrmkitError, UnknownActor
from crmkit.schema.types import Integer, Text
from tests.integration.snapshots import digest
from tests.staff import ADMIN, hire


def account(crm: CRM) -> Any:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "note", Text())
        return me.accounts.create(name="上海宝钢", note="n", headcount=1)


def late(crm: CRM, url: str, change: Callable[[Any], object], write: Callable[[Any], object]) -> CrmkitError | None:
    """Why a session could not keep what it wrote, if another one made the change meanwhile; then nothing is left."""
    session = crm.session(ADMIN)
    with crm.session(ADMIN) as me:
        change(me)
    before = digest(url)
    try:
        with session as me:
            write(me)
    except CrmkitError as error:
        assert digest(url) == before
        return error
    return None


CHANGES: dict[str, Callable[[Any], object]] = {
    "a required field": lambda me: me.fields.add("account", "tier", Text(), required=True, default="silver"),
    "another type": lambda me: me.fields.change("account", "note", Text(max_length=9)),
    "an index": lambda me: me.fields.change("account", "note", indexed=True),
    "no field": lambda me: me.fields.remove("account", "note"),
}
WRITES: dict[str, Callable[[Any, Any], object]] = {
    "update": lambda me, a: me.accounts.update(a.id, note="new"),
    "update of other fields": lambda me, a: me.accounts.update(a.id, headcount=2),
    "update of all": lambda me, a: me.accounts.where().update(headcount=2),
    "create": lambda me, a: me.accounts.create(name="ACME", note="x"),
    "create many": lambda me, a: me.accounts.create_many([{"name": "ACME"}]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_was_written_without_knowing_the_fields_is_not_kept(
    crm: CRM, migrated_url: str, change: Callable[[Any], object], write: Callable[[Any, Any], object]
) -> None:
    found = account(crm)
    error = late(crm, migrated_url, change, lambda me: write(me, found))
    assert isinstance(error, Conflict)
    assert (error.code, error.problems[0].hint) == ("definitions_changed", "do it again in another session")
    with crm.session(ADMIN) as me:
        if change is not CHANGES["no field"]:
            write(me, me.accounts.get(found.id))


def test_other_peoples_definitions_do_not_keep_one_from_working(crm: CRM, migrated_url: str) -> None:
    found = account(crm)
    unrelated: list[Callable[[Any], object]] = [
        lambda me: me.fields.add("contact", "note", Integer()),
        lambda me: me.segments.create(name="big", on="account", where="headcount > 5"),
        lambda me: me.users.create(name="Bo", email="bo@acme.example"),
        lambda me: me.objects.add("vessel", plural="vessels", label="船"),
    ]
    for change in unrelated:
        assert late(crm, migrated_url, change, lambda me: me.accounts.update(found.id, note="later")) is None
    with crm.session(ADMIN) as me:
        assert me.accounts.get(found.id).note == "later"


def test_a_right_that_was_taken_meanwhile_is_not_used(crm: CRM) -> None:
    found = account(crm)
    rep = hire(crm, "bo@acme.example", account="read update")
    session = crm.session("bo@acme.example")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of bo@acme.example")
        me.records("grant").delete(me.records("grant").one(role=role, on="account", action="update"))
    with pytest.raises(Conflict) as refused, session as me:
        me.accounts.update(found.id, headcount=7)
    assert refused.value.code == "definitions_changed"
    session = crm.session("bo@acme.example")
    with crm.session(ADMIN) as me:
        me.users.update(rep, active=False)
    with pytest.raises(CrmkitError), session as me:
        me.accounts.update(found.id, headcount=7)
    with pytest.raises(UnknownActor):
        crm.session("bo@acme.example")
    with crm.session(ADMIN) as me:
        assert me.accounts.get(found.id).headcount == 1


def test_a_session_may_define_and_use_and_go_on(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        for key in ("one", "two"):
            me.fields.add("account", key, Integer())
            made = me.accounts.create({"name": key, key: 1})
            me.commit()
            assert me.accounts.get(made.id)[key] == 1


def test_who_defines_waits_for_what_is_being_written(crm: CRM, migrated_url: str) -> None:
    """A host keeps its transaction open after the session: the new field knows the record that was in it."""
    done: list[Any] = []

    def define() -> None:
        with crm.session(ADMIN) as me:
            done.append(me.fields.add("account", "tier", Text(), required=True, default="silver"))

    engine = create_engine(migrated_url)
    try:
        with engine.connect() as host:
            with crm.session(ADMIN, on=host) as me:
                made = me.accounts.create(name="ACME")
            thread = threading.Thread(target=define)
            thread.start()
            thread.join(timeout=0.5)
            assert not done
            host.commit()
        thread.join(timeout=30)
    finally:
        engine.dispose()
    with crm.session(ADMIN) as me:
        assert me.accounts.get(made.id).tier == "silver"
