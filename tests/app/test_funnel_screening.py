"""Histories of deals that cannot have happened are left out of the funnel by the database, too."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from crmkit import CRM, Money
from crmkit.features.metrics.metrics import Metrics
from crmkit.testing import FakeClock
from tests.staff import ADMIN

DAY = timedelta(days=1)


def rewritten(crm: CRM, clock: FakeClock, days: Sequence[tuple[int, int | None]]) -> datetime:
    """One deal whose intervals last from and to these days, beside one that went its way; the first day."""
    with crm.session(ADMIN) as me:
        start = clock.now()
        ids = me.deals.create_many(
            ({"name": name, "amount": Money(5, "EUR")} for name in ("odd", "plain")), stop=True
        ).ids
    for to in ("qualified", "proposal", "negotiation"):
        clock.move(days=1)
        with crm.session(ADMIN) as me:
            for deal in ids:
                me.deals.move(deal, to=to)
    clock.move(days=60)
    with crm.session(ADMIN) as me:
        intervals = me.records("stage_interval")
        own = sorted((i for i in intervals if i.deal == ids[0]), key=lambda i: i.entered)
        for interval, (entered, left) in zip(own, days, strict=False):
            intervals.update(interval, entered=start + entered * DAY, left=None if left is None else start + left * DAY)
        for interval in own[len(days) :]:
            intervals.delete(interval)
    return start


def both(me: Any) -> tuple[Any, Any]:
    """The funnel as the database has it and as single facts have it, without the ids."""
    metrics: Metrics = me.metrics()
    listed = attrs.evolve(metrics, frame=attrs.evolve(metrics.frame, members=True))
    return told(metrics), told(listed)


def told(metrics: Metrics) -> Any:
    funnel = metrics.funnel()
    return (
        funnel.n,
        funnel.excluded,
        [(step.outcomes, step.amount.value, step.onward and step.onward.value) for step in funnel.steps],
    )


@pytest.mark.parametrize(
    ("days", "impossible"),
    [
        ([(0, 1), (1, 2), (2, 3), (3, None)], 0),
        ([(0, 10), (9, 10), (11, 12), (12, None)], 1),
        ([(0, 1), (1, 2), (2, 300), (300, None)], 1),
        ([(0, 1), (1, 2), (4, 5), (5, None)], 0),
        ([(0, 2), (1, 2), (2, 3), (3, None)], 1),
        ([(0, None), (1, None), (2, 3), (3, None)], 1),
        ([], 1),
    ],
    ids=["sound", "overlap as long as a gap", "to come", "gap", "overlap", "in two stages", "open in no stage"],
)
def test_the_database_screens_histories_as_single_facts_do(
    crm: CRM, clock: FakeClock, days: list[tuple[int, int | None]], impossible: int
) -> None:
    rewritten(crm, clock, days)
    with crm.session(ADMIN) as me:
        pushed_down, one_by_one = both(me)
        assert pushed_down == one_by_one
        assert pushed_down[1].get("impossible_history", 0) == impossible
        assert pushed_down[0] == 2 - impossible
