"""The published contract of a record type: JSON Schema 2020-12 of what ``create`` takes in the form ``json``.

Whatever :class:`~crmkit.schema.parsing.RecordParser` takes is valid, and the other way round but for what JSON Schema
cannot say: that an e-mail address, a telephone number, a web address or a country is one; the bounds and the exact
range of decimals, money and durations, which are text in JSON; NUL characters, half surrogates and line breaks in
text; the depth and the size of free JSON, and 64 bits for the numbers in it. Nor may a line feed follow a decimal, an
amount or a duration, which jsonschema lets through, since Python's ``$`` matches before it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from crmkit.schema.field import Field
from crmkit.schema.json_guard import DIALECT, Formats, compiled
from crmkit.schema.record_type import RecordType
from crmkit.schema.types import Date, DateTime, Reference
from crmkit.schema.types.json_document import write_document

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["FORMATS", "json_schema", "validator"]

FORMATS: Formats = MappingProxyType({"date": Date().load, "date-time": DateTime().load, "uuid": Reference("*").load})
"""The formats that are checked, by the same code that reads the values."""

_MAY_TAKE_NULL = frozenset({"type", "format", "pattern", "maxLength", "minLength", "minimum", "maximum"})
_MAY_TAKE_NULL |= {"items", "minItems", "uniqueItems", "properties", "required", "additionalProperties"}
"""Keywords that say nothing about null."""


def json_schema(record_type: RecordType) -> dict[str, Any]:
    """JSON Schema 2020-12 of a record to be created, without the system's fields; a new dict at each call."""
    fields = record_type.declared + record_type.custom
    return {
        "$schema": DIALECT,
        "title": record_type.label,
        "type": "object",
        "properties": {f.key: _property(record_type, f) for f in fields},
        "required": [f.key for f in fields if f.required and f.default is None],
        "additionalProperties": False,
    }


def validator(record_type: RecordType) -> "Validator":
    """The jsonschema validator of ``json_schema(record_type)``, formats checked; compiled once per record type."""
    found = _VALIDATORS.get(record_type)
    if found is None:
        found = _VALIDATORS[record_type] = compiled(json_schema(record_type), FORMATS).validator
    return found


# By declaration, which never changes, for as long as it is there.
_VALIDATORS: "WeakKeyDictionary[RecordType, Validator]" = WeakKeyDictionary()


def _property(record_type: RecordType, field: Field) -> dict[str, Any]:
    schema = _resource(record_type, field)
    schema = _present(schema) if field.required else _nullable(schema)
    schema["title"] = field.label()
    if field.default is not None:
        schema["default"] = field.type.dump(field.default)
    return schema


def _resource(record_type: RecordType, field: Field) -> dict[str, Any]:
    """The type's schema; one with references inside becomes a resource of its own, so that they lead where they did."""
    schema = field.type.json_schema()
    if '"$' not in write_document(schema):
        return schema
    return {"allOf": [{"$id": f"urn:crmkit:{record_type.key}:{field.key}", **schema}]}


def _present(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Not null, and text is not blank."""
    if schema.get("type") == "string" and not {"pattern", "format"} & set(schema):
        return {**schema, "pattern": r"\S"}
    if isinstance(schema.get("type"), str) or None not in schema.get("enum", [None]):
        return dict(schema)
    return {"allOf": [schema, {"not": {"type": "null"}}]}


def _nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    if not schema:
        return {}
    if set(schema) == {"enum"}:
        return {"enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str) and set(schema) <= _MAY_TAKE_NULL:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
