"""References as people read them: the name of the record instead of its id."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.schema import Field, Record, RecordType
from crmkit.schema.types import Reference

if TYPE_CHECKING:
    from crmkit.kernel.session.session import Session

__all__ = ["Titles", "title_of"]


def title_of(record_type: RecordType, record: Record) -> str:
    """What people call the record."""
    value = record[record_type.title]
    return "" if value is None else record_type.by_key[record_type.title].type.to_text(value)


@attrs.frozen
class Titles:
    """The titles of records by id, as far as the actor may read them."""

    by_id: dict[UUID, str]

    @classmethod
    def of(cls, me: "Session", fields: Iterable[Field], records: Sequence[Record]) -> "Titles":
        """The titles of all records that reference fields of these records name; one statement for each record type."""
        ids: dict[str, dict[UUID, None]] = {}
        for f in fields:
            if isinstance(f.type, Reference) and f.type.to != "*":
                found = (record[f.key] for record in records)
                ids.setdefault(f.type.to, {}).update((value, None) for value in found if isinstance(value, UUID))
        titles = cls({})
        for type_key, wanted in ids.items():
            titles.learn(me, type_key, wanted)
        return titles

    def learn(self, me: "Session", type_key: str, ids: Iterable[UUID]) -> None:
        """Adds the titles of records of one type."""
        records = me.records(type_key)
        for record in records.get_many(ids).values():
            self.by_id[record.id] = title_of(records.type, record)

    def of_id(self, record_id: Any) -> str:
        """The title; the id itself of a record that is not there or may not be read."""
        return self.by_id.get(record_id) or str(record_id)
