"""Whole numbers, decimals, percentages, yes and no."""

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Inexact, InvalidOperation
from decimal import Decimal as PyDecimal
from functools import cached_property
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import EQUALITY, ORDER, FieldType, Parts
from crmkit.schema.options import exact_bound, ordered_bounds, whole_number
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.schema.types.number_text import read_number
from crmkit.values.text import shown

__all__ = ["MAX_INTEGER", "Boolean", "Decimal", "Integer", "Percent"]

MAX_INTEGER = 2**63 - 1
"""The largest integer both databases hold; the smallest is its negative."""

# Rounds nothing, whatever the context of the thread says: what it cannot keep, it traps.
_EXACT = Context(prec=80, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation, Inexact])
_PLAIN = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,60})?")
_LARGEST_EXPONENT = 18


def _within(value: Any, minimum: Any, maximum: Any) -> None:
    if minimum is not None and value < minimum:
        raise InvalidValue(f"{value} is below {minimum}", code="too_small", hint=f"give {minimum} or more")
    if maximum is not None and value > maximum:
        raise InvalidValue(f"{value} is above {maximum}", code="too_large", hint=f"give {maximum} or less")


def _out_of_range() -> InvalidValue:
    return InvalidValue("the number needs more than 64 bits", code="out_of_range", hint="keep it in a field of text")


@attrs.frozen
class Integer(FieldType):
    """A whole number of at most 64 bits."""

    name: ClassVar[str] = "integer"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER),)
    operators: ClassVar[frozenset[str]] = ORDER
    slot: ClassVar[Slot | None] = Slot.NUMBER

    minimum: int | None = attrs.field(default=None, validator=whole_number(-MAX_INTEGER, MAX_INTEGER, optional=True))
    maximum: int | None = attrs.field(default=None, validator=whole_number(-MAX_INTEGER, MAX_INTEGER, optional=True))

    def __attrs_post_init__(self) -> None:
        ordered_bounds(self.minimum, self.maximum)

    def parse(self, value: Any) -> int:
        number = _whole(value)
        if self.minimum is not None or self.maximum is not None:
            _within(number, self.minimum, self.maximum)
        return number

    def parse_text(self, text: str) -> int:
        return self.parse(_whole_of(text))

    def load(self, document: Any) -> int:
        # JSON has one kind of number: 5.0 is the integer 5.
        if type(document) is float and document.is_integer():
            document = int(document)
        return self.parse(document)

    def operand(self, value: Any) -> int:
        """Bounds do not bind what a value is compared with."""
        return _whole(_whole_of(value) if isinstance(value, str) else value)

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "integer",
            "minimum": -MAX_INTEGER if self.minimum is None else self.minimum,
            "maximum": MAX_INTEGER if self.maximum is None else self.maximum,
        }


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise InvalidValue(f"{shown(value)} is not a whole number", code="not_an_integer", hint="give an int")
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise _out_of_range()
    return value


def _whole_of(text: str) -> int:
    try:
        number = read_number(text)
    except InvalidValue:
        raise InvalidValue(f"{shown(text)} is not a whole number", code="not_an_integer", hint="write 1234") from None
    if number and number.adjusted() > _LARGEST_EXPONENT:
        raise _out_of_range()
    if number != int(number):
        raise InvalidValue(f"{shown(text)} is not a whole number", code="not_an_integer", hint="write 1234")
    return int(number)


def _exact(value: Any) -> PyDecimal:
    if type(value) is PyDecimal or (isinstance(value, int | PyDecimal) and not isinstance(value, bool)):
        number = PyDecimal(value)
    elif isinstance(value, str):
        if not _PLAIN.fullmatch(value):
            raise InvalidValue(f"{shown(value)} is not a number", code="not_a_number", hint='such as "1234.5"')
        number = PyDecimal(value)
    else:
        raise InvalidValue(
            f"{shown(value)} is not an exact number", code="not_a_number", hint="give an int, a Decimal or its text"
        )
    if not number.is_finite():
        raise InvalidValue(f"{number} is not a finite number", code="not_a_number", hint="give None for no value")
    return number


@attrs.frozen
class Decimal(FieldType):
    """An exact decimal number, stored as a whole number of 10^-scale."""

    name: ClassVar[str] = "decimal"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER),)
    operators: ClassVar[frozenset[str]] = ORDER
    slot: ClassVar[Slot | None] = Slot.NUMBER

    scale: int = attrs.field(default=4, validator=whole_number(0, 12))
    minimum: PyDecimal | None = attrs.field(default=None, converter=exact_bound)
    maximum: PyDecimal | None = attrs.field(default=None, converter=exact_bound)

    def __attrs_post_init__(self) -> None:
        ordered_bounds(self.minimum, self.maximum)

    def parse(self, value: Any) -> PyDecimal:
        number = self.from_parts(self._units(value))
        _within(number, self.minimum, self.maximum)
        return number

    def parse_text(self, text: str) -> PyDecimal:
        return self.parse(read_number(text))

    def load(self, document: Any) -> PyDecimal:
        if not isinstance(document, str) or self._json_form.fullmatch(document) is None:
            raise InvalidValue(
                f"{shown(document)} is not a decimal number",
                code="not_a_number",
                hint=f'text such as "1234.5", at most {self.scale} decimals',
            )
        return self.parse(document)

    def operand(self, value: Any) -> PyDecimal:
        """Bounds do not bind what a value is compared with."""
        return self.from_parts(self._units(read_number(value) if isinstance(value, str) else value))

    def dump(self, value: PyDecimal) -> str:
        return f"{value:f}"

    def to_parts(self, value: PyDecimal) -> Parts:
        return (int(value.scaleb(self.scale, _EXACT)),)

    def from_parts(self, *parts: Any) -> PyDecimal:
        return PyDecimal(parts[0]).scaleb(-self.scale, _EXACT)

    def options(self) -> dict[str, Any]:
        return {k: str(v) if isinstance(v, PyDecimal) else v for k, v in FieldType.options(self).items()}

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self._json_form.pattern}$"}

    @cached_property
    def _json_form(self) -> re.Pattern[str]:
        decimals = rf"(\.[0-9]{{1,{self.scale}}})?" if self.scale else ""
        return re.compile(rf"-?[0-9]{{1,{19 - self.scale}}}{decimals}")

    def _units(self, value: Any) -> int:
        number = _exact(value)
        if not number:
            return 0
        # The magnitude is looked at first: 1E+999999999 as an integer would fill the memory.
        if number.adjusted() > _LARGEST_EXPONENT:
            raise _out_of_range()
        units = self._scaled(number)
        if not -MAX_INTEGER <= units <= MAX_INTEGER:
            raise _out_of_range()
        return units

    def _scaled(self, number: PyDecimal) -> int:
        if number.adjusted() >= -self.scale:
            try:
                scaled = number.scaleb(self.scale, _EXACT)
            except Inexact:
                scaled = PyDecimal("0.5")
            if scaled == int(scaled):
                return int(scaled)
        raise InvalidValue(f"the number has more than {self.scale} decimals", code="too_precise", hint="round it first")


@attrs.frozen
class Percent(Decimal):
    """A percentage in points (12.5 is 12.5 %), exact to the scale; 0 to 100 unless said otherwise."""

    name: ClassVar[str] = "percent"

    scale: int = attrs.field(default=2, validator=whole_number(0, 6))
    minimum: PyDecimal | None = attrs.field(default=PyDecimal(0), converter=exact_bound)
    maximum: PyDecimal | None = attrs.field(default=PyDecimal(100), converter=exact_bound)

    def parse_text(self, text: str) -> PyDecimal:
        return self.parse(read_number(_without_sign(text)))

    def operand(self, value: Any) -> PyDecimal:
        return super().operand(_without_sign(value) if isinstance(value, str) else value)


def _without_sign(text: str) -> str:
    return text.strip().removesuffix("%").removesuffix("\uff05")


_YES = frozenset({"true", "yes", "y", "1", "on", "是", "真"})
_NO = frozenset({"false", "no", "n", "0", "off", "否", "假"})


@attrs.frozen
class Boolean(FieldType):
    """Yes or no."""

    name: ClassVar[str] = "boolean"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER),)
    operators: ClassVar[frozenset[str]] = EQUALITY
    slot: ClassVar[Slot | None] = Slot.NUMBER

    def parse(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise InvalidValue(f"{shown(value)} is not true or false", code="not_a_boolean", hint="give a bool")
        return value

    def parse_text(self, text: str) -> bool:
        word = text.strip().casefold()
        if word in _YES:
            return True
        if word in _NO:
            return False
        raise InvalidValue(f"{shown(text)} is not true or false", code="not_a_boolean", hint="write true or false")

    def to_text(self, value: bool) -> str:
        return "true" if value else "false"

    def to_parts(self, value: bool) -> Parts:
        return (int(value),)

    def from_parts(self, *parts: Any) -> bool:
        return bool(parts[0])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}
