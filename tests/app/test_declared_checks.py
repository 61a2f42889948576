"""A declared field has a check as a custom one has: every road of writing is held to it."""

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
