"""A command is a verb of queries: one changeset, an outcome for each record, few statements."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM, F
from crmkit.errors import InvalidRecord
from crmkit.sdk import Command, Target, command, hookimpl
from tests.integration.snapshots import digest
from tests.staff import ADMIN, hire


@command("deal.praise")
class Praise(Command[None]):
    """A plugin's, which says nothing of many."""

    deal: Target
    word: str = "good"

    def run(self, me: Any) -> None:
        deal = me.deals.get(self.deal)
        if deal.name == "refused":
            raise InvalidRecord("not this one", code="not_this_one", field="name")
        me.deals.update(deal, loss_reason=None, name=deal.name if deal.name == self.word else self.word)


class Plugin:
    name = "praising"

    @hookimpl
    def crmkit_commands(self) -> Iterable[type[Command[Any]]]:
        return [Praise]


def deals(crm: CRM, number: int) -> list[UUID]:
    with crm.session(ADMIN) as me:
        return [me.deals.create(name=f"交易 {n}").id for n in range(number)]


def test_deals_move_in_one_changeset_with_an_outcome_each(crm: CRM) -> None:
    ids = deals(crm, 5)
    with crm.session(ADMIN) as me:
        other = me.pipelines.create(name="Partners")
        me.stages.create(pipeline=other, name="first", position=0)
        elsewhere = me.deals.create(name="elsewhere", pipeline=other)
        me.deals.move(ids[0], to="won")
    with crm.session(ADMIN) as me:
        result = me.deals.where().move(to="won", on=date(2023, 12, 24))
        moved = {o.id: (o.status, [p.code for p in o.problems]) for o in result.outcomes}
        assert moved == {
            **{i: ("updated", []) for i in ids},
            elsewhere.id: ("refused", ["unknown_stage"]),
        }
        changeset = me.changeset_id
    assert result.changeset_id == changeset
    with crm.session(ADMIN) as me:
        assert {d.outcome for d in me.deals.where(F.id.is_in(ids))} == {"won"}
        assert {d.closed_on for d in me.deals.where(F.id.is_in(ids))} == {date(2023, 12, 24)}
        assert [len(me.deals.intervals(i)) for i in ids] == [2] * 5
        undone = me.undo(changeset)
        assert not undone.refused
        assert [len(me.deals.intervals(i)) for i in ids] == [2, 1, 1, 1, 1]
        assert me.deals.get(elsewhere.id).stage == elsewhere.stage


def test_what_moves_many_sends_as_many_statements_for_a_hundred_as_for_ten(crm: CRM) -> None:
    def statements(number: int) -> int:
        ids = deals(crm, number)
        with crm.session(ADMIN) as me:
            before = me.unit.sent
            assert me.deals.where(F.id.is_in(ids)).move(to="proposal").counts == {"updated": number}
            return me.unit.sent - before

    statements(10)
    assert statements(100) == statements(10)


def test_a_dry_run_and_a_stop_keep_nothing(crm: CRM, migrated_url: str) -> None:
    deals(crm, 3)
    before = digest(migrated_url)
    told: list[int] = []
    with crm.session(ADMIN) as me:
        result = me.deals.where().move(to="won", dry_run=True, progress=told.append)
        assert (result.counts, result.changeset_id, sum(told)) == ({"updated": 3}, None, 3)
        with pytest.raises(InvalidRecord):
            me.deals.where().assign("nobody")
    assert digest(migrated_url) == before


@pytest.mark.parametrize("limit", [None, 2])
def test_a_command_that_says_nothing_of_many_is_done_one_by_one(
    open_crm: Callable[..., CRM], migrated_url: str, limit: int | None
) -> None:
    crm = open_crm(migrated_url, plugins=[Plugin()])
    with crm.session(ADMIN) as me:
        for name in ("a", "good", "refused"):
            me.deals.create(name=name)
    with crm.session(ADMIN) as me:
        query: Any = me.deals.where().order_by("name")
        result = (query if limit is None else query.limit(limit)).praise(word="good")
        statuses = [o.status for o in result.outcomes]
        assert statuses == ["updated", "unchanged", "refused"][:limit]
        with pytest.raises(AttributeError, match="no verb 'prais'"):
            query.prais()


def test_tags_owners_and_rights_go_by_query_too(crm: CRM) -> None:
    ids = deals(crm, 3)
    hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        bo = me.users.one(email="bo@acme.example")
        assert me.deals.where(F.id.is_in(ids)).tag("热").counts == {"updated": 3}
        assert me.deals.where(F.tags.has("热")).limit(2).assign(bo).counts == {"updated": 2}
        assert me.deals.where(owner=bo.id).count() == 2
        assert me.deals.where().untag("热").counts["updated"] == 3
    with crm.session("bo@acme.example") as me:
        assert me.deals.where().move(to="proposal").counts == {"updated": 2}
        assert me.users.where().assign(bo).counts.keys() == {"refused"}
