"""Segments: what is in them, lists that stay, who comes and who leaves, and the ready-made ones."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM, F, Money
from crmkit.errors import CrmkitError, Denied, InputError, InvalidQuery, InvalidRecord, Vetoed
from crmkit.features.segments.collection import Overlap
from crmkit.query import in_segment
from crmkit.sdk import hookimpl
from crmkit.testing import FakeClock
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN, grant, hire


def names(query: Any) -> list[str]:
    return sorted(record.name for record in query)


class Told:
    """Remembers what it was told of segments; fails the first ``failures`` times."""

    name = "told"

    def __init__(self, failures: int = 0) -> None:
        self.heard: list[tuple[str, tuple[UUID, ...], tuple[UUID, ...]]] = []
        self.failures = failures

    @hookimpl
    def crmkit_segment_changed(self, session: Any, segment: Any, entered: Any, left: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError("oh")
        self.heard.append((segment.name, entered, left))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def crm(open_crm: Callable[..., CRM], migrated_url: str, told: Told) -> CRM:
    """Three accounts, a segment of the large ones, and a plugin that listens."""
    crm = open_crm(migrated_url, plugins=[told])
    with crm.session(ADMIN) as me:
        rows = [{"name": name, "headcount": count} for name, count in (("大客户", 900), ("Bolt", 90), ("Core", 9))]
        me.accounts.create_many(rows, stop=True)
        me.segments.create(name="大", on="account", where="headcount >= 100")
        me.segments.create(name="not small", on="account", where=F.headcount >= 50)
    return crm


def account(me: Any, name: str) -> Any:
    return me.accounts.one(name=name)


# -------------------------------------------------------------------------------------------------------------- algebra


def test_a_segment_tells_its_members_its_size_and_why(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        assert names(me.segments.members("大")) == ["大客户"]
        assert names(me.segments.members("not small").where(F.name != "Bolt").order_by("-name")) == ["大客户"]
        assert (me.segments.size("大"), me.segments.size(me.segments.one(name="not small"))) == (1, 2)
        why = me.segments.explain("大", account(me, "Bolt"))
        assert (why.held, why.children[0].text) == (False, "headcount >= 100")
        assert me.segments.overlap("大", "not small") == Overlap(both=1, only_a=0, only_b=1)
        assert names(me.segments.difference("not small", "大")) == ["Bolt"]
        assert names(me.segments.common("not small", "大")) == ["大客户"]


def test_what_is_unknown_is_in_no_segment_and_in_the_difference(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.create(name="unknown")
        me.segments.create(name="all", on="account", where=F.name.not_null())
        assert names(me.segments.difference("all", "大")) == ["Bolt", "Core", "unknown"]
        found = me.segments.overlap("all", "大")
        assert (found.both, found.only_a, found.only_b) == (1, 3, 0)


def test_a_rep_is_told_of_what_is_theirs(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        me.accounts.update(account(me, "Bolt"), owner=bo)
    with crm.session("bo@acme.example") as me:
        assert names(me.segments.members("not small")) == ["Bolt"]
        assert me.segments.overlap("not small", "大") == Overlap(0, 1, 0)
        with pytest.raises(Denied):
            me.segments.snapshot("mine", of="not small")
        with pytest.raises(Denied):
            me.segments.watch("大")
        with pytest.raises(Denied):
            me.segments.make_tiers()
        with pytest.raises(Denied):
            me.segments.refresh()


def listing(me: Any) -> Any:
    return me.segments.one(name="list")


@pytest.mark.parametrize(
    ("attempt", "code"),
    [
        (lambda me: me.segments.members("none"), "not_found"),
        (lambda me: me.segments.size(""), "not_found"),
        (lambda me: me.segments.members(None), "not_found"),
        (lambda me: me.segments.members(7), "not_an_id"),
        (lambda me: me.segments.overlap("大", "deals"), "other_type"),
        (lambda me: me.segments.explain("大", UUID(int=5)), "not_found"),
        (lambda me: me.segments.sizes("大", [datetime(2024, 1, 1)]), "naive_datetime"),
        (lambda me: me.segments.sizes("大", [datetime(2124, 1, 1, tzinfo=UTC)]), "in_the_future"),
        (lambda me: me.segments.snapshot("大", of="大"), "duplicate"),
        (lambda me: me.segments.snapshot("x", of="none"), "not_found"),
        (lambda me: me.segments.snapshot("", of="大"), "required"),
        (lambda me: me.segments.refresh("大"), "not_watched"),
        (lambda me: me.segments.refresh("none"), "not_found"),
        (lambda me: me.segments.make_tiers(60, 30), "bad_days"),
        (lambda me: me.segments.under_followed(10_000), "bad_worklist"),
        (lambda me: me.segments.under_followed(Money(1, "EUR"), on="lead"), "bad_worklist"),
        (lambda me: me.segments.under_followed(Money(1, "EUR"), days="3"), "bad_days"),
        (lambda me: me.segments.worklist(Money(1, "EUR"), days=-5), "bad_days"),
        (lambda me: me.segments.worklist(Money(1, "EUR"), days=-5, on="account"), "bad_days"),
        (lambda me: me.segments.rfm(currency="euro"), "bad_currency"),
        (lambda me: me.segments.rfm(monetary="median"), "bad_monetary"),
        (lambda me: me.segments.make_rfm(window="year"), "bad_days"),
        (lambda me: me.segments.make_rfm(window=-1), "bad_days"),
        (lambda me: me.segments.worklist(Money(1, "EUR"), on="account", size="all"), "bad_limit"),
        (lambda me: me.segments.sizes("大", ["yesterday"]), "not_a_datetime"),
        (lambda me: me.segments.sizes("大", None), "not_instants"),
        (lambda me: me.segments.sizes("大", datetime(2024, 1, 1, tzinfo=UTC)), "not_instants"),
        (lambda me: me.segments.explain("大", None), "not_an_id"),
        (lambda me: me.segments.create(name="s", on="account", where=F.headcount > 1, kind="snapshot"), "not_by_hand"),
        (lambda me: me.segments.update(me.segments.one(name="大"), kind="snapshot"), "not_by_hand"),
        (lambda me: me.segments.update(me.segments.one(name="大"), roll=listing(me).roll), "not_by_hand"),
        (lambda me: me.segments.update(listing(me), kind="live"), "not_by_hand"),
        (lambda me: me.segments.update(listing(me), where=F.headcount < 1), "not_by_hand"),
        (lambda me: me.segments.snapshot("x", of=None), "not_found"),
        (lambda me: me.segments.make_rfm(prefix="x" * 101), "too_long"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_happens(
    crm: CRM, migrated_url: str, attempt: Callable[[Any], Any], code: str
) -> None:
    with crm.session(ADMIN) as me:
        me.segments.create(name="deals", on="deal", where='outcome == "open"')
        me.segments.snapshot("list", of="大")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me, pytest.raises(InputError) as refused:
        attempt(me)
    assert refused.value.code == code
    assert digest(migrated_url) == before


# ------------------------------------------------------------------------------------------------------- size over time


def test_the_size_over_time_is_of_the_records_as_they_stood(crm: CRM, clock: FakeClock) -> None:
    start = clock.now()
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.accounts.update(account(me, "Bolt"), headcount=500)
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.accounts.delete(account(me, "大客户"))
        me.accounts.delete(account(me, "Bolt"))
        me.segments.create(name="late", on="account", where="headcount > 8")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        days = [start - timedelta(days=90), *(start + timedelta(days=n, hours=1) for n in range(3))]
        assert [(s.at, s.size) for s in me.segments.sizes("大", days)] == list(zip(days, (0, 1, 2, 0), strict=True))
        assert [s.size for s in me.segments.sizes("late", days)] == [0, 3, 3, 1]
    hire(crm, "bo@acme.example", segment="read", account="read")
    with crm.session("bo@acme.example") as me, pytest.raises(Denied):
        me.segments.sizes("大", days)
    with crm.session(ADMIN) as me:
        grant(me, me.roles.one(name="role of bo@acme.example"), "account", "history", scope="own")
    with crm.session("bo@acme.example") as me:
        assert [s.size for s in me.segments.sizes("大", days)] == [0, 0, 0, 0]


def test_before_its_fields_were_there_a_segment_has_no_size(crm: CRM, clock: FakeClock) -> None:
    from crmkit.schema.types import Integer

    before = clock.now()
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        me.fields.add("account", "grade", Integer(), indexed=True)
        me.accounts.update(account(me, "Core"), grade=3)
        me.segments.create(name="graded", on="account", where="grade > 1")
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        sizes = me.segments.sizes("graded", [before, clock.now() - timedelta(hours=1)])
        assert [s.size for s in sizes] == [None, 1]


# ------------------------------------------------------------------------------------------------------------ snapshots


def test_a_snapshot_stays_whatever_becomes_of_its_members(crm: CRM, clock: FakeClock, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        made = me.segments.snapshot("第四季", of="not small")
        assert (made.kind, made.on) == ("snapshot", "account")
        top = me.segments.snapshot("top", of=me.accounts.order_by(-F.headcount).limit(1))
        assert names(me.segments.members(top)) == ["大客户"]
    clock.move(days=1)
    then = clock.now()
    with crm.session(ADMIN) as me:
        bolt = account(me, "Bolt")
        me.accounts.update(bolt, headcount=1)
        assert names(me.segments.members("第四季")) == ["Bolt", "大客户"]
        assert names(me.segments.difference("第四季", "not small")) == ["Bolt"]
        assert names(me.accounts.where(in_segment("第四季"), F.headcount < 5)) == ["Bolt"]
        assert me.accounts.tag_history(bolt) == []
        me.accounts.delete(bolt.id)
        assert names(me.segments.members("第四季")) == ["大客户"]
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        assert [s.size for s in me.segments.sizes("第四季", [then])] == [2]
        me.segments.delete(made.id)
        assert me.tags.count() == 1
        with pytest.raises(InvalidRecord):
            me.segments.refresh("top")
    assert broken(snapshot(migrated_url)) == []


def test_a_snapshot_is_renamed_like_any_other(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        made = me.segments.snapshot("list", of="大")
        renamed = me.segments.update(made, name="第四季", where=made.where, kind="snapshot")
        assert names(me.segments.members(renamed)) == ["大客户"]


def test_a_snapshot_can_be_undone(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        me.segments.snapshot("list", of="not small")
        made = me.changeset_id
    assert made is not None
    with crm.session(ADMIN) as me:
        assert not me.undo(made).refused
        assert (me.segments.count(), me.tags.count(), me.records("tagging").count()) == (2, 0, 0)


# ------------------------------------------------------------------------------------------------------ enter and leave


def test_two_who_refresh_at_once_tell_who_came_once(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        me.accounts.update(account(me, "Bolt"), headcount=200)

    def refresh() -> int:
        with crm.session(ADMIN) as other:
            return len(other.segments.refresh("大"))

    with ThreadPoolExecutor(1) as pool:
        with crm.session(ADMIN) as me:
            assert len(me.segments.refresh("大")) == 1
            other = pool.submit(refresh)
            assert not wait([other], timeout=0.3).done
        assert other.result() == 0


def test_a_refresh_tells_who_came_and_who_left_and_only_once(crm: CRM, told: Told) -> None:
    with crm.session(ADMIN) as me:
        ids = {a.name: a.id for a in me.accounts}
        watched = me.segments.watch("大")
        assert watched.watched
    assert told.heard == []
    with crm.session(ADMIN) as me:
        me.accounts.update(ids["Bolt"], headcount=200)
        me.accounts.update(ids["大客户"], headcount=2)
    with crm.session(ADMIN) as me:
        (change,) = me.segments.refresh()
        assert (change.segment.name, change.entered, change.left) == ("大", (ids["Bolt"],), (ids["大客户"],))
        assert told.heard == []
    assert told.heard == [("大", (ids["Bolt"],), (ids["大客户"],))]
    with crm.session(ADMIN) as me:
        assert me.segments.refresh() == ()
        assert me.changeset_id is None
    assert len(told.heard) == 1
    assert crm.deliver() == 0


def test_who_was_there_before_anybody_watched_has_not_come(crm: CRM, told: Told) -> None:
    """Not even where one changeset begins to watch and finds out what has changed."""
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
    with crm.session(ADMIN) as me:
        bolt = me.accounts.update(account(me, "Bolt"), headcount=100)
        me.segments.watch("not small")
        assert [c.segment.name for c in me.segments.refresh()] == ["大"]
        assert me.segments.watch("not small") == me.segments.one(name="not small")
    assert told.heard == [("大", (bolt.id,), ())]
    with crm.session(ADMIN) as me:
        me.segments.update(me.segments.one(name="大"), watched=False)
        me.accounts.update(bolt.id, headcount=1)
        me.segments.watch("大")
        assert [c.segment.name for c in me.segments.refresh()] == ["not small"]
        assert me.tags.count() == 2
    assert told.heard[1:] == [("not small", (), (bolt.id,))]


def test_a_refresh_takes_as_many_statements_for_many_as_for_few(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        me.accounts.create_many([{"name": f"n{n}", "headcount": 500} for n in range(1_100)], stop=True)
    with crm.session(ADMIN) as me:
        sent = me.unit.sent
        (change,) = me.segments.refresh("大")
        assert len(change.entered) == 1_100
        assert me.unit.sent - sent < 15


def test_members_that_were_never_noted_have_come_at_the_first_refresh(crm: CRM, told: Told) -> None:
    with crm.session(ADMIN) as me:
        me.segments.update(me.segments.one(name="大"), watched=True)
        me.segments.refresh("大")
        came = account(me, "大客户").id
    assert told.heard == [("大", (came,), ())]


def test_a_deleted_record_has_left_with_its_taggings(crm: CRM, told: Told) -> None:
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        me.accounts.delete(account(me, "大客户").id)
    with crm.session(ADMIN) as me:
        assert me.segments.refresh() == ()
    assert told.heard == []


def test_membership_is_judged_as_the_system_sees_it(crm: CRM, told: Told) -> None:
    """Else a refresh by somebody who sees less would send everybody else away."""
    hire(crm, "bo@acme.example", "rep", segment="read update")
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        bolt = me.accounts.update(account(me, "Bolt"), headcount=200)
    with crm.session("bo@acme.example") as me:
        assert me.accounts.count() == 0
        assert me.segments.refresh("大") == (), "bo is told of what bo may read"
    assert told.heard == [("大", (bolt.id,), ())]


def test_a_watched_segment_tells_nobody_of_what_they_may_not_read(crm: CRM) -> None:
    hire(crm, "bo@acme.example", segment="read create update")
    hire(crm, "eve@acme.example", segment="read create update")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of eve@acme.example")
        me.records("grant").create(role=role, on="account", action="read", scope="all", fields=["name"])
        account = me.accounts.create(name="secret", headcount=300)
        me.segments.create(name="large", on="account", where="headcount >= 300", watched=True)
    with crm.session("bo@acme.example") as me:
        assert me.segments.refresh() == ()
    with crm.session("eve@acme.example") as me:
        for where in ("headcount >= 300", F.headcount.not_null()):
            with pytest.raises(InvalidQuery) as refused:
                me.segments.create(name="probe", on="account", where=where, watched=True)
            assert refused.value.code == "unknown_field"
        with pytest.raises(InvalidQuery):
            me.segments.refresh("large")
        probe = me.segments.create(name="probe", on="account", where="name == 'secret'", watched=True)
        with pytest.raises(InvalidQuery):
            me.segments.update(probe, where="headcount >= 300")
        assert [change.entered for change in me.segments.refresh()] == [(account.id,)]


def test_a_dry_run_and_a_rollback_tell_nobody(crm: CRM, told: Told, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        me.accounts.update(account(me, "Bolt"), headcount=200)
    before = digest(migrated_url)
    with crm.session(ADMIN, dry_run=True) as me:
        assert len(me.segments.refresh()) == 1
    with contextlib.suppress(KeyboardInterrupt), crm.session(ADMIN) as me:
        assert len(me.segments.refresh()) == 1
        raise KeyboardInterrupt
    assert (digest(migrated_url), told.heard) == (before, [])


def test_a_plugin_that_fails_is_told_again(open_crm: Callable[..., CRM], migrated_url: str, clock: FakeClock) -> None:
    told = Told(failures=1)
    crm = open_crm(migrated_url, plugins=[told])
    with crm.session(ADMIN) as me:
        me.segments.create(name="s", on="account", where="headcount > 1", watched=True)
        made = me.accounts.create(name="客户", headcount=5)
        me.segments.refresh()
    assert told.heard == []
    ((plugin, attempts, error),) = crm.undelivered()
    assert (plugin, attempts) == ("told", 1)
    assert "crmkit_segment_changed" in error
    clock.move(minutes=2)
    assert crm.deliver() == 1
    assert told.heard == [("s", (made.id,), ())]


def test_who_comes_into_a_segment_that_asks_for_it_gets_a_task(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        me.segments.update(me.segments.one(name="大"), task_on_enter="打电话")
        me.accounts.update(account(me, "Bolt"), headcount=200, owner=bo)
    with crm.session(ADMIN) as me:
        me.segments.refresh()
    with crm.session("bo@acme.example") as me:
        (task,) = me.activities
        assert (task.kind, task.subject, task.owner, task.automatic) == ("task", "打电话", bo, True)
        assert task.account is not None
        assert me.accounts.get(task.account).name == "Bolt"


def test_a_refresh_can_be_undone_and_is_then_found_again(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.segments.watch("大")
        me.accounts.update(account(me, "Bolt"), headcount=200)
    with crm.session(ADMIN) as me:
        (first,) = me.segments.refresh()
        changeset = me.changeset_id
    assert changeset is not None
    with crm.session(ADMIN) as me:
        me.undo(changeset)
    with crm.session(ADMIN) as me:
        (again,) = me.segments.refresh()
        assert (again.entered, again.left) == (first.entered, first.left)


# ------------------------------------------------------------------------------------------------------------ lifecycle


def test_an_account_advances_by_the_ways_there_are(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        bolt = account(me, "Bolt")
        assert bolt.lifecycle == "new"
        bolt = me.accounts.advance(bolt, to="following")
        bolt = me.accounts.advance(bolt, to="won")
        assert (bolt.lifecycle, bolt.lifecycle_reason) == ("won", None)
        bolt = me.accounts.advance(bolt, to="following", reason="合同作废")
        assert (bolt.lifecycle, bolt.lifecycle_reason) == ("following", "合同作废")
        assert me.accounts.advance(bolt, to="following") == bolt
        bolt = me.accounts.advance(bolt, to="dormant")
        assert (bolt.lifecycle, bolt.lifecycle_reason) == ("dormant", None)
        states = [f.after for v in me.accounts.history(bolt) for f in v.fields if f.key == "lifecycle"]
        assert states == ["new", "following", "won", "following", "dormant"]
        assert me.accounts.create(name="old customer", lifecycle="won").lifecycle == "won"


@pytest.mark.parametrize(
    ("to", "reason", "code", "field"),
    [
        ("renewing", None, "no_way", "lifecycle"),
        ("new", None, "reason_required", "lifecycle_reason"),
        ("new", "  ", "reason_required", "lifecycle_reason"),
        ("gone", None, "not_an_option", "lifecycle"),
        (None, None, "required", "lifecycle"),
    ],
)
def test_no_road_leads_round_the_ways(
    crm: CRM, migrated_url: str, to: Any, reason: str | None, code: str, field: str
) -> None:
    with crm.session(ADMIN) as me:
        bolt = me.accounts.advance(account(me, "Bolt"), to="following")
    before = digest(migrated_url)
    values = {"lifecycle": to} if reason is None else {"lifecycle": to, "lifecycle_reason": reason}
    with crm.session(ADMIN) as me:
        with pytest.raises(InputError) as refused:
            me.accounts.advance(bolt, to=to, reason=reason)
        assert (refused.value.code, refused.value.fields) == (code, (field,))
        with pytest.raises((InputError, Vetoed)) as direct:
            me.accounts.update(bolt, values)
        assert direct.value.code == code
        for result in (
            me.accounts.update_many([(bolt, values)]) if to is not None else None,
            me.accounts.where(name="Bolt").update(**values) if code in ("no_way", "reason_required") else None,
        ):
            assert result is None or [p.code for o in result.refused for p in o.problems] == [code]
    assert digest(migrated_url) == before


def test_a_reason_holds_for_its_own_step_only(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        bolt = me.accounts.create(name="X", lifecycle="lost")
        bolt = me.accounts.advance(bolt, to="following", reason="came back")
        with pytest.raises(Vetoed) as refused:
            me.accounts.update(bolt, lifecycle="new")
        assert refused.value.code == "reason_required"
        step = me.accounts.get(bolt.id)
        assert (step.lifecycle, step.lifecycle_reason) == ("following", "came back")


def test_a_step_of_the_lifecycle_can_be_undone_without_a_reason(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.advance(account(me, "Bolt"), to="lost")
        step = me.changeset_id
    assert step is not None
    with crm.session(ADMIN) as me:
        assert not me.undo(step).refused
        assert account(me, "Bolt").lifecycle == "new"


def test_advancing_takes_the_right_to_update(crm: CRM, migrated_url: str) -> None:
    hire(crm, "bo@acme.example", account="read")
    hire(crm, "cy@acme.example", deal="read update")
    with crm.session(ADMIN) as me:
        bolt = account(me, "Bolt")
    before = digest(migrated_url)
    with crm.session("bo@acme.example") as me, pytest.raises(Denied):
        me.accounts.advance(bolt.id, to="won")
    with crm.session("cy@acme.example") as me, pytest.raises(CrmkitError):
        me.accounts.advance(bolt.id, to="won")
    assert digest(migrated_url) == before


# ------------------------------------------------------------------------------------------------------------- tiers


def test_every_open_deal_is_in_one_tier(crm: CRM, clock: FakeClock) -> None:
    today = clock.now().date()
    days = {"late": -1, "today": 0, "30": 30, "31": 31, "60": 60, "61": 61}
    with crm.session(ADMIN) as me:
        for name, n in days.items():
            me.deals.create(name=name, expected_close=today + timedelta(days=n))
        me.deals.create(name="some day")
        won = me.deals.create(name="won", expected_close=today)
        me.deals.move(won, to="won")
        made = me.segments.make_tiers(prefix="成交 ")
        assert {s.name: names(me.segments.members(s)) for s in made} == {
            "成交 A": ["30", "today"],
            "成交 B": ["31", "60"],
            "成交 C": ["61"],
            "成交 overdue": ["late"],
            "成交 undated": ["some day"],
        }
        again = me.segments.make_tiers(5, 6, prefix="成交 ")
        assert [s.id for s in again] == [s.id for s in made]
        assert names(me.segments.members("成交 C")) == ["30", "31", "60", "61"]
        assert again[0].basis == {"made_of": "close_tiers", "near": 5, "far": 6}


# ---------------------------------------------------------------------------------------------------------------- RFM


def win(me: Any, account: Any, on: date, amount: str, currency: str = "EUR") -> None:
    deal = me.deals.create(name="d", account=account, amount=Money(amount, currency))
    me.deals.move(deal, to="won", on=on)


def test_rfm_segments_are_the_scores_by_cut_points_that_stay(crm: CRM, clock: FakeClock) -> None:
    today = clock.now().date()
    with crm.session(ADMIN) as me:
        best = [me.accounts.create(name=f"a{n}") for n in range(10)]
        for n, made in enumerate(best):
            for k in range(n + 1):
                win(me, made, today - timedelta(days=10 * (10 - n) + k), str(100 + n))
        deals = me.deals.create(name="open", account=best[-1], amount=Money(10**9, "EUR"))
        segments = {s.name: s for s in me.segments.make_rfm(currency="EUR")}
        cuts, scores = me.segments.rfm(currency="EUR", monetary="total")
        assert cuts.n == 10
        of = {me.accounts.get(s.id).name: (s.r, s.f, s.m) for s in scores}
        assert of == {f"a{n}": (n // 2 + 1,) * 3 for n in range(10)}
        expected = {
            "RFM champions": [n for n, (r, f, m) in of.items() if r >= 4 and f >= 4],
            "RFM promising": [n for n, (r, f, m) in of.items() if r >= 4 and f <= 3],
            "RFM needs attention": [n for n, (r, f, m) in of.items() if r == 3],
            "RFM at risk": [n for n, (r, f, m) in of.items() if r <= 2 and f >= 4],
            "RFM hibernating": [n for n, (r, f, m) in of.items() if r <= 2 and f <= 3],
            "RFM big spenders": [n for n, (r, f, m) in of.items() if m == 5],
        }
        assert {name: names(me.segments.members(name)) for name in segments} == expected
        assert segments["RFM champions"].basis["count"] == [2, 4, 6, 8]
        assert deals.outcome == "open"
    with crm.session(ADMIN) as me:
        newcomer = me.accounts.create(name="newcomer")
        for _ in range(9):
            win(me, newcomer, today, "1000")
        assert names(me.segments.members("RFM champions")) == [*expected["RFM champions"], "newcomer"]
        assert names(me.segments.members("RFM hibernating")) == expected["RFM hibernating"]


def test_rfm_of_nobody_is_of_nobody(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        cuts, scores = me.segments.rfm()
        assert (cuts.n, cuts.days, scores) == (0, (), [])
        assert [me.segments.size(s) for s in me.segments.make_rfm()] == [0] * 6


def test_rfm_keeps_currencies_apart_and_to_what_one_may_read(crm: CRM, clock: FakeClock) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    today = clock.now().date()
    with crm.session(ADMIN) as me:
        mine, theirs = me.accounts.create(name="mine", owner=bo), me.accounts.create(name="theirs")
        for owner, one in ((bo, mine), (None, theirs)):
            for currency in ("EUR", "CNY"):
                deal = me.deals.create(name="d", account=one, amount=Money(100, currency), owner=owner)
                me.deals.move(deal, to="won", on=today)
    with crm.session(ADMIN) as me:
        cuts, scores = me.segments.rfm(currency="CNY", monetary="total")
        assert (cuts.value[0], cuts.count[0], len(scores)) == (Decimal(100), 2, 2)
        assert me.segments.rfm(currency="USD")[1][0].m is None
    with crm.session("bo@acme.example") as me:
        assert [s.id for s in me.segments.rfm(currency="EUR")[1]] == [mine.id]


def test_the_mean_of_rfm_is_of_the_deals_that_have_an_amount_in_its_currency(crm: CRM) -> None:
    bought = {"x": [1000], "y": [150], "z": [200], "u": [300], "v": [400, 400]}
    with crm.session(ADMIN) as me:
        won = me.stages.one(name="won").id
        for name, amounts in bought.items():
            made = me.accounts.create(name=name)
            # Nine deals in another currency and two without an amount make nobody's mean smaller.
            others = [Money(1, "USD")] * 9 + [None] * 2 if name == "x" else []
            for amount in [*(Money(amount, "EUR") for amount in amounts), *others]:
                me.deals.create(name="单", account=made, amount=amount, stage=won)
        cuts, scores = me.segments.rfm(currency="EUR")
        called = {a.id: a.name for a in me.accounts}
        assert cuts.value == tuple(map(Decimal, (150, 200, 300, 400)))
        assert {called[s.id]: s.m for s in scores} == {"x": 5, "y": 1, "z": 2, "u": 3, "v": 4}


# ------------------------------------------------------------------------------------------------------------- worklist


def test_a_call_about_one_deal_is_one_with_the_account_and_not_about_its_other_deals(
    crm: CRM, clock: FakeClock
) -> None:
    one_euro = Money(1, "EUR")
    with crm.session(ADMIN) as me:
        core = account(me, "Core")
        called, other = (me.deals.create(name=name, account=core, amount=one_euro) for name in ("called", "旁"))
        earlier = clock.now() - timedelta(hours=1)
        call = me.activities.create(kind="call", subject="x", deal=called, at=earlier, due_at=earlier)
        both = [called.name, other.name]
        assert sorted(item.record.name for item in me.segments.worklist(one_euro)) == both
        assert [item.record.name for item in me.segments.worklist(one_euro, on="account")] == ["Core"]
        me.activities.complete(call)  # due and not done it was no contact
        assert [(i.record.name, i.last_contact) for i in me.segments.worklist(one_euro)] == [("旁", None)]
        assert me.segments.worklist(one_euro, on="account") == ()


def test_the_last_contact_of_a_deal_is_one_instant_wherever_it_is_asked_for(crm: CRM, clock: FakeClock) -> None:
    euro = Money(1, "EUR")
    with crm.session(ADMIN) as me:
        core = account(me, "Core")
        deal = me.deals.create(name="d", account=core, amount=euro)
        me.deals.create(name="旁", account=core, amount=euro)
        called = clock.now()
        me.activities.create(kind="call", subject="x", account=core, at=called)
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        planned = me.activities.create(
            kind="call", subject="x", deal=deal, account=core, at=clock.now(), due_at=clock.now()
        )
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        assert contacts(me) == {"d": (called, called), "旁": (called, called)}
        done = me.activities.complete(planned).done_at
        assert me.deals.clocks(deal).last_contact == done
    clock.move(days=2)
    with crm.session(ADMIN) as me:
        assert contacts(me) == {"d": (done, done), "旁": (called, called)}
        assert [d.name for d in me.segments.under_followed(euro, days=3)] == ["旁"]


def test_a_contact_is_not_done_before_its_time(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        deal = me.deals.create(name="d", amount=Money(1, "EUR"))
        next_year = clock.now() + timedelta(days=400)
        me.activities.create(kind="call", subject="a slip in the year", deal=deal, done_at=next_year)
        assert contacts(me) == {"d": (None, None)}
    clock.move(days=401)
    with crm.session(ADMIN) as me:
        assert me.deals.clocks(deal).last_contact == next_year


def contacts(me: Any) -> dict[str, tuple[datetime | None, datetime | None]]:
    """The last contact of each deal, by its clocks and on the worklist."""
    listed = me.segments.worklist(Money(1, "EUR"), days=1)
    return {i.record.name: (me.deals.clocks(i.record).last_contact, i.last_contact) for i in listed}


def test_the_worklist_is_of_what_is_worth_much_and_forgotten(crm: CRM, clock: FakeClock) -> None:
    now = clock.now()
    with crm.session(ADMIN) as me:
        bolt, core = account(me, "Bolt"), account(me, "Core")
        deals = {
            name: me.deals.create(name=name, account=of, amount=Money(amount, currency))
            for name, of, amount, currency in (
                ("big", bolt, 50_000, "EUR"),
                ("bigger", core, 70_000, "EUR"),
                ("small", core, 5, "EUR"),
                ("other", core, 70_000, "CNY"),
                ("free", None, 60_000, "EUR"),
            )
        }
        lost = me.deals.create(name="lost", amount=Money(10**6, "EUR"))
        me.deals.move(lost, to="lost")
        me.activities.create(kind="call", subject="old", deal=deals["bigger"], at=now - timedelta(days=40))
        me.activities.create(kind="note", subject="no contact", deal=deals["big"], at=now)
        me.activities.create(kind="email", subject="machine", deal=deals["big"], at=now, automatic=True)
        me.activities.create(kind="meeting", subject="to come", deal=deals["big"], at=now + timedelta(days=2))
    at_least = Money(10_000, "EUR")
    with crm.session(ADMIN) as me:
        assert [d.name for d in me.segments.under_followed(at_least)] == ["bigger", "free", "big"]
        items = me.segments.worklist(at_least, on="account")
        assert [(i.record.name, i.value) for i in items] == [
            ("Core", Money(70_005, "EUR")),
            ("Bolt", Money(50_000, "EUR")),
        ]
        assert items[0].last_contact == now - timedelta(days=40)
        assert items[1].last_contact is None
    with crm.session(ADMIN) as me:
        me.activities.create(kind="call", subject="hello", account=bolt, at=now)
    with crm.session(ADMIN) as me:
        assert [i.record.name for i in me.segments.worklist(at_least)] == ["bigger", "free"]
        assert [i.record.name for i in me.segments.worklist(at_least, days=60)] == ["free"]
        assert names(me.segments.under_followed(at_least, on="account")) == ["Core"]
    hire(crm, "bo@acme.example", "rep")
    with crm.session("bo@acme.example") as me:
        assert me.segments.worklist(at_least) == ()
