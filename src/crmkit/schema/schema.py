"""All record types together, as declared or as one tenant has them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition, NotFound
from crmkit.schema.field import Field
from crmkit.schema.record_type import RecordType
from crmkit.schema.types import Reference
from crmkit.values.text import shown

__all__ = ["Back", "Schema", "suggestion"]

# Nothing that can be named is longer, and looking for something like a very long word takes very long.
_LONGEST_WORD = 100


def suggestion(word: object, known: Iterable[str]) -> str | None:
    """A hint that names what was probably meant, else what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1) if isinstance(word, str) and len(word) <= _LONGEST_WORD else []
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(names[:30])}" if names else None


@attrs.frozen
class Back:
    """The way back along a reference: from a record to the records of ``type`` whose ``field`` names it."""

    name: str
    type: str
    field: str


@attrs.frozen(eq=False)
class Schema:
    """Record types by key. Immutable: a tenant's schema is a new one made by ``with_custom``."""

    types: Mapping[str, RecordType]

    @classmethod
    def of(cls, types: Iterable[RecordType]) -> "Schema":
        """A schema of these types. Raises InvalidDefinition if keys, plurals or references do not fit together."""
        by_key: dict[str, RecordType] = {}
        for record_type in types:
            if record_type.key in by_key:
                raise InvalidDefinition(f"two record types {record_type.key!r}", code="duplicate_type")
            by_key[record_type.key] = record_type
        schema = cls(by_key)
        schema._check()
        return schema

    def _check(self) -> None:
        if len(self.by_plural) != len(self.types):
            raise InvalidDefinition("two record types share a plural", code="duplicate_type")
        for record_type in self.types.values():
            if self.types.get(record_type.plural, record_type) is not record_type:
                raise InvalidDefinition(f"{record_type.plural!r} is a key and a plural", code="duplicate_type")
        taken = {key: set(record_type.by_key) for key, record_type in self.types.items()}
        for record_type, f, reference in self._references():
            if reference.to not in self.types:
                raise InvalidDefinition(
                    f"{record_type.key}.{f.key} refers to the unknown type {reference.to!r}",
                    code="unknown_type",
                    field=f.key,
                    hint=suggestion(reference.to, self.types),
                )
            if reference.back in taken[reference.to]:
                raise InvalidDefinition(
                    f"{reference.to}.{reference.back} cannot be the way back along {record_type.key}.{f.key}",
                    code="duplicate_back",
                    field=f.key,
                    hint=f"{reference.to} has a field or another way back of that name",
                )
            if reference.back:
                taken[reference.to].add(reference.back)

    def _references(self) -> Iterator[tuple[RecordType, Field, Reference]]:
        for record_type in self.types.values():
            for f in record_type.fields:
                if isinstance(f.type, Reference) and f.type.to != "*":
                    yield record_type, f, f.type

    @cached_property
    def by_plural(self) -> dict[str, RecordType]:
        """Record types by plural."""
        return {t.plural: t for t in self.types.values()}

    def type(self, name: str) -> RecordType:
        """The record type of a key or plural. Raises NotFound (``unknown_type``)."""
        wanted: Any = name
        found = (self.types.get(name) or self.by_plural.get(name)) if isinstance(wanted, str) else None
        if found is None:
            raise NotFound(
                f"there is no record type {shown(name)}", code="unknown_type", hint=suggestion(name, self.types)
            )
        return found

    @cached_property
    def _backs(self) -> dict[str, dict[str, Back]]:
        backs: dict[str, dict[str, Back]] = {key: {} for key in self.types}
        for record_type, f, reference in self._references():
            if reference.back:
                backs[reference.to][reference.back] = Back(reference.back, record_type.key, f.key)
        return backs

    def backs(self, key: str) -> Mapping[str, Back]:
        """The ways back to records that refer to records of this type, by name."""
        return self._backs[key]

    def with_custom(self, fields: Mapping[str, Iterable[Field]], objects: Iterable[RecordType] = ()) -> "Schema":
        """This schema with a tenant's custom objects and with custom fields by type key.

        Raises InvalidDefinition: a field for no type, an object that a type of that key or plural stands against, or
        what ``of`` raises.
        """
        types = [*self.types.values(), *objects]
        for key in set(fields).difference(t.key for t in types):
            raise InvalidDefinition(
                f"there is no record type {shown(key)} to add fields to",
                code="unknown_type",
                hint=suggestion(key, [t.key for t in types]),
            )
        return Schema.of(t.with_custom(fields.get(t.key, ())) for t in types)
