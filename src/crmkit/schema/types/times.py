"""Dates, instants and durations. A date is not a midnight and an instant is never naive."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import ORDER, FieldType, Parts
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.values import from_days, from_micros, to_days, to_micros
from crmkit.values.clock import DAY_MICROS
from crmkit.values.text import shown

__all__ = ["Date", "DateTime", "Duration"]

_DATE_JSON = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 3339 section 5.6 (date-time), without the leap seconds that no datetime holds.
_INSTANT_JSON = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)


@attrs.frozen
class Date(FieldType):
    """A calendar date without a time zone, stored as days since 1970-01-01."""

    name: ClassVar[str] = "date"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER),)
    operators: ClassVar[frozenset[str]] = ORDER
    slot: ClassVar[Slot | None] = Slot.TIME

    def parse(self, value: Any) -> date:
        if not isinstance(value, date) or isinstance(value, datetime):
            raise _not_a_date(value, "give a datetime.date; a date is not a midnight")
        return value

    def parse_text(self, text: str) -> date:
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            raise _not_a_date(text) from None

    def dump(self, value: date) -> str:
        return value.isoformat()

    def load(self, document: Any) -> date:
        if not isinstance(document, str) or _DATE_JSON.fullmatch(document) is None:
            raise _not_a_date(document)
        return self.parse_text(document)

    def to_parts(self, value: date) -> Parts:
        return (to_days(value),)

    def from_parts(self, *parts: Any) -> date:
        return from_days(parts[0])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


def _not_a_date(value: object, hint: str = "write YYYY-MM-DD") -> InvalidValue:
    return InvalidValue(f"{shown(value)} is not a date", code="not_a_date", hint=hint)


@attrs.frozen
class DateTime(FieldType):
    """An instant, aware when it comes in, UTC when it goes out, stored as microseconds since 1970.

    What text and JSON say beyond the microsecond is dropped.
    """

    name: ClassVar[str] = "datetime"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER),)
    operators: ClassVar[frozenset[str]] = ORDER
    slot: ClassVar[Slot | None] = Slot.TIME

    def parse(self, value: Any) -> datetime:
        if not isinstance(value, datetime):
            raise _not_an_instant(value, "give an aware datetime")
        return from_micros(to_micros(value))

    def parse_text(self, text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise _not_an_instant(text) from None
        return self.parse(moment)

    def dump(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat()

    def load(self, document: Any) -> datetime:
        if not isinstance(document, str) or _INSTANT_JSON.fullmatch(document) is None:
            raise _not_an_instant(document)
        return self.parse_text(document.upper())

    def to_parts(self, value: datetime) -> Parts:
        return (to_micros(value),)

    def from_parts(self, *parts: Any) -> datetime:
        return from_micros(parts[0])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


def _not_an_instant(value: object, hint: str = "write YYYY-MM-DDTHH:MM:SS+00:00") -> InvalidValue:
    return InvalidValue(f"{shown(value)} is not an instant", code="not_an_instant", hint=hint)


_ISO_DURATION = (
    r"(-)?P(?=[0-9T])(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.([0-9]{1,6}))?S)?)?"
)
_DURATION = re.compile(_ISO_DURATION)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = 2**63 - 1


@attrs.frozen
class Duration(FieldType):
    """A span of time, exact to the microsecond; as text ISO 8601 in days and less (P1DT2H30M)."""

    name: ClassVar[str] = "duration"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER),)
    operators: ClassVar[frozenset[str]] = ORDER
    slot: ClassVar[Slot | None] = Slot.NUMBER

    def parse(self, value: Any) -> timedelta:
        if not isinstance(value, timedelta):
            raise _not_a_duration(value, "give a timedelta")
        if abs(value // _MICROSECOND) > _LONGEST:
            raise _too_long()
        return value

    def parse_text(self, text: str) -> timedelta:
        return self.load(text.strip())

    def dump(self, value: timedelta) -> str:
        micros = value // _MICROSECOND
        sign, rest = ("-" if micros < 0 else ""), abs(micros)
        days, rest = divmod(rest, DAY_MICROS)
        seconds, fraction = divmod(rest, 1_000_000)
        tail = f".{fraction:06d}" if fraction else ""
        return f"{sign}P{days}DT{seconds}{tail}S"

    def load(self, document: Any) -> timedelta:
        match = _DURATION.fullmatch(document) if isinstance(document, str) else None
        if match is None:
            raise _not_a_duration(document)
        sign, days, hours, minutes, seconds, fraction = match.groups()
        whole = ((int(days or 0) * 24 + int(hours or 0)) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
        micros = whole * 1_000_000 + int((fraction or "0").ljust(6, "0"))
        if micros > _LONGEST:
            raise _too_long()
        return timedelta(microseconds=-micros if sign else micros)

    def to_parts(self, value: timedelta) -> Parts:
        return (value // _MICROSECOND,)

    def from_parts(self, *parts: Any) -> timedelta:
        return timedelta(microseconds=parts[0])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_ISO_DURATION}$"}


def _not_a_duration(value: object, hint: str = "write P1DT2H30M") -> InvalidValue:
    return InvalidValue(f"{shown(value)} is not a duration", code="not_a_duration", hint=hint)


def _too_long() -> InvalidValue:
    return InvalidValue("the duration is too long", code="out_of_range", hint="at most about 292,000 years")
