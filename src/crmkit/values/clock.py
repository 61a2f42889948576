"""Instants, days and zones: exact integers for storage, aware datetimes for people.

The only module that reads the system clock. An instant is an aware datetime; in storage it is an integer of
microseconds since 1970-01-01T00:00:00Z. A day is a ``date``; in storage it is an integer of days since 1970-01-01.
A day is not a midnight, and neither is ever turned into the other without a zone.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from crmkit.errors import InvalidValue
from crmkit.values.text import shown

__all__ = [
    "DAY_MICROS",
    "Clock",
    "SystemClock",
    "days_before",
    "from_days",
    "from_micros",
    "local_date",
    "offsets",
    "to_days",
    "to_micros",
    "zone",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
DAY_MICROS = 86_400_000_000
"""The microseconds of a day of 24 hours."""
_FIRST_DAY = date.min.toordinal() - _EPOCH_DAY
_LAST_DAY = date.max.toordinal() - _EPOCH_DAY
_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9][A-Za-z0-9_+-]{0,31}){0,2}")
# Files that stand beside the zones on some machines: what they mean depends on the machine or counts leap seconds.
_NOT_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")


class Clock(Protocol):
    """What tells the time; handed to whoever needs it, so that a test or a replay can say when it is."""

    def now(self) -> datetime:
        """The present instant, an aware datetime in UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The present instant, an aware datetime in UTC."""
        return datetime.now(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z of an aware datetime, exact, whatever its zone.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``naive_datetime``, ``not_a_datetime``, or
    ``out_of_range`` when the instant lies outside the years 1 to 9999 in UTC.
    """
    try:
        since = moment - _EPOCH
        days = since.days
    except (TypeError, AttributeError):
        raise _not_an_instant(moment) from None
    if not _FIRST_DAY <= days <= _LAST_DAY:
        raise _out_of_range(f"{moment.isoformat()} is outside the years 1 to 9999 in UTC")
    return days * DAY_MICROS + since.seconds * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The instant in UTC that lies ``micros`` microseconds after 1970-01-01T00:00:00Z; undoes :func:`to_micros`.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``not_an_integer`` or ``out_of_range`` (years 1 to 9999).
    """
    if type(micros) is not int:
        raise _not_an_integer(micros)
    try:
        return _EPOCH + timedelta(0, 0, micros)
    except OverflowError:
        raise _out_of_range(f"{shown(micros)} microseconds is outside the years 1 to 9999") from None


def to_days(day: date) -> int:
    """Days from 1970-01-01 to the day, negative before it.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``not_a_date``; a datetime is not a date.
    """
    if isinstance(day, datetime) or not isinstance(day, date):
        raise InvalidValue(
            f"a date is needed, not {shown(day)}",
            code="not_a_date",
            hint="which day an instant falls on depends on the zone: use local_date",
        )
    return day.toordinal() - _EPOCH_DAY


def from_days(days: int) -> date:
    """The day that lies ``days`` days after 1970-01-01; undoes :func:`to_days`.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``not_an_integer`` or ``out_of_range`` (years 1 to 9999).
    """
    if type(days) is not int:
        raise _not_an_integer(days)
    if not _FIRST_DAY <= days <= _LAST_DAY:
        raise _out_of_range(f"{shown(days)} days is outside the years 1 to 9999")
    return date.fromordinal(days + _EPOCH_DAY)


def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name such as ``Asia/Shanghai``.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``unknown_zone``; the name never reaches a file system
    unless it looks like a zone's.
    """
    if _is_zone_name(name):
        try:
            return ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            pass
    raise InvalidValue(
        f"there is no time zone {shown(name)}",
        code="unknown_zone",
        hint="use a name of the IANA time zone database, such as Europe/Berlin or Asia/Shanghai",
    )


def days_before(moment: datetime, days: int, tz: ZoneInfo) -> datetime:
    """The instant at the same time on the wall ``days`` calendar days earlier in ``tz``, in UTC; negative goes ahead.

    A day across a change of summer time has 23 or 25 hours. A wall time that was skipped is read with the offset
    before the change; of one that happened twice the side of ``moment`` is kept.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``naive_datetime``, ``not_a_datetime`` or ``out_of_range``.
    """
    local = _in_zone(moment, tz)
    try:
        # Arithmetic forgets which of two equal wall times was meant; replace() says it again.
        return (local - timedelta(days=days)).replace(fold=local.fold).astimezone(UTC)
    except OverflowError:
        raise _out_of_range(f"{shown(days)} days before {moment.isoformat()} is outside the years 1 to 9999") from None


def local_date(moment: datetime, tz: ZoneInfo) -> date:
    """The day on the calendar of ``tz`` at that instant.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``naive_datetime``, ``not_a_datetime`` or ``out_of_range``.
    """
    return _in_zone(moment, tz).date()


def offsets(tz: ZoneInfo, first_year: int, years: int) -> tuple[tuple[int, int], ...]:
    """From which instants on a zone is how far from UTC: pairs in microseconds, ascending, from the first of January.

    Between two of them the day of an instant is a matter of integers: ``(instant + offset) // DAY_MICROS``.
    """
    day = timedelta(days=1)
    at = datetime(first_year, 1, 1, tzinfo=UTC)
    end = datetime(first_year + years, 1, 1, tzinfo=UTC)
    found = [(to_micros(at), _offset(at, tz))]
    while at < end:
        following = at + day
        if _offset(following, tz) != found[-1][1]:
            change = _change(at, following, tz)
            found.append((to_micros(change), _offset(change, tz)))
        at = following
    return tuple(found)


def _change(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The first second at which the offset is no longer that of ``before``."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset(middle, tz) == _offset(before, tz):
            before = middle
        else:
            after = middle
    return after


def _offset(moment: datetime, tz: ZoneInfo) -> int:
    return (moment.astimezone(tz).utcoffset() or timedelta(0)) // timedelta(microseconds=1)


def _is_zone_name(name: object) -> bool:
    return isinstance(name, str) and bool(_ZONE_NAME.fullmatch(name)) and not name.startswith(_NOT_ZONES)


def _in_zone(moment: datetime, tz: ZoneInfo) -> datetime:
    if not isinstance(moment, datetime):
        raise _not_an_instant(moment)
    if moment.utcoffset() is None:
        raise _not_an_instant(moment)
    try:
        return moment.astimezone(tz)
    except OverflowError:
        raise _out_of_range(f"{moment.isoformat()} is outside the years 1 to 9999 in {tz.key}") from None


def _not_an_instant(value: object) -> InvalidValue:
    if isinstance(value, datetime):
        return InvalidValue(
            f"{value.isoformat()} says no time zone",
            code="naive_datetime",
            hint="attach one, for example value.replace(tzinfo=datetime.UTC)",
        )
    return InvalidValue(
        f"an aware datetime is needed, not {shown(value)}",
        code="not_a_datetime",
        hint="a date is not a midnight: combine it with a time and a zone first",
    )


def _not_an_integer(value: object) -> InvalidValue:
    return InvalidValue(f"an integer is needed, not {shown(value)}", code="not_an_integer", hint="pass an int")


def _out_of_range(message: str) -> InvalidValue:
    return InvalidValue(message, code="out_of_range", hint="instants and dates lie in the years 1 to 9999")
