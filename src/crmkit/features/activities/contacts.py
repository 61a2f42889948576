"""When somebody was in touch: which activities are contacts, about what, and when each happened."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crmkit.query import Expr, F, days_ago, now
from crmkit.query.nodes import Path, all_of

__all__ = ["CONTACTS", "about_account", "about_deal", "contact_instant", "contacted"]

CONTACTS = ("call", "meeting", "email")
"""The activities that are contacts, unless a machine sent them."""


def contacted(days: int | None = None) -> Expr:
    """Activities that count as a contact: a call, a meeting, an e-mail that has happened and was not automatic.

    It happened when it was done, or else, unless it is still due, when it says (:func:`contact_instant`). With
    ``days``, within that many calendar days.
    """
    noted = all_of((F.done_at.is_null(), F.due_at.is_null(), _past(F.at, days)))
    return all_of((F.kind.is_in(CONTACTS), F.automatic == False, _past(F.done_at, days) | noted))  # noqa: E712 - a condition


def _past(instant: Path, days: int | None) -> Expr:
    return instant <= now if days is None else all_of((instant <= now, instant >= days_ago(days)))


def contact_instant(activity: Any) -> datetime | None:
    """When an activity happened; None for one that is due and not done, and for one that does not say."""
    if activity.done_at is not None or activity.due_at is not None:
        return activity.done_at  # type: ignore[no-any-return]
    return activity.at  # type: ignore[no-any-return]


def about_deal(deal: UUID, account: UUID | None) -> Expr:
    """The activities about a deal, or about its account and no deal."""
    own = F.deal == deal
    return own if account is None else own | ((F.account == account) & F.deal.is_null())


def about_account(account: UUID) -> Expr:
    """The activities about an account or one of its deals."""
    return (F.account == account) | (F.deal.account == account)
