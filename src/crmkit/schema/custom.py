"""Custom fields and custom objects: what is stored of them, where their values go, and the schema a tenant gets.

A custom field's parts lie in the JSON column under its ``column``, which is its key, or ``key.2`` and so on where an
earlier field had that key, so that history written under a retired field keeps its own meaning. An indexed field also
takes a slot from its type's pool, a unique one a slot that holds the text of its compare part. No DDL, ever.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, TypeVar

import attrs

from crmkit.errors import CrmkitError, InvalidDefinition, InvalidValue, Problem
from crmkit.schema.field import Field, checked_key, place_of
from crmkit.schema.field_type import FieldType
from crmkit.schema.parts import SLOTS, Kind, Slot
from crmkit.schema.record_type import RecordType
from crmkit.schema.schema import Schema, suggestion
from crmkit.schema.types import field_types as known_types
from crmkit.values import clean_text
from crmkit.values.text import shown

__all__ = ["FieldDefinition", "ObjectDefinition", "object_type", "place", "tenant_schema", "to_field"]

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")
_LABEL_LENGTH = 255
_CHECK_LENGTH = 10_000
T = TypeVar("T")

_FLAGS = ("required", "unique", "indexed", "sensitive")


def _own_object(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidDefinition(f"{shown(value)} is not an object", code="not_an_object")
    return dict(value)


@attrs.frozen
class FieldDefinition:
    """A custom field as it is stored; ``options`` and ``default`` are JSON. ``place`` fills the last three."""

    on: str
    key: str
    type: str
    options: Mapping[str, Any] = attrs.field(factory=dict, converter=_own_object, hash=False)
    labels: Mapping[str, str] = attrs.field(factory=dict, converter=_own_object, hash=False)
    required: bool = False
    default: Any = attrs.field(default=None, hash=False)
    unique: bool = False
    indexed: bool = False
    sensitive: bool = False
    check: str | None = None
    column: str = ""
    slot: str | None = None
    unique_slot: str | None = None


@attrs.frozen
class ObjectDefinition:
    """A custom object as it is stored."""

    key: str
    plural: str
    label: str


def place(
    definition: FieldDefinition,
    record_type: RecordType,
    used_columns: Iterable[str],
    *,
    field_types: Mapping[str, type[FieldType]] | None = None,
    backs: Iterable[str] = (),
) -> FieldDefinition:
    """The definition of a new field, checked, in normal form, and with its storage chosen.

    ``record_type`` is the type as it stands in the tenant. ``used_columns`` are the columns that custom fields of the
    type ever had, retired ones included; slots among them are taken again only when no fresh one is left.
    ``field_types`` are the built-in ones unless given; ``backs`` are the names of ways back to the type.

    Raises InvalidDefinition with every problem found: ``bad_key``, ``duplicate_field``, ``unknown_field_type``,
    ``unknown_option``, ``bad_option``, ``bad_label``, ``bad_default``, ``bad_check``, ``not_a_boolean``,
    ``not_indexable``, ``not_unique_able``, ``slots_exhausted``, ``wrong_type`` (the definition is for another type).
    """
    if definition.on != record_type.key:
        raise InvalidDefinition(f"a field of {shown(definition.on)}, not of {record_type.key}", code="wrong_type")
    used = {*used_columns, *(f.column for f in record_type.custom)}
    problems = _Problems(definition.key)
    problems.of(lambda: _check_key(definition.key, record_type, backs))
    problems.of(lambda: _check_flags(definition))
    labels = problems.of(lambda: _labels(definition.labels))
    problems.of(lambda: _check_text(definition.check))
    type_ = problems.of(lambda: _type_of(definition, known_types() if field_types is None else field_types))
    if type_ is None:
        raise InvalidDefinition(problems.found)
    default = problems.of(lambda: _default(definition.default, type_))
    slot = problems.of(lambda: _index_slot(definition, type_, record_type, used)) if definition.indexed else None
    unique = problems.of(lambda: _unique_slot(definition, type_, record_type, used)) if definition.unique else None
    if problems.found:
        raise InvalidDefinition(problems.found)
    return attrs.evolve(
        definition,
        options=type_.options(),
        labels=labels,
        default=None if default is None else type_.dump(default),
        column=_free_column(definition.key, used),
        slot=slot,
        unique_slot=unique,
    )


def to_field(definition: FieldDefinition, field_types: Mapping[str, type[FieldType]]) -> Field:
    """The field a stored definition stands for. Raises InvalidDefinition if it could not have come from ``place``."""
    try:
        type_ = _type_of(definition, field_types)
        default = _default(definition.default, type_)
    except InvalidDefinition as error:
        raise InvalidDefinition(_placed(error, place_of(definition.key))) from error
    pool = () if type_.slot is None else SLOTS[type_.slot]
    for slot, slots in ((definition.slot, pool), (definition.unique_slot, SLOTS[Slot.UNIQUE])):
        if slot is not None and slot not in slots:
            raise InvalidDefinition(
                f"{shown(slot)} is no slot of a {type_.name}", code="bad_slot", field=definition.key
            )
    return Field(
        checked_key(definition.key),
        type_,
        labels=definition.labels,
        required=definition.required,
        default=default,
        unique=definition.unique,
        indexed=definition.indexed,
        sensitive=definition.sensitive,
        custom=True,
        column=definition.column or definition.key,
        slot=definition.slot,
        unique_slot=definition.unique_slot,
        check=definition.check,
    )


def object_type(definition: ObjectDefinition, base: RecordType) -> RecordType:
    """The record type of a custom object: ``base`` under the object's name, in the same table.

    Raises InvalidDefinition (``bad_key``, ``bad_label``).
    """
    return attrs.evolve(
        base,
        key=definition.key,
        plural=definition.plural,
        label=_label(definition.label),
        object_key=definition.key,
        fields=base.declared,
    )


def tenant_schema(
    declared: Schema,
    objects: Iterable[ObjectDefinition],
    definitions: Iterable[FieldDefinition],
    field_types: Mapping[str, type[FieldType]],
    base: RecordType,
) -> Schema:
    """The schema of one tenant: the declared types with its custom fields, and its custom objects.

    ``base`` itself is not in it: its table holds the records of all custom objects, each of which has grants of its
    own. Raises InvalidDefinition.
    """
    fields: dict[str, list[Field]] = {}
    for definition in definitions:
        fields.setdefault(definition.on, []).append(to_field(definition, field_types))
    visible = Schema({key: t for key, t in declared.types.items() if key != base.key})
    return visible.with_custom(fields, [object_type(definition, base) for definition in objects])


class _Problems:
    """Everything found wrong with one definition."""

    __slots__ = ("field", "found")

    def __init__(self, key: object) -> None:
        self.field = place_of(key)
        self.found: list[Problem] = []

    def of(self, check: Callable[[], T]) -> T | None:
        """What the check gives, or None when it refuses."""
        try:
            return check()
        except InvalidDefinition as error:
            self.found.extend(_placed(error, self.field))
            return None


def _placed(error: CrmkitError, field: str | None) -> list[Problem]:
    return [problem.at(field=field) for problem in error.problems]


def _check_key(key: str, record_type: RecordType, backs: Iterable[str]) -> None:
    checked_key(key)
    if key in record_type.by_key or key in set(backs):
        raise InvalidDefinition(
            f"{record_type.key} has {key!r} already", code="duplicate_field", hint="a field or a way back; take another"
        )


def _check_flags(definition: FieldDefinition) -> None:
    for flag in _FLAGS:
        if type(getattr(definition, flag)) is not bool:
            raise InvalidDefinition(f"{flag} is true or false", code="not_a_boolean")


def _labels(labels: Mapping[Any, str]) -> dict[str, str]:
    for language in labels:
        if not isinstance(language, str) or _LANGUAGE.fullmatch(language) is None:
            raise InvalidDefinition(
                f"{shown(language)} is not a language", code="bad_label", hint="such as en, de, zh-Hans"
            )
    return {language: _label(label) for language, label in labels.items()}


def _label(label: str) -> str:
    try:
        text = clean_text(label, max_length=_LABEL_LENGTH).strip()
    except InvalidValue as error:
        raise InvalidDefinition(f"a label: {error}", code="bad_label") from error
    if not text:
        raise InvalidDefinition("a label is not empty", code="bad_label")
    return text


def _check_text(check: str | None) -> None:
    """Only what any text must meet; what the expression says is checked where expressions are."""
    if check is not None:
        try:
            clean_text(check, max_length=_CHECK_LENGTH, multiline=True)
        except InvalidValue as error:
            raise InvalidDefinition(f"the check: {error}", code="bad_check") from error


def _type_of(definition: FieldDefinition, field_types: Mapping[str, type[FieldType]]) -> FieldType:
    name: object = definition.type
    found = field_types.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidDefinition(
            f"there is no field type {shown(name)}",
            code="unknown_field_type",
            hint=suggestion(name, field_types),
        )
    return found.from_options(definition.options)


def _default(default: Any, type_: FieldType) -> Any:
    if default is None:
        return None
    try:
        return type_.load(default)
    except InvalidValue as error:
        raise InvalidDefinition(f"the default: {error}", code="bad_default") from error


def _free_column(key: str, used: set[str]) -> str:
    if key not in used:
        return key
    return next(column for column in (f"{key}.{n}" for n in count(2)) if column not in used)


def _index_slot(definition: FieldDefinition, type_: FieldType, record_type: RecordType, used: set[str]) -> str:
    if record_type.link:
        raise InvalidDefinition(
            f"{record_type.key} is a link, and links have no slots", code="not_indexable", hint="define it unindexed"
        )
    if type_.slot is None:
        raise InvalidDefinition(
            f"a {type_.name} cannot be indexed", code="not_indexable", hint="define it unindexed, or of another type"
        )
    return _free_slot(type_.slot, record_type, used)


def _unique_slot(definition: FieldDefinition, type_: FieldType, record_type: RecordType, used: set[str]) -> str:
    if record_type.link:
        raise InvalidDefinition(f"{record_type.key} is a link, and links have no slots", code="not_unique_able")
    # What no index takes (long text, names) is too long for a unique one as well.
    comparable = "eq" in type_.operators and type_.parts[type_.compare].kind is not Kind.JSON
    if not comparable or type_.slot is None:
        raise InvalidDefinition(f"a {type_.name} cannot be unique", code="not_unique_able")
    return _free_slot(Slot.UNIQUE, record_type, used)


def _free_slot(pool: Slot, record_type: RecordType, used: set[str]) -> str:
    """A slot no field holds, if there is one that none ever held."""
    holders = {slot: f.key for f in record_type.custom for slot in (f.slot, f.unique_slot) if slot is not None}
    free = [slot for slot in SLOTS[pool] if slot not in holders]
    if not free:
        raise InvalidDefinition(
            f"{record_type.key} has no {pool.value} slot left",
            code="slots_exhausted",
            hint="held by " + ", ".join(f"{holders[slot]} ({slot})" for slot in SLOTS[pool]),
        )
    return next((slot for slot in free if slot not in used), free[0])
