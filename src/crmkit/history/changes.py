"""What a changeset did to each record, and every version a record has had, as the reader's rights allow."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice, zip_longest
from typing import Any
from uuid import UUID

import attrs

from crmkit.schema import Record, RecordType
from crmkit.store.changesets import Changeset, Changesets, Touched
from crmkit.store.reader import Reader
from crmkit.store.unit import Unit

__all__ = ["FieldChange", "History", "RecordChange", "Version", "differences"]

_BLOCK = 500


@attrs.frozen
class FieldChange:
    """One field before and after; None stands for no value and for no record."""

    key: str
    before: Any
    after: Any


@attrs.frozen
class RecordChange:
    """One record before and after a changeset; ``before`` is None for a create, ``after`` for a delete."""

    type_key: str
    id: UUID
    before: Record | None
    after: Record | None
    fields: tuple[FieldChange, ...]

    @property
    def kind(self) -> str:
        """create, update or delete."""
        return "create" if self.before is None else "delete" if self.after is None else "update"


@attrs.frozen
class Version:
    """One version of a record, the changeset that made it, and what it changed.

    With ``deleted`` it is the end of the version: the changeset is the one that deleted the record.
    """

    record: Record
    changeset: Changeset | None
    fields: tuple[FieldChange, ...]
    deleted: bool = False


def differences(record_type: RecordType, before: Any, after: Any) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of the type."""
    changes = []
    for f in record_type.fields:
        old = None if before is None else before[f.key]
        new = None if after is None else after[f.key]
        if old != new:
            changes.append(FieldChange(f.key, old, new))
    return tuple(changes)


@attrs.frozen
class History:
    """Reads history through one unit of work; ``versions`` is a reader of every version there is."""

    unit: Unit
    changesets: Changesets
    versions: Reader

    def changes(self, changeset_id: UUID, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[RecordChange]:
        """What the changeset did to each record, by type and id, of the record types that are wanted.

        Records the reader may not see are left out.
        """
        touched = (t for t in self.changesets.touched(self.unit, changeset_id) if wanted(t.type_key))
        for type_key, group in groupby(touched, key=lambda t: t.type_key):
            if type_key not in self.versions.view.schema.types:
                continue
            for block in _blocks(group):
                yield from self._changes_of(type_key, block)

    def _changes_of(self, type_key: str, block: list[Touched]) -> Iterator[RecordChange]:
        record_type = self.versions.view.schema.type(type_key)
        found = {(r.id, r.version): r for r in self.versions.by_ids(type_key, [t.id for t in block])}
        for t in block:
            before = None if t.before is None else found.get((t.id, t.before))
            after = None if t.after is None else found.get((t.id, t.after))
            if before is not None or after is not None:
                yield RecordChange(type_key, t.id, before, after, differences(record_type, before, after))

    def timeline(self, type_key: str, record_id: UUID) -> list[Version]:
        """The versions of one record and its deletions, oldest first, as far as the reader may see them."""
        record_type = self.versions.view.schema.type(type_key)
        records = sorted(self.versions.by_ids(type_key, [record_id]), key=lambda r: r.version)
        if not records:
            return []
        endings = self.changesets.endings(self.unit, record_type, record_id)
        changesets = self.changesets.by_ids(self.unit, [*(r.changeset_id for r in records), *endings.values()])
        timeline: list[Version] = []
        before = None
        for record, successor in zip_longest(records, records[1:]):
            changes = differences(record_type, before, record)
            timeline.append(Version(record, changesets.get(record.changeset_id), changes))
            before = record
            ending = endings.get(record.version)
            # A version that ended without the next one being made at once was deleted, even if it came back later.
            gap = successor is None or (successor.version == record.version + 1 and successor.changeset_id != ending)
            if ending is not None and gap:
                lost = differences(record_type, record, None)
                timeline.append(Version(record, changesets.get(ending), lost, deleted=True))
                before = None
        return timeline


def _blocks(items: Iterable[Touched]) -> Iterator[list[Touched]]:
    iterator = iter(items)
    while block := list(islice(iterator, _BLOCK)):
        yield block
