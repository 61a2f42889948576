"""What a declaration demands of a field, a check or that it is never None: every road of writing is held to it."""

from collections.abc import Callable
from datetime import date

import pytest

from crmkit import CRM
from crmkit.errors import InvalidDefinition, InvalidRecord
from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Integer, Text
from crmkit.sdk import hookimpl

SINCE, UNTIL = date(2026, 3, 1), date(2026, 2, 28)


def test_nobody_leaves_an_account_before_coming_to_it(crm: CRM) -> None:
    with crm.system() as me:
        acme, ana = me.accounts.create(name="ACME"), me.contacts.create(name="安娜")
        people = me.records("account_contact")
        with pytest.raises(InvalidRecord) as refused:
            people.create(account=acme, contact=ana, since=SINCE, until=UNTIL)
        assert [(p.code, p.field) for p in refused.value.problems] == [("check_failed", "until")]
        link = people.create(account=acme, contact=ana, since=UNTIL, until=SINCE)
        open_end = people.create(account=acme, contact=ana, until=UNTIL)
        for change in (
            lambda: people.update(open_end, since=SINCE),
            lambda: people.update(link, until=date(2026, 1, 1)),
        ):
            with pytest.raises(InvalidRecord) as refused:
                change()
            assert refused.value.problems[0].code == "check_failed"
        outcome = people.where().update(since=SINCE)
        assert [o.problems[0].code for o in outcome.refused] == ["check_failed"]
        assert [(r.since, r.until) for r in people.order_by("until")] == [(None, UNTIL), (SINCE, SINCE)]


def test_a_field_that_is_something_by_default_is_never_none(crm: CRM) -> None:
    """What its annotation says to type checkers holds in the database, and conditions find every record."""
    with crm.system() as me:
        user = me.users.create(email="li@acme.example", name="李娜")
        plain = me.contacts.create(name="安娜")
        for refusal in (
            lambda: me.contacts.create(name="Bo", do_not_contact=None),
            lambda: me.contacts.update(plain, do_not_contact=None),
            lambda: me.contacts.where().update(do_not_contact=None),
            lambda: me.contacts.upsert(by="name", name="安娜", do_not_contact=None),
            lambda: me.users.update(user, active=None),
            lambda: me.leads.create(name="L", status=None),
            lambda: me.accounts.create(name="A", lifecycle=None),
        ):
            with pytest.raises(InvalidRecord) as refused:
                refusal()
            assert [p.code for p in refused.value.problems] == ["required"]
        outcome = me.contacts.create_many([{"name": "x", "do_not_contact": None}, {"name": "y"}])
        assert [(o.row, o.problems[0].code) for o in outcome.refused] == [(0, "required")]
        assert me.contacts.count() == me.contacts.where("do_not_contact == false").count() == 2
        assert (me.accounts.count(), me.leads.count(), me.users.one(email=user.email).active) == (0, 0, True)


def test_a_check_that_means_nothing_is_refused_when_the_crm_is_made(open_crm: Callable[..., CRM]) -> None:
    @record_type("ship", plural="ships", title="name")
    class Ship(Record):
        name: str = field(Text())
        decks: int | None = field(Integer(), default=None, check="deks > 0")

    class Ships:
        @hookimpl
        def crmkit_record_types(self) -> list[type[Record]]:
            return [Ship]

    with pytest.raises(InvalidDefinition) as refused:
        open_crm("sqlite://", plugins=[Ships()])
    assert (refused.value.code, refused.value.fields) == ("bad_check", ("decks",))
