"""Fields and record types a tenant adds at run time, as commands that can be undone like any other."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition, InvalidRecord, InvalidValue, NotFound, Problem
from crmkit.kernel.definitions.checks import placing_fields
from crmkit.kernel.definitions.concurrent import hold_definitions
from crmkit.kernel.definitions.tenant_schema import field_definition
from crmkit.kernel.writes.results import Raising
from crmkit.query.lift import equal_to
from crmkit.records import CustomField, CustomObject
from crmkit.schema import Field
from crmkit.schema.custom import FieldDefinition, place, to_field
from crmkit.schema.field import place_of
from crmkit.schema.field_type import FieldType
from crmkit.schema.forms import converted
from crmkit.sdk.command import Command, command
from crmkit.values.text import shown

__all__ = ["UNCHANGED", "AddField", "AddObject", "ChangeField", "RemoveField", "Unchanged"]


class Unchanged(Enum):
    """Says nothing where None would say that there is to be none."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED
"""It stays as it is."""


@command("custom_field.add", action="create")
class AddField(Command[CustomField]):
    """``me.fields.add("account", "employees", Integer(minimum=0), indexed=True)``: a field of a record type.

    ``type`` is a field type, or its name with ``options``. Raises InvalidDefinition with every problem: a bad or taken
    key, an unknown type or option, slots that are used up. A required field needs a default if there are records.
    """

    on: str
    key: str
    type: FieldType | str
    label: str | Mapping[str, str] = ""
    options: Mapping[str, Any] = attrs.field(factory=dict)
    required: bool = False
    default: Any = None
    unique: bool = False
    indexed: bool = False
    sensitive: bool = False
    check: str | None = None

    def run(self, me: Any) -> CustomField:
        hold_definitions(me, alone=True)
        record_type = me.type_of(self.on)
        definition = place(
            self._definition(record_type.key),
            record_type,
            _columns_ever(me, record_type.key),
            field_types=me.crm.field_types,
            backs=me.schema.backs(record_type.key),
        )
        if definition.required and definition.default is None and me.system_reader.count(record_type.key):
            raise InvalidDefinition(
                f"there are {record_type.plural} without {self.key}",
                code="needs_default",
                field=self.key,
                hint="give a default, or add it as not required and fill it first",
            )
        with placing_fields(me):
            made: CustomField = me.records("custom_field").create(attrs.asdict(definition, recurse=False))
        if definition.required:
            default = me.type_of(record_type.key).by_key[self.key].default
            _fill(me, record_type.key, self.key, ((r.id, default) for r in me.system_reader.records(record_type.key)))
        return made

    def _definition(self, type_key: str) -> FieldDefinition:
        name, options = _type(self.type, self.options)
        return FieldDefinition(
            on=type_key,
            key=self.key,
            type=name,
            options=options,
            labels={"en": self.label} if isinstance(self.label, str) and self.label else self.label or {},
            required=self.required,
            default=self.default,
            unique=self.unique,
            indexed=self.indexed,
            sensitive=self.sensitive,
            check=self.check,
        )


@command("custom_field.change", action="update")
class ChangeField(Command[CustomField]):
    """``me.fields.change("account", "employees", Decimal())``: another type, options, label or demand for a field.

    Values are converted by way of their text. If any record has a value that does not fit, or none where one is now
    required, InvalidRecord lists all of them and nothing is changed; a ``dry_run`` session shows it beforehand. Earlier
    values keep their meaning in history, and an undo brings them back unless others have written values since.
    ``default=None`` and ``check=None`` take these away. Raises InvalidRecord (``in_use``) if a segment, grant, check or
    gate would mean nothing afterwards.
    """

    on: str
    key: str
    type: FieldType | str | None = None
    options: Mapping[str, Any] | None = None
    label: str | Mapping[str, str] | None = None
    required: bool | None = None
    default: Any = UNCHANGED
    unique: bool | None = None
    indexed: bool | None = None
    sensitive: bool | None = None
    check: str | Unchanged | None = UNCHANGED

    def run(self, me: Any) -> CustomField:
        hold_definitions(me, alone=True)
        record_type, stored = _stored(me, self.on, self.key)
        old, before = record_type.by_key[self.key], field_definition(stored)
        definition = self._changed(before)
        moves = any(getattr(definition, n) != getattr(before, n) for n in ("type", "options", "unique", "indexed"))
        if moves:
            others = record_type.with_custom(f for f in record_type.custom if f.key != self.key)
            blank = attrs.evolve(definition, column="", slot=None, unique_slot=None)
            columns = _columns_ever(me, record_type.key)
            definition = place(
                blank, others, columns, field_types=me.crm.field_types, backs=_other_backs(me, record_type, old)
            )
        new = to_field(definition, me.crm.field_types)
        converted = _converted(me, record_type, old, new)
        with placing_fields(me):
            changed: CustomField = me.records("custom_field").update(stored, attrs.asdict(definition, recurse=False))
        _fill(me, record_type.key, self.key, converted if moves or new.required else [])
        return changed

    def _changed(self, before: FieldDefinition) -> FieldDefinition:
        given: dict[str, Any] = {}
        if self.type is not None:
            given["type"], given["options"] = _type(self.type, self.options or {})
        elif self.options is not None:
            given["options"] = self.options
        if self.label is not None:
            given["labels"] = {"en": self.label} if isinstance(self.label, str) else self.label
        flags = ("required", "unique", "indexed", "sensitive")
        given |= {name: getattr(self, name) for name in flags if getattr(self, name) is not None}
        given |= {name: getattr(self, name) for name in ("default", "check") if getattr(self, name) is not UNCHANGED}
        return attrs.evolve(before, **given)


def _type(given: FieldType | str, options: Any) -> tuple[str, Any]:
    """Name and options of a field type; whether they are any is checked with the rest of the definition."""
    return (given.name, given.options()) if isinstance(given, FieldType) else (given, options)


def _stored(me: Any, on: str, key: str) -> tuple[Any, Any]:
    """The record type and the custom_field record of one of its fields. Raises NotFound."""
    record_type = me.type_of(on)
    for stored in me.system_reader.records("custom_field"):
        if stored.on == record_type.key and stored.key == key:
            return record_type, stored
    raise NotFound(f"{record_type.key} has no custom field {shown(key)}", code="unknown_field", field=place_of(key))


def _other_backs(me: Any, record_type: Any, old: Field) -> list[str]:
    """The ways back to the type, but for the one the field itself makes."""
    own = getattr(old.type, "back", None)
    return [name for name in me.schema.backs(record_type.key) if name != own]


def _converted(me: Any, record_type: Any, old: Field, new: Field) -> list[tuple[Any, Any]]:
    """The value of each record in the new type. Raises InvalidRecord with every record that does not fit."""
    converted: list[tuple[Any, Any]] = []
    problems: list[Problem] = []
    for row, record in enumerate(me.system_reader.records(record_type.key)):
        value = record[old.key]
        try:
            value = new.default if value is None and new.required else _convert(value, old, new)
            if value is None and new.required:
                raise InvalidValue("a value is required", code="required")
        except InvalidValue as error:
            name = f"of {record_type.key} {record.id}"
            problems += (attrs.evolve(p.at(field=old.key, row=row), hint=name) for p in error.problems)
        else:
            if value is not None:
                converted.append((record.id, value))
    if problems:
        raise InvalidRecord(problems)
    return converted


def _convert(value: Any, old: Field, new: Field) -> Any:
    return None if value is None else converted(value, old.type, new.type)


def _fill(me: Any, type_key: str, key: str, values: Iterable[tuple[Any, Any]]) -> None:
    """Gives records the values of a field; they are the definition's, so no right of the record's is asked."""
    rows = ((i, record_id, {key: value}) for i, (record_id, value) in enumerate(values))
    me.writes(trusted=True).update(type_key, rows, Raising())


def _columns_ever(me: Any, type_key: str) -> list[str]:
    """The columns custom fields of the type have ever had: what is in history under them keeps its meaning."""
    versions = me.history(trusted=True).versions
    return [
        c
        for f in versions.all("custom_field", equal_to("on", type_key))
        for c in (f.column, f.slot, f.unique_slot)
        if c
    ]


@command("custom_field.remove", action="delete")
class RemoveField(Command[None]):
    """``me.fields.remove("account", "employees")``: the field is gone from every surface.

    Its values move to history and come back with an undo.
    """

    on: str
    key: str

    def run(self, me: Any) -> None:
        hold_definitions(me, alone=True)
        _, stored = _stored(me, self.on, self.key)
        me.records("custom_field").delete(stored)


@command("custom_object.add", action="create")
class AddObject(Command[CustomObject]):
    """``me.objects.add("vessel", plural="vessels", label="Vessel")``: a record type of the tenant's own.

    It has a name and an owner; other fields are added to it like to any type. Raises InvalidDefinition.
    """

    key: str
    plural: str
    label: str

    def run(self, me: Any) -> CustomObject:
        hold_definitions(me, alone=True)
        made: CustomObject = me.records("custom_object").create(key=self.key, plural=self.plural, label=self.label)
        return made
