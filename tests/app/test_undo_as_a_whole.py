"""An undo is one change of many records: after all of it they agree with one another, whatever lies in between."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit import CRM, F
from crmkit.kernel.writes.references import targets_first
from crmkit.query import in_segment
from crmkit.schema.types import Reference
from crmkit.sdk import Change, Veto, hookimpl
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN, hire
from tests.undoing import told

State = dict[UUID, tuple[str, dict[str, Any]]]
World = dict[str, UUID]
"""The records of a case by the names it gives them."""


def state(me: Any) -> State:
    """All records by id: type and values."""
    return {
        r.id: (key, {f.key: r[f.key] for f in record_type.fields})
        for key, record_type in me.schema.types.items()
        for r in me.records(key)
    }


def dangling(me: Any) -> list[tuple[str, str]]:
    """The references that lead nowhere: type and field."""
    found = state(me)
    return [
        (key, f.key)
        for key, values in found.values()
        for f in me.schema.types[key].fields
        if isinstance(f.type, Reference) and values[f.key] is not None and values[f.key] not in found
    ]


@attrs.frozen
class Case:
    """What was there, and what a changeset did to it."""

    before: Callable[[Any, World], Any]
    change: Callable[[Any, World], Any]


def products(me: Any, w: World, *names: str) -> Any:
    w.update({name: me.products.create(name=name).id for name in names})


def renamed(me: Any, w: World, **names: str) -> Any:
    """Products in this order, by the names they had first."""
    for first, name in names.items():
        me.products.update(w[first.rstrip("_")], name=name)


def sold(me: Any, w: World) -> None:
    w["bo"] = me.users.create(email="bo@x.example", name="薄").id
    w["deal"] = me.deals.create(name="单").id
    me.deals.split(w["deal"], {me.actor.id: 70, w["bo"]: 30})


def tagged(me: Any, w: World) -> None:
    w["account"] = me.accounts.create(name="甲").id
    me.accounts.tag(w["account"], "金")


def tagged_again(me: Any, w: World) -> None:
    me.accounts.untag(w["account"], "金")
    me.accounts.tag(w["account"], "金")


def replaced(me: Any, w: World) -> None:
    me.products.delete(w["p"])
    me.products.create(name="P")


def wanted(me: Any, w: World) -> None:
    products(me, w, "p")
    w["deal"] = me.deals.create(name="单", product=w["p"]).id


def replaced_in_use(me: Any, w: World) -> None:
    new = me.products.create(name="new")
    me.deals.update(w["deal"], product=new)
    me.products.delete(w["p"])
    me.products.update(new.id, name="p")


def backwards(me: Any, w: World) -> Any:
    me.objects.add("jet", plural="jets", label="机")
    me.fields.add("account", "jet", Reference("jet", back="users"))
    me.fields.add("account", "main", Reference("contact", back="main_of"))


def jets(me: Any, w: World) -> None:
    me.accounts.create(name="甲", jet=me.jets.create(name="J"))


def mutual(me: Any, w: World) -> Any:
    w["account"] = me.accounts.create(name="甲").id
    w["contact"] = me.contacts.create(name="王 丽", account=w["account"]).id
    me.accounts.update(w["account"], main=w["contact"])


def apart(me: Any, w: World) -> None:
    me.accounts.update(w["account"], main=None)
    me.contacts.delete(w["contact"])
    me.accounts.delete(w["account"])


def circle(size: int) -> Callable[[Any, World], None]:
    def make(me: Any, w: World) -> None:
        last = None
        for n in range(size):
            w[f"a{n}"] = last = me.accounts.create(name=f"甲 {n}", parent=last).id
        me.accounts.update(w["a0"], parent=last)
        w["child"] = me.accounts.create(name="子", parent=last).id

    return make


def broken_up(me: Any, w: World) -> None:
    me.accounts.delete(w["child"])
    me.accounts.delete_many(i for name, i in w.items() if name != "child")


def shared(me: Any, w: World) -> None:
    account = me.accounts.create(name="甲")
    me.accounts.share(account, "r", user=me.actor.id)
    me.accounts.tag(account, "金")


def moved(me: Any, w: World) -> None:
    w["deal"] = me.deals.create(name="单").id


def move(me: Any, w: World) -> None:
    me.deals.move(w["deal"], to="proposal")


def nothing(me: Any, w: World) -> None:
    me.accounts.create(name="丙")


def product_p(me: Any, w: World) -> None:
    w["p"] = me.products.create(name="P").id


CASES: Mapping[str, Case] = {
    "a deal split anew": Case(sold, lambda me, w: me.deals.split(w["deal"], {me.actor.id: 50, w["bo"]: 50})),
    "a tag taken off and put on": Case(tagged, tagged_again),
    "a record replaced by one of its name": Case(product_p, replaced),
    "a record replaced in what refers to it": Case(wanted, replaced_in_use),
    "a name given to a new record": Case(
        lambda me, w: products(me, w, "a"), lambda me, w: [renamed(me, w, a="a (2025)"), products(me, {}, "a")]
    ),
    "a name given to another record": Case(
        lambda me, w: products(me, w, "a", "b"), lambda me, w: [me.products.delete(w["a"]), renamed(me, w, b="a")]
    ),
    "names handed on": Case(
        lambda me, w: products(me, w, "a", "b", "c"), lambda me, w: renamed(me, w, a="d", b="a", c="b")
    ),
    "names exchanged": Case(
        lambda me, w: products(me, w, "a", "b"), lambda me, w: renamed(me, w, a="t", b="a", a_="b")
    ),
    "a type that comes later": Case(backwards, jets),
    "records that refer to each other": Case(backwards, mutual),
    "records that refer to each other, deleted": Case(lambda me, w: [backwards(me, w), mutual(me, w)], apart),
    "its own parent": Case(circle(1), broken_up),
    "a circle of parents": Case(circle(3), broken_up),
    "what belongs to a new record": Case(nothing, shared),
    "a deal that moved": Case(moved, move),
}


def play(crm: CRM, case: Case) -> tuple[State, UUID, State]:
    """What was there before the changeset, the changeset, and what is there after it."""
    world: World = {}
    with crm.session(ADMIN) as me:
        case.before(me, world)
    with crm.session(ADMIN) as me:
        before = state(me)
        case.change(me, world)
        after = state(me)
    assert me.changeset_id is not None
    return before, me.changeset_id, after


@pytest.mark.parametrize("name", CASES)
def test_what_nobody_has_touched_since_is_as_it_was(crm: CRM, migrated_url: str, name: str) -> None:
    before, changeset, after = play(crm, CASES[name])
    unwritten = digest(migrated_url)
    with crm.session(ADMIN, dry_run=True) as me:
        dry = told(me, changeset)
    assert digest(migrated_url) == unwritten
    with crm.session(ADMIN) as me:
        done = told(me, changeset)
        assert (done["kept"], done["refused"]) == ([], [])
        assert state(me) == before
    assert done["reverted"] == dry["reverted"]
    assert me.changeset_id is not None
    with crm.session(ADMIN) as me:
        again = me.undo(me.changesets.latest(me.unit, 1)[0].id)
        assert (again.kept, again.refused) == ((), ())
        assert state(me) == after
    assert broken(snapshot(migrated_url)) == []


class Stubborn:
    """Refuses any change of one record."""

    name = "stubborn"
    listens_to = ("account", "contact", "deal", "deal_split", "jet", "product", "share", "stage_interval", "tagging")

    def __init__(self) -> None:
        self.record: UUID | None = None

    @hookimpl
    def crmkit_before_change(self, changes: tuple[Change, ...]) -> list[Veto]:
        return [Veto(c.row, "no") for c in changes if c.id == self.record]


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_refused_nothing_is_half_done(migrated_url: str, open_crm: Callable[..., CRM], name: str) -> None:
    """What was reverted is as it was before, what was refused as it was found, and no reference leads nowhere."""
    stubborn = Stubborn()
    crm = open_crm(migrated_url, plugins=[stubborn])
    before, changeset, now = play(crm, CASES[name])
    touched = [i for i in before.keys() | now.keys() if before.get(i) != now.get(i)]
    for stubborn.record in touched:
        with crm.session(ADMIN, dry_run=True) as me:
            result = me.undo(changeset)
            then = state(me)
            assert dangling(me) == []
        refused = {entry.id for entry in result.refused}
        assert {entry.id for entry in result.reverted} == set(touched) - refused
        assert result.kept == ()
        assert then == {
            i: row for i in before.keys() | now.keys() if (row := (now if i in refused else before).get(i)) is not None
        }
        assert all(entry.problems and entry.reason for entry in result.refused)


def test_the_number_of_statements_does_not_depend_on_how_deep_a_tree_is(crm: CRM) -> None:
    sent = []
    for depth in (20, 200):
        world: World = {}
        with crm.session(ADMIN) as me:
            circle(depth)(me, world)
        with crm.session(ADMIN) as me:
            broken_up(me, world)
        assert me.changeset_id is not None
        with crm.session(ADMIN) as me:
            before = me.unit.sent
            result = me.undo(me.changesets.latest(me.unit, 1)[0].id)
            sent.append(me.unit.sent - before)
        assert (len(result.reverted), result.refused) == (depth + 1, ())
    assert sent[1] <= sent[0]


# --------------------------------------------------------------------------------------------- what belongs together


def made(crm: CRM, do: Callable[[Any], Any], who: str = ADMIN) -> UUID:
    with crm.session(who) as me:
        do(me)
    assert me.changeset_id is not None
    return me.changeset_id


def buckets(result: Any) -> dict[str, list[str]]:
    return {name: sorted(e.type_key for e in getattr(result, name)) for name in ("reverted", "kept", "refused")}


@pytest.mark.parametrize("why", ["a right", "a reference"])
def test_where_a_deal_has_been_and_whose_it_is_stays_with_a_deal_that_cannot_go(crm: CRM, why: str) -> None:
    hire(crm, "bo@x.example", "rep")

    def deal(me: Any) -> None:
        me.deals.split(me.deals.create(name="单"), {me.actor.id: 100})
        me.accounts.create(name="甲")

    changeset = made(crm, deal, "bo@x.example" if why == "a right" else ADMIN)
    if why == "a reference":
        made(crm, lambda me: me.activities.create(kind="call", subject="x", deal=me.deals.one(name="单")))
    with crm.session("bo@x.example" if why == "a right" else ADMIN) as me:
        told = buckets(me.undo(changeset))
    gone = [] if why == "a right" else ["account"]
    refused = ["account", "deal", "deal_split", "stage_interval"] if why == "a right" else sorted(LINKED)
    assert told == {"reverted": gone, "kept": [], "refused": refused}
    with crm.session(ADMIN) as me:
        assert (me.records("deal_split").count(), me.records("stage_interval").count()) == (1, 1)
        assert list(me.metrics().faults()) == []


LINKED = ("deal", "deal_split", "stage_interval")


def test_what_was_made_with_a_record_stays_with_it_and_what_that_needs_too(crm: CRM) -> None:
    made(crm, lambda me: me.accounts.create(name="旧"))

    def three(me: Any) -> None:
        for name in ("甲", "乙"):
            account = me.accounts.create(name=name)
            me.accounts.share(account, "r", user=me.actor.id)
            me.accounts.tag(account, "金")
        me.accounts.tag(me.accounts.one(name="旧"), "银")

    changeset = made(crm, three)
    made(crm, lambda me: me.accounts.update(me.accounts.one(name="甲"), industry="钢"))
    with crm.session(ADMIN) as me:
        told = buckets(me.undo(changeset))
        assert told["kept"] == ["account", "share", "tag", "tagging"]
        assert (told["reverted"], told["refused"]) == (["account", "share", "tag", "tagging", "tagging"], [])
        assert [account.name for account in me.accounts.where(F.tags.has("金"))] == ["甲"]
        assert me.records("share").count() == 1
        assert dangling(me) == []


def test_what_was_made_with_a_record_stays_where_that_is_refused(crm: CRM) -> None:
    def tagged(me: Any) -> None:
        account = me.accounts.create(name="甲")
        me.accounts.tag(account, "金")
        me.accounts.share(account, "r", user=me.actor.id)

    changeset = made(crm, tagged)
    made(crm, lambda me: me.activities.create(kind="note", subject="x", account=me.accounts.one(name="甲")))
    with crm.session(ADMIN) as me:
        told = buckets(me.undo(changeset))
        assert told == {"reverted": [], "kept": [], "refused": ["account", "share", "tag", "tagging"]}
        assert (me.accounts.where(F.tags.has("金")).count(), me.records("share").count()) == (1, 1)


def test_a_list_that_a_segment_names_keeps_its_members(crm: CRM) -> None:
    made(crm, lambda me: me.accounts.create_many({"name": f"甲 {n}"} for n in range(3)))
    changeset = made(crm, lambda me: me.segments.snapshot("Q4", of=me.accounts.where()))
    made(crm, lambda me: me.segments.create(name="late", on="account", where=in_segment("Q4")))
    with crm.session(ADMIN) as me:
        told = buckets(me.undo(changeset))
        assert told == {"reverted": [], "kept": [], "refused": ["segment", "tag", *["tagging"] * 3]}
        assert me.segments.size("Q4") == 3


@pytest.mark.parametrize("undone", ["taken off", "put on"])
def test_a_tag_does_not_come_back_beside_another_of_its_group(crm: CRM, undone: str) -> None:
    world: World = {}

    def tags(me: Any) -> None:
        for name in "甲乙丙":
            me.tags.create(name=name, group="级")
        world["account"] = me.accounts.create(name="客").id
        me.accounts.tag(world["account"], "甲")

    made(crm, tags)
    changeset = made(
        crm,
        lambda me: (
            me.accounts.untag(world["account"], "甲")
            if undone == "taken off"
            else me.accounts.tag(world["account"], "乙")
        ),
    )
    with crm.session(ADMIN, dry_run=True) as me:
        assert me.undo(changeset).kept == ()
        assert [name for name in "甲乙丙" if me.accounts.where(F.tags.has(name)).count()] == ["甲"]
    made(crm, lambda me: me.accounts.tag(world["account"], "丙"))
    with crm.session(ADMIN) as me:
        result = me.undo(changeset)
        assert (result.reverted, result.refused) == ((), ())
        assert "another tag of its group was put on since" in [entry.reason for entry in result.kept]
        assert [name for name in "甲乙丙" if me.accounts.where(F.tags.has(name)).count()] == ["丙"]


@pytest.mark.parametrize("since", ["anew", "not at all"])
def test_shares_of_a_deal_come_back_all_or_none(crm: CRM, since: str) -> None:
    world: World = {}
    made(crm, lambda me: sold(me, world))

    def split(bo: int) -> Callable[[Any], None]:
        return lambda me: me.deals.split(world["deal"], {me.actor.id: 100 - bo, world["bo"]: bo})

    changeset = made(crm, split(50))
    if since == "anew":
        made(crm, split(10))
    emptied = made(crm, lambda me: me.deals.split(world["deal"], {}))
    made(crm, split(20))
    for undone in (changeset, emptied):
        with crm.session(ADMIN) as me:
            before = state(me)
            result = me.undo(undone)
            assert (result.reverted, result.refused) == ((), ())
            assert result.kept
            assert state(me) == before


@pytest.mark.law
@given(st.dictionaries(st.integers(0, 9), st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12)), max_size=3)))
def test_each_comes_after_what_it_refers_to_but_for_the_references_that_were_cut(
    graph: dict[int, list[tuple[str, int]]],
) -> None:
    order, cut = targets_first(graph, graph.__getitem__)
    assert sorted(order) == sorted(graph)
    place = {node: n for n, node in enumerate(order)}
    late = {(n, name) for n in graph for name, to in graph[n] if to != n and place.get(to, -1) > place[n]}
    assert late == {(n, name) for n, names in cut.items() for name in names}
