"""A link to another record."""

import re
from typing import Any, ClassVar
from uuid import UUID

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import EQUALITY, FieldType
from crmkit.schema.options import bad_option, text_like
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.values import parse_id
from crmkit.values.text import shown

__all__ = ["Reference"]

_KEY = "[a-z][a-z0-9_]{0,47}"
_HEX = "[0-9a-fA-F]"
_JSON_FORM = re.compile(f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}")


@attrs.frozen
class Reference(FieldType):
    """A link to a record of the type ``to`` (``*``: of any type); ``back`` names the way back from there (``deals``).

    A record that others refer to cannot be deleted, but link records go with it, unless the reference ``holds`` it.
    The value is the record's id; where a value comes in, the record itself is taken as well.

    ``part_of`` says that the record is a part of the one it refers to, its whole: whoever may change the whole may have
    its parts written by the verbs that keep them, and they are taken back with it. A whole of any type is told by the
    record type named in the field ``type_field``.
    """

    name: ClassVar[str] = "reference"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.ID),)
    operators: ClassVar[frozenset[str]] = EQUALITY
    slot: ClassVar[Slot | None] = Slot.TEXT
    sortable: ClassVar[bool] = False

    to: str = attrs.field(validator=text_like(rf"\*|{_KEY}", "the key of a record type, or *"))
    back: str | None = attrs.field(default=None, validator=text_like(_KEY, "lower-case letters, digits and _"))

    holds: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    part_of: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool), kw_only=True)
    type_field: str | None = attrs.field(default=None, validator=text_like(_KEY, "the key of a field"), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.to is None:
            raise bad_option("a reference names the record type it leads to")
        if self.to == "*" and self.back is not None:
            raise bad_option("a reference to any type has no way back")

    def parse(self, value: Any) -> UUID:
        if type(value) is UUID:
            return value
        return parse_id(getattr(value, "id", value))

    def parse_text(self, text: str) -> UUID:
        return parse_id(text.strip())

    def dump(self, value: UUID) -> str:
        return str(value)

    def load(self, document: Any) -> UUID:
        if not isinstance(document, str) or _JSON_FORM.fullmatch(document) is None:
            raise InvalidValue(f"{shown(document)} is not an id", code="not_an_id", hint="text of 36 characters")
        return UUID(document)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}
