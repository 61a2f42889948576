"""A look into the past and an undo, on the demo's records; everything is as before at the end."""

from collections.abc import Iterator
from datetime import date, datetime

import attrs
import pytest

from crmkit import F
from crmkit.cli.demo.figures import figures
from crmkit.cli.demo.people import HEAD, address_of
from crmkit.cli.demo.show import sections
from crmkit.cli.demo.story import (
    DEALS,
    GIVER,
    MANAGER,
    OUTSIDER,
    TAKER,
    HandOver,
    hand_over,
    meddle,
    restore,
    take_back,
)
from crmkit.kernel.undo.plan import UndoResult
from tests.cli.conftest import Demo


def owned(demo: Demo, *, as_of: datetime | None = None) -> dict[str, int]:
    """How many deals the three reps of the story have."""
    with demo.crm.session(address_of(HEAD), as_of=as_of) as me:
        users = {user.id: user.name for user in me.users}
        counts = {users[group.key[0]]: group.count for group in me.deals.totals(by=F.owner)}
    return {name: counts.get(name, 0) for name in (GIVER, TAKER, OUTSIDER)}


@attrs.frozen
class Told:
    """The story up to the undo: what was handed over, what others changed since, and what the undo did."""

    demo: Demo
    handed: HandOver
    result: UndoResult


@pytest.fixture
def told(demo: Demo) -> Iterator[Told]:
    handed = hand_over(demo.crm)
    others = meddle(demo.crm, handed)
    yield Told(demo, handed, take_back(demo.crm, handed))
    restore(demo.crm, handed, others)


def test_the_past_is_read_as_it_was_and_the_present_as_it_is(demo: Demo) -> None:
    handed = hand_over(demo.crm)
    try:
        before, now = owned(demo, as_of=handed.before), owned(demo)
    finally:
        restore(demo.crm, handed, ())
    assert before == {GIVER: 747, TAKER: 0, OUTSIDER: 0}
    assert now == {GIVER: 737, TAKER: DEALS, OUTSIDER: 0}
    assert owned(demo) == before


def test_an_undo_reverts_keeps_what_others_changed_and_refuses_what_is_not_allowed(told: Told) -> None:
    replanned, moved = (deal.id for deal in told.handed.deals[:2])
    result = told.result
    assert {entry.id: entry.fields for entry in result.kept} == {replanned: ("expected_close",), moved: ("owner",)}
    assert [entry.id for entry in result.refused] == [moved]
    reverted = {entry.id: set(entry.fields) for entry in result.reverted}
    assert reverted.pop(replanned) == {"owner"}
    assert reverted == {deal.id: {"owner", "expected_close"} for deal in told.handed.deals[2:]}


def test_after_the_undo_the_records_are_what_the_buckets_say(told: Told) -> None:
    assert owned(told.demo) == {GIVER: 746, TAKER: 0, OUTSIDER: 1}
    with told.demo.crm.session(address_of(HEAD)) as me:
        unengaged = me.deals.where(F.expected_close.not_null(), F.engaged_on.is_null())
        planned = {deal.id: deal.expected_close for deal in unengaged}
    replanned, moved = (deal.id for deal in told.handed.deals[:2])
    assert planned == {replanned: date(2018, 3, 31), moved: date(2018, 1, 31)}


def test_the_demo_shows_everything_and_leaves_the_records_as_they_were_loaded(demo: Demo) -> None:
    with demo.crm.session(address_of(HEAD)) as me:
        before, deals = figures(me), {deal.id: (deal.owner, deal.expected_close) for deal in me.deals}
    shown = {section.key: section for section in sections(demo.crm)}
    assert list(shown) == [
        *(f"page_of_{address_of(name)}" for name in (GIVER, MANAGER, HEAD)),
        *("pipeline", "winning", "segment"),
        *("funnel", "win_curve", "forecast", "backtest", "worklist", "rights", "as_of", "undo"),
    ]
    assert shown["pipeline"].data == before.to_dict()
    with demo.crm.session(address_of(HEAD)) as me:
        assert figures(me) == before
        assert {deal.id: (deal.owner, deal.expected_close) for deal in me.deals} == deals


def test_the_first_pages_differ_by_person_and_none_is_longer_than_ten(demo: Demo) -> None:
    pages = [section for section in sections(demo.crm) if section.key.startswith("page_of_")]
    rows = [tuple(map(tuple, page.table.rows)) for page in pages if page.table is not None]
    assert [len(page) for page in rows] == [10, 10, 10]
    assert len(set(rows)) == 3
    assert [page.lines[0].partition(",")[0] for page in pages] == ["10 of 747 deals", "10 of 1", "10 of 8"]
