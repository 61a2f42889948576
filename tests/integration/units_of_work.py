"""Units of work of every kind, each of which must happen as a whole or not at all."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crmkit import CRM, F, Money
from crmkit.schema.types import Integer, Text
from crmkit.testing import FakeClock
from crmkit.values import IdFactory
from tests.staff import ADMIN

Names = dict[str, Any]
Work = Callable[[CRM, Names], None]


def repeatable(url: Any, month: int = 5, **options: Any) -> CRM:
    """A CRM that gives the same ids and the same instants each time it is made."""
    crm = CRM(url, **options)
    rewind(crm, month)
    return crm


def rewind(crm: CRM, month: int) -> None:
    """From now on the CRM gives the ids and instants it gives from the first of the month on."""
    crm.clock = FakeClock(datetime(2024, month, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
    crm.ids = IdFactory(crm.clock, random.Random(month).randbytes)


def prepare(crm: CRM) -> Names:
    """Makes the records that the units of work use, and returns their ids by name."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        me.fields.add("account", "note", Text())
        account = me.accounts.create(name="ACME", code="1")
        deals = [me.deals.create(name=name, account=account, amount=Money(7, "EUR")) for name in ("Rollout", "Ausbau")]
        open_deal = me.deals.create(name="Wartung", account=account)
    with crm.session(ADMIN) as me:
        me.accounts.update(account, industry="steel")
        lead = me.leads.create(name="Max Muster")
        other = me.accounts.create(name="Other", parent=account)
        me.accounts.tag(other, "vip")
        changeset = me.changeset_id
        me.products.create(name="Anvil")
    for deal in deals:
        # A host that commits itself tells nobody: this is still to be told.
        with crm.database.engine.begin() as host, crm.session(ADMIN, on=host) as me:
            me.deals.move(deal.id, to="won")
    return {"account": account.id, "changeset": changeset, "lead": lead.id, "deal": open_deal.id}


def sell(crm: CRM, names: Names) -> None:
    """One verb after the other in one session, and after its commit a plugin is told of the won deal."""
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="展览会", account=names["account"], amount=Money("12000.50", "EUR"))
        deal = me.deals.update(deal, amount=Money(11_000, "EUR"), expected_close=date(2024, 9, 1))
        me.deals.tag(deal, "fair")
        me.deals.move(deal, to="won")


def deliver(crm: CRM, names: Names) -> None:
    """Tells a plugin of two changesets, one after the other; it writes a note for each."""
    assert crm.deliver() == 2


def undo(crm: CRM, names: Names) -> None:
    """Takes updates, creates and links back."""
    with crm.session(ADMIN) as me:
        result = me.undo(names["changeset"])
        assert len(result.reverted) >= 4


def bulk(crm: CRM, names: Names) -> None:
    """Bulk verbs; on PostgreSQL so many rows that COPY is used."""
    number = 6 if crm.database.dialect == "sqlite" else 320
    rows = ({"name": f"客户 {n}", "code": f"b{n}", "parent": names["account"]} for n in range(number))
    with crm.session(ADMIN) as me:
        made = me.accounts.create_many(rows)
        me.accounts.update_many([(record_id, {"note": "n"}) for record_id in made.ids[:3]])
        me.accounts.where(F.parent == names["account"], F.name.starts_with("客户")).update(industry="steel")
        me.accounts.delete_many(made.ids[1:3])


def define(crm: CRM, names: Names) -> None:
    """Fields and objects, and values in them."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "size", Integer(), indexed=True, required=True, default=3)
        me.fields.remove("account", "note")
        me.objects.add("vessel", plural="vessels", label="Vessel")
        me.fields.add("vessel", "crew", Integer())
        me.records("vessel").create(name="Beagle", crew=74)
        me.accounts.update(names["account"], size=9)


WORKS: Mapping[str, Work] = {work.__name__: work for work in (sell, deliver, undo, bulk, define)}
