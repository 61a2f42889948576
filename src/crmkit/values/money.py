"""Money: an exact amount of one currency.

An amount is a whole number of ten-thousandths (``units``), which fits a signed 64-bit integer, so it is the same in
memory, in every database and in JSON, and no arithmetic ever rounds unless a rounding is asked for by name. Two
currencies never meet silently: adding or ordering them raises, comparing them for equality says no.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_05UP,
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
)
from typing import final

import attrs

from crmkit.errors import CurrencyMismatch, InvalidValue, UsageError
from crmkit.values.currency import checked_currency, decimals_of
from crmkit.values.money_text import read_money
from crmkit.values.text import shown

__all__ = ["UNITS_IN_ONE", "Money"]

_SCALE = 4
UNITS_IN_ONE = 10_000
"""How many of the units an amount is kept in are one of its currency."""
_UNITS_BITS = 63
_MAX_UNITS = 2**_UNITS_BITS - 1
_MAX_ADJUSTED = 15
_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{1,60})?|\.[0-9]{1,60})")
_ROUNDINGS = frozenset(
    {
        ROUND_05UP,
        ROUND_CEILING,
        ROUND_DOWN,
        ROUND_FLOOR,
        ROUND_HALF_DOWN,
        ROUND_HALF_EVEN,
        ROUND_HALF_UP,
        ROUND_UP,
    }
)
# Rounds nothing: what it cannot keep, it traps. Shared, because a context takes longer to make than to use.
_EXACT = Context(prec=80, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation, Inexact])

_ROUND_FIRST = "round it first, for example with Decimal.quantize"

_new = object.__new__
_set = object.__setattr__


@final
@attrs.frozen(init=False, repr=False, match_args=False)
class Money:
    """``Money("1234.50", "EUR")``: at most four decimals, canonical, hashable, exact.

    ``amount`` is a Decimal, an int, or a plain number as text (``"1234.5"``; for what people type use :meth:`parse`);
    ``currency`` is three capital ASCII letters as in ISO 4217. ``Money("1.50", "EUR") == Money("1.5", "EUR")``.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``float_amount``, ``not_a_number`` (also bool, NaN and
    infinity), ``too_precise`` (more than four decimals), ``out_of_range`` (beyond ±922,337,203,685,477.5807) or
    ``bad_currency``.
    """

    units: int
    """The amount in ten-thousandths of the currency, as it is stored."""
    currency: str
    """Three capital ASCII letters."""

    __match_args__ = ("amount", "currency")

    def __init__(self, amount: Decimal | int | str, currency: str) -> None:
        _set(self, "units", _units(amount))
        _set(self, "currency", checked_currency(currency))

    @classmethod
    def from_units(cls, units: int, currency: str) -> "Money":
        """The money whose ``units`` and ``currency`` these are, as read from storage (0.5 µs).

        Raises :class:`~crmkit.errors.InvalidValue` with code ``not_a_number``, ``out_of_range`` or ``bad_currency``.
        """
        if type(units) is not int:
            raise _not_a_number(units)
        if not -_MAX_UNITS <= units <= _MAX_UNITS:
            raise _out_of_range()
        made = _new(cls)
        _set(made, "units", units)
        _set(made, "currency", checked_currency(currency))
        return made

    @classmethod
    def parse(cls, text: str, default_currency: str | None = None) -> "Money":
        """The money a person wrote: ``"EUR 1,234.50"``, ``"1 234,50 €"``, ``"(1,200.00) USD"``, ``"１２０００元"``.

        The rules are in :mod:`crmkit.values.money_text`. ``default_currency`` is for a text that names none, and says
        which dollar or yuan a shared sign means. Raises :class:`~crmkit.errors.InvalidValue`.
        """
        return cls(*read_money(text, default_currency))

    @classmethod
    def total(cls, items: Iterable["Money"], currency: str | None = None) -> "Money | None":
        """The exact sum; of nothing it is zero of ``currency``, or None when that is not given either.

        Raises :class:`~crmkit.errors.CurrencyMismatch` when the items, or they and ``currency``, differ.
        """
        units = 0
        for item in items:
            if currency is None:
                currency = item.currency
            elif item.currency != currency:
                raise _mismatch(currency, item.currency)
            units += item.units
        return None if currency is None else cls.from_units(units, currency)

    @property
    def amount(self) -> Decimal:
        """The amount with the currency's minor digits, or as many as it needs: 1.50 EUR, 1.2345 EUR, 150 JPY."""
        digits = max(decimals_of(self.currency), _decimals(self.units))
        return Decimal(self.units // 10 ** (_SCALE - digits)).scaleb(-digits, _EXACT)

    def quantized(self, rounding: str = ROUND_HALF_EVEN) -> "Money":
        """Rounded to the currency's minor digits, by a rounding of :mod:`decimal`."""
        return self._rounded(Decimal(self.units), rounding)

    def times(self, factor: Decimal | int, rounding: str = ROUND_HALF_EVEN) -> "Money":
        """The product, rounded once to the currency's minor digits, by a rounding of :mod:`decimal`.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``float_amount``, ``not_a_number`` or ``out_of_range``.
        """
        return self._rounded(_product(self.units, factor), rounding)

    def allocate(self, weights: Sequence[int]) -> "tuple[Money, ...]":
        """Shares in proportion to the weights that add up to this exactly, one for each weight.

        Shares are whole minor units (ten-thousandths when this is not whole minor units itself); what is left goes
        one by one to the largest remainders, the earlier first. A weight of 0 gets nothing.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_weights``: not whole numbers, one below zero, or
        none above it.
        """
        _check_weights(weights)
        step = 10 ** (_SCALE - decimals_of(self.currency))
        if self.units % step:
            step = 1
        sign = -1 if self.units < 0 else 1
        shares = _largest_remainder(abs(self.units) // step, weights)
        return tuple(Money.from_units(sign * share * step, self.currency) for share in shares)

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money.from_units(self.units + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money.from_units(self.units - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money.from_units(-self.units, self.currency)

    def __abs__(self) -> "Money":
        return Money.from_units(abs(self.units), self.currency)

    def __mul__(self, factor: Decimal | int) -> "Money":
        """The exact product; one that needs more than four decimals is refused, use :meth:`times`."""
        if not isinstance(factor, (int, Decimal, float)):
            return NotImplemented
        product = _product(self.units, factor)
        if product.adjusted() > _MAX_ADJUSTED + _SCALE:
            raise _out_of_range()
        units = int(product)
        if units != product:
            raise _too_precise("the product", "round it: use .times(factor, rounding=...)")
        return Money.from_units(units, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.units < self._same(other)

    def __le__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.units <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.units > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.units >= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def __repr__(self) -> str:
        return f"Money({str(self.amount)!r}, {self.currency!r})"

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise _mismatch(self.currency, other.currency)
        return other.units

    def _rounded(self, units: Decimal, rounding: str) -> "Money":
        if rounding not in _ROUNDINGS:
            raise UsageError(
                f"{shown(rounding)} is no rounding", code="unknown_rounding", hint="use one of the decimal module"
            )
        if units.adjusted() > _MAX_ADJUSTED + _SCALE:
            raise _out_of_range()
        step = _SCALE - decimals_of(self.currency)
        steps = units.scaleb(-step, _context(units)).to_integral_value(rounding)
        return Money.from_units(int(steps) * 10**step, self.currency)


def _context(*numbers: Decimal) -> Context:
    """A context in which the product of the numbers is exact, whatever the thread's own context says."""
    digits = sum(len(number.as_tuple().digits) for number in numbers)
    return Context(prec=digits + 1, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation])


def _units(amount: object) -> int:
    if isinstance(amount, int) and not isinstance(amount, bool):
        units = int(amount) * UNITS_IN_ONE
    elif isinstance(amount, str):
        if not _PLAIN_NUMBER.fullmatch(amount):
            raise _not_a_number(amount)
        units = _units_of_decimal(Decimal(amount))
    elif isinstance(amount, Decimal):
        units = _units_of_decimal(amount)
    else:
        raise _float_amount(amount) if isinstance(amount, float) else _not_a_number(amount)
    if not -_MAX_UNITS <= units <= _MAX_UNITS:
        raise _out_of_range()
    return units


def _units_of_decimal(amount: Decimal) -> int:
    if not amount.is_finite():
        raise _not_a_number(amount)
    if not amount:
        return 0
    # The magnitude is looked at first: 1E+999999999 as an integer would fill the memory.
    if amount.adjusted() > _MAX_ADJUSTED:
        raise _out_of_range()
    if amount.adjusted() < -_SCALE:
        raise _too_precise("the amount", _ROUND_FIRST)
    try:
        scaled = amount.scaleb(_SCALE, _EXACT)
    except Inexact:
        raise _too_precise("the amount", _ROUND_FIRST) from None
    units = int(scaled)
    if units != scaled:
        raise _too_precise(shown(str(amount)), _ROUND_FIRST)
    return units


def _product(units: int, factor: object) -> Decimal:
    if isinstance(factor, float):
        raise _float_amount(factor)
    if isinstance(factor, bool) or not isinstance(factor, int | Decimal):
        raise _not_a_number(factor)
    if isinstance(factor, Decimal) and not factor.is_finite():
        raise _not_a_number(factor)
    if not units or not factor:
        return Decimal(0)
    if isinstance(factor, int):
        if factor.bit_length() > _UNITS_BITS:
            raise _out_of_range()
        return Decimal(units * factor)
    number = Decimal(units)
    return _context(number, factor).multiply(number, factor)


def _decimals(units: int) -> int:
    """How many of the four decimals are needed to write the units exactly."""
    digits = _SCALE
    while digits and units % 10 == 0:
        units //= 10
        digits -= 1
    return digits


def _largest_remainder(whole: int, weights: Sequence[int]) -> list[int]:
    total = sum(weights)
    shares = [whole * weight // total for weight in weights]
    remainders = [whole * weight % total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -remainders[place])
    for place in by_remainder[: whole - sum(shares)]:
        shares[place] += 1
    return shares


def _check_weights(weights: Sequence[int]) -> None:
    if any(type(weight) is not int or weight < 0 for weight in weights) or not any(weights):
        raise InvalidValue(
            "an amount is divided by whole weights, none below 0 and one above it",
            code="bad_weights",
            hint="for example allocate([1, 1, 1]) for equal thirds",
        )


def _mismatch(one: str, other: str) -> CurrencyMismatch:
    return CurrencyMismatch(
        f"{one} and {other} met where one currency is needed",
        hint="convert one of them at a dated rate, or keep them apart by currency",
    )


def _float_amount(amount: object) -> InvalidValue:
    return InvalidValue(
        f"{shown(amount)} is a float, which is not exact",
        code="float_amount",
        hint="pass a Decimal, an int, or text such as '12.50'",
    )


def _not_a_number(amount: object) -> InvalidValue:
    return InvalidValue(
        f"{shown(amount)} is no number for an amount",
        code="not_a_number",
        hint="pass a finite Decimal, an int, or text such as '12.50'; Money.parse reads what people type",
    )


def _too_precise(what: str, hint: str) -> InvalidValue:
    return InvalidValue(f"{what} has more than {_SCALE} decimals", code="too_precise", hint=hint)


def _out_of_range() -> InvalidValue:
    return InvalidValue(
        "the amount is too large",
        code="out_of_range",
        hint="amounts lie between -922337203685477.5807 and 922337203685477.5807",
    )
