"""What the options of field types may be; every refusal is an InvalidDefinition with code ``bad_option``."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.values.text import shown

__all__ = ["bad_option", "exact_bound", "ordered_bounds", "text_like", "whole_number"]

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def bad_option(message: str, hint: str | None = None) -> InvalidDefinition:
    """The refusal of an option."""
    return InvalidDefinition(message, code="bad_option", hint=hint)


def whole_number(low: int, high: int, *, optional: bool = False) -> Validator:
    """A validator: an int (no bool) from ``low`` to ``high``, or None if ``optional``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value is None and optional:
            return
        if type(value) is not int or not low <= value <= high:
            raise bad_option(f"{attribute.name} cannot be {shown(value)}", f"a whole number from {low} to {high}")

    return check


def text_like(pattern: str, hint: str) -> Validator:
    """A validator: None, or text of the pattern."""
    compiled = re.compile(pattern)

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value is not None and (not isinstance(value, str) or compiled.fullmatch(value) is None):
            raise bad_option(f"{attribute.name} cannot be {shown(value)}", hint)

    return check


def exact_bound(value: Any) -> Decimal | None:
    """A converter: a finite Decimal, from a Decimal, an int or text such as ``"0.5"``, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise bad_option(f"{shown(value)} is not an exact number", "a Decimal, an int, or its text")
    try:
        bound = Decimal(value)
    except ArithmeticError:
        raise bad_option(f"{shown(value)} is not a number") from None
    if not bound.is_finite():
        raise bad_option(f"{shown(value)} is not a finite number")
    return bound


def ordered_bounds(minimum: Any, maximum: Any) -> None:
    """Refuses bounds that no value can meet."""
    if minimum is not None and maximum is not None and minimum > maximum:
        raise bad_option(f"no value lies between {minimum} and {maximum}", "minimum is above maximum")
