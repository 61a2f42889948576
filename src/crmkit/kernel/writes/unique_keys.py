"""Unique values are free, in the database and among the changes themselves."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import Problem
from crmkit.kernel.writes.references import news
from crmkit.schema import Field, Record, RecordType
from crmkit.sdk.change import Change
from crmkit.store.read.reader import Reader
from crmkit.store.read.rows import unique_text

__all__ = ["Holders", "unique_key"]


@attrs.frozen
class Holders:
    """Who holds the values of a unique key, as changes are made one after another: a later one may have what an earlier
    one gave up.
    """

    record_type: RecordType
    fields: tuple[Field, ...]
    _taken: dict[tuple[str, ...], UUID]

    @classmethod
    def of(
        cls, reader: Reader, record_type: RecordType, fields: tuple[Field, ...], changes: Sequence[Change]
    ) -> "Holders | None":
        """Those of the values that the changes set; None if nobody else has one and no two changes set the same."""
        new = [c for c in changes if c.before is None or any(news(c, f.key) for f in fields)]
        keys = {change.id: unique_key(fields, change.values) for change in new}
        wanted = {key: tuple([c.values[f.key] for f in fields]) for c in new if (key := keys[c.id]) is not None}
        if not wanted:
            return None
        taken = reader.holders(record_type.key, fields, list(wanted.values()))
        alone = len(wanted) == sum(key is not None for key in keys.values())
        return None if alone and not taken else cls(record_type, fields, taken)

    def problem(self, change: Change) -> Problem | None:
        """What is wrong with a change to values that another record has by now."""
        key = unique_key(self.fields, change.values)
        if key is None or self._taken.get(key, change.id) == change.id:
            return None
        names = " and ".join(f.key for f in self.fields)
        return Problem("duplicate", f"another {self.record_type.key} has this {names}", self.fields[-1].key)

    def made(self, change: Change) -> None:
        """The change is made: its record has the new values, and no longer the old ones."""
        key = unique_key(self.fields, change.values)
        former = None if change.before is None else unique_key(self.fields, change.before)
        if former is not None and former != key and self._taken.get(former) == change.id:
            del self._taken[former]
        if key is not None:
            self._taken[key] = change.id


def unique_key(fields: tuple[Field, ...], values: Mapping[str, Any] | Record) -> tuple[str, ...] | None:
    """What must not occur twice; None where a field has no value, which is never a duplicate."""
    key = []
    for f in fields:
        value = values[f.key]
        if value is None:
            return None
        key.append(unique_text(f, value))
    return tuple(key)
