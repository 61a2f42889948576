"""Exchange rates by day, and the planned ones, exact: what an amount is worth in another currency."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

import attrs

from crmkit.errors import InvalidValue, UsageError
from crmkit.values.clock import to_days
from crmkit.values.currency import minor_digits
from crmkit.values.money import Money
from crmkit.values.text import shown

__all__ = ["Policy", "Rate", "RateRow", "Rates"]

Policy = Literal["booking", "current", "budget"]
RateRow: TypeAlias = tuple[str, str, date, "Decimal | Fraction | int | str"]

_Quotes: TypeAlias = Mapping[tuple[str, str], tuple[tuple[date, ...], tuple[Fraction, ...]]]

# Wider than any pair of currencies ever was; beyond it, an exact fraction of a Decimal's exponent fills the memory.
_MAX_EXPONENT = 20
_MAX_TEXT = 60


@attrs.frozen(order=True)
class Rate:
    """One unit of ``source`` is worth ``rate`` units of ``target`` from the day ``first`` on."""

    source: str
    target: str
    first: date
    rate: Fraction


def _checked(rows: Iterable[RateRow | Rate]) -> tuple[Rate, ...]:
    seen: set[tuple[str, str, date]] = set()
    rates = []
    for number, row in enumerate(rows):
        try:
            rate = row if isinstance(row, Rate) else _rate(row)
            key = (rate.source, rate.target, rate.first)
            if key in seen:
                raise _bad(f"two rates from {rate.source} to {rate.target} begin on {rate.first.isoformat()}")
        except InvalidValue as refused:
            raise refused.at(row=number) from None
        seen.add(key)
        rates.append(rate)
    return tuple(sorted(rates))


@attrs.frozen
class Rates:
    """Dated exchange rates, and the planned ones of budgets.

    ``dated`` and ``budget`` are rows of currency, target currency, first day and rate (a Decimal, a Fraction, an int or
    a plain number as text): one unit of the first is worth ``rate`` units of the second, until a later row.

    Raises :class:`~crmkit.errors.InvalidValue` with the row: ``bad_rate`` (not above 0, not finite, a float, two for
    one day, a currency with itself), ``bad_currency``, ``not_a_date``.
    """

    dated: tuple[Rate, ...] = attrs.field(default=(), converter=_checked)
    budget: tuple[Rate, ...] = attrs.field(default=(), converter=_checked)
    _dated_quotes: _Quotes = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: _by_pair(self.dated), takes_self=True)
    )
    _budget_quotes: _Quotes = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: _by_pair(self.budget), takes_self=True)
    )

    def rate(self, source: str, target: str, on: date, policy: Policy = "booking") -> Fraction:
        """How many units of ``target`` one unit of ``source`` is worth: the latest rate that began by the day ``on``.

        ``budget`` reads the planned rates, ``booking`` and ``current`` the dated ones (they differ in the day a caller
        asks for). A rate given the other way round is inverted; of two the later counts, on one day the direct one.
        Where the pair has neither, it goes by one currency in between, the one whose older rate is the newest, and by
        the alphabet between equals.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``no_rate``, ``bad_currency`` or ``not_a_date``, and
        :class:`~crmkit.errors.UsageError` with code ``unknown_policy``.
        """
        if policy not in get_args(Policy):
            raise UsageError(
                f"there is no policy {shown(policy)}", code="unknown_policy", hint="booking, current or budget"
            )
        _check(source, target, on)
        if source == target:
            return Fraction(1)
        quotes = self._budget_quotes if policy == "budget" else self._dated_quotes
        found = _quoted(quotes, source, target, on) or _crossed(quotes, source, target, on)
        if found is None:
            kind = "planned rate" if policy == "budget" else "rate"
            raise InvalidValue(
                f"there is no {kind} from {source} to {target} on {on.isoformat()}",
                code="no_rate",
                hint="add one that begins on that day or before",
            )
        return found[1]

    def convert(self, amount: Money, target: str, on: date, policy: Policy = "booking") -> Money:
        """The amount in ``target``, rounded once, half to even, to a ten-thousandth. Raises as :meth:`rate` does.

        Raises :class:`~crmkit.errors.InvalidValue` also with code ``out_of_range``.
        """
        return Money.from_units(round(amount.units * self.rate(amount.currency, target, on, policy)), target)


def _by_pair(rates: Iterable[Rate]) -> _Quotes:
    pairs: dict[tuple[str, str], list[Rate]] = {}
    for rate in rates:
        pairs.setdefault((rate.source, rate.target), []).append(rate)
    return {pair: (tuple(r.first for r in own), tuple(r.rate for r in own)) for pair, own in pairs.items()}


def _quoted(quotes: _Quotes, source: str, target: str, on: date) -> tuple[date, Fraction] | None:
    """The first day and the rate, direct or inverted, whichever began later."""
    direct = _latest(quotes, source, target, on)
    inverse = _latest(quotes, target, source, on)
    if inverse is None or (direct is not None and direct[0] >= inverse[0]):
        return direct
    return inverse[0], 1 / inverse[1]


def _latest(quotes: _Quotes, source: str, target: str, on: date) -> tuple[date, Fraction] | None:
    firsts, rates = quotes.get((source, target), ((), ()))
    place = bisect_right(firsts, on)
    return (firsts[place - 1], rates[place - 1]) if place else None


def _crossed(quotes: _Quotes, source: str, target: str, on: date) -> tuple[date, Fraction] | None:
    best: tuple[date, Fraction] | None = None
    for between in sorted({currency for pair in quotes for currency in pair} - {source, target}):
        there = _quoted(quotes, source, between, on)
        onward = _quoted(quotes, between, target, on)
        if there is None or onward is None:
            continue
        older = min(there[0], onward[0])
        if best is None or older > best[0]:
            best = older, there[1] * onward[1]
    return best


def _rate(row: object) -> Rate:
    if not isinstance(row, tuple | list) or len(row) != 4:
        raise _bad("a row of rates is currency, target currency, first day and rate")
    source, target, first, rate = row
    _check(source, target, first)
    if source == target:
        raise _bad(f"{source} has no rate with itself")
    return Rate(source, target, first, _positive(rate))


def _check(source: str, target: str, day: date) -> None:
    """Each of the three refuses what it does not know."""
    minor_digits(source)
    minor_digits(target)
    to_days(day)


def _positive(rate: object) -> Fraction:
    exact = _exact(rate)
    if exact is None or exact <= 0:
        raise _bad(f"{rate if isinstance(rate, Decimal | Fraction) else shown(rate)} is no rate")
    return exact


def _exact(rate: object) -> Fraction | None:
    if isinstance(rate, str):
        try:
            rate = Decimal(rate) if len(rate) <= _MAX_TEXT else None
        except InvalidOperation:
            return None
    if isinstance(rate, Decimal):
        fits = rate.is_finite() and (not rate or abs(rate.adjusted()) <= _MAX_EXPONENT)
        return Fraction(rate) if fits else None
    return Fraction(rate) if isinstance(rate, int | Fraction) and not isinstance(rate, bool) else None


def _bad(message: str) -> InvalidValue:
    return InvalidValue(message, code="bad_rate", hint='rates are exact and above 0, such as "1.0842"')
