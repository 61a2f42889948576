"""The forms a custom field has had: where its values lay in the rows of a time, and of which type they were.

A definition that gets another type, other options or an index keeps its values elsewhere from then on, and a slot that
a field has left may become another's. So a row of the past is read by the forms that held when it was written.
"""

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InvalidDefinition, InvalidValue
from crmkit.schema.custom import FieldDefinition, to_field
from crmkit.schema.field import Field
from crmkit.schema.field_type import FieldType

__all__ = ["NO_FORMS", "DefinitionVersion", "Form", "Forms", "converted", "forms_of"]


@attrs.frozen
class DefinitionVersion:
    """One version of a custom field's definition; times are microseconds since 1970."""

    id: UUID
    number: int
    definition: FieldDefinition
    since: int
    until: int | None = None
    """Until when it held; None if it still does."""
    ended_by: UUID | None = None
    """The changeset that put another in its place, or removed the field."""


@attrs.frozen(eq=False)
class Form:
    """How a field's values lie in rows written from ``since`` until ``until``.

    The field has today's key, and the type, column and slots of then; ``today`` is the type it has now.
    """

    field: Field
    today: FieldType
    since: int
    until: int | None
    ended_by: UUID | None

    def fitting(self, value: Any) -> Any:
        """A value of then as today's type holds it; one that does not fit, as it was."""
        try:
            return converted(value, self.field.type, self.today)
        except InvalidValue:
            return value


@attrs.frozen(eq=False)
class Forms:
    """The forms of all custom fields there have ever been, by record type and key, the latest first.

    A removed field has the id of its definition for a key, which no field can have; ``removed`` says its last one.
    """

    by_type: Mapping[str, Mapping[str, tuple[Form, ...]]]
    removed: Mapping[str, str]
    token: Hashable

    def of(self, type_key: str) -> Iterator[Form]:
        """All forms of a record type's fields."""
        return (form for forms in self.by_type.get(type_key, {}).values() for form in forms)

    def removed_of(self, type_key: str) -> Mapping[str, str]:
        """The removed fields of a record type: what versions name them, to the key they had."""
        return {name: self.removed[name] for name in self.by_type.get(type_key, ()) if name in self.removed}

    def as_they_were(self) -> "Forms":
        """Those of the fields there are, with values as they were, whether today's type takes them or not."""
        if not self.by_type:
            return self

        def were(forms: tuple[Form, ...]) -> tuple[Form, ...]:
            return tuple(attrs.evolve(form, today=form.field.type) for form in forms)

        kept = {on: {k: were(v) for k, v in of.items() if k not in self.removed} for on, of in self.by_type.items()}
        return Forms(kept, {}, (self.token, "as they were"))

    def without(self, changeset_id: UUID | None, keys: Mapping[str, frozenset[str]]) -> "Forms":
        """But for the forms of these fields, by record type, that the changeset has ended, and earlier ones that lay in
        the same place.
        """
        if not keys:
            return self

        def others(type_key: str, key: str, forms: tuple[Form, ...]) -> tuple[Form, ...]:
            if key not in keys.get(type_key, ()):
                return forms
            left = {form.field.column for form in forms if form.ended_by == changeset_id}
            return tuple(form for form in forms if form.field.column not in left)

        kept = {on: {key: others(on, key, forms) for key, forms in of.items()} for on, of in self.by_type.items()}
        return Forms(kept, self.removed, (self.token, changeset_id, tuple(sorted(keys.items()))))


NO_FORMS = Forms({}, {}, "")


def converted(value: Any, old: FieldType, new: FieldType) -> Any:
    """A value of one type as another holds it, by way of its text. Raises InvalidValue."""
    return new.parse(value) if type(old) is type(new) else new.parse_text(old.to_text(value))


def forms_of(
    versions: Iterable[DefinitionVersion], today: Mapping[UUID, Field], field_types: Mapping[str, type[FieldType]]
) -> Forms:
    """The forms there have been, of all versions of the definitions and the fields of today by id."""
    by_id: dict[UUID, list[DefinitionVersion]] = {}
    for version in sorted(versions, key=lambda v: v.number):
        by_id.setdefault(version.id, []).append(version)
    by_type: dict[str, dict[str, tuple[Form, ...]]] = {}
    removed: dict[str, str] = {}
    contents: list[Any] = []
    for field_id, found in by_id.items():
        last, now = found[-1].definition, today.get(field_id)
        key = str(field_id) if now is None else now.key
        placed = _together(found)
        forms = tuple(form for v in reversed(placed) if (form := _form(key, now, v, field_types)) is not None)
        if forms:
            by_type.setdefault(last.on, {})[key] = forms
            contents.append((last.on, key, [(_place(v.definition), v.since, v.until, v.ended_by) for v in placed]))
            if now is None:
                removed[key] = last.key
    token = hashlib.sha256(repr(sorted(contents, key=lambda c: c[:2])).encode()).hexdigest() if contents else ""
    return Forms(by_type, removed, token)


def _place(definition: FieldDefinition) -> tuple[Any, ...]:
    options = sorted(definition.options.items())
    return definition.column, definition.slot, definition.unique_slot, definition.type, options


def _together(versions: list[DefinitionVersion]) -> list[DefinitionVersion]:
    """Versions that follow on each other and differ in nothing that concerns values are one."""
    found: list[DefinitionVersion] = []
    for version in versions:
        last = found[-1] if found else None
        if last is not None and last.until == version.since and _place(last.definition) == _place(version.definition):
            found[-1] = attrs.evolve(last, until=version.until, ended_by=version.ended_by)
        else:
            found.append(version)
    return found


def _form(
    key: str, now: Field | None, version: DefinitionVersion, field_types: Mapping[str, type[FieldType]]
) -> Form | None:
    try:
        then = to_field(version.definition, field_types)
    except InvalidDefinition:
        return None  # of a type that no plugin brings any more
    today = then.type if now is None else now.type
    return Form(attrs.evolve(then, key=key), today, version.since, version.until, version.ended_by)
