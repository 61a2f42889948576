"""What a number is told in: as of when, for whom, in which zone and currency."""

from datetime import date, datetime
from fractions import Fraction
from typing import Any, get_args

import attrs

from crmkit.errors import CurrencyMismatch, UsageError
from crmkit.values import Money, local_date, zone
from crmkit.values.currency import minor_digits
from crmkit.values.money import UNITS_IN_ONE
from crmkit.values.rates import Policy, Rates
from crmkit.values.text import shown

__all__ = ["Frame"]


@attrs.frozen(kw_only=True)
class Frame:
    """The surroundings of a metric.

    ``as_of`` is the instant at which the facts are known. Days are of ``zone``. Amounts are told in ``currency``, or,
    if that is None, in the one currency all of them have; unlike ones need ``rates`` and ``policy``: ``booking`` (the
    rate of the day the amount belongs to), ``current`` (of the day of ``as_of``), ``budget`` (the planned rate).
    ``scope`` says whose view the facts are, ``members`` whether metrics list the ids behind them.

    Raises InvalidValue (``bad_currency``), UsageError (``unknown_policy``, ``bad_rates``).
    """

    as_of: datetime
    zone: str = "UTC"
    currency: str | None = None
    rates: Rates | None = None
    policy: Policy = "booking"
    scope: str = "all"
    members: bool = False

    def __attrs_post_init__(self) -> None:
        if self.currency is not None:
            minor_digits(self.currency)
        if self.policy not in get_args(Policy):
            raise UsageError(
                f"there is no policy {shown(self.policy)}",
                code="unknown_policy",
                field="policy",
                hint=", ".join(get_args(Policy)),
            )
        if self.rates is not None and not isinstance(self.rates, Rates):
            raise UsageError(
                f"{shown(self.rates)} is no table of rates",
                code="bad_rates",
                field="rates",
                hint='Rates([("USD", "EUR", date(2026, 1, 1), "0.9")])',
            )

    @property
    def today(self) -> date:
        """The day of ``as_of`` in the zone."""
        return local_date(self.as_of, zone(self.zone))

    @property
    def told_policy(self) -> Policy | None:
        """By which rates amounts are converted; None if there are none."""
        return None if self.rates is None else self.policy

    def worth(self, amount: Money, on: date | None) -> Fraction:
        """The amount in the frame's currency, exact; ``on`` is the day it belongs to (today, if it has none).

        A frame that names no currency leaves it as it is: see
        :func:`~crmkit.features.metrics.tallies.totals.settled`. Raises CurrencyMismatch if
        it is in another currency and there are no rates, and InvalidValue (``no_rate``).
        """
        if self.currency is None or amount.currency == self.currency:
            return Fraction(amount.units, UNITS_IN_ONE)
        if self.rates is None:
            raise CurrencyMismatch(
                f"{amount.currency} does not add up with {self.currency}", hint="give the frame rates and a policy"
            )
        day = on if self.policy == "booking" and on is not None else self.today
        return Fraction(amount.units, UNITS_IN_ONE) * self.rates.rate(amount.currency, self.currency, day, self.policy)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "as_of": self.as_of.isoformat(),
            "zone": self.zone,
            "currency": self.currency,
            "policy": self.told_policy,
            "scope": self.scope,
        }
