"""A field of a record type: a key, a type, and what the record type demands of it."""

import keyword
import re
from collections.abc import Mapping
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.schema.field_type import FieldType
from crmkit.schema.parts import SLOT_COLUMNS
from crmkit.values.text import shown

__all__ = ["KEY_PATTERN", "RESERVED", "Field", "checked_key", "label_of", "place_of"]

KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,47}")
COLUMN_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,47}(\.[1-9][0-9]{0,8})?")

_WORDS = frozenset({"and", "or", "not", "in", "is", "none", "true", "false", "any", "all", "me", "my_team"})
RESERVED = _WORDS | {"tags", "custom"}
"""Words of the expression language and of every record; no field may take them, nor a keyword of Python."""

_PLACE_LENGTH = 80


def checked_key(key: Any, what: str = "field") -> str:
    """The key if it may name something. Raises InvalidDefinition."""
    reserved = RESERVED if what == "field" else _WORDS
    if not isinstance(key, str) or KEY_PATTERN.fullmatch(key) is None or key in reserved or keyword.iskeyword(key):
        raise InvalidDefinition(
            f"{shown(key)} cannot be the key of a {what}",
            code="bad_key",
            hint="lower-case ASCII letters, digits and _, a letter first, 48 at most, no reserved word",
        )
    return key


def place_of(key: object) -> str | None:
    """Any key as the place of a problem: short, and text that can be sent; None if it is no text."""
    return key[:_PLACE_LENGTH].encode("utf-8", "replace").decode("utf-8") if isinstance(key, str) else None


def label_of(labels: Mapping[str, str], key: str, language: str = "en") -> str:
    """The label in a language, else in English, else in any language, else the key in words."""
    return labels.get(language) or labels.get("en") or next(iter(labels.values()), key.replace("_", " ").capitalize())


def _storable(field: "Field", attribute: "attrs.Attribute[str]", column: Any) -> None:
    if not isinstance(column, str) or COLUMN_PATTERN.fullmatch(column) is None:
        raise InvalidDefinition(f"{shown(column)} cannot be a column", code="bad_column", field=field.key)


def _slot(field: "Field", attribute: "attrs.Attribute[str | None]", slot: Any) -> None:
    if slot is not None and slot not in SLOT_COLUMNS:
        raise InvalidDefinition(f"there is no slot {shown(slot)}", code="bad_slot", field=field.key)


@attrs.frozen
class Field:
    """One field. ``column`` names where its parts lie: a column of the table, or for custom fields a key of the JSON
    column; ``slot`` is the indexed column that holds the compare part of a custom field instead, ``unique_slot`` the
    one that keeps it unique.
    """

    key: str
    type: FieldType
    labels: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    required: bool = False
    default: Any = attrs.field(default=None, hash=False)
    unique: bool = False
    indexed: bool = False
    sensitive: bool = False
    system: bool = False
    custom: bool = False
    column: str = attrs.field(default=attrs.Factory(lambda self: self.key, takes_self=True), validator=_storable)
    slot: str | None = attrs.field(default=None, validator=_slot)
    unique_slot: str | None = attrs.field(default=None, validator=_slot)
    check: str | None = None
    """A validation expression in text form that every record must meet."""

    def label(self, language: str = "en") -> str:
        """The field's label for people."""
        return label_of(self.labels, self.key, language)

    def part_columns(self) -> tuple[str, ...]:
        """Column names (or JSON keys) of the parts, in order; nothing in them but ``[a-z0-9_.]``.

        A JSON key has a dot before the suffix, which no key of a field has: a custom field ``amount`` with the part
        ``currency`` can never meet another named ``amount_currency``, not even a retired one whose type is forgotten.
        """
        between = "." if self.custom else "_"
        return tuple(f"{self.column}{between}{part.suffix}" if part.suffix else self.column for part in self.type.parts)
