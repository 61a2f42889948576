"""How a value lies in a database: as one or more parts, each of one of four primitive kinds.

Both databases agree exactly on integers, text in code point order, 16-byte ids and JSON, and on nothing else; so that
is all a field type may use. Dates are days, instants are microseconds, decimals are scaled integers.
"""

import enum
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition

__all__ = ["SLOTS", "SLOT_COLUMNS", "Kind", "Part", "Slot"]

# With a key of 48 characters and the separator, a column name stays within the 63 that PostgreSQL keeps.
_SUFFIX = re.compile(r"([a-z][a-z0-9_]{0,13})?")


class Kind(enum.Enum):
    """The primitive a part is stored as."""

    TEXT = "text"
    INTEGER = "integer"
    ID = "id"
    JSON = "json"


class Slot(enum.Enum):
    """The pools of indexed columns that custom fields may occupy."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    UNIQUE = "unique"


SLOTS: Mapping[Slot, tuple[str, ...]] = MappingProxyType(
    {
        Slot.TEXT: ("text_1", "text_2", "text_3", "text_4", "text_5"),
        Slot.NUMBER: ("number_1", "number_2", "number_3", "number_4"),
        Slot.TIME: ("time_1", "time_2", "time_3"),
        Slot.UNIQUE: ("unique_1", "unique_2"),
    }
)
"""The slot columns that every record type has, links excepted."""

SLOT_COLUMNS = tuple(column for pool in SLOTS.values() for column in pool)
"""All of them, in the order in which tables have them."""


def _checked_suffix(part: "Part", attribute: "attrs.Attribute[str]", suffix: Any) -> None:
    if not isinstance(suffix, str) or _SUFFIX.fullmatch(suffix) is None:
        raise InvalidDefinition(
            f"{suffix!r:.40} cannot be the suffix of a part",
            code="bad_part",
            hint="lower-case ASCII letters, digits and _, a letter first, 14 at most, or nothing",
        )


@attrs.frozen
class Part:
    """One primitive of a value; ``suffix`` is appended to the field's column name ("" for the main part)."""

    suffix: str = attrs.field(validator=_checked_suffix)
    kind: Kind
    max_length: int | None = None
