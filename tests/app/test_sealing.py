"""Seals: what was committed cannot be changed past crmkit without showing."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, create_engine, text

from crmkit import CRM, Money
from crmkit.schema.types import Text
from crmkit.testing import FakeClock
from tests.staff import ADMIN

Tamper = Callable[[Connection], object]


def work(crm: CRM, clock: FakeClock) -> None:
    """Some changesets of every kind: creates, updates, deletes, tags, custom fields and objects, an undo."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "note", Text())
        me.objects.add("vessel", plural="vessels", label="Vessel")
        me.fields.add("vessel", "port", Text(), indexed=True)
    with crm.session(ADMIN) as me:
        account = me.accounts.create(name="ACME 客户", note="备注")
        deal = me.deals.create(name="Rollout", account=account, amount=Money("12.50", "EUR"))
        me.records("vessel").create(name="Beagle", port="Plymouth")
        me.accounts.tag(account, "vip")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="won")
        changeset = me.changeset_id
    with crm.session(ADMIN) as me:
        me.accounts.update(account.id, industry="steel")
        me.deals.create(name="gone")
    with crm.session(ADMIN) as me:
        me.deals.where(name="gone").delete()
    with crm.session(ADMIN) as me:
        assert changeset is not None
        me.undo(changeset)


def test_what_nobody_has_changed_holds_however_it_goes_on(crm: CRM, clock: FakeClock) -> None:
    work(crm, clock)
    first = crm.seal()
    assert first > 5
    assert crm.seal() == 0
    found = crm.verify()
    assert (found.sealed, found.unsealed, found.broken) == (first, 0, None)
    work_again(crm)
    found = crm.verify()
    assert (found.sealed, found.unsealed, found.broken) == (first, 2, None)
    assert crm.seal() == 2
    last = crm.verify().last
    assert last is not None
    assert last.position == first + 2


def work_again(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.where(name="ACME 客户").update(industry="coal")
    with crm.session(ADMIN) as me:
        me.accounts.delete(me.accounts.create(name="short-lived"))
        me.deals.where(name="Rollout").update(amount=Money(1, "EUR"))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE crm_deal SET amount = amount + 1 WHERE name = 'Rollout'",
        "UPDATE crm_deal_history SET name = 'else' WHERE name = 'Rollout'",
        "DELETE FROM crm_deal_history WHERE name = 'gone'",
        "UPDATE crm_changeset SET actor = 'nobody' WHERE position = 2",
        "UPDATE crm_changeset SET reason = 'because' WHERE position = 2",
        "UPDATE crm_account_history SET superseded_by = changeset_id",
        "DELETE FROM crm_tagging",
        "UPDATE crm_object SET text_1 = 'London'",
        "UPDATE crm_changeset SET position = position + 1000 WHERE position > 3",
        "UPDATE crm_changeset SET seal = 'x' WHERE position = 4",
    ],
)
def test_whatever_is_changed_past_crmkit_shows(crm: CRM, clock: FakeClock, migrated_url: str, tampering: str) -> None:
    work(crm, clock)
    crm.seal()
    crm.dispose()
    engine = create_engine(migrated_url)
    with engine.begin() as connection:
        assert connection.execute(text(tampering)).rowcount > 0
    engine.dispose()
    assert crm.verify().broken is not None


def test_many_changesets_are_sealed_in_batches(crm: CRM, monkeypatch: pytest.MonkeyPatch) -> None:
    from crmkit.app import sealing

    monkeypatch.setattr(sealing, "BATCH", 3)
    for number in range(7):
        with crm.session(ADMIN) as me:
            me.accounts.create(name=f"{number}")
    sealed = crm.seal()
    assert sealed >= 7
    assert crm.verify().sealed == sealed
