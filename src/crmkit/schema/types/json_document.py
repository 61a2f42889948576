"""JSON values that both databases hold and give back unchanged."""

import json
import math
from typing import Any, NoReturn

from crmkit.errors import InvalidValue
from crmkit.values import clean_text
from crmkit.values.text import shown

__all__ = ["MAX_DEPTH", "MAX_SIZE", "checked_document", "read_document", "write_document"]

MAX_DEPTH = 32
"""How many lists and objects may stand inside each other."""
MAX_SIZE = 1_000_000
"""How many values and characters of text a document may have together."""

_MAX_INTEGER = 2**63 - 1
# No integer of 64 bits has more characters.
_LONGEST_INTEGER = 20


def checked_document(value: Any) -> Any:
    """A deep copy of a JSON value, with tuples as lists and whole floats as integers.

    Raises InvalidValue: ``not_json`` (also keys that are no text), ``not_a_number`` (NaN, infinities), ``out_of_range``
    (whole numbers beyond 64 bits, floats too), ``too_deep``, ``too_large``, and for text what ``clean_text`` raises.
    """
    return _Copy().of(value, 0)


class _Copy:
    """A copy under way, and how much more it may hold."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_SIZE

    def of(self, value: Any, depth: int) -> Any:
        self._take(1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | float):
            return _number(value)
        if depth >= MAX_DEPTH and isinstance(value, list | tuple | dict):
            raise InvalidValue(f"nested deeper than {MAX_DEPTH}", code="too_deep", hint="flatten it")
        if isinstance(value, list | tuple):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        raise InvalidValue(f"{shown(value)} is not JSON", code="not_json", hint="give it as text")

    def _text(self, text: str) -> str:
        self._take(len(text))
        return clean_text(text, multiline=True)

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise InvalidValue(f"{shown(key)} is not the key of a JSON object", code="not_json", hint="keys are texts")
        return self._text(key)

    def _take(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise InvalidValue(
                f"more than {MAX_SIZE:,} values and characters", code="too_large", hint="keep it in parts"
            )


def _number(value: float) -> float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue(f"{shown(value)} is not JSON", code="not_a_number", hint="give None for no value")
        # PostgreSQL writes 1.0 and 1e30 its own way, after which they are integers.
        if not value.is_integer():
            return float(value)
    if abs(value) > _MAX_INTEGER:
        raise _out_of_range()
    return int(value)


def read_document(text: str) -> Any:
    """The JSON value a text says. Raises InvalidValue: ``not_json``, ``duplicate_key``, or what the check raises."""
    if len(text) > 4 * MAX_SIZE:
        raise InvalidValue(f"more than {MAX_SIZE:,} values and characters", code="too_large")
    try:
        value = json.loads(text, parse_int=_read_integer, parse_constant=_no_constant, object_pairs_hook=_object)
    except RecursionError:
        raise InvalidValue(f"nested deeper than {MAX_DEPTH}", code="too_deep") from None
    except json.JSONDecodeError as error:
        raise InvalidValue(f"not JSON: {error}", code="not_json", hint='text needs quotes: "text"') from None
    return checked_document(value)


def write_document(value: Any) -> str:
    """The document as compact JSON text, letters of every script as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read_integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise _out_of_range()
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise InvalidValue(f"{name} is not JSON", code="not_a_number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidValue("an object has a key twice", code="duplicate_key")
    return found


def _out_of_range() -> InvalidValue:
    return InvalidValue("the number needs more than 64 bits", code="out_of_range", hint="write it as text")
