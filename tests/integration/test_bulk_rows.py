"""The rows of one bulk verb and one another: what one of them frees, keeps or refuses for the others."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from crmkit import CRM
from crmkit.errors import BulkStopped, NotFound, Vetoed
from crmkit.kernel.writes.batching import BLOCK
from crmkit.schema.types import Text
from crmkit.sdk import Veto, hookimpl
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN


class Keeper:
    """Lets nobody delete links of the kept account, and says so twice."""

    name = "keeper"
    listens_to = ("tagging",)

    def __init__(self) -> None:
        self.kept: set[Any] = set()

    @hookimpl
    def crmkit_before_change(self, changes: Any) -> Any:
        refused = [c for c in changes if c.kind == "delete" and c.before.record in self.kept]
        return [Veto(c.row, "kept for the auditors", "record", "kept") for c in refused for _ in range(2)]


def test_a_link_that_may_not_go_keeps_its_record_with_all_its_links_and_no_other(
    open_crm: Callable[..., CRM], migrated_url: str
) -> None:
    keeper = Keeper()
    crm = open_crm(migrated_url, plugins=[keeper])
    with crm.session(ADMIN) as me:
        kept, free = (me.accounts.create(name=name) for name in ("留", "走"))
        for account in (kept, free):
            me.accounts.tag(account, "vip")
            me.accounts.share(account, "holiday", user=me.actor.id)
        keeper.kept.add(kept.id)
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        with pytest.raises(BulkStopped) as stopped:
            me.accounts.delete_many([free.id, kept.id], stop=True)
        assert [(p.row, p.code) for p in stopped.value.problems] == [(1, "kept")]
        with pytest.raises(Vetoed, match="kept for the auditors"):
            me.accounts.delete(kept)
        assert me.changes == []
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        refused, deleted = me.accounts.where().delete().outcomes
        assert [(o.status, o.id) for o in (refused, deleted)] == [("refused", kept.id), ("deleted", free.id)]
        assert [(p.code, p.row, p.field) for p in refused.problems] == [("kept", 0, "record")]
    with crm.session(ADMIN) as me:
        assert [a.id for a in me.accounts] == [kept.id]
        assert [link.record for name in ("tagging", "share") for link in me.records(name)] == [kept.id] * 2
    assert broken(snapshot(migrated_url)) == []


# ------------------------------------------------------------------------------------------------------- references

DELETES: dict[str, Callable[[Any, Any], Any]] = {
    "where": lambda me, ids: me.accounts.where().delete(),
    "many": lambda me, ids: me.accounts.delete_many(iter(ids)),
    "many, the other way round": lambda me, ids: me.accounts.delete_many(reversed(ids)),
}


@pytest.mark.parametrize("verb", DELETES)
def test_records_that_go_together_do_not_keep_one_another_however_many_they_are(
    crm: CRM, migrated_url: str, verb: str
) -> None:
    """A group with more companies than are written together, and a chain of them as long."""
    count = BLOCK + 1
    with crm.session(ADMIN) as me:
        group = me.accounts.create(name="集团")
        subsidiaries = me.accounts.create_many({"name": f"子公司 {n}", "parent": group.id} for n in range(count)).ids
        chain = me.accounts.create_many({"name": f"层 {n}"} for n in range(count)).ids
        me.accounts.update_many((lower, {"parent": upper}) for upper, lower in pairwise(chain))
    ids = [group.id, *subsidiaries, *chain]
    with crm.session(ADMIN) as me:
        result = DELETES[verb](me, ids)
        assert result.counts == {"deleted": len(ids)}
        assert [o.row for o in result.outcomes] == [*range(len(ids))]
        assert sorted(result.ids) == sorted(ids)
        assert me.accounts.count() == 0
        assert len(me.changes) == len(ids)
    assert broken(snapshot(migrated_url)) == []


def test_what_stays_keeps_what_it_refers_to_and_that_is_told_once(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        group, free = me.accounts.create(name="集团"), me.accounts.create(name="free")
        me.accounts.create_many({"name": f"子公司 {n}", "parent": group.id} for n in range(BLOCK))
        sold = me.accounts.create(name="sold", parent=group)
        deal = me.deals.create(name="Rollout", account=sold)
    with crm.session(ADMIN) as me:
        told: list[int] = []
        result = me.accounts.where().delete(progress=told.append)
        assert sum(told) == len(result) == BLOCK + 3
        assert [(o.id, [p.code for p in o.problems]) for o in result.refused] == [
            (group.id, ["referenced"]),
            (sold.id, ["referenced"]),
        ]
        with pytest.raises(BulkStopped) as stopped:
            me.accounts.where().delete(stop=True)
        assert {p.code for p in stopped.value.problems} == {"referenced"}
    with crm.session(ADMIN) as me:
        assert {a.id for a in me.accounts} == {group.id, sold.id}
        assert (me.accounts.get(sold.id).parent, me.deals.get(deal.id).account) == (group.id, sold.id)
        with pytest.raises(NotFound):
            me.accounts.get(free.id)
    assert broken(snapshot(migrated_url)) == []


# ---------------------------------------------------------------------------------------------------- unique values


@pytest.mark.parametrize("apart", [1, BLOCK - 1, BLOCK])
def test_a_later_row_may_have_the_unique_value_that_an_earlier_one_gives_up(crm: CRM, apart: int) -> None:
    """And not the other way round, however far apart they are."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        ids = me.accounts.create_many({"name": f"客户 {n}", "code": f"c{n}"} for n in range(apart + 1)).ids
    between = [(i, {"headcount": 1}) for i in ids[1:-1]]
    giving, taking = (ids[0], {"code": "other"}), (ids[-1], {"code": "C0"})
    with crm.session(ADMIN) as me:
        early = me.accounts.update_many([taking, *between, giving], dry_run=True)
        assert [(o.id, o.problems[0].code) for o in early.refused] == [(ids[-1], "duplicate")]
        assert me.accounts.update_many([giving, *between, taking]).counts == {"updated": len(ids)}
    with crm.session(ADMIN) as me:
        assert (me.accounts.get(ids[0]).code, me.accounts.get(ids[-1]).code) == ("other", "C0")


def test_a_row_that_is_refused_neither_takes_nor_gives_up_a_unique_value(crm: CRM) -> None:
    """Every unique value that is taken is told at once."""
    with crm.session(ADMIN) as me:
        for key in ("code", "tax_number"):
            me.fields.add("account", key, Text(), unique=True)
        one, two, three = me.accounts.create_many(
            [{"name": n, "code": n, "tax_number": f"No. {n}"} for n in ("a", "b", "c")]
        ).ids
    with crm.session(ADMIN) as me:
        result = me.accounts.update_many(
            [
                (one, {"code": "x", "tax_number": "no. c"}),
                (two, {"code": "A"}),
                (three, {"code": "X"}),
                (one, {"code": "b", "tax_number": "NO. C"}),
            ]
        )
        assert [[p.field for p in o.problems] for o in result.outcomes] == [
            ["tax_number"],
            ["code"],
            [],
            ["code", "tax_number"],
        ]
        assert [a.code for a in me.accounts.order_by("name")] == ["a", "b", "X"]
