"""Deals in their pipeline: intervals, gates, what the stage decides and what a person does."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from crmkit import CRM, F, Money
from crmkit.errors import InputError, InvalidRecord, NotFound, Vetoed
from crmkit.kernel.session.health import examine
from crmkit.kernel.writes.results import Raising
from crmkit.testing import FakeClock
from tests.staff import ADMIN, hire


def stays(me: Any, deal: Any) -> list[tuple[str, datetime, datetime | None]]:
    """Where the deal was, oldest first: the name of the stage, came, left."""
    names = {stage.id: stage.name for stage in me.stages}
    found = me.records("stage_interval").where(deal=deal.id).order_by("entered")
    return [(names[i.stage], i.entered, i.left) for i in found]


def sound(me: Any, deal: Any) -> bool:
    """Each interval ends where the next begins, the last has not ended, and that is where the deal is."""
    found = sorted(me.records("stage_interval").where(deal=deal.id), key=lambda i: (i.entered, i.left is None, i.id))
    now = me.deals.get(deal.id)
    chain = all(one.left == following.entered for one, following in pairwise(found))
    return chain and (found[-1].left, found[-1].stage, found[-1].entered) == (None, now.stage, now.stage_since)


def problem(error: pytest.ExceptionInfo[Any]) -> tuple[str, str | None]:
    return error.value.problems[0].code, error.value.problems[0].field


def test_each_stay_in_a_stage_is_an_interval(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout 客户", amount=Money(100, "EUR"))
        first = deal.stage_since
    clock.move(days=3)
    with crm.session(ADMIN) as me:
        me.deals.update(deal, amount=Money(200, "EUR"))
        moved = me.deals.move(deal.id, to="proposal")
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        back = me.deals.move(deal.id, to="new")
    with crm.session(ADMIN) as me:
        assert stays(me, deal) == [
            ("new", first, moved.stage_since),
            ("proposal", moved.stage_since, back.stage_since),
            ("new", back.stage_since, None),
        ]
        intervals = list(me.records("stage_interval").where(deal=deal.id).order_by("entered"))
        assert [i.amount for i in intervals] == [Money(100, "EUR"), Money(200, "EUR"), Money(200, "EUR")]
        assert [i.position for i in intervals] == [0, 2, 0]
        assert {i.by for i in intervals} == {me.actor.id}
        assert sound(me, deal)
    assert moved.stage_since > first + timedelta(days=3)


def test_a_bulk_move_leaves_intervals_too(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        made = me.deals.create_many([{"name": f"deal {n}"} for n in range(5)], stop=True)
        stage = me.stages.one(name="qualified")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.deals.where(F.name != "deal 0").update(stage=stage)
        deals = me.deals.get_many(made.ids)
        assert [len(stays(me, deals[i])) for i in made.ids] == [1, 2, 2, 2, 2]
        assert all(sound(me, deal) for deal in deals.values())


def test_a_deal_says_since_when_it_is_where_it_is(crm: CRM, clock: FakeClock) -> None:
    """The instant can be told, and told better later; the stage before was left then."""
    came = datetime(2023, 5, 1, 12, tzinfo=UTC)
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="old", stage_since=came)
        left = came + timedelta(days=10)
        deal = me.deals.move(deal, to="qualified", since=left)
        assert stays(me, deal) == [("new", came, left), ("qualified", left, None)]
        deal = me.deals.update(deal, stage_since=left - timedelta(days=1))
        assert stays(me, deal) == [
            ("new", came, left - timedelta(days=1)),
            ("qualified", left - timedelta(days=1), None),
        ]
        assert sound(me, deal)


def test_a_time_that_cannot_be_is_refused(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="now")
        before = stays(me, deal)
        with pytest.raises(Vetoed) as error:
            me.deals.move(deal, to="proposal", since=deal.stage_since - timedelta(days=1))
        assert problem(error) == ("left_before_entered", "stage_since")
        with pytest.raises(Vetoed) as error:
            me.deals.update(deal, stage_since=clock.now() + timedelta(days=2))
        assert problem(error) == ("in_the_future", "stage_since")
        assert stays(me, deal) == before
        assert me.deals.get(deal.id) == deal
    clock.move(days=3)
    with crm.session(ADMIN) as me:
        moved, came = me.deals.move(deal, to="proposal"), deal.stage_since
        with pytest.raises(Vetoed) as error:
            me.deals.update(moved, stage_since=came - timedelta(seconds=1))
        assert problem(error) == ("left_before_entered", "stage_since")
        me.deals.update(moved, stage_since=came)
        assert [stay[1:] for stay in stays(me, deal)] == [(came, came), (came, None)]


def test_undoing_a_move_takes_its_interval_back(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        before = stays(me, deal)
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="proposal")
        changeset = me.changeset_id
    with crm.session(ADMIN) as me:
        assert changeset is not None
        result = me.undo(changeset)
        assert not result.refused
        assert not result.kept
        assert stays(me, deal) == before
        assert me.deals.get(deal.id).stage == deal.stage
        assert sound(me, deal)


def test_undoing_a_move_after_another_leaves_both(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="proposal")
        changeset = me.changeset_id
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="negotiation")
        before = stays(me, deal)
    with crm.session(ADMIN) as me:
        assert changeset is not None
        assert me.undo(changeset).kept
        assert stays(me, deal) == before
        assert sound(me, deal)


def test_a_way_there_and_back_is_taken_back_unless_the_deal_was_moved_since(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        before = stays(me, deal)
    with crm.session(ADMIN) as me:
        for stage in ("proposal", "negotiation", "new"):
            me.deals.move(deal.id, to=stage, since=deal.stage_since)
        changeset = me.changeset_id
        assert len(stays(me, deal)) == 4
    assert changeset is not None
    with crm.session(ADMIN, dry_run=True) as me:
        result = me.undo(changeset)
        assert (len(result.reverted), result.kept, result.refused) == (4, (), ())
        assert stays(me, deal) == before
        assert sound(me, deal)
    with crm.session(ADMIN) as me:
        for stage in ("proposal", "new"):
            me.deals.move(deal.id, to=stage, since=deal.stage_since)
    with crm.session(ADMIN) as me:
        result = me.undo(changeset)
        assert (result.reverted, len(result.kept), result.refused) == ((), 4, ())


def test_whoever_may_move_a_deal_may_take_the_move_back(crm: CRM, clock: FakeClock) -> None:
    """A rep has no rights to intervals, and needs none."""
    hire(crm, "bo@acme.example", "rep")
    with crm.session("bo@acme.example") as me:
        deal = me.deals.create(name="Rollout")
    clock.move(days=1)
    with crm.session("bo@acme.example") as me:
        me.deals.move(deal.id, to="proposal")
        changeset = me.changeset_id
    with crm.session("bo@acme.example") as me:
        assert changeset is not None
        result = me.undo(changeset)
        assert not result.refused
    with crm.session(ADMIN) as me:
        assert [name for name, _, _ in stays(me, deal)] == ["new"]
        assert sound(me, deal)


def test_deleting_a_deal_takes_its_intervals_and_undo_brings_them_back(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        deal = me.deals.move(deal, to="proposal")
        before = stays(me, deal)
    with crm.session(ADMIN) as me:
        me.deals.delete(deal.id)
        changeset = me.changeset_id
        assert stays(me, deal) == []
    with crm.session(ADMIN) as me:
        assert changeset is not None
        assert not me.undo(changeset).refused
        assert stays(me, deal) == before


def test_a_stage_that_was_ever_used_cannot_be_deleted(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        me.deals.move(deal, to="proposal")
        first = me.stages.one(name="new")
        with pytest.raises(InvalidRecord) as error:
            me.stages.delete(first)
        assert problem(error)[0] == "referenced"
        assert len(stays(me, deal)) == 2


def test_a_renamed_stage_breaks_nothing(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        me.stages.update(me.stages.one(name="won"), name="赢单")
        won = me.deals.move(deal, to="赢单")
        assert won.outcome == "won"
        assert won.closed_on == me.today
        with pytest.raises(NotFound):
            me.deals.move(deal.id, to="won")


def test_reopening_clears_what_closing_left(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout", expected_close=date(2024, 9, 1))
        lost = me.deals.move(deal, to="lost", loss_reason="price", on=date(2024, 1, 5))
        assert (lost.closed_on, lost.loss_reason, lost.credited_to) == (date(2024, 1, 5), "price", me.actor.id)
        again = me.deals.move(lost, to="proposal")
        assert (again.closed_on, again.loss_reason, again.credited_to) == (None, None, None)
        assert again.expected_close == date(2024, 9, 1)
        assert [name for name, _, _ in stays(me, deal)] == ["new", "lost", "proposal"]


def test_credit_stays_with_whoever_closed_it(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        won = me.deals.move(deal, to="won")
        assert me.deals.assign(won, bo).credited_to == me.actor.id


def test_a_deal_is_won_by_moving_it(crm: CRM) -> None:
    """An outcome beside the stage is refused unless it says the same; it would be nothing, without a word."""
    with crm.session(ADMIN) as me:
        won, deal = me.stages.one(name="won"), me.deals.create(name="Rollout")
        for attempt in (
            lambda: me.deals.create(name="大单", outcome="won"),
            lambda: me.deals.update(deal, outcome="won"),
            lambda: me.deals.update(deal, outcome="open", stage=won),
        ):
            with pytest.raises(Vetoed) as error:
                attempt()
            assert problem(error) == ("automatic", "outcome")
        assert [d.outcome for d in me.deals] == ["open"]
        rows = [{"name": "b", "stage": str(won.id), "outcome": given} for given in ("won", "")]
        made = me.deals.create_many(rows, form="text", stop=True)
        assert [me.deals.get(i).outcome for i in made.ids] == ["won", "won"]
        assert me.deals.update(deal, outcome="won", stage=won).outcome == "won"


@pytest.mark.parametrize("kind", ["won", "lost"])
@pytest.mark.parametrize("road", ["move", "update", "update_many", "where"])
def test_a_deal_that_goes_on_within_its_outcome_was_closed_when_it_was_closed(
    crm: CRM, clock: FakeClock, kind: str, road: str
) -> None:
    with crm.session(ADMIN) as me:
        sales, owner = me.pipelines.one(name="Sales"), me.users.create(email="bo@acme.example", name="Bo")
        other = me.stages.create(name="归档", pipeline=sales, position=90, kind=kind)
        deal = me.deals.move(me.deals.create(name="Rollout"), to=kind, loss_reason="price" if kind == "lost" else None)
    clock.move(days=100)
    with crm.session(ADMIN) as me:
        me.deals.assign(deal.id, owner)
        match road:
            case "move":
                me.deals.move(deal.id, to=other)
            case "update":
                me.deals.update(deal.id, stage=other)
            case "update_many":
                assert not me.deals.update_many([(deal.id, {"stage": other})]).refused
            case _:
                assert not me.deals.where(name="Rollout").update(stage=other).refused
        now = me.deals.get(deal.id)
        assert (now.stage, now.outcome) == (other.id, kind)
        assert (now.closed_on, now.credited_to) == (deal.closed_on, deal.credited_to)
        assert now.loss_reason == deal.loss_reason
        said = me.deals.move(now, to=kind, on=date(2024, 1, 9))
        assert said.closed_on == date(2024, 1, 9)


def test_a_deal_is_not_closed_on_a_day_to_come(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal, tomorrow = me.deals.create(name="Rollout"), me.today + timedelta(days=1)
        with pytest.raises(Vetoed) as error:
            me.deals.move(deal, to="won", on=tomorrow)
        assert problem(error) == ("in_the_future", "closed_on")
        deal = me.deals.move(deal, to="won", on=me.today)
        with pytest.raises(Vetoed) as error:
            me.deals.update(deal, closed_on=tomorrow)
        assert problem(error) == ("in_the_future", "closed_on")
        assert me.deals.get(deal.id).closed_on == me.today


def test_what_a_person_thinks_stands_beside_what_the_stage_says(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout", manual_probability=Decimal(42), manual_category="commit")
        deal = me.deals.move(deal, to="proposal")
        assert (deal.probability, deal.manual_probability) == (Decimal(50), Decimal(42))
        assert (deal.forecast_category, deal.manual_category) == ("pipeline", "commit")
        with pytest.raises(Vetoed) as error:
            me.deals.update(deal, probability=Decimal(99))
        assert problem(error) == ("automatic", "probability")
        assert me.deals.get(deal.id).probability == Decimal(50)


def test_a_loss_needs_a_reason_from_the_list(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.pipelines.update(me.pipelines.one(name="Sales"), loss_reasons=["Price", "竞争对手"])
        deal = me.deals.create(name="Rollout")
        for reason in (None, "weather"):
            with pytest.raises(Vetoed) as error:
                me.deals.move(deal, to="lost", loss_reason=reason)
            assert problem(error) == ("loss_reason", "loss_reason")
            assert me.deals.get(deal.id).outcome == "open"
        assert me.deals.move(deal, to="lost", loss_reason="price").loss_reason == "Price"


def test_a_stage_that_is_not_active_takes_no_more_deals(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        me.stages.update(me.stages.one(name="proposal"), active=False)
        with pytest.raises(Vetoed) as error:
            me.deals.move(deal, to="proposal")
        assert problem(error) == ("inactive", "stage")


def test_the_kind_of_a_stage_with_deals_is_fixed(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.deals.create(name="Rollout")
        with pytest.raises(InvalidRecord) as error:
            me.stages.update(me.stages.one(name="new"), kind="lost")
        assert problem(error) == ("in_use", "kind")
        assert me.stages.update(me.stages.one(name="proposal"), kind="lost").kind == "lost"


def test_a_gate_holds_on_every_road(crm: CRM) -> None:
    """Verb, update, bulk update, import: the same condition."""
    with crm.session(ADMIN) as me:
        stage = me.stages.one(name="proposal")
        me.records("stage_gate").create(to_stage=stage, where="amount > money('1000', 'EUR')", label="large enough")
        small = me.deals.create(name="small", amount=Money(10, "EUR"))
        with pytest.raises(Vetoed, match="large enough") as error:
            me.deals.move(small, to="proposal")
        assert problem(error) == ("gate_condition", "stage")
        with pytest.raises(Vetoed):
            me.deals.update(small, stage=stage)
        assert me.deals.where(name="small").update(stage=stage).refused
        made = me.deals.create_many(
            [{"name": "中", "stage": stage}, {"name": "b", "stage": stage, "amount": Money(2_000, "EUR")}]
        )
        assert [outcome.status for outcome in made.outcomes] == ["refused", "created"]
        assert me.deals.update(small, stage=stage, amount=Money(5_000, "EUR")).stage == stage.id


def test_a_gate_may_need_a_right(crm: CRM) -> None:
    hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        me.records("stage_gate").create(to_stage=me.stages.one(name="negotiation"), action="approve")
    with crm.session("bo@acme.example") as me:
        deal = me.deals.create(name="Rollout")
        with pytest.raises(Vetoed) as error:
            me.deals.move(deal, to="negotiation")
        assert problem(error) == ("gate_denied", "stage")
    with crm.session(ADMIN) as me:
        assert me.deals.move(deal.id, to="negotiation").version == 2


def test_a_strict_pipeline_leads_only_where_a_gate_leads(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        me.pipelines.update(me.pipelines.one(name="Sales"), strict=True)
        stages = {stage.name: stage for stage in me.stages}
        me.records("stage_gate").create(from_stage=stages["new"], to_stage=stages["qualified"])
        deal = me.deals.create(name="Rollout")
        with pytest.raises(Vetoed) as error:
            me.deals.move(deal, to="proposal")
        assert problem(error) == ("no_way", "stage")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="qualified")
        changeset = me.changeset_id
    with crm.session(ADMIN) as me:
        assert changeset is not None
        assert not me.undo(changeset).refused


def test_a_gate_that_means_nothing_is_refused(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        for bad in ({"where": "colour == 'red'"}, {"action": "fly"}):
            with pytest.raises(InputError) as error:
                me.records("stage_gate").create(to_stage=me.stages.one(name="won"), **bad)
            assert problem(error)[0] in ("unknown_field", "unknown_action")
        assert me.records("stage_gate").count() == 0


def test_a_deal_that_comes_back_comes_back_as_it_was(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout", amount=Money(5, "EUR"))
        made = me.changeset_id
    clock.move(days=3)
    with crm.session(ADMIN) as me:
        me.deals.update(deal.id, amount=Money(9, "EUR"))
        me.deals.delete(deal.id)
        changeset = me.changeset_id
    clock.move(days=3)
    with crm.session(ADMIN) as me:
        assert changeset is not None
        assert made is not None
        assert not me.undo(changeset).refused
        again = me.deals.get(deal.id)
        assert (again.amount, again.stage_since) == (deal.amount, deal.stage_since)
        assert again.version == 3
        assert sound(me, deal)
    with crm.session(ADMIN) as me:
        assert not me.undo(made).kept
        assert me.deals.count() == 0


def test_what_others_have_linked_to_since_stays(crm: CRM) -> None:
    """Undoing the first use of a tag does not take it off what others have put it on."""
    with crm.session(ADMIN) as me:
        one, other = me.accounts.create(name="one"), me.accounts.create(name="other")
    with crm.session(ADMIN) as me:
        me.accounts.tag(one, "vip")
        changeset = me.changeset_id
    with crm.session(ADMIN) as me:
        me.accounts.tag(other, "vip")
    with crm.session(ADMIN) as me:
        assert changeset is not None
        result = me.undo(changeset)
        assert [(entry.type_key, entry.reason) for entry in result.kept] == [("tag", "others have used it since")]
        assert [account.name for account in me.accounts.where("'vip' in tags")] == ["other"]


def test_the_doctor_names_histories_that_cannot_be(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        deal = me.deals.move(deal, to="proposal")
    assert ("ok", "possible") in found_of(crm)
    with crm.session(ADMIN) as me:
        first = next(i for i in me.records("stage_interval").where(deal=deal.id) if i.left is not None)
        me.records("stage_interval").update(first, left=first.entered - timedelta(days=1))
    ((status, detail),) = found_of(crm)
    assert status == "problem"
    assert str(deal.id) in detail
    assert "before it entered it" in detail


def found_of(crm: CRM) -> list[tuple[str, str]]:
    return [(f.status, f.detail) for f in examine(crm, crm.session) if f.what == "histories of deals in default"]


def test_the_doctor_names_deals_whose_shares_do_not_add_up(crm: CRM) -> None:
    def told() -> list[tuple[str, str]]:
        return [(f.status, f.detail) for f in examine(crm, crm.session) if f.what == "shares of deals in default"]

    with crm.system() as me:
        user, deal = me.users.one(email=ADMIN), me.deals.create(name="大单")
        me.deals.split(me.deals.create(name="whole"), {user: 100})
    assert told() == [("ok", "add up to 100")]
    with crm.system() as me:
        rows = [(0, {"deal": deal, "user": user, "share": "10"})]
        me.writes(trusted=True).create("deal_split", rows, Raising())
    ((status, detail),) = told()
    assert status == "problem"
    assert f"大单 ({deal.id}) is split into 10 %" in detail
    assert "whole" not in detail
    with crm.session(ADMIN) as me:
        me.deals.split(deal.id, {})
    assert told() == [("ok", "add up to 100")]


def test_a_deal_has_three_clocks(crm: CRM, clock: FakeClock) -> None:
    """Age, dwell, idle: an edit of an old deal restarts none of them, and a machine's e-mail is no contact."""
    with crm.session(ADMIN) as me:
        me.stages.update(me.stages.one(name="new"), idle_days=14)
        deal = me.deals.create(name="old")
        assert me.deals.clocks(deal).rotten is None
    clock.move(days=30)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="proposal")
        called = {"kind": "call", "subject": "hello", "deal": deal.id}
        me.activities.create(**called, at=clock.now() - timedelta(days=1))
        me.activities.create(kind="email", subject="news", deal=deal.id, at=clock.now(), automatic=True)
        me.activities.create(kind="note", subject="note", deal=deal.id, at=clock.now())
        me.activities.create(**called, at=clock.now() + timedelta(days=3))
    clock.move(days=10)
    with crm.session(ADMIN) as me:
        me.deals.move(deal.id, to="new")
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        me.deals.update(deal.id, amount=Money(7, "EUR"))
        clocks = me.deals.clocks(deal.id)
        assert [getattr(clocks, name).days for name in ("age", "current", "latest", "first", "cumulative")] == [
            *(42, 2, 30, 30, 32)
        ]
        assert clocks.idle is not None
        assert clocks.idle.days == 9
        assert clocks.rotten is False
    clock.move(days=6)
    with crm.session(ADMIN) as me:
        assert me.deals.clocks(deal.id).rotten is True


def test_whoever_may_read_a_deal_sees_where_it_was(crm: CRM) -> None:
    hire(crm, "bo@acme.example", "rep")
    with crm.session("bo@acme.example") as me:
        mine = me.deals.move(me.deals.create(name="mine"), to="won")
        assert [i.kind for i in me.deals.intervals(mine)] == ["open", "won"]
    with crm.session(ADMIN) as me:
        hers = me.deals.create(name="hers")
    with crm.session("bo@acme.example") as me:
        for ask in (me.deals.intervals, me.deals.clocks):
            with pytest.raises(NotFound):
                ask(hers.id)


def test_editing_a_pipeline_makes_a_version_of_it(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        pipeline = me.pipelines.one(name="Sales")
        deal = me.deals.move(me.deals.create(name="Rollout"), to="proposal")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.stages.update(me.stages.one(name="proposal"), name="报价", position=9)
        me.stages.delete(me.stages.one(name="negotiation"))
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.pipelines.update(pipeline, strict=True)
    with crm.session(ADMIN) as me:
        versions = me.pipelines.versions(pipeline)
        assert [version.number for version in versions] == [1, 2, 3]
        names = [[stage.name for stage in version.stages] for version in versions]
        assert names[0] == ["new", "qualified", "proposal", "negotiation", "won", "lost"]
        assert names[1] == names[2] == ["new", "qualified", "won", "lost", "报价"]
        assert [version.pipeline.strict for version in versions] == [False, False, True]
        assert [i.position for i in me.deals.intervals(deal)] == [0, 2]


def test_a_deal_is_split_as_a_whole(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        ana, deal = me.actor.id, me.deals.create(name="Rollout")
        hired = me.users.create(name="Cy", email="cy@acme.example")
        me.deals.split(deal, {ana: 70, bo: 30})

        def shares() -> dict[Any, Decimal]:
            return {split.user: split.share for split in me.records("deal_split")}

        assert shares() == {ana: 70, bo: 30}
        for bad in ({ana: 70}, {ana: 130, bo: -30}, {ana: 100, bo: 0}, [ana], {deal.id: 100}):
            with pytest.raises(InputError):
                me.deals.split(deal, bad)
            assert shares() == {ana: 70, bo: 30}
        for by_hand in (
            lambda splits: splits.create(deal=deal, user=hired.id, share="10"),
            lambda splits: splits.update(next(iter(splits)), share="10"),
            lambda splits: splits.delete(next(iter(splits))),
        ):
            with pytest.raises(InvalidRecord) as error:
                by_hand(me.records("deal_split"))
            assert problem(error)[0] == "not_by_hand"
            assert shares() == {ana: 70, bo: 30}
        me.deals.split(deal, {})
        assert shares() == {}
    with crm.session("bo@acme.example") as me, pytest.raises(NotFound):
        me.deals.split(deal, {bo: 100})


def test_who_may_not_read_where_a_deal_is_or_what_it_is_worth_does_not_read_it_of_its_past(crm: CRM) -> None:
    hire(crm, "eve@acme.example", pipeline="read", stage="read")
    hire(crm, "max@acme.example", pipeline="read", stage="read")
    with crm.session(ADMIN) as me:
        for name, hidden in (("eve", "amount"), ("max", "stage")):
            role = me.roles.one(name=f"role of {name}@acme.example")
            fields = [f.key for f in me.type_of("deal").fields if f.key != hidden]
            me.records("grant").create(role=role, on="deal", action="read", scope="all", fields=fields)
        deal = me.deals.create(name="Rollout", amount=Money(7, "EUR"))
    with crm.session("eve@acme.example") as me:
        assert [i.amount for i in me.deals.intervals(deal.id)] == [None]
        assert [spell.amount for spell in me.metrics().spells()] == [None]
        assert me.metrics().funnel(amounts="then").steps[0].amount.value is None
    with crm.session("max@acme.example") as me:
        assert me.deals.intervals(deal.id) == ()
        assert list(me.metrics().spells()) == []
        assert list(me.metrics().faults()) == [], "what may not be read is not impossible"
        assert me.metrics().funnel().excluded == {"stage_not_readable": 1}


def test_what_was_brought_back_and_taken_back_again_comes_back(crm: CRM) -> None:
    """Undoing a restore, and then the delete, are two undos; a delete on purpose in between still counts."""
    with crm.session(ADMIN) as me:
        account = me.accounts.create(name="ACME")
    changesets = []
    for step in (lambda me: me.accounts.delete(account.id), lambda me: me.undo(changesets[0])):
        with crm.session(ADMIN) as me:
            step(me)
            assert me.changeset_id is not None
            changesets.append(me.changeset_id)
    with crm.session(ADMIN) as me:
        assert not me.undo(changesets[1]).refused
        assert me.accounts.count() == 0
    with crm.session(ADMIN) as me:
        assert not me.undo(changesets[0]).refused
        assert me.accounts.get(account.id).name == "ACME"
    with crm.session(ADMIN) as me:
        me.accounts.delete(account.id)
    with crm.session(ADMIN) as me:
        assert [entry.problems[0].code for entry in me.undo(changesets[0]).refused] == ["not_last"]


def test_what_a_session_keeps_of_stages_follows_what_is_written(crm: CRM) -> None:
    """By the session itself, by others between its units of work, and whatever is taken back."""
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="Rollout")
        proposal = me.stages.one(name="proposal")
        me.stages.update(proposal, active=False)
        with pytest.raises(Vetoed) as refused:
            me.deals.move(deal, to="proposal")
        assert problem(refused)[0] == "inactive"
        me.stages.update(proposal.id, active=True)
        me.stages.update_many([(proposal.id, {"active": False})], dry_run=True)
        deal = me.deals.move(deal, to="proposal")
        new = me.stages.create(pipeline=proposal.pipeline, name="签约", position=50, kind="won")
        assert me.deals.move(deal, to="签约").stage == new.id
        me.commit()
        with crm.session(ADMIN) as other:
            other.stages.update(other.stages.one(name="new"), name="renamed", active=False)
        with pytest.raises(NotFound):
            me.deals.move(deal.id, to="new")
        with pytest.raises(Vetoed):
            me.deals.move(deal.id, to="renamed")
