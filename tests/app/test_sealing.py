"""Seals: what was committed cannot be changed past crmkit without showing."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, text

from crmkit import CRM, Money
from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Text
from crmkit.sdk import hookimpl
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
    from crmkit.kernel.jobs import sealing

    monkeypatch.setattr(sealing, "BATCH", 3)
    for number in range(7):
        with crm.session(ADMIN) as me:
            me.accounts.create(name=f"{number}")
    sealed = crm.seal()
    assert sealed >= 7
    assert crm.verify().sealed == sealed


# -------------------------------------------------------------------------------------------------------- other plugins


@record_type("ship", plural="ships", title="name")
class Ship(Record):
    """A record type that not every process knows."""

    name: str = field(Text())


class Shipping:
    name = "shipping"

    @hookimpl
    def crmkit_record_types(self) -> list[type[Record]]:
        return [Ship]


@pytest.fixture
def shipping(open_crm: Callable[..., CRM], migrated_url: str) -> CRM:
    """A CRM with a plugin that the other one on the same database has not got."""
    made = open_crm(migrated_url, plugins=[Shipping()])
    made.migrate()
    return made


def sail(crm: CRM, name: str) -> None:
    with crm.session(ADMIN) as me:
        me.records("ship").create(name=name)
        me.accounts.create(name=f"the owner of {name}")


def tamper(crm: CRM, url: str, sql: str) -> None:
    crm.dispose()
    engine = create_engine(url)
    with engine.begin() as connection:
        assert connection.execute(text(sql)).rowcount > 0
    engine.dispose()


def test_who_has_not_got_a_plugin_verifies_the_rest_and_says_so(crm: CRM, shipping: CRM, migrated_url: str) -> None:
    sail(shipping, "Beagle")
    sealed = shipping.seal()
    found = crm.verify()
    assert (found.sealed, found.broken, found.unseen) == (sealed, None, ("ship",))
    assert (shipping.verify().broken, shipping.verify().unseen) == (None, ())
    tamper(shipping, migrated_url, "UPDATE crm_ship SET name = 'Titanic'")
    assert crm.verify().broken is None
    assert shipping.verify().broken is not None
    tamper(crm, migrated_url, "UPDATE crm_account SET name = 'nobody'")
    assert crm.verify().broken is not None


def test_what_was_sealed_without_a_plugin_holds_and_is_told(crm: CRM, shipping: CRM, migrated_url: str) -> None:
    sail(shipping, "Beagle")
    sealed = crm.seal()
    found = shipping.verify()
    assert (found.sealed, found.broken, found.unseen) == (sealed, None, ("ship",))
    sail(shipping, "Endeavour")
    assert shipping.seal() == 1
    for each in (crm, shipping):
        assert (each.verify().sealed, each.verify().broken) == (sealed + 1, None)
    tamper(shipping, migrated_url, "UPDATE crm_changeset SET seal = substr(seal, 1, 64) WHERE seal LIKE '%ship=%'")
    for each in (crm, shipping):
        assert each.verify().broken is not None


def test_versions_put_into_a_sealed_changeset_show(crm: CRM, shipping: CRM, migrated_url: str) -> None:
    sail(shipping, "Beagle")
    with shipping.session(ADMIN) as me:
        me.accounts.create(name="without a ship")
    shipping.seal()
    other = "SELECT id FROM crm_changeset ORDER BY position DESC LIMIT 1"
    tamper(shipping, migrated_url, f"UPDATE crm_ship SET changeset_id = ({other})")
    assert shipping.verify().broken is not None


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("crm_account", "changeset_id"),
        ("crm_account_history", "changeset_id"),
        ("crm_account_history", "superseded_by"),
        ("crm_ship", "changeset_id"),
    ],
)
def test_a_version_of_a_changeset_that_is_not_there_shows(
    shipping: CRM, migrated_url: str, table: str, column: str
) -> None:
    """Whoever puts rows in has to say which changeset they belong to, and may invent one."""
    sail(shipping, "Beagle")
    shipping.seal()
    sail(shipping, "not sealed yet")
    with shipping.session(ADMIN) as me:
        me.accounts.where(name="the owner of not sealed yet").update(industry="steel")
    assert shipping.verify().broken is None
    invented = UUID(int=7)
    written = f"x'{invented.hex}'" if shipping.database.dialect == "sqlite" else f"'{invented}'"
    unsealed = "(SELECT id FROM crm_changeset WHERE position IS NULL)"
    tamper(shipping, migrated_url, f"UPDATE {table} SET {column} = {written} WHERE {column} IN {unsealed}")
    assert shipping.verify().broken == invented
