"""Sums of money that add up: whole units by currency and day, converted once and at the end.

Conversion is linear, so a sum by currency and day is worth as much as its parts; a million amounts are a few thousand
integers. The days are those the amounts belong to (the day of closing; None for what is open still, whose rate is that
of today).
"""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import TypeAlias

import attrs

from crmkit.errors import CurrencyMismatch
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Money
from crmkit.values.money import UNITS_IN_ONE

__all__ = ["Totals", "TotalsFold", "money_in", "money_of", "settled"]

Units: TypeAlias = Mapping[tuple[str, date | None], int]


@attrs.frozen
class Totals:
    """A sum of amounts: ten-thousandths by currency and day, how many had an amount and how many had none."""

    units: Units = attrs.field(factory=dict)
    counted: int = 0
    without: int = 0

    @property
    def n(self) -> int:
        """How many were counted, with an amount and without."""
        return self.counted + self.without

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies there are amounts in, sorted."""
        return tuple(sorted({currency for currency, _ in self.units}))

    def __add__(self, other: "Totals") -> "Totals":
        if not isinstance(other, Totals):
            return NotImplemented
        units = dict(self.units)
        for key, number in other.units.items():
            units[key] = units.get(key, 0) + number
        return Totals(units, self.counted + other.counted, self.without + other.without)

    def worth(self, frame: Frame) -> Fraction:
        """The exact sum in units of the frame's currency; of nothing it is 0.

        Raises :class:`~crmkit.errors.CurrencyMismatch` for unlike currencies without rates, and
        :class:`~crmkit.errors.InvalidValue` with code ``no_rate``.
        """
        told_in = settled(frame, self)
        if told_in.currency is None or self.currencies == (told_in.currency,):
            return Fraction(sum(self.units.values()), UNITS_IN_ONE)
        # A sum may be more than a Money can hold, so what is converted is one unit of each currency and day.
        ones = {key: told_in.worth(Money(1, key[0]), key[1]) for key in self.units}
        return sum((Fraction(number, UNITS_IN_ONE) * ones[key] for key, number in self.units.items()), Fraction(0))

    def money(self, frame: Frame) -> Money | None:
        """The sum, rounded once, half to even, to a ten-thousandth; None if nothing had an amount.

        Raises as :meth:`worth`, and :class:`~crmkit.errors.InvalidValue` with code ``out_of_range``.
        """
        return money_of(self.worth(frame), settled(frame, self)) if self.counted else None


class TotalsFold:
    """Amounts on their way into :class:`Totals`; it changes while facts are folded, and belongs to who folds them."""

    __slots__ = ("counted", "units", "without")

    def __init__(self) -> None:
        self.units: dict[tuple[str, date | None], int] = {}
        self.counted = 0
        self.without = 0

    def add(self, amount: Money | None, on: date | None) -> None:
        """Count an amount that belongs to the day ``on`` (None: still open)."""
        if amount is None:
            self.without += 1
            return
        key = (amount.currency, on)
        self.units[key] = self.units.get(key, 0) + amount.units
        self.counted += 1

    def done(self) -> Totals:
        """What was counted so far, frozen."""
        return Totals(dict(self.units), self.counted, self.without)


def settled(frame: Frame, *totals: Totals) -> Frame:
    """The frame with its currency named: the one all the totals have, if it names none (and none if they are empty).

    Raises :class:`~crmkit.errors.CurrencyMismatch` if they have several.
    """
    if frame.currency is not None:
        return frame
    currencies = sorted({currency for each in totals for currency in each.currencies})
    if len(currencies) > 1:
        raise CurrencyMismatch(
            f"{' and '.join(currencies)} do not add up", hint="give the frame a currency, rates and a policy"
        )
    return attrs.evolve(frame, currency=currencies[0]) if currencies else frame


def money_of(worth: Fraction, frame: Frame) -> Money | None:
    """An exact amount in the frame's currency as money, rounded half to even; None if the frame names no currency.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range``.
    """
    return None if frame.currency is None else money_in(worth, frame.currency)


def money_in(worth: Fraction, currency: str) -> Money:
    """An exact amount as money, rounded half to even to a ten-thousandth.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range`` or ``bad_currency``.
    """
    return Money.from_units(round(worth * UNITS_IN_ONE), currency)
