"""The field types by name: the built-in ones and what plugins add."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from crmkit.errors import InvalidDefinition
from crmkit.schema.field import checked_key
from crmkit.schema.field_type import FieldType
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.schema.types.choices import Choice, MultiChoice
from crmkit.schema.types.contact import Email, Phone, Url
from crmkit.schema.types.money import Money
from crmkit.schema.types.numbers import Boolean, Decimal, Integer, Percent
from crmkit.schema.types.reference import Reference
from crmkit.schema.types.structured import Address, Json, PersonName
from crmkit.schema.types.text import LongText, Text
from crmkit.schema.types.times import Date, DateTime, Duration
from crmkit.values.text import shown

__all__ = ["BUILTIN_FIELD_TYPES", "field_types"]

BUILTIN_FIELD_TYPES: tuple[type[FieldType], ...] = (
    Address,
    Boolean,
    Choice,
    Date,
    DateTime,
    Decimal,
    Duration,
    Email,
    Integer,
    Json,
    LongText,
    Money,
    MultiChoice,
    Percent,
    PersonName,
    Phone,
    Reference,
    Text,
    Url,
)

_SLOT_KINDS: Mapping[Slot, frozenset[Kind]] = MappingProxyType(
    {
        Slot.TEXT: frozenset({Kind.TEXT, Kind.ID}),
        Slot.NUMBER: frozenset({Kind.INTEGER}),
        Slot.TIME: frozenset({Kind.INTEGER}),
    }
)
"""Which compare parts a slot pool can hold; no type asks for the pool of unique values, a field does."""


def field_types(extra: Iterable[type[FieldType]] = ()) -> Mapping[str, type[FieldType]]:
    """The built-in field types and ``extra`` ones by name, read-only.

    Raises InvalidDefinition: ``duplicate_type`` for a name that is taken, ``bad_type`` for a type that breaks the
    contract of :class:`~crmkit.schema.FieldType`.
    """
    by_name: dict[str, type[FieldType]] = {}
    for field_type in (*BUILTIN_FIELD_TYPES, *extra):
        _check(field_type)
        if field_type.name in by_name:
            raise InvalidDefinition(
                f"two field types are named {field_type.name!r}",
                code="duplicate_type",
                hint=f"{by_name[field_type.name].__qualname__} and {field_type.__qualname__}",
            )
        by_name[field_type.name] = field_type
    return MappingProxyType(by_name)


def _check(field_type: Any) -> None:
    if not isinstance(field_type, type) or not issubclass(field_type, FieldType):
        raise _broken(field_type, "it is not a subclass of FieldType")
    if "__attrs_attrs__" not in vars(field_type):
        raise _broken(field_type, "it is not an attrs.frozen class")
    try:
        checked_key(field_type.name, "field type")
    except InvalidDefinition:
        raise _broken(field_type, f"its name is {shown(field_type.name)}") from None
    _check_parts(field_type)
    operators: Any = field_type.operators
    if not isinstance(operators, frozenset) or not all(isinstance(operator, str) for operator in operators):
        raise _broken(field_type, "its operators are not a frozenset of names")


def _check_parts(field_type: Any) -> None:
    parts = field_type.parts
    if not isinstance(parts, tuple) or not parts or not all(isinstance(part, Part) for part in parts):
        raise _broken(field_type, "its parts are not a tuple of one Part or more")
    if len({part.suffix for part in parts}) != len(parts):
        raise _broken(field_type, "two of its parts have the same suffix")
    if field_type.compare not in range(len(parts)) or field_type.unit not in (None, *range(len(parts))):
        raise _broken(field_type, "its compare part or its unit is none of its parts")
    kind = parts[field_type.compare].kind
    if kind is Kind.JSON and (field_type.operators or field_type.sortable):
        raise _broken(field_type, "its compare part is JSON, which neither compares nor sorts")
    if field_type.slot is not None and kind not in _SLOT_KINDS.get(field_type.slot, ()):
        raise _broken(field_type, f"its slot cannot hold a compare part of kind {kind.value}")


def _broken(field_type: Any, reason: str) -> InvalidDefinition:
    name = getattr(field_type, "__qualname__", None) or shown(field_type)
    return InvalidDefinition(f"the field type {name:.80} breaks the contract: {reason}", code="bad_type")
