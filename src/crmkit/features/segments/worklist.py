"""Much at stake, and nobody in touch: what to work on first."""

from datetime import datetime
from typing import Any

import attrs

from crmkit.errors import InvalidQuery, InvalidValue
from crmkit.features.activities.contacts import contacted
from crmkit.features.segments.rfm import valued_in
from crmkit.query import Expr, F
from crmkit.query.nodes import all_of
from crmkit.records import Deal
from crmkit.values import Money
from crmkit.values.text import shown

__all__ = ["WorkItem", "open_in", "stake", "under_followed"]


@attrs.frozen
class WorkItem:
    """A record to work on: what is at stake, and when somebody was last in touch (None: never)."""

    record: Any
    value: Money
    last_contact: datetime | None


def under_followed(on: str, at_least: Money, days: int) -> Expr:
    """Open deals of at least this amount, or accounts whose open deals come to it, that nobody has contacted.

    A contact with a deal's account is one with the deal; a contact about a deal is one with its account, and none with
    other deals of the account. Amounts in other currencies are left out. Raises InvalidValue (``bad_worklist``),
    InvalidQuery (``bad_days``).
    """
    if on not in ("deal", "account") or type(at_least) is not Money:
        raise InvalidValue(
            "a worklist is of deals or accounts, from an amount of money on",
            code="bad_worklist",
            hint='"deal" or "account", Money(10_000, "EUR")',
        )
    if type(days) is not int or days < 0:
        raise InvalidQuery(f"{shown(days)} is not a number of days", code="bad_days", field="days", hint="such as 30")
    recently = contacted(days)
    if on == "deal":
        touched = (F.activities.none(recently), ~F.account.activities.any(recently & F.deal.is_null()))
        return all_of((F.outcome == "open", F.amount >= at_least, *touched))
    quiet = (F.activities.none(recently), F.deals.none(F.activities.any(recently)))
    return all_of((F.deals.amount.sum(open_in(at_least.currency)) >= at_least, *quiet))


def open_in(currency: str) -> Expr:
    """Open deals with an amount in the currency."""
    return all_of((F.outcome == "open", valued_in(currency)))


def stake(deals: list[Deal], currency: str) -> Money:
    """What the deals come to in the currency."""
    amounts = [d.amount.amount for d in deals if d.amount is not None and d.amount.currency == currency]
    return Money(sum(amounts), currency)
