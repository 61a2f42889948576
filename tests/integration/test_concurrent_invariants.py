"""What holds of several records together holds although two write at once, neither of whom sees what the other does."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM
from crmkit.errors import CrmkitError
from crmkit.values import SystemClock
from tests.staff import ADMIN, hire

Deed = Callable[[Any], Any]


@pytest.fixture
def crm(open_crm: Callable[..., CRM], migrated_url: str) -> CRM:
    """On the machine's clock: the fake one of other tests is not made for threads."""
    return open_crm(migrated_url, clock=SystemClock())


def one_during_the_other(crm: CRM, first: Deed, second: Deed) -> CrmkitError | None:
    """The second is done, or waits to be, before the first is committed; what it was refused with."""
    refused: list[CrmkitError] = []
    begun = threading.Event()

    def other() -> None:
        try:
            with crm.session(ADMIN) as me:
                begun.set()
                second(me)
        except CrmkitError as error:
            refused.append(error)

    thread = threading.Thread(target=other)
    with crm.session(ADMIN) as me:
        first(me)
        thread.start()
        begun.wait()
        time.sleep(0.3)
    thread.join()
    return refused[0] if refused else None


@pytest.fixture
def account(crm: CRM) -> UUID:
    """An account, and two tags that exclude each other."""
    with crm.session(ADMIN) as me:
        for name in "AB":
            me.tags.create(name=name, group="意向")
        return me.accounts.create(name="宝钢").id


def worn(crm: CRM) -> list[str]:
    with crm.session(ADMIN) as me:
        return [name for name in "AB" if me.accounts.where(f'"{name}" in tags').count()]


@pytest.mark.parametrize(
    "second", [lambda me, i: me.accounts.tag(i, "B"), lambda me, i: me.accounts.where(name="宝钢").tag("B")]
)
def test_of_two_tags_that_exclude_each_other_one_stays(
    crm: CRM, account: UUID, second: Callable[[Any, UUID], Any]
) -> None:
    refused = one_during_the_other(crm, lambda me: me.accounts.tag(account, "A"), lambda me: second(me, account))
    assert (worn(crm), refused) == (["B"], None)


def test_a_deal_that_two_split_at_once_is_split_as_a_whole(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        ana, deal = me.actor.id, me.deals.create(name="大单").id
    one_during_the_other(crm, lambda me: me.deals.split(deal, {ana: 100}), lambda me: me.deals.split(deal, {bo: 100}))
    with crm.session(ADMIN) as me:
        assert [(split.user, split.share) for split in me.records("deal_split")] == [(bo, Decimal(100))]


@pytest.mark.parametrize("winning_first", [True, False])
def test_a_deal_that_is_won_is_in_a_stage_of_that_kind(crm: CRM, winning_first: bool) -> None:
    with crm.session(ADMIN) as me:
        deal, stage = me.deals.create(name="大单").id, me.stages.one(name="won").id
    deeds: list[Deed] = [lambda me: me.deals.move(deal, to="won"), lambda me: me.stages.update(stage, kind="lost")]
    refused = one_during_the_other(crm, *(deeds if winning_first else reversed(deeds)))
    with crm.session(ADMIN) as me:
        found, kind = me.deals.get(deal), me.stages.get(stage).kind
        assert found.outcome in (kind, "open")
        # Where one writes at a time, the second sees what the first has done.
        assert refused is not None or (found.outcome, kind) == ("lost", "lost")
        assert refused is None or refused.code in ("in_use", "conflict")
