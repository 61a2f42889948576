"""Values with an inside: names of people, addresses, free JSON."""

import copy
from functools import cached_property
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import TEXTUAL, FieldType, Parts
from crmkit.schema.json_guard import JsonGuard, compiled
from crmkit.schema.options import bad_option
from crmkit.schema.parts import Kind, Part
from crmkit.schema.types.json_document import checked_document, read_document, write_document
from crmkit.values import Address as AddressValue
from crmkit.values import PersonName as PersonNameValue
from crmkit.values import clean_text, fold
from crmkit.values.text import shown

__all__ = ["Address", "Json", "PersonName"]

_NAME_PARTS = ("given", "family", "middle", "prefix", "suffix")
_NAME_LENGTH = 200
_ADDRESS_PARTS = ("street", "city", "region", "postal_code", "country")
_ADDRESS_LENGTH = 500


def _one_of_them(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """JSON Schema: at least one of these parts is more than white space."""
    return [{"required": [name], "properties": {name: {"pattern": r"\S"}}} for name in names]


@attrs.frozen
class PersonName(FieldType):
    """The name of a person in its parts; compared and sorted by the full name, folded.

    As text it is the full name, from which the parts are read again as well as a name lets them.
    """

    name: ClassVar[str] = "person_name"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.JSON), Part("key", Kind.TEXT))
    compare: ClassVar[int] = 1
    operators: ClassVar[frozenset[str]] = TEXTUAL

    def parse(self, value: Any) -> PersonNameValue:
        if isinstance(value, PersonNameValue):
            return value
        if isinstance(value, str):
            return PersonNameValue.parse(value)
        raise InvalidValue(f"{shown(value)} is not a name", code="not_a_name", hint="give a PersonName or its text")

    def parse_text(self, text: str) -> PersonNameValue:
        return PersonNameValue.parse(text.strip())

    def operand(self, value: Any) -> Any:
        return value if isinstance(value, PersonNameValue) else clean_text(value)

    def dump(self, value: PersonNameValue) -> dict[str, Any]:
        return value.to_dict()

    def load(self, document: Any) -> PersonNameValue:
        if not isinstance(document, dict):
            raise InvalidValue(f"{shown(document)} is not a name", code="not_a_name", hint='{"given": "Ada"}')
        return PersonNameValue.from_dict(document)

    def to_text(self, value: PersonNameValue) -> str:
        return value.full

    def to_parts(self, value: PersonNameValue) -> Parts:
        return value.to_dict(), fold(value.full)

    def key(self, value: PersonNameValue | str) -> str:
        return fold(value if isinstance(value, str) else value.full)

    def from_parts(self, *parts: Any) -> PersonNameValue:
        return PersonNameValue.from_stored(parts[0])

    def json_schema(self) -> dict[str, Any]:
        properties: dict[str, Any] = {part: {"type": "string", "maxLength": _NAME_LENGTH} for part in _NAME_PARTS}
        properties["family_first"] = {"type": ["boolean", "null"]}
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "anyOf": _one_of_them(("given", "family")),
        }


@attrs.frozen
class Address(FieldType):
    """A postal address; kept whole, not searched. As text it is one line, which is read back as the street."""

    name: ClassVar[str] = "address"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.JSON),)
    operators: ClassVar[frozenset[str]] = frozenset()
    sortable: ClassVar[bool] = False

    def parse(self, value: Any) -> AddressValue:
        if not isinstance(value, AddressValue):
            raise InvalidValue(f"{shown(value)} is not an address", code="not_an_address", hint="give an Address")
        if not (value.street or value.city or value.region or value.postal_code or value.country):
            raise InvalidValue("an empty address is no value", code="empty", hint="give None")
        return value

    def parse_text(self, text: str) -> AddressValue:
        return self.parse(AddressValue(street=text))

    def dump(self, value: AddressValue) -> dict[str, Any]:
        return dict(value.to_dict())

    def load(self, document: Any) -> AddressValue:
        if not isinstance(document, dict):
            raise InvalidValue(f"{shown(document)} is not an address", code="not_an_address", hint='{"city": "Paris"}')
        return self.parse(AddressValue.from_dict(document))

    def to_text(self, value: AddressValue) -> str:
        return value.one_line

    def to_parts(self, value: AddressValue) -> Parts:
        return (value.to_dict(),)

    def from_parts(self, *parts: Any) -> AddressValue:
        return AddressValue.from_stored(parts[0])

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {part: {"type": "string", "maxLength": _ADDRESS_LENGTH} for part in _ADDRESS_PARTS},
            "additionalProperties": False,
            "anyOf": _one_of_them(_ADDRESS_PARTS),
        }


def _own_schema(schema: Any) -> dict[str, Any] | None:
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise bad_option(f"{shown(schema)} is not a JSON Schema", "an object")
    try:
        copied: dict[str, Any] = checked_document(schema)
    except InvalidValue as error:
        raise bad_option(f"the schema: {error}") from error
    return copied


@attrs.frozen
class Json(FieldType):
    """Any JSON value but null, guarded by a JSON Schema 2020-12 where ``schema`` gives one; kept whole, not searched.

    In the schema ``format`` is an annotation, as the standard has it, and patterns are Python's. A schema that could
    not be used is refused when the type is made, code ``bad_option``.
    """

    name: ClassVar[str] = "json"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.JSON),)
    operators: ClassVar[frozenset[str]] = frozenset()
    sortable: ClassVar[bool] = False

    schema: dict[str, Any] | None = attrs.field(default=None, converter=_own_schema, hash=False)

    def __attrs_post_init__(self) -> None:
        # Compiled now, so that a broken schema is refused now.
        _ = self._guard

    def parse(self, value: Any) -> Any:
        document = checked_document(value)
        if document is None:
            raise InvalidValue("null is no value", code="empty", hint="give None for the field")
        if self._guard is not None:
            self._guard.check(document)
        return document

    def parse_text(self, text: str) -> Any:
        return self.parse(read_document(text))

    def operand(self, value: Any) -> Any:
        return self.parse(value)

    def to_text(self, value: Any) -> str:
        return write_document(value)

    def options(self) -> dict[str, Any]:
        return {} if self.schema is None else {"schema": copy.deepcopy(self.schema)}

    def json_schema(self) -> dict[str, Any]:
        return {} if self.schema is None else copy.deepcopy(self.schema)

    @cached_property
    def _guard(self) -> JsonGuard | None:
        return None if self.schema is None else compiled(self.schema)
