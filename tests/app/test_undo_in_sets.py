"""What a changeset did to many records alike is taken back in a handful of statements, as if one by one."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import attrs
import pytest

from crmkit import CRM, F, Money
from crmkit.errors import Conflict
from crmkit.schema.types import Integer, Text
from crmkit.sdk import Change, Committed, Veto, hookimpl
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN, employ, grant, hire
from tests.undoing import Told, counting, one_by_one, told

MANY = 20


def furnish(me: Any, count: int = MANY) -> list[UUID]:
    """Accounts, each with a deal and a contact; the last two are what others refer to."""
    ids = list(
        me.accounts.create_many(
            {"name": f"客户 {n}", "headcount": n, "industry": f"业 {n % 3}"} for n in range(count)
        ).ids
    )
    me.deals.create_many({"name": f"单 {n}", "account": i, "amount": Money(n, "EUR")} for n, i in enumerate(ids))
    me.contacts.create_many({"name": f"王 {n}", "account": i, "title": "经理"} for n, i in enumerate(ids))
    return ids


def both(crm: CRM, changeset: UUID, who: str = ADMIN) -> tuple[Told, list[int]]:
    """What undoing says and does by either road, which must be the same; and how many went in sets by the one."""
    with one_by_one(), crm.session(who, dry_run=True) as me:
        slow = told(me, changeset)
    with counting() as counts, crm.session(who, dry_run=True) as me:
        fast = told(me, changeset)
    assert fast == slow
    return fast, counts


def made(crm: CRM, do: Callable[[Any], Any], who: str = ADMIN) -> UUID:
    """The changeset of what is done in a session."""
    with crm.session(who) as me:
        do(me)
    assert me.changeset_id is not None
    return me.changeset_id


# ----------------------------------------------------------------------------------------------------- the set road


def test_the_number_of_statements_does_not_depend_on_the_number_of_records(crm: CRM) -> None:
    sent = []
    for count in (30, 330):
        made(crm, lambda me, count=count: furnish(me, count))
        changeset = made(crm, lambda me: me.accounts.where(industry="业 1").update(industry="steel", headcount=9_999))
        with counting() as counts, crm.session(ADMIN) as me:
            before = me.unit.sent
            result = me.undo(changeset)
            sent.append(me.unit.sent - before)
        assert (counts, result.kept, result.refused) == ([len(result.reverted)], (), ())
        assert len(result.reverted) >= count // 3
        assert {entry.fields for entry in result.reverted} == {("industry", "headcount")}
    assert sent[1] == sent[0]


def test_each_record_gets_its_own_values_back_and_only_the_fields_that_differed(crm: CRM) -> None:
    ids = []
    made(crm, lambda me: ids.extend(furnish(me)))
    with crm.session(ADMIN) as me:
        before = {a.id: (a.industry, a.headcount, a.description) for a in me.accounts}

    def change(me: Any) -> None:
        me.accounts.update_many((i, {"industry": "业 1", "description": "新"}) for i in ids)
        me.deals.where().update(amount=Money(5, "USD"), expected_close=None)

    changeset = made(crm, change)
    fast, counts = both(crm, changeset)
    assert counts == [MANY, MANY]
    with crm.session(ADMIN) as me:
        result = me.undo(changeset)
        assert {a.id: (a.industry, a.headcount, a.description) for a in me.accounts} == before
        assert sorted(d.amount.amount for d in me.deals) == list(range(MANY))
    assert len(result.reverted) == len(fast["reverted"]) == 2 * MANY
    fields = {entry.id: entry.fields for entry in result.reverted if entry.type_key == "account"}
    assert fields == {i: ("description",) if before[i][0] == "业 1" else ("industry", "description") for i in ids}


def test_the_past_reads_as_it_was_and_an_undo_of_the_undo_comes_back(crm: CRM, migrated_url: str, clock: Any) -> None:
    made(crm, furnish)

    def state(**options: Any) -> Any:
        with crm.session(ADMIN, **options) as me:
            return {a.id: (a.industry, a.headcount, a.owner) for a in me.accounts}

    seen = [(clock.now(), state())]
    changeset = made(crm, lambda me: me.accounts.where(F.headcount < 9).update(industry="steel", owner=None))
    seen.append((clock.now(), state()))
    for road in (1, 2, 3):
        with counting() as counts, crm.session(ADMIN) as me:
            assert len(me.undo(changeset).reverted) == 9
        assert counts == [9]
        assert me.changeset_id is not None
        changeset = me.changeset_id
        seen.append((clock.now(), state()))
        assert seen[-1][1] == seen[(road + 1) % 2][1]
    for instant, there in seen:
        assert state(as_of=instant) == there
    assert broken(snapshot(migrated_url)) == []


def test_a_dry_run_says_the_same_and_leaves_nothing(crm: CRM, migrated_url: str) -> None:
    made(crm, furnish)
    changeset = made(crm, lambda me: me.accounts.where().update(industry="steel"))
    before = digest(migrated_url)
    fast, counts = both(crm, changeset)
    assert (counts, len(fast["reverted"])) == ([MANY], MANY)
    assert digest(migrated_url) == before


def test_who_may_change_every_record_needs_not_be_the_system(crm: CRM) -> None:
    made(crm, furnish)
    changeset = made(crm, lambda me: me.deals.where().update(owner=None))
    hire(crm, "bo@x.example", deal="read update assign history", user="read")
    fast, counts = both(crm, changeset, "bo@x.example")
    assert (counts, len(fast["reverted"])) == ([MANY], MANY)


# ------------------------------------------------------------------------------------------------ what falls back

Prepare = Callable[[Any], Any]


@attrs.frozen
class Case:
    """What was there, what the changeset does, what happens since; how many go in sets, and what the undo says."""

    change: Prepare
    since: Prepare = lambda me: None
    first: Prepare = lambda me: None
    sets: tuple[int, ...] = ()
    reverted: int = 0
    kept: int = 0
    refused: int = 0


def industry(me: Any) -> None:
    me.accounts.where().update(industry="steel")


def fields(check: str | None = None) -> Prepare:
    def define(me: Any) -> None:
        me.fields.add("account", "score", Integer(), check=check)
        me.fields.add("account", "code", Text(), indexed=True)
        me.accounts.update_many((a.id, {"score": 1, "code": "甲"}) for a in list(me.accounts))

    return define


def customs(me: Any) -> None:
    me.accounts.update_many((a.id, {"industry": "steel", "score": 2, "code": None}) for a in list(me.accounts))


def parents(me: Any) -> None:
    for name in ("旧", "新"):
        me.accounts.create(name=name)
    me.accounts.where(F.headcount >= 0).update(parent=me.accounts.one(name="旧"))


def regroup(me: Any) -> None:
    me.accounts.where(F.headcount >= 0).update(parent=me.accounts.one(name="新"))


def products(me: Any) -> None:
    me.products.create_many({"name": f"p{n}"} for n in range(MANY))


def renamed(me: Any) -> None:
    me.products.update_many((p.id, {"name": f"q{p.name}", "family": "new"}) for p in list(me.products))


def promoted(me: Any) -> None:
    industry(me)
    employ(me, "eve@x.example")


CASES: Mapping[str, Case] = {
    "all as it was left": Case(industry, sets=(MANY,), reverted=MANY),
    "some edited since": Case(
        industry,
        lambda me: me.accounts.where(F.headcount < 3).update(industry="coal"),
        sets=(MANY - 3,),
        reverted=MANY - 3,
        kept=3,
    ),
    "another field edited since": Case(
        industry,
        lambda me: me.accounts.where(F.headcount < 3).update(headcount=9_999),
        sets=(MANY - 3,),
        reverted=MANY,
    ),
    "some deleted since": Case(
        industry,
        lambda me: [
            me.deals.where().delete(),
            me.contacts.where().delete(),
            me.accounts.where(F.headcount < 3).delete(),
        ],
        sets=(MANY - 3,),
        reverted=MANY - 3,
        kept=3,
    ),
    "changed twice": Case(
        lambda me: [industry(me), me.accounts.where(F.headcount < 3).update(industry="coal")],
        sets=(MANY - 3,),
        reverted=MANY,
    ),
    "changed and changed back": Case(
        lambda me: [industry(me), me.undo(me.commit() or me.changeset_id)], sets=(MANY,), reverted=MANY
    ),
    "a unique value": Case(renamed, first=products, reverted=MANY),
    "a unique value that is taken": Case(
        renamed, lambda me: me.products.create(name="p3"), first=products, reverted=MANY - 1, refused=1
    ),
    "a reference that holds": Case(regroup, first=parents, sets=(MANY,), reverted=MANY),
    "a reference that is gone": Case(
        regroup, lambda me: me.accounts.delete(me.accounts.one(name="旧")), first=parents, refused=MANY
    ),
    "custom fields": Case(customs, first=fields(), reverted=MANY),
    "custom fields of which one is retired": Case(
        customs, lambda me: me.fields.remove("account", "score"), first=fields(), reverted=MANY, kept=MANY
    ),
    "custom fields of which one is redefined": Case(
        customs, lambda me: me.fields.change("account", "code", indexed=False), first=fields(), reverted=MANY
    ),
    "beside custom fields": Case(industry, first=fields(), sets=(MANY,), reverted=MANY),
    "a rule of a custom field": Case(industry, first=fields("score >= 0"), reverted=MANY),
    "a document": Case(lambda me: me.contacts.where().update(name="李 雷", title="x"), reverted=MANY),
    "beside documents": Case(lambda me: me.contacts.where().update(title="x"), sets=(MANY,), reverted=MANY),
    "deals that moved": Case(lambda me: [me.deals.move(deal, to="won") for deal in list(me.deals)], reverted=3 * MANY),
    "a right as well": Case(promoted, reverted=MANY + 1),
}


@pytest.mark.parametrize("name", CASES)
def test_either_road_does_the_same(crm: CRM, migrated_url: str, name: str) -> None:
    case = CASES[name]
    made(crm, lambda me: [furnish(me), case.first(me)])
    changeset = made(crm, case.change)
    with crm.session(ADMIN) as me:
        case.since(me)
    fast, counts = both(crm, changeset)
    assert tuple(counts) == case.sets
    assert [len(fast[bucket]) for bucket in ("reverted", "kept", "refused")] == [case.reverted, case.kept, case.refused]
    with crm.session(ADMIN) as me:
        result = me.undo(changeset)
    assert len(result.reverted) == case.reverted
    assert broken(snapshot(migrated_url)) == []


# ------------------------------------------------------------------------------------------------------------- rights


def test_who_may_change_some_records_undoes_those_alone(crm: CRM) -> None:
    """Of the others, the rep may not even learn that they were changed."""
    made(crm, furnish)
    rep = hire(crm, "bo@x.example", deal="read update history", account="read")
    with crm.system() as me:
        seller = me.roles.create(name="seller")
        for action in ("read", "update", "history"):
            grant(me, seller, "deal", action, scope="own")
        own = employ(me, "chen@x.example", seller)
        me.deals.where(F.amount < Money(5, "EUR")).update(owner=own)
    changeset = made(crm, lambda me: me.deals.where().update(amount=Money(9, "USD")))
    fast, counts = both(crm, changeset, "chen@x.example")
    assert (counts, len(fast["reverted"]), fast["refused"]) == ([], 5, [])
    fast, counts = both(crm, changeset, "bo@x.example")
    assert (counts, len(fast["reverted"])) == ([MANY], MANY)
    assigned = made(crm, lambda me: me.deals.where().update(owner=rep))
    fast, counts = both(crm, assigned, "bo@x.example")
    assert (counts, len(fast["reverted"]), len(fast["refused"])) == ([], 0, MANY)


@pytest.mark.parametrize("action", ["read", "update"])
def test_a_field_that_may_not_be_read_or_set_is_left_alone(crm: CRM, action: str) -> None:
    made(crm, furnish)
    hire(crm, "bo@x.example", account="read update history")
    with crm.system() as me:
        grant(me, me.roles.one(name="role of bo@x.example"), "account", action, effect="deny", fields=["headcount"])
    changeset = made(crm, lambda me: me.accounts.where().update(industry="steel"))
    fast, counts = both(crm, changeset, "bo@x.example")
    assert (counts, len(fast["reverted"])) == ([MANY], MANY)
    changeset = made(crm, lambda me: me.accounts.where().update(headcount=9_999, description="x"))
    fast, counts = both(crm, changeset, "bo@x.example")
    assert counts == []
    assert [entry[2] for entry in fast["reverted"]] == [("description",)] * (MANY if action == "read" else 0)


def test_a_reference_to_what_the_actor_does_not_see_is_refused(crm: CRM) -> None:
    made(crm, furnish)
    changeset = made(crm, lambda me: me.contacts.where().update(account=None))
    hire(crm, "bo@x.example", contact="read update history")
    fast, counts = both(crm, changeset, "bo@x.example")
    assert (counts, fast["reverted"], len(fast["refused"])) == ([], [], MANY)


# ------------------------------------------------------------------------------------------------------------ plugins


class Listener:
    """Refuses that a description is brought back, and remembers what it was asked about and told of."""

    name = "listener"
    listens_to = ("account",)

    def __init__(self) -> None:
        self.asked = self.told = 0

    @hookimpl
    def crmkit_before_change(self, changes: tuple[Change, ...]) -> list[Veto]:
        self.asked += len(changes)
        return [Veto(c.row, "no") for c in changes if c.values.get("description") == "old"]

    @hookimpl
    def crmkit_after_commit(self, changes: tuple[Committed, ...]) -> None:
        self.told += len(changes)


class Particular(Listener):
    """One that says what concerns it."""

    @staticmethod
    def concerned(values: Mapping[str, Any]) -> bool:
        return values.get("description") == "old"


@pytest.mark.parametrize(("kind", "sets"), [(Listener, []), (Particular, [MANY])])
def test_a_plugin_that_listens_is_asked_about_each_record_unless_it_says_otherwise(
    migrated_url: str, open_crm: Callable[..., CRM], kind: type[Listener], sets: list[int]
) -> None:
    listener = kind()
    crm = open_crm(migrated_url, plugins=[listener])
    made(crm, furnish)
    changeset = made(crm, industry)
    listener.asked = listener.told = 0
    fast, counts = both(crm, changeset)
    assert (counts, len(fast["reverted"]), listener.asked) == (sets, MANY, MANY if sets else 2 * MANY)
    listener.asked = 0
    with crm.session(ADMIN) as me:
        me.undo(changeset)
    assert (listener.asked, listener.told) == ((0, 0) if sets else (MANY, MANY))


@pytest.mark.parametrize("kind", [Listener, Particular])
def test_a_plugin_that_is_concerned_by_some_records_may_refuse_those(
    migrated_url: str, open_crm: Callable[..., CRM], kind: type[Listener]
) -> None:
    crm = open_crm(migrated_url)
    made(crm, lambda me: [furnish(me), me.accounts.where(F.headcount < 3).update(description="old")])
    changeset = made(crm, lambda me: me.accounts.where().update(description="new"))
    fast, counts = both(open_crm(migrated_url, plugins=[kind()]), changeset)
    assert (counts, len(fast["reverted"]), len(fast["refused"])) == ([], MANY - 3, 3)


class Meddler:
    """Writes to contacts when an account comes back."""

    name = "meddler"
    listens_to = ("account",)

    @hookimpl
    def crmkit_before_change(self, session: Any, changes: tuple[Change, ...]) -> None:
        for change in changes:
            if change.kind == "create" and session.undoing:
                session.contacts.where(title="x").limit(1).update(title="y")


def test_records_that_a_plugin_changes_meanwhile_are_not_overwritten(
    migrated_url: str, open_crm: Callable[..., CRM]
) -> None:
    crm = open_crm(migrated_url, plugins=[Meddler()])
    made(crm, lambda me: [furnish(me), me.accounts.create(name="旧")])
    changeset = made(
        crm, lambda me: [me.contacts.where().update(title="x"), me.accounts.delete(me.accounts.one(name="旧"))]
    )
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        with pytest.raises(Conflict, match="changed in between"):
            me.undo(changeset)
        assert (me.changes, me.contacts.where(title="x").count()) == ([], MANY)
    assert digest(migrated_url) == before
