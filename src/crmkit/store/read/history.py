"""What a changeset did to each record, and every version a record has had, as the reader's rights allow."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice, zip_longest
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema import Record, RecordType
from crmkit.store.connection.unit import Unit
from crmkit.store.ledger.changesets import Changeset, Changesets, Touched
from crmkit.store.read.reader import Reader

__all__ = ["FieldChange", "History", "RecordChange", "Version", "differences"]

_BLOCK = 1_000


@attrs.frozen
class FieldChange:
    """One field before and after; None stands for no value and for no record."""

    key: str
    before: Any
    after: Any


@attrs.frozen
class RecordChange:
    """One record before and after a changeset; ``before`` is None for a create, ``after`` for a delete.

    ``ended`` is the number of the last version of one it deleted, perhaps made by itself.
    """

    type_key: str
    id: UUID
    before: Record | None
    after: Record | None
    _type: RecordType = attrs.field(repr=False, eq=False)
    ended: int | None = None

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields that differ, compared anew each time."""
        return differences(self._type, self.before, self.after)

    def unfit(self) -> dict[str, str]:
        """The custom fields that do not take the value from before any more, each with the reason."""
        found: dict[str, str] = {}
        for f in self._type.custom:
            value = None if self.before is None else self.before.custom.get(f.key)
            if value is not None:
                try:
                    f.type.parse(value)
                except InvalidValue as error:
                    found[f.key] = error.problems[0].message
        return found

    @property
    def kind(self) -> str:
        """create, update or delete."""
        return "create" if self.before is None else "delete" if self.after is None else "update"


@attrs.frozen
class Version:
    """One version of a record, the changeset that made it (None until that is committed), and what it changed.

    With ``deleted`` it is the end of the version: the changeset is the one that deleted the record.
    """

    record: Record
    changeset: Changeset | None
    fields: tuple[FieldChange, ...]
    deleted: bool = False


def differences(record_type: RecordType, before: Any, after: Any) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of the type."""
    # Declared fields by their names, which takes 0.04 µs instead of the 0.7 of a subscript.
    declared = (
        FieldChange(f.key, old, new)
        for f in record_type.declared
        if (old := getattr(before, f.key, None)) != (new := getattr(after, f.key, None))
    )
    custom = (
        FieldChange(f.key, old, new)
        for f in record_type.custom
        if (old := _held(before, f.key)) != (new := _held(after, f.key))
    )
    return (*declared, *custom)


def _held(record: Any, key: str) -> Any:
    return None if record is None else record[key]


@attrs.frozen
class History:
    """Reads history through one unit of work; ``versions`` is a reader of every version there is.

    Where the session reads the past, a timeline ends at its instant, ``until``.
    """

    unit: Unit
    changesets: Changesets
    versions: Reader
    until: datetime | None = None

    def changes(self, changeset_id: UUID, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[RecordChange]:
        """What the changeset did to each record, by type and id, of the record types that are wanted.

        Records the reader may not see are left out. One that another changeset changed in between, by a session inside
        the session on one connection, is there once for what was done before and once for what was done after.
        """
        for type_key, group in self._touched(changeset_id, wanted):
            for block in _blocks(group):
                found = self.versions.by_ids(type_key, [t.id for t in block])
                yield from self._changes_of(type_key, block, found)

    def touched(self, changeset_id: UUID, wanted: Callable[[str], bool]) -> dict[str, list[Touched]]:
        """The records the changeset touched, by type and id, of the record types that are wanted."""
        found: dict[str, list[Touched]] = {}
        # Custom objects lie in one table: those of one type need not follow on each other.
        for type_key, group in self._touched(changeset_id, wanted):
            found.setdefault(type_key, []).extend(group)
        return found

    def beside(self, touched: Mapping[str, Sequence[Touched]], live: Reader) -> Iterator[tuple[RecordChange, Any]]:
        """Each change beside the record as it is now, or None; ``live`` and ``versions`` must see everything."""
        former = attrs.evolve(self.versions, view=attrs.evolve(self.versions.view, reading="ended"))
        for type_key, group in touched.items():
            for block in _blocks(group):
                now = {r.id: r for r in live.by_ids(type_key, [t.id for t in block])}
                # What the changeset created and nobody has changed since needs no other reading.
                old = [t.id for t in block if t.before is not None or t.id not in now or now[t.id].version != t.after]
                found = [*now.values(), *former.by_ids(type_key, old)]
                for change in self._changes_of(type_key, block, found):
                    yield change, now.get(change.id)

    def _happened(self, recorded: Changeset | Record | None) -> bool:
        """Whether it was there at that instant; None is the changeset of a unit of work that is under way."""
        return self.until is None or recorded is None or recorded.recorded_at <= self.until

    def _touched(self, changeset_id: UUID, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Iterator[Touched]]]:
        touched = (t for t in self.changesets.touched(self.unit, changeset_id, wanted) if wanted(t.type_key))
        for type_key, group in groupby(touched, key=lambda t: t.type_key):
            if type_key in self.versions.view.schema.types:
                yield type_key, group

    def _changes_of(self, type_key: str, block: list[Touched], records: Iterable[Any]) -> Iterator[RecordChange]:
        record_type = self.versions.view.schema.type(type_key)
        found = {(r.id, r.version): r for r in records}
        for t in block:
            before = None if t.before is None else found.get((t.id, t.before))
            after = None if t.after is None else found.get((t.id, t.after))
            if before is not None or after is not None:
                yield RecordChange(type_key, t.id, before, after, record_type, t.ended)

    def timeline(self, type_key: str, record_id: UUID) -> list[Version]:
        """The versions of one record and its deletions, oldest first, as far as the reader may see them."""
        record_type = self.versions.view.schema.type(type_key)
        known: Iterable[Any] = self.versions.by_ids(type_key, [record_id])
        records = sorted((r for r in known if self._happened(r)), key=lambda r: r.version)
        if not records:
            return []
        endings = self.changesets.endings(self.unit, record_type, record_id)
        changesets = self.changesets.by_ids(self.unit, [*(r.changeset_id for r in records), *endings.values()])
        timeline: list[Version] = []
        redefining = {form.ended_by for form in self.versions.view.forms.of(type_key)}
        before = None
        for record, successor in zip_longest(records, records[1:]):
            if (
                successor is not None
                and record.changeset_id == successor.changeset_id
                and record.changeset_id in redefining
            ):
                continue  # a step on the way of its values from one form to the next
            changes = differences(record_type, before, record)
            timeline.append(Version(record, changesets.get(record.changeset_id), changes))
            before = record
            ending = endings.get(record.version)
            # A version that ended without the next one being made at once was deleted, even if it came back later.
            gap = successor is None or (successor.version == record.version + 1 and successor.changeset_id != ending)
            if ending is not None and gap and self._happened(changesets.get(ending)):
                lost = differences(record_type, record, None)
                timeline.append(Version(record, changesets.get(ending), lost, deleted=True))
                before = None
        return timeline


def _blocks(items: Iterable[Touched]) -> Iterator[list[Touched]]:
    iterator = iter(items)
    while block := list(islice(iterator, _BLOCK)):
        yield block
