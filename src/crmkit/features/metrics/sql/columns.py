"""Columns of deals and of their stage intervals, as statements of metrics need them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import attrs
from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, case, func, literal

from crmkit.errors import InvalidQuery
from crmkit.schema.types import Date, DateTime
from crmkit.store.sql.plans import Draft
from crmkit.values import to_days, zone
from crmkit.values.clock import DAY_MICROS, offsets

__all__ = ["NEVER", "NO_NUMBER", "Begins", "Stay", "begins", "identity", "money", "sound", "stand_in", "term", "within"]

NO_NUMBER = literal(None, BigInteger)
NEVER = -(2**62)
"""An instant that there is not."""

_FIRST_YEAR, _YEARS = 1970, 130
_MODULUS = 1_000_003
"""A prime whose square a few million times is far from the end of a 64-bit integer."""


def term(draft: Draft, key: str) -> ColumnElement[Any]:
    """A field of the deal as it is compared, as far as the actor may read it."""
    return draft.binder.column((key,), "deal").scalar(draft.context, draft.source)[0]


def identity(draft: Draft) -> ColumnElement[Any]:
    """The deal's id as it is stored."""
    return draft.source.record_id(draft.source.type.by_key["id"])


def within(value: ColumnElement[Any], first: str, last: str) -> ColumnElement[Any]:
    """1 from the one parameter to the other, 0 elsewhere, NULL of NULL."""
    return case((value.between(bindparam(first), bindparam(last)), 1), (value.is_not(None), 0))


def stand_in(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first day of the period for all in it, the day before for all others: what is counted is the same."""
    first, before = (bindparam(name, type_=BigInteger) for name in ("first", "before"))
    return case((day.between(first, bindparam("last")), first), (day.is_not(None), before))


def money(draft: Draft) -> tuple[ColumnElement[Any], Any]:
    """Units and currency of the amount; nobody's, where the actor may not read it."""
    if draft.view.guard.field("deal", "amount") is False:
        return literal(None, BigInteger), literal(None, Text)
    return draft.binder.column(("amount",), "deal").scalar(draft.context, draft.source)


@attrs.frozen(eq=False)
class Begins:
    """The day from which a deal's age counts. ``apart`` is None where the database can tell it, :data:`NEVER` where it
    has none, and otherwise its instant; the ages of those are the days on which they end.
    """

    day: ColumnElement[Any]
    apart: ColumnElement[Any]
    known: ColumnElement[Any] | None

    def age(self, end: ColumnElement[Any]) -> ColumnElement[Any]:
        """The days from it to another day."""
        return end - self.day if self.known is None else case((self.known, end - self.day), else_=end)


def begins(draft: Draft, start: str, zone_name: str) -> Begins:
    """The age of deals by a field. Raises InvalidQuery (``not_a_date``)."""
    column = draft.binder.column((start,), "deal")
    value = column.scalar(draft.context, draft.source)[0]
    never = (value.is_(None), literal(NEVER, BigInteger))
    if isinstance(column.field.type, Date):
        return Begins(value, case(never), None)
    if not isinstance(column.field.type, DateTime):
        raise InvalidQuery(
            f"{start} is no date", code="not_a_date", field=column.field.key, hint="a Date or DateTime field"
        )
    known = offsets(zone(zone_name), _FIRST_YEAR, _YEARS)
    # The first days of the table are left to Python: local days before 1970 would be negative, and division differ.
    # Its last are those of its last year, not of the last change: many zones have had none for decades.
    first, after = known[0][0] + 2 * DAY_MICROS, to_days(date(_FIRST_YEAR + _YEARS, 1, 1)) * DAY_MICROS
    reaches = value.between(first, after)
    day = (value + _offset(value, known)) // literal(DAY_MICROS, BigInteger)
    return Begins(day, case(never, (~reaches, value)), reaches)


def _offset(value: ColumnElement[Any], known: Sequence[tuple[int, int]]) -> ColumnElement[Any]:
    """The offset at an instant by halving: eight comparisons for the 241 offsets of Berlin."""
    if len(known) == 1:
        return literal(known[0][1], BigInteger)
    half = len(known) // 2
    earlier = value < literal(known[half][0], BigInteger)
    return case((earlier, _offset(value, known[:half])), else_=_offset(value, known[half:]))


class Stay:
    """An occurrence of stage intervals in so many stages (None: any), whoever may read them."""

    def __init__(self, draft: Draft, stages: int | None) -> None:
        self._source = draft.context.sources.open("stage_interval")
        self._fields = self._source.type.by_key
        self.deal = self["deal"]
        self.conditions: tuple[ColumnElement[bool], ...] = tuple(self._source.conditions)
        if stages is not None:
            among = self["stage"].in_([bindparam(f"stage{i}") for i in range(stages)])
            self.conditions = (*self.conditions, among)

    def __getitem__(self, key: str) -> ColumnElement[Any]:
        field = self._fields[key]
        return self._source.part(field, field.type.compare)

    def money(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Units and currency of the amount then."""
        field = self._fields["amount"]
        return self._source.part(field, 0), self._source.part(field, 1)


def sound(entered: ColumnElement[Any], left: ColumnElement[Any]) -> ColumnElement[Any]:
    """Whether the intervals of a deal follow one another without a gap up to one that began by now and goes on.

    Each ends when another begins, then: the instants of leaving are those of entering, without the first. Sums tell
    that, of the instants and of the squares of their remainders; the first alone would take a gap for an overlap that
    is as long.
    """
    first, last = func.min(entered), func.max(case((left.is_(None), entered)))
    return case(
        (func.count() - func.count(left) != 1, 0),
        (func.min(left - entered) < 0, 0),
        (func.sum(left - entered) != last - first, 0),
        (func.sum(_square(left) - _square(entered)) != _square(last) - _square(first), 0),
        (last > bindparam("now"), 0),
        else_=1,
    )


def _square(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    rest = instant % literal(_MODULUS, BigInteger)
    return rest * rest
