"""Units of work of every kind, each of which must happen as a whole or not at all."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from crmkit import CRM, F, Money
from crmkit.schema.types import Integer, Text
from crmkit.testing import FakeClock
from crmkit.values import IdFactory
from tests.staff import ADMIN

Names = dict[str, Any]
Work = Callable[[Any, Names], None]


def repeatable(url: Any, month: int = 5, **options: Any) -> CRM:
    """A CRM that gives the same ids and the same instants each time it is made."""
    clock = FakeClock(datetime(2024, month, 1, tzinfo=UTC), tick=timedelta(milliseconds=1))
    return CRM(url, clock=clock, ids=IdFactory(clock, random.Random(month).randbytes), **options)


def prepare(crm: CRM) -> Names:
    """What the works work on."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        me.fields.add("account", "note", Text())
        account = me.accounts.create(name="ACME", code="1")
        deal = me.deals.create(name="Rollout", account=account, amount=Money(7, "EUR"))
        task = me.activities.create(kind="task", subject="Call", deal=deal)
    with crm.session(ADMIN) as me:
        me.accounts.update(account, industry="steel")
        lead = me.leads.create(name="Max Muster")
        other = me.accounts.create(name="Other", parent=account)
        me.accounts.tag(other, "vip")
        changeset = me.changeset_id
        me.products.create(name="Anvil")
    made = {"account": account.id, "deal": deal.id, "task": task.id, "lead": lead.id, "other": other.id}
    return {**made, "changeset": changeset}


def win(me: Any, names: Names) -> None:
    """What plugins are told of after the commit."""
    me.deals.move(names["deal"], to="won")


def undo(me: Any, names: Names) -> None:
    """Takes updates, creates and links back."""
    result = me.undo(names["changeset"])
    assert len(result.reverted) >= 4


def bulk(me: Any, names: Names) -> None:
    """Bulk verbs; on PostgreSQL so many rows that COPY is used."""
    rows = ({"name": f"客户 {n}", "code": f"b{n}", "parent": names["account"]} for n in range(names.get("rows", 6)))
    made = me.accounts.create_many(rows)
    me.accounts.update_many([(record_id, {"note": "n"}) for record_id in made.ids[:3]])
    me.accounts.where(F.parent == names["account"], F.name.starts_with("客户")).update(industry="steel")
    me.accounts.delete_many(made.ids[1:3])


def define(me: Any, names: Names) -> None:
    """Fields and objects, and values in them."""
    me.fields.add("account", "size", Integer(), indexed=True, required=True, default=3)
    me.fields.remove("account", "note")
    me.objects.add("vessel", plural="vessels", label="Vessel")
    me.fields.add("vessel", "crew", Integer())
    me.records("vessel").create(name="Beagle", crew=74)
    me.accounts.update(names["account"], size=9)


WORKS: Mapping[str, Work] = {work.__name__: work for work in (win, undo, bulk, define)}
