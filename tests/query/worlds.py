"""A world of plain rows: what conditions are tested on in memory, and how it is written to a database."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs

from crmkit.query.context import Moment
from crmkit.schema import Schema
from crmkit.schema.types import Reference

Row = dict[str, Any]

NOW = datetime(2026, 3, 15, 20, 30, tzinfo=UTC)
"""Already the 16th in Shanghai, still the 15th in Berlin, where summer time starts two weeks later."""
ZONE = ZoneInfo("Asia/Shanghai")
MOMENT = Moment(NOW, ZONE)
_CHANGESET = UUID(int=1)


def record_id(schema: Schema, type_key: str, number: int) -> UUID:
    """The id of the record of a type with a number: the same in every world of the schema."""
    return UUID(int=(7 << 76) | (2 << 62) | (sorted(schema.types).index(type_key) << 16) | number)


@attrs.frozen
class Entry:
    """A record as plain values by field key, those without a value left out."""

    type_key: str
    id: UUID
    values: Mapping[str, Any]


def entry(schema: Schema, type_key: str, number: int, **values: Any) -> Entry:
    """The record of a type with a number; None stands for no value."""
    given = {key: value for key, value in values.items() if value is not None}
    return Entry(type_key, record_id(schema, type_key, number), given)


@attrs.frozen(slots=False, eq=False)
class DictWorld:
    """Records in memory.

    ``entries`` say everything. To write the same world to a database create what ``rows()`` gives, in that order and
    with those ids, then set what ``later()`` gives: references that lead to a record created afterwards, or back to
    the record itself.
    """

    schema: Schema = attrs.field(repr=False)
    entries: tuple[Entry, ...]

    @cached_property
    def _rows(self) -> dict[str, dict[UUID, Row]]:
        found: dict[str, dict[UUID, Row]] = {}
        for entry in self.entries:
            found.setdefault(entry.type_key, {})[entry.id] = self._row(entry)
        return found

    def _row(self, entry: Entry) -> Row:
        system = {"version": 1, "changeset_id": _CHANGESET, "created_at": NOW, "created_by": None, "recorded_at": NOW}
        declared = {f.key: None for f in self.schema.type(entry.type_key).declared}
        return {"id": entry.id, **system, **declared, **entry.values}

    def all(self, type_key: str) -> list[Row]:
        """Every record of a type."""
        return list(self._rows.get(type_key, {}).values())

    def get(self, type_key: str, record_id: UUID) -> Row | None:
        return self._rows.get(type_key, {}).get(record_id)

    def related(self, type_key: str, field_key: str, record_id: UUID) -> list[Row]:
        return [row for row in self.all(type_key) if row.get(field_key) == record_id]

    def rows(self) -> Iterator[Entry]:
        """The records in order, without references to what comes later."""
        made: set[UUID] = set()
        for entry in self.entries:
            ahead = self._ahead(entry, made)
            yield attrs.evolve(entry, values={k: v for k, v in entry.values.items() if k not in ahead})
            made.add(entry.id)

    def later(self) -> Iterator[Entry]:
        """The references that ``rows`` left out, by record."""
        made: set[UUID] = set()
        for entry in self.entries:
            if ahead := self._ahead(entry, made):
                yield attrs.evolve(entry, values=ahead)
            made.add(entry.id)

    def _ahead(self, entry: Entry, made: set[UUID]) -> dict[str, Any]:
        fields = self.schema.type(entry.type_key).by_key
        references = [key for key in entry.values if isinstance(fields[key].type, Reference)]
        return {key: entry.values[key] for key in references if entry.values[key] not in made}
