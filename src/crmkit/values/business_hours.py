"""Opening hours by the calendar of a zone, and the time between two instants that lies in them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import attrs

from crmkit.errors import InvalidValue
from crmkit.values.clock import from_micros, local_date, to_days, to_micros, zone

__all__ = ["BusinessHours"]

_WEEK = 7
_MINUTE = 60_000_000
_DAY = timedelta(days=1)
_WHOLE_WEEK = timedelta(days=_WEEK)

Hours = tuple[tuple[time, time], ...]


def _ordered(days: Iterable[date]) -> tuple[date, ...]:
    unique = set(days)
    for day in unique:
        to_days(day)
    return tuple(sorted(unique))


def _as_tuples(week: Iterable[Iterable[Iterable[time]]]) -> tuple[Hours, ...]:
    return tuple(tuple((start, end) for start, end in hours) for hours in week)


@attrs.frozen
class BusinessHours:
    """``BusinessHours(week, "Europe/Berlin", holidays)``: when an office is open.

    ``week`` holds the hours of seven days, Monday first: pairs of wall times from opening up to closing, in order and
    apart; a closing time of midnight is the end of that day, and a night shift is two pairs on two days. On a holiday
    the office is closed. An office opens and closes when a clock on its wall first shows the time, so on days when
    clocks change, the hours are as long as they really are.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_hours``, ``not_a_date`` or ``unknown_zone``.
    """

    week: tuple[Hours, ...] = attrs.field(converter=_as_tuples)
    zone: str = "UTC"
    holidays: tuple[date, ...] = attrs.field(default=(), converter=_ordered)

    def __attrs_post_init__(self) -> None:
        zone(self.zone)
        if len(self.week) != _WEEK:
            raise _bad_hours(f"a week has seven days, not {len(self.week)}")
        for hours in self.week:
            _check(hours)

    @classmethod
    def weekdays(cls, start: time, end: time, zone: str = "UTC", holidays: Iterable[date] = ()) -> "BusinessHours":
        """Open from Monday to Friday at the same hours."""
        return cls([[(start, end)]] * 5 + [[]] * 2, zone, holidays)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The opening time from ``start`` up to ``end``, exact; none if ``end`` is not after ``start``.

        The work grows with the weeks and holidays between them (ten years: some 520 look-ups in the zone), never with
        the seconds. Raises :class:`~crmkit.errors.InvalidValue` with code ``naive_datetime``, ``not_a_datetime`` or
        ``out_of_range``.
        """
        first, after = to_micros(start), to_micros(end)
        if first >= after:
            return timedelta(0)
        tz = zone(self.zone)
        day, last = local_date(start, tz), local_date(end, tz)
        try:
            micros = self._on(day, tz, first, after)
            if day < last:
                micros += self._on(last, tz, first, after) + self._whole(day + _DAY, last, tz, first, after)
        except OverflowError:
            raise InvalidValue(
                f"the hours of {self.zone} are not known up to {end.isoformat()}",
                code="out_of_range",
                hint="instants lie in the years 1 to 9999",
            ) from None
        return timedelta(microseconds=micros)

    def _on(self, day: date, tz: ZoneInfo, first: int, after: int) -> int:
        """The opening time of one day that lies between two instants, as the zone really had it."""
        if _among(self.holidays, day):
            return 0
        total = 0
        for start, end in self.week[day.weekday()]:
            opens = _shows(day, start, tz)
            closes = _shows(day + _DAY if end == time.min else day, end, tz)
            total += max(0, min(closes, after) - max(opens, first))
        return total

    def _whole(self, day: date, end: date, tz: ZoneInfo, first: int, after: int) -> int:
        """The opening time of the days from ``day`` up to ``end``."""
        if day >= end:
            return 0
        by_weekday = [_wall_micros(hours) for hours in self.week]
        weeks, rest = divmod((end - day).days, _WEEK)
        total = weeks * sum(by_weekday) + sum(by_weekday[(day.weekday() + i) % _WEEK] for i in range(rest))
        holidays = self.holidays[bisect_left(self.holidays, day) : bisect_left(self.holidays, end)]
        total -= sum(by_weekday[holiday.weekday()] for holiday in holidays)
        for changed in _days_of_change(day, end, tz):
            if not _among(self.holidays, changed):
                total += self._on(changed, tz, first, after) - by_weekday[changed.weekday()]
        return total


def _days_of_change(day: date, end: date, tz: ZoneInfo) -> Iterator[date]:
    """The days from ``day`` up to ``end`` on which the zone's clocks change; looks at single days in such weeks only.

    Two changes less than seven days apart that undo each other are not seen.
    """
    moment, last = datetime.combine(day, time.min, tz), datetime.combine(end, time.min, tz)
    offset = moment.utcoffset()
    while moment < last:
        after = min(moment + _WHOLE_WEEK, last)
        if (offset_after := after.utcoffset()) != offset:
            while moment < after:
                if moment.utcoffset() != (moment + _DAY).utcoffset():
                    yield moment.date()
                moment += _DAY
        moment, offset = after, offset_after


def _shows(day: date, wall: time, tz: ZoneInfo) -> int:
    """The first instant, in microseconds, at which the zone's clocks show the wall time or, if it is skipped, more."""
    local = datetime.combine(day, wall, tz)
    early, late = sorted((to_micros(local), to_micros(local.replace(fold=1))))
    if local.astimezone(UTC).astimezone(tz).replace(tzinfo=None) == local.replace(tzinfo=None):
        return early
    # The wall time is skipped: the clocks jump over it somewhere between the two readings.
    while late - early > 1:
        middle = (early + late) // 2
        if from_micros(middle).astimezone(tz).replace(tzinfo=None) < local.replace(tzinfo=None):
            early = middle
        else:
            late = middle
    return late


def _wall_micros(hours: Hours) -> int:
    return sum(_since_midnight(end, closing=True) - _since_midnight(start) for start, end in hours)


def _since_midnight(wall: time, *, closing: bool = False) -> int:
    if closing and wall == time.min:
        return 24 * 60 * _MINUTE
    return (wall.hour * 60 + wall.minute) * _MINUTE + wall.second * 1_000_000 + wall.microsecond


def _among(days: tuple[date, ...], day: date) -> bool:
    return bisect_left(days, day) < bisect_right(days, day)


def _check(hours: Hours) -> None:
    reached = 0
    for start, end in hours:
        if start.tzinfo is not None or end.tzinfo is not None:
            raise _bad_hours("opening hours are wall times and have no zone of their own")
        opens, closes = _since_midnight(start), _since_midnight(end, closing=True)
        if opens < reached or closes <= opens:
            raise _bad_hours(f"{start} to {end} does not come after what stands before it")
        reached = closes


def _bad_hours(message: str) -> InvalidValue:
    return InvalidValue(
        message, code="bad_hours", hint="seven days, Monday first, of pairs (opening, closing) in order and apart"
    )
