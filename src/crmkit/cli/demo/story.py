"""A day at work: ten deals are handed over, some are changed by others, and the handing over is undone.

At the end all is as it was loaded, so that the figures still are those of the files.
"""

from datetime import date, datetime
from uuid import UUID

import attrs

from crmkit import CRM
from crmkit.cli.demo.people import ADMIN, HEAD, address_of
from crmkit.errors import UsageError
from crmkit.kernel.session.session import Session
from crmkit.kernel.undo.plan import UndoResult
from crmkit.records import Deal

__all__ = ["GIVER", "MANAGER", "TAKER", "HandOver", "hand_over", "meddle", "restore", "take_back"]

MANAGER = "Melvin Marxen"
GIVER = "Darcel Schlecht"
TAKER = "Mei-Mei Johns"
OUTSIDER = "Carl Lin"
DEALS = 10

_PLANNED = date(2018, 1, 31)
_LATER = date(2018, 3, 31)


@attrs.frozen
class HandOver:
    """Deals that went from one rep to another: the instant before, the changeset, and the deals as they were."""

    before: datetime
    changeset_id: UUID
    deals: tuple[Deal, ...]


def hand_over(crm: CRM) -> HandOver:
    """The manager gives ten deals of a busy rep to one who has none, and plans the day of closing."""
    before = crm.clock.now()
    with crm.session(address_of(MANAGER), reason=f"{TAKER} starts with deals of {GIVER}") as me:
        giver, taker = _user(me, GIVER), _user(me, TAKER)
        deals = tuple(me.deals.where('stage.name == "Prospecting"', owner=giver).order_by("name").limit(DEALS))
        changes = {"owner": taker, "expected_close": _PLANNED}
        done = me.deals.update_many(((deal, changes) for deal in deals), stop=True)
    if done.changeset_id is None:
        raise UsageError(f"{GIVER} has no deals to hand over", code="no_demo", hint="load the demo anew with --force")
    return HandOver(before, done.changeset_id, deals)


def meddle(crm: CRM, handed: HandOver) -> tuple[UUID, ...]:
    """Before it is undone, the new owner plans one deal later, and another deal goes to a rep of another office.

    The manager may go on reading that one, and no more.
    """
    replanned, moved = (deal.id for deal in handed.deals[:2])
    with crm.session(address_of(TAKER), reason="the customer asks for time") as me:
        me.deals.update(replanned, expected_close=_LATER)
    with crm.session(address_of(HEAD), reason="a customer of the West") as chief:
        chief.deals.assign(moved, _user(chief, OUTSIDER))
        chief.deals.share(moved, reason="so that the Central office knows", user=_user(chief, MANAGER))
    return tuple(made for made in (me.changeset_id, chief.changeset_id) if made is not None)


def take_back(crm: CRM, handed: HandOver) -> UndoResult:
    """The manager undoes the handing over: what others did since is kept, what the manager may not do is refused."""
    with crm.session(address_of(MANAGER), reason="a mistake") as me:
        return me.undo(handed.changeset_id)


def restore(crm: CRM, handed: HandOver, others: tuple[UUID, ...]) -> None:
    """The administrator takes everything back, the latest first."""
    for changeset_id in (*reversed(others), handed.changeset_id):
        with crm.session(ADMIN, reason="the end of the demo") as me:
            me.undo(changeset_id)


def _user(me: Session, name: str) -> UUID:
    return me.users.one(name=name).id
