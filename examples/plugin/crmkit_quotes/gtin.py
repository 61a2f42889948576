"""The number under a bar code, as a field type."""

from typing import Any, ClassVar

import attrs

from crmkit.sdk import FieldType, InvalidValue, Kind, Part, Slot

__all__ = ["Gtin"]

_LENGTH = 14
_LENGTHS = (8, 12, 13, 14)


@attrs.frozen
class Gtin(FieldType):
    """A Global Trade Item Number of 8, 12, 13 or 14 digits, kept with 14, as GS1 compares them."""

    name: ClassVar[str] = "gtin"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.TEXT, _LENGTH),)
    operators: ClassVar[frozenset[str]] = frozenset({"eq", "ne", "in", "not_in", "contains", "starts_with"})
    slot: ClassVar[Slot | None] = Slot.TEXT

    def parse(self, value: Any) -> str:
        digits = _digits(value)
        if len(digits) not in _LENGTHS:
            raise InvalidValue(f"{digits} has {len(digits)} digits", code="bad_gtin", hint="8, 12, 13 or 14")
        padded = digits.zfill(_LENGTH)
        if _check_digit(padded[:-1]) != padded[-1]:
            raise InvalidValue(f"the last digit of {digits} is wrong", code="bad_gtin", hint="read it again")
        return padded

    def operand(self, value: Any) -> str:
        """What a value is compared with may be a part of a number; a whole one is brought to 14 digits."""
        digits = _digits(value)
        return digits.zfill(_LENGTH) if len(digits) in _LENGTHS else digits

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9]{8}([0-9]{4,6})?$"}


def _digits(value: Any) -> str:
    digits = value.replace(" ", "").replace("-", "") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidValue("a GTIN is text of digits", code="bad_gtin", hint='such as "4006381333931"')
    return digits


def _check_digit(digits: str) -> str:
    """GS1 General Specifications, section 7.9.1: weights 3 and 1 from the right, up to the next ten."""
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(digits)))
    return str(-total % 10)
