"""A span of days in a zone: what reports, forecasts and targets are asked for."""

import itertools
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, Self

import attrs

from crmkit.errors import InvalidValue
from crmkit.values.clock import to_days, to_micros, zone
from crmkit.values.text import shown

__all__ = ["Period"]

_MONTHS = {"month": 1, "quarter": 3}
_WHOLE = re.compile(r"([0-9]{4})(?:Q([0-9])|-([0-9]{2}))?")
_DAY = r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
_DAYS = re.compile(f"{_DAY}(?:/{_DAY})?")


@attrs.frozen
class Period:
    """The days from ``start`` up to, not including, ``end``, as the calendar of ``zone`` has them.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``not_a_date`` (a datetime is none), ``empty_period``
    (``end`` is not after ``start``) or ``unknown_zone``.
    """

    start: date
    """The first day."""
    end: date
    """The day after the last."""
    zone: str = "UTC"
    """The IANA name of the zone in which the days begin."""

    def __attrs_post_init__(self) -> None:
        if to_days(self.start) >= to_days(self.end):
            raise InvalidValue(
                f"a period cannot end on {self.end} when it starts on {self.start}",
                code="empty_period",
                hint="the end is the day after the last one",
            )
        zone(self.zone)

    @classmethod
    def month(cls, year: int, month: int, zone: str = "UTC") -> Self:
        """One calendar month, 1 to 12.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range`` or ``unknown_zone``.
        """
        _check(month, 12, "month")
        return cls(_first(year, month), _first(year, month + 1), zone)

    @classmethod
    def quarter(cls, year: int, n: int, fiscal_start: int = 1, zone: str = "UTC") -> Self:
        """Quarter ``n``, 1 to 4, of the year that begins in month ``fiscal_start`` of calendar year ``year``.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range`` or ``unknown_zone``.
        """
        _check(n, 4, "quarter")
        _check(fiscal_start, 12, "month")
        month = fiscal_start + 3 * (n - 1)
        return cls(_first(year, month), _first(year, month + 3), zone)

    @classmethod
    def year(cls, year: int, fiscal_start: int = 1, zone: str = "UTC") -> Self:
        """The twelve months from month ``fiscal_start`` of calendar year ``year``.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range`` or ``unknown_zone``.
        """
        _check(fiscal_start, 12, "month")
        return cls(_first(year, fiscal_start), _first(year, fiscal_start + 12), zone)

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> Self:
        """The period of a :attr:`label`: ``2017``, ``2017Q1``, ``2017-03``, ``2017-03-05``, ``2017-01-01/2017-02-15``.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``not_a_period``, ``empty_period``, ``out_of_range`` or
        ``unknown_zone``.
        """
        if isinstance(text, str):
            if part := _WHOLE.fullmatch(text):
                year = int(part[1])
                if part[2] is not None:
                    return cls.quarter(year, int(part[2]), zone=zone)
                return cls.year(year, zone=zone) if part[3] is None else cls.month(year, int(part[3]), zone)
            if part := _DAYS.fullmatch(text):
                try:
                    start = date.fromisoformat(part[1])
                    end = start + timedelta(days=1) if part[2] is None else date.fromisoformat(part[2])
                except (ValueError, OverflowError):
                    raise _not_a_period(text) from None
                return cls(start, end, zone)
        raise _not_a_period(text)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def label(self) -> str:
        """``2017``, ``2017Q1``, ``2017-03`` or ``2017-03-05`` for a whole one of these by the calendar.

        Anything else is ``start/end``, ``2017-01-01/2017-02-15``, whose second day is not in it.
        """
        year, month = self.start.year, self.start.month
        if self.days == 1:
            return self.start.isoformat()
        if self.start.day == 1 and self.end.day == 1:
            months = (self.end.year - year) * 12 + self.end.month - month
            if months == 12 and month == 1:
                return f"{year:04}"
            if months == 3 and month % 3 == 1:
                return f"{year:04}Q{month // 3 + 1}"
            if months == 1:
                return f"{year:04}-{month:02}"
        return f"{self.start.isoformat()}/{self.end.isoformat()}"

    def instants(self) -> tuple[datetime, datetime]:
        """The first instant in it and the first after it, in UTC; midnight in the zone, or when the day begins there.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``out_of_range`` at the very ends of the years 1 and
        9999, where a zone's midnight has no instant.
        """
        return self._midnight(self.start), self._midnight(self.end)

    def contains(self, moment: date | datetime) -> bool:
        """Whether the day, or the instant, lies in it; an aware datetime is placed in the zone, a date has none.

        Raises :class:`~crmkit.errors.InvalidValue` with code ``naive_datetime``, ``not_a_date`` or ``out_of_range``.
        """
        if isinstance(moment, datetime):
            micros = to_micros(moment)
            first, after = self.instants()
            return to_micros(first) <= micros < to_micros(after)
        to_days(moment)
        return self.start <= moment < self.end

    def split(self, by: Literal["day", "month", "quarter"], fiscal_start: int = 1) -> "tuple[Period, ...]":
        """Its days, months or quarters in order; the first and the last are cut off where it starts and ends.

        Quarters are those of a year that begins in month ``fiscal_start``. Raises
        :class:`~crmkit.errors.InvalidValue` with code ``unknown_step`` or ``out_of_range``.
        """
        _check(fiscal_start, 12, "month")
        cuts = [self.start]
        while cuts[-1] < self.end:
            cuts.append(min(self.end, _next_cut(cuts[-1], by, fiscal_start)))
        return tuple(attrs.evolve(self, start=one, end=other) for one, other in itertools.pairwise(cuts))

    def _midnight(self, day: date) -> datetime:
        # Where summer time skips midnight, the offset before the change (fold=0) gives the instant of the change.
        try:
            return datetime.combine(day, time.min, zone(self.zone)).astimezone(UTC)
        except OverflowError:
            raise _out_of_range(f"midnight of {day.isoformat()} in {self.zone} has no instant in UTC") from None


def _next_cut(day: date, by: str, fiscal_start: int) -> date:
    if by == "day":
        return day + timedelta(days=1) if day < date.max else day
    if by not in _MONTHS:
        raise InvalidValue(f"a period is not split by {shown(by)}", code="unknown_step", hint="day, month or quarter")
    months = _MONTHS[by]
    into = (day.month - fiscal_start) % months
    index = day.year * 12 + day.month - 1 - into + months
    return date.max if index >= 10_000 * 12 else date(index // 12, index % 12 + 1, 1)


def _first(year: int, month: int) -> date:
    """The first of a month; months past 12 lie in the next year."""
    if type(year) is not int:
        raise _out_of_range(f"{shown(year)} is not a year")
    carried, month = divmod(month - 1, 12)
    try:
        return date(year + carried, month + 1, 1)
    except (ValueError, OverflowError):
        raise _out_of_range(f"a period that reaches into the year {shown(year + carried)} cannot be kept") from None


def _check(number: int, last: int, what: str) -> None:
    if type(number) is not int or not 1 <= number <= last:
        raise _out_of_range(f"there is no {what} {shown(number)}, they go from 1 to {last}")


def _not_a_period(text: object) -> InvalidValue:
    hint = "2017, 2017Q3, 2017-08, 2017-08-01/2017-08-15"
    return InvalidValue(f"{shown(text)} is no period", code="not_a_period", hint=hint)


def _out_of_range(message: str) -> InvalidValue:
    return InvalidValue(message, code="out_of_range", hint="periods lie in the years 1 to 9999")
