"""When somebody was last in touch about a deal or with an account, of which the actor may read."""

from datetime import datetime
from typing import Any

from crmkit.features.activities.contacts import contact_instant, contacted
from crmkit.kernel.collections.query import Query
from crmkit.query import Expr, F

__all__ = ["last_contact"]


def last_contact(me: Any, about: Expr) -> datetime | None:
    """When the latest contact was, of the activities that meet the condition; None for never."""
    contacts = Query[Any](me, me.type_of("activity")).where(contacted(), about)
    done = contacts.where(F.done_at.not_null()).order_by(-F.done_at).limit(1)
    noted = contacts.where(F.done_at.is_null()).order_by(-F.at).limit(1)
    instants = (contact_instant(activity) for latest in (done, noted) for activity in latest)
    return max((instant for instant in instants if instant is not None), default=None)
