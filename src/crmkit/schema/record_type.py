"""A record type: its fields, and what follows from them."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.schema.field import Field, checked_key
from crmkit.schema.parts import SLOTS
from crmkit.schema.types import DateTime, Integer, Reference
from crmkit.values.text import shown

__all__ = ["SYSTEM_FIELDS", "RecordType", "record_type_of"]

SYSTEM_FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        f.key: f
        for f in (
            Field("id", Reference("*"), labels={"en": "Id"}, system=True),
            Field("version", Integer(), labels={"en": "Version"}, system=True),
            Field("changeset_id", Reference("*"), labels={"en": "Changeset"}, system=True),
            Field("created_at", DateTime(), labels={"en": "Created"}, system=True),
            Field("created_by", Reference("user"), labels={"en": "Created by"}, system=True),
            Field("recorded_at", DateTime(), labels={"en": "Last changed"}, system=True),
        )
    }
)
"""What every record carries and nobody writes by hand."""

# The history table has the same name and a suffix, and PostgreSQL keeps 63 characters.
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,53}")
_TABLE_COLUMNS = frozenset({"tenant_id", "object_key", "custom", "superseded_at", "superseded_by"}).union(
    *SLOTS.values()
)
"""Columns of a table that are no fields; a declared field has columns of its own and may not take these."""


@attrs.frozen(eq=False)
class RecordType:
    """A record type as declared, or as it stands in one tenant once ``with_custom`` has added fields.

    ``together`` are fields that change together or not at all. A part may say of the parts of one whole that the values
    of a field add up (``adds_up``: field and sum), or that they exclude each other (``exclusive``: a reference, and the
    field of what it leads to that must differ); or that they track a field of the whole (``tracks``): there is a part
    for each value it had. Records that are ``managed_by`` certain verbs are written by no others. A
    ``cached`` type is small and needed with many writes: a session keeps its records.

    ``object_key`` is None for types with a table of their own; custom objects share one table and are told apart by it.
    """

    key: str
    plural: str
    label: str
    title: str
    sort: str
    record: type[Any]
    """The class of the records."""
    fields: tuple[Field, ...]
    table: str
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    link: bool = False
    object_key: str | None = None
    together: tuple[str, ...] = ()
    adds_up: tuple[str, int] | None = None
    exclusive: tuple[str, str] | None = None
    tracks: str | None = None
    managed_by: str | None = None
    cached: bool = False

    def __attrs_post_init__(self) -> None:
        checked_key(self.key, "record type")
        checked_key(self.plural, "record type")
        if _TABLE.fullmatch(self.table) is None:
            raise InvalidDefinition(f"{shown(self.table)} cannot be a table", code="bad_key")
        seen = set(SYSTEM_FIELDS)
        for f in self.fields:
            checked_key(f.key)
            if f.key in seen:
                raise InvalidDefinition(f"{self.key} has two fields {f.key!r}", code="duplicate_field", field=f.key)
            seen.add(f.key)
        self._check_columns()
        self._check_named_fields()
        self._check_part()

    def _check_part(self) -> None:
        """What is said of parts means something only where there is a whole."""
        wholes = [f for f in self.declared if isinstance(f.type, Reference) and f.type.part_of]
        of_any = [f for f in wholes if isinstance(f.type, Reference) and f.type.to == "*"]
        told = self.adds_up or self.exclusive or self.tracks
        if len(wholes) > 1 or (told and not wholes):
            raise InvalidDefinition(f"{self.key} is a part of {len(wholes)} records, and not of one", code="no_whole")
        for f in of_any:
            if getattr(f.type, "type_field", None) is None:
                raise InvalidDefinition(f"{self.key}.{f.key} names no type_field", code="no_whole", field=f.key)

    def _check_columns(self) -> None:
        """Two parts in one column would overwrite each other."""
        declared, custom, slots = {*_TABLE_COLUMNS, *SYSTEM_FIELDS}, set[str](), set[str]()
        for f in self.fields:
            columns = [(custom if f.custom else declared, column) for column in f.part_columns()]
            columns += [(slots, slot) for slot in (f.slot, f.unique_slot) if slot is not None]
            for taken, column in columns:
                if column in taken:
                    raise InvalidDefinition(
                        f"{self.key}.{f.key} needs the column {column!r}, which is taken",
                        code="column_taken",
                        field=f.key,
                        hint="another field, or a part of one, lies there: take another key",
                    )
                taken.add(column)

    def _check_named_fields(self) -> None:
        told = (*self.together, *(self.adds_up or ())[:1], *(self.exclusive or ())[:1])
        named = (key for keys in (*self.indexes, *self.unique) for key in keys)
        for name in (self.title, self.sort, *named, *told):
            if name not in self.by_key:
                raise InvalidDefinition(
                    f"the declaration of {self.key} names {shown(name)}, which is not a field of it",
                    code="unknown_field",
                )

    @cached_property
    def by_key(self) -> dict[str, Field]:
        """Every field, the system's first, then declared, then custom."""
        return {**SYSTEM_FIELDS, **{f.key: f for f in self.fields}}

    @cached_property
    def declared(self) -> tuple[Field, ...]:
        """The fields with columns of their own."""
        return tuple(f for f in self.fields if not f.custom)

    @cached_property
    def custom(self) -> tuple[Field, ...]:
        """The fields added in the tenant."""
        return tuple(f for f in self.fields if f.custom)

    @property
    def owned(self) -> bool:
        """Whether records have an owner, so that the scopes own and team mean something."""
        return "owner" in self.by_key

    @cached_property
    def part_of(self) -> Field | None:
        """The reference to the whole of which a record is a part; None for a record that stands for itself."""
        return next((f for f in self.declared if isinstance(f.type, Reference) and f.type.part_of), None)

    def whole_of(self, row: Any) -> tuple[str, UUID] | None:
        """The record type and the id of the whole of which the record is a part."""
        f = self.part_of
        if f is None or not isinstance(f.type, Reference):
            return None
        return f.type.to if f.type.type_field is None else row[f.type.type_field], row[f.key]

    def with_custom(self, fields: Iterable[Field]) -> "RecordType":
        """The type with a tenant's custom fields added."""
        return attrs.evolve(self, fields=self.declared + tuple(fields))


def record_type_of(record: Any) -> RecordType:
    """The declaration of a record class or of a record."""
    declared = getattr(record, "__record_type__", None)
    if declared is None:
        raise InvalidDefinition(f"{shown(record)} is not a declared record type", code="not_declared")
    return declared  # type: ignore[no-any-return]
