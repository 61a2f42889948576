"""How long a text may be that lies in an index.

PostgreSQL has room for 2,704 bytes in one entry of an index, SQLite for any number. An entry holds the tenant, an id
and two texts at most, a field's own and the one by which its record type is sorted; so one text may have 1,200 bytes,
on both databases.
"""

from collections.abc import Callable
from typing import Any

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import FieldType
from crmkit.schema.parts import Kind
from crmkit.schema.record_type import RecordType

__all__ = ["INDEX_ROOM", "check_room", "indexed_texts", "with_room"]

INDEX_ROOM = 1_200
"""Bytes of UTF-8, counted in the form in which a text is compared."""

_SURE = INDEX_ROOM // 36
"""So many characters have room whatever they are: folded, none becomes more than 18 of two bytes."""


def indexed_texts(record_type: RecordType) -> frozenset[str]:
    """The fields whose texts lie in an index."""
    together = {key for keys in (*record_type.unique, *record_type.indexes) for key in keys}
    return frozenset(
        f.key
        for f in record_type.fields
        if f.type.parts[f.type.compare].kind is Kind.TEXT
        and (f.indexed or f.unique or f.key in together or f.key == record_type.sort)
    )


def check_room(field_type: FieldType, value: Any) -> None:
    """Raises InvalidValue (``too_long``) for a value that an index has no room for."""
    if type(value) is str and len(value) <= _SURE:
        return
    compared = field_type.key(value)
    size = len(compared.encode()) if isinstance(compared, str) else 0  # numbers and times have room
    if size > INDEX_ROOM:
        raise InvalidValue(
            f"a text in an index has room for {INDEX_ROOM:,} bytes, and this one has {size:,} as it is compared",
            code="too_long",
            hint="shorten it, or have the field without an index",
        )


def with_room(parse: Callable[[Any], Any], field_type: FieldType) -> Callable[[Any], Any]:
    """The parser of a field that lies in an index."""

    def parsed(given: Any) -> Any:
        value = parse(given)
        check_room(field_type, value)
        return value

    return parsed
