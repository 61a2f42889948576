"""Fields and record types a tenant adds at run time, as commands that can be undone like any other."""

from collections.abc import Mapping
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition, NotFound
from crmkit.query.bind import Binder
from crmkit.query.lift import lift
from crmkit.query.text import parse
from crmkit.records import CustomField, CustomObject
from crmkit.schema.custom import FieldDefinition, ObjectDefinition, object_type, place
from crmkit.schema.field_type import FieldType
from crmkit.sdk.command import Command, command

__all__ = ["AddField", "AddObject", "RemoveField"]


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
        values = attrs.asdict(definition, recurse=False)
        made: CustomField = me.records("custom_field").create(values)
        if self.check is not None:
            condition = lift(parse(self.check))
            Binder(me.schema).bind(condition.shape, record_type.key)
        return made

    def _definition(self, type_key: str) -> FieldDefinition:
        named = isinstance(self.type, str)
        return FieldDefinition(
            on=type_key,
            key=self.key,
            type=self.type if isinstance(self.type, str) else self.type.name,
            options=dict(self.options) if named else self.type.options(),  # type: ignore[union-attr]
            labels={"en": self.label} if isinstance(self.label, str) and self.label else dict(self.label or {}),
            required=self.required,
            default=self.default,
            unique=self.unique,
            indexed=self.indexed,
            sensitive=self.sensitive,
            check=self.check,
        )


def _columns_ever(me: Any, type_key: str) -> list[str]:
    """The columns custom fields of the type have ever had: what is in history under them keeps its meaning."""
    versions = me.history(trusted=True).versions
    where = lift(parse("on == 'x'"))
    where = attrs.evolve(where, values=(type_key,))
    return [c for f in versions.records("custom_field", where) for c in (f.column, f.slot, f.unique_slot) if c]


@command("custom_field.remove", action="delete")
class RemoveField(Command[None]):
    """``me.fields.remove("account", "employees")``: the field is gone from every surface.

    Its values stay where they are, unseen, and come back with an undo; slots are emptied so that another field may
    take them.
    """

    on: str
    key: str

    def run(self, me: Any) -> None:
        record_type = me.type_of(self.on)
        found = [f for f in me.system_reader.records("custom_field") if f.on == record_type.key and f.key == self.key]
        if not found:
            raise NotFound(
                f"{record_type.key} has no custom field {self.key!r:.80}", code="unknown_field", field=self.key
            )
        me.records("custom_field").delete(found[0])


@command("custom_object.add", action="create")
class AddObject(Command[CustomObject]):
    """``me.objects.add("vessel", plural="vessels", label="Vessel")``: a record type of the tenant's own.

    It has a name and an owner; other fields are added to it like to any type. Raises InvalidDefinition.
    """

    key: str
    plural: str
    label: str

    def run(self, me: Any) -> CustomObject:
        made_of = me.crm.declared.types["object"]
        object_type(ObjectDefinition(self.key, self.plural, self.label), made_of)
        taken = {name for t in (*me.schema.types.values(), made_of) for name in (t.key, t.plural)}
        if self.key in taken or self.plural in taken:
            raise InvalidDefinition(
                f"there is a record type {self.key!r} or {self.plural!r} already", code="duplicate_type"
            )
        made: CustomObject = me.records("custom_object").create(key=self.key, plural=self.plural, label=self.label)
        return made
