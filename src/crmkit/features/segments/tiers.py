"""How near a deal is: A within 30 days, B within 60, C later, by the day it is expected to close."""

from crmkit.errors import InvalidValue
from crmkit.query import Expr, F
from crmkit.query.nodes import RelativeTime, all_of

__all__ = ["close_tiers"]


def close_tiers(near: int = 30, far: int = 60) -> dict[str, Expr]:
    """Conditions on deals by name: A, B, C, and apart from them what is ``overdue`` and what has no day (``undated``).

    A: from today to ``near`` days from now, B: after that to ``far`` days, C: later. An open deal is in exactly one of
    the five; a closed one is in none. Days are the tenant's. Raises InvalidValue (``bad_days``).
    """
    if not (type(near) is int and type(far) is int and 0 <= near < far):
        raise InvalidValue("tiers take two numbers of days, the second greater", code="bad_days", hint="30 and 60")
    still_open, close = F.outcome == "open", F.expected_close
    today, soon, later = (RelativeTime("today", days) for days in (0, near, far))
    tiers = {
        "A": all_of((close >= today, close <= soon)),
        "B": all_of((close > soon, close <= later)),
        "C": close > later,
        "overdue": close < today,
        "undated": close.is_null(),
    }
    return {name: all_of((still_open, condition)) for name, condition in tiers.items()}
