"""The write path, from values to changes: parse and authorise, in batches; ``finishing`` makes rows of the changes.

A single create is a batch of one. Everything that changes a record passes through here, whoever asks: a verb, a
command, a plugin, an import, an undo.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmkit.errors import Conflict, CrmkitError, Denied, InvalidRecord, InvalidValue
from crmkit.kernel.definitions.checks import is_checked, stored
from crmkit.kernel.session.refusals import denied, missing
from crmkit.kernel.session.unit_of_work import FOLLOW_UP, Work
from crmkit.kernel.writes.batching import BLOCK, apart, blocks, id_of
from crmkit.kernel.writes.managed import check_by_hand
from crmkit.kernel.writes.references import AtOnce, targets_first
from crmkit.kernel.writes.results import Raising, Tally
from crmkit.kernel.writes.steps import Finishing, conflict
from crmkit.query.lift import Lifted
from crmkit.schema import Field, Record, RecordType
from crmkit.schema.parsing import Form
from crmkit.schema.types import Reference
from crmkit.sdk.change import Change
from crmkit.store.write.update_where import Giving
from crmkit.store.write.writer import NewRow
from crmkit.values import to_micros

__all__ = ["WritePath"]

T = TypeVar("T")
_NOTHING: Mapping[UUID, Any] = {}
_ANY = Reference("*")


@attrs.frozen
class WritePath:
    """Writes records of one session. With ``trusted`` the caller has authorised the writes itself (a command that
    links records the actor may change, the system's own records). ``at_once``: what is written besides, as a whole.
    """

    session: Work
    trusted: bool = False
    at_once: AtOnce = attrs.field(factory=AtOnce)
    _free: dict[tuple[str, str], frozenset[str]] = attrs.field(init=False, factory=dict)
    """By record type and action: the fields the actor may set whatever the record is."""
    _finishing: Finishing = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda me: Finishing(me.session, me.trusted, partial(WritePath, me.session, trusted=True), me.at_once), True
        ),
    )

    def knows(self, type_key: str, ids: Iterable[UUID]) -> None:
        """These records are there, and need not be looked up when others refer to them."""
        self._finishing.knows(type_key, ids)

    # ------------------------------------------------------------------------------------------------------- verbs

    def create(
        self,
        type_key: str,
        rows: Iterable[tuple[int, Mapping[str, Any] | Record]],
        tally: Tally,
        form: Form = "python",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Creates records; each row ends as created or refused."""
        record_type = self.session.type_of(type_key)
        if "where" in record_type.by_key:
            rows = ((row, stored(record_type, values)) for row, values in rows)
        for block in blocks(rows, BLOCK):
            ids = iter(self.session.ids.many(len(block)))

            def change(row: int, values: Mapping[str, Any] | Record, ids: Iterator[UUID] = ids) -> Change:
                return self._new(record_type, row, values, form, next(ids))

            self._finishing.finish(record_type, self._each(block, tally, change), tally)
            if progress is not None:
                progress(len(block))

    def update(
        self,
        type_key: str,
        rows: Iterable[tuple[int, Any, Mapping[str, Any]]],
        tally: Tally,
        form: Form = "python",
        progress: Callable[[int], None] | None = None,
        known: Mapping[UUID, Any] = _NOTHING,
    ) -> None:
        """Updates records: row, record or id, values. A record that changed since it was read is refused.

        ``known`` are records that were just read in full; if somebody has changed one since, its row is refused.
        """
        record_type = self.session.type_of(type_key)
        if "where" in record_type.by_key:
            rows = ((row, target, stored(record_type, values)) for row, target, values in rows)  # type: ignore[misc]
        for block in apart(rows, BLOCK, lambda row: row[1]):
            current = self._current(type_key, [target for _, target, _ in block], known)

            def change(
                row: int, item: tuple[int, Any, Mapping[str, Any]], current: Mapping[UUID, Any] = current
            ) -> Change | None:
                return self._edited(record_type, row, item[1], item[2], form, current)

            changes = self._each([(item[0], item) for item in block], tally, change, lambda item: id_of(item[1]))
            self._finishing.finish(record_type, changes, tally)
            if progress is not None:
                progress(len(block))

    def update_all(self, type_key: str, where: Lifted, given: Mapping[str, Any], tally: Tally) -> bool:
        """Gives all records that meet a condition the same values in two statements, where nothing has to be decided
        for each record: no plugin listens, no rule, unique value, custom field, document or conditional right is
        concerned, and what the values refer to is there. False if something has. The outcomes are those of ``update``.

        Raises InvalidRecord, Conflict.
        """
        session, record_type = self.session, self.session.type_of(type_key)
        values = session.parser(type_key).change(given)
        giving = Giving(session.reader, type_key, where, values)
        if not values.keys() <= self.plain(type_key) or not giving.possible or self.heard(type_key, values):
            return False
        if any(self.unknown(record_type, [values])):
            return False
        session.unit.begin_write()
        takers = giving.takers()
        for row, taker in enumerate(takers):
            if taker.allowed:
                tally.did(row, "updated" if taker.changes else "unchanged", taker.id)
            else:
                tally.refuse(row, denied("update", record_type), taker.id)
        taking = sum(taker.changes and taker.allowed for taker in takers)
        if taking and giving.write(session.writer()) != taking:
            raise Conflict(f"some of the {record_type.plural} changed in between", hint="run it again")
        if taking:
            session.wrote(type_key, [values])
        return True

    # ------------------------------------------------------------------------------------------------------ in sets

    def plain(self, type_key: str) -> frozenset[str]:
        """The fields of which nothing has to be decided for each record: no rule, definition, unique value, custom
        field or conditional right is concerned.
        """
        session, record_type = self.session, self.session.type_of(type_key)
        if (
            session.checks(type_key)
            or record_type.object_key
            or record_type.managed_by
            or is_checked(session, type_key)
        ):
            return frozenset()
        unique = {f.key for fields in session.unique_keys(type_key) for f in fields}
        # Custom fields share the JSON column: written for all records at once it would lose the other fields in it.
        return frozenset(
            f.key
            for f in record_type.declared
            if f.key not in unique and session.policy.writable(type_key, f.key, "update") is True
        )

    def heard(self, type_key: str, values: Mapping[str, Any]) -> bool:
        """Whether a plugin has to be asked if many records get these values."""
        session = self.session
        return any(session.crm.plugins.concerned(name, values) for name in self._listeners(type_key))

    def _listeners(self, type_key: str) -> Iterator[str]:
        """The plugins that have a say in each change of the type, or something to add to it."""
        yield from self.session.listeners("crmkit_before_change", type_key)
        yield from self.session.listeners(FOLLOW_UP, type_key)

    def unknown(self, record_type: RecordType, given: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        """The fields, and the types they refer to, in which some of these values lead to no record the actor sees."""
        for f in record_type.declared:
            if isinstance(f.type, Reference) and f.type.to != "*":
                ids = sorted({value for values in given if (value := values.get(f.key)) is not None})
                if len(self.session.reader.existing(f.type.to, ids)) < len(ids):
                    yield f.type.to, f.key

    def quiet(self, type_key: str) -> bool:
        """Whether nothing has to be decided for each record: no plugin, rule or custom field has a say."""
        session = self.session
        heard = any(True for _ in self._listeners(type_key))
        return not heard and not session.checks(type_key) and not session.type_of(type_key).custom

    def put(self, type_key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Creates records, all or none: where it is quiet, in one statement.

        The caller has authorised them; rows are complete, refer to what is there and hold no unique value twice.
        """
        if not self.quiet(type_key):
            self.create(type_key, enumerate(rows), Raising())
        elif rows:
            ids = self.session.ids.many(len(rows))
            self.session.writer().insert(type_key, (NewRow(i, row) for i, row in zip(ids, rows, strict=True)))
            self.session.wrote(type_key)

    def change(self, type_key: str, rows: Sequence[tuple[UUID, int, Mapping[str, Any]]], keys: frozenset[str]) -> None:
        """Updates records, all or none, and asks nobody: id, version, all values, of which ``keys`` are new.

        The caller has authorised it, and knows that no plugin, rule or custom field has a say. Raises Conflict.
        """
        if rows:
            self._all_current(type_key, self.session.writer().update(type_key, rows, keys))

    def drop(self, type_key: str, rows: Sequence[tuple[UUID, int]]) -> None:
        """Deletes records by id and version, all or none: where it is quiet, in two statements.

        The caller has authorised it; nothing refers to them. Raises Conflict.
        """
        if not self.quiet(type_key):
            self.delete(type_key, enumerate(record_id for record_id, _ in rows), Raising())
        elif rows:
            self._all_current(type_key, self.session.writer().delete(type_key, rows))

    def _all_current(self, type_key: str, refused: Sequence[UUID]) -> None:
        if refused:
            plural = self.session.type_of(type_key).plural
            raise Conflict(f"some of the {plural} were changed by somebody else in between", hint="run it again")
        self.session.wrote(type_key)

    def delete(
        self,
        type_key: str,
        rows: Iterable[tuple[int, Any]],
        tally: Tally,
        progress: Callable[[int], None] | None = None,
        known: Mapping[UUID, Any] = _NOTHING,
    ) -> None:
        """Deletes records: they move to history. Links to them go with them; other references refuse the delete, unless
        they come from records that go as well, in whatever row.

        ``known`` as in ``update``.
        """
        record_type = self.session.type_of(type_key)
        held, more = self._delete(record_type, rows, tally, progress, known)
        while more:
            # What refers to a record is mostly younger: from the end, one more time is enough.
            held, more = self._delete(record_type, reversed(held), tally, None, known)
        tally.let_go()

    def _delete(
        self,
        record_type: RecordType,
        rows: Iterable[tuple[int, Any]],
        tally: Tally,
        progress: Callable[[int], None] | None,
        known: Mapping[UUID, Any],
    ) -> tuple[list[tuple[int, Any]], bool]:
        """Deletes what nothing refers to; returns what is held by references, and whether others have gone since."""
        held: list[tuple[int, Any]] = []
        more = False
        for block in apart(rows, BLOCK, lambda row: row[1]):
            current = self._current(record_type.key, [target for _, target in block], known)

            def change(row: int, target: Any, current: Mapping[UUID, Any] = current) -> Change:
                tally.held.pop(row, None)
                before = self._target(record_type, target, current, "delete")
                self._check_by_hand(record_type, before, (), None)
                return Change("delete", record_type.key, before.id, before, {}, frozenset(), row)

            last = tally.last
            self._finishing.finish(record_type, self._each(block, tally, change, id_of), tally)
            more = more or (bool(held) and tally.last is not last)
            held += [item for item in block if item[0] in tally.held]
            if progress is not None:
                progress(len(block))
        return held, more

    def restore(self, type_key: str, rows: Iterable[tuple[int, tuple[Any, int]]], tally: Tally) -> None:
        """Brings deleted records back: row, the record as it was, and the number of the version it ended with, whose
        successor it becomes.

        Values that a custom field does not take any more stay in history; where one is required, the default is given.
        Those that somebody else has brought back and deleted since are refused (``not_last``), unless that was an undo
        of bringing them back. They may refer to one another, and round in a circle.
        """
        record_type = self.session.type_of(type_key)
        rows, cut = self._targets_first(record_type, list(rows))
        for block in apart(rows, BLOCK, lambda row: row[1][0]):
            ended = self.session.system_reader.ended(type_key, [lost.id for _, (lost, _) in block])

            def change(row: int, item: tuple[Any, int], ended: Mapping[UUID, tuple[int, int]] = ended) -> Change:
                lost, last = item
                values = {f.key: _again(f, lost) for f in record_type.fields}
                values.update(dict.fromkeys(cut.get(lost.id, ())))
                if not self.trusted:
                    self._may_create(record_type, {**values, "id": lost.id}, frozenset())
                if ended.get(lost.id, (0, 0))[0] != last and not self._undone(record_type, lost.id, last):
                    raise Conflict(
                        "it was brought back and deleted again since",
                        code="not_last",
                        field="id",
                        hint="undo the changeset that deleted it last",
                    )
                return Change("create", type_key, lost.id, None, values, frozenset(), row)

            changes = self._each(block, tally, change)
            returning = {
                row: NewRow(
                    lost.id, {}, ended[lost.id][0] + 1, to_micros(lost.created_at), lost.created_by, ended[lost.id][1]
                )
                for row, (lost, _) in block
                if lost.id in ended
            }
            self._finishing.finish(record_type, changes, tally, returning)
        if cut:
            back = {lost.id: lost for row, (lost, _) in rows if row not in tally.problems}
            self._close_circles(record_type, back, {i: keys for i, keys in cut.items() if i in back})

    def _targets_first(
        self, record_type: RecordType, rows: list[tuple[int, tuple[Any, int]]]
    ) -> tuple[list[tuple[int, tuple[Any, int]]], dict[UUID, set[str]]]:
        """The rows in the order in which the database takes them, and the references that must be left out at first."""
        keys = [f.key for f in record_type.declared if isinstance(f.type, Reference) and f.type.to == record_type.key]
        if not keys:
            return rows, {}
        by_id = {row[1][0].id: row for row in rows}
        order, cut = targets_first(by_id, lambda i: [(key, by_id[i][1][0][key]) for key in keys])
        return [by_id[i] for i in order], cut

    def _close_circles(self, record_type: RecordType, back: Mapping[UUID, Any], cut: Mapping[UUID, set[str]]) -> None:
        """Gives records the references that they were brought back without, to records that were brought back later."""
        rows = []
        for r in self.session.system_reader.by_ids(record_type.key, list(cut)):
            given = {key: back[r.id][key] for key in cut[r.id]}
            self.at_once.relied.update(given.values())
            found = {key: target for key, target in given.items() if target in back}
            rows.append((r.id, r.version, {**{f.key: r[f.key] for f in record_type.fields}, **found}))
        self.change(record_type.key, rows, frozenset().union(*cut.values()))

    def _undone(self, record_type: RecordType, record_id: UUID, last: int) -> bool:
        """Whether the record was brought back after that version, and just that was taken back since."""
        me = self.session
        endings = me.changesets.endings(me.unit, record_type, record_id)
        ended_by = me.changesets.get(me.unit, endings[max(endings)])
        versions = me.history(trusted=True).versions.by_ids(record_type.key, [record_id])
        return ended_by.undoes_id in {version.changeset_id for version in versions if version.version > last}

    # ------------------------------------------------------------------------------------- from values to changes

    def _each(
        self,
        block: Sequence[tuple[int, T]],
        tally: Tally,
        make: Callable[[int, T], Change | None],
        record: Callable[[T], UUID | None] = lambda item: None,
    ) -> list[Change]:
        changes = []
        for row, item in block:
            try:
                change = make(row, item)
            except CrmkitError as error:
                tally.refuse(row, error, record(item))
            else:
                if change is not None:
                    changes.append(change)
                else:
                    tally.did(row, "unchanged", record(item))
        return changes

    def _new(
        self, record_type: RecordType, row: int, given: Mapping[str, Any] | Record, form: Form, record_id: UUID
    ) -> Change:
        session = self.session
        keys = _given(record_type, given)
        values = session.parser(record_type.key).create(given, form=form, row=row)
        if record_type.owned and "owner" not in keys and values["owner"] is None:
            values["owner"] = session.actor.id
        self._check_by_hand(record_type, None, keys, values)
        if not self.trusted:
            self._may_create(record_type, {**values, "id": record_id}, keys)
        return Change("create", record_type.key, record_id, None, values, keys, row)

    def _may_create(self, record_type: RecordType, values: Mapping[str, Any], keys: frozenset[str]) -> None:
        session = self.session
        if session.judge.certain(record_type.key, "create") and session.policy.unlimited:
            return
        if not session.judge.allows(record_type.key, "create", values):
            raise denied("create", record_type)
        self._may_set(record_type, keys, "create", values)
        if record_type.owned and values["owner"] not in (None, session.actor.id):
            self._allowed(record_type, "assign", values)

    def _may_set(self, record_type: RecordType, keys: frozenset[str], action: Any, row: Any) -> None:
        place = (record_type.key, action)
        free = self._free.get(place)
        if free is None:
            may = self.session.policy.writable
            free = frozenset(key for key in record_type.by_key if may(record_type.key, key, action) is True)
            self._free[place] = free
        for key in keys - free:
            if key not in record_type.by_key or not self.session.may_set(record_type.key, key, action, row):
                raise _hidden(record_type, key)

    def _check_by_hand(self, record_type: RecordType, before: Any, given: Iterable[str], values: Any) -> None:
        # What an undo takes back, the house has written.
        if not (self.trusted or self.session.undoing):
            check_by_hand(record_type, before, given, values)

    def _allowed(self, record_type: RecordType, action: str, row: Any) -> None:
        if not self.session.judge.allows(record_type.key, action, row):
            raise denied(action, record_type)

    def _current(
        self, type_key: str, targets: Sequence[Any], known: Mapping[UUID, Any] = _NOTHING
    ) -> Mapping[UUID, Any]:
        ids = [record_id for target in targets if (record_id := id_of(target)) is not None]
        unknown = [record_id for record_id in ids if record_id not in known]
        if not unknown:
            return known
        return {**known, **{r.id: r for r in self.session.system_reader.by_ids(type_key, unknown)}}

    def _target(self, record_type: RecordType, target: Any, current: Mapping[UUID, Any], action: str) -> Any:
        """The record as it is now, if the actor sees it, may do this, and has not read an older version."""
        before = current.get(target if type(target) is UUID else _ANY.parse(target))
        if before is None or not (self.trusted or self.session.judge.sees(record_type.key, before)):
            raise missing(record_type)
        if not self.trusted:
            self._allowed(record_type, action, before)
        if isinstance(target, Record) and target.version != before.version:
            raise conflict(self.session, record_type, target, before)
        return before

    def _edited(
        self,
        record_type: RecordType,
        row: int,
        target: Any,
        given: Mapping[str, Any],
        form: Form,
        current: Mapping[UUID, Any],
    ) -> Change | None:
        before = self._target(record_type, target, current, "update")
        changes = self.session.parser(record_type.key).change(given, form=form, row=row)
        self._check_by_hand(record_type, before, given, changes)
        changes = {key: value for key, value in changes.items() if before[key] != value}
        if not self.trusted:
            self._may_set(record_type, frozenset(given), "update", before)
            if "owner" in changes:
                self._allowed(record_type, "assign", before)
        if not changes:
            return None
        values = {f.key: getattr(before, f.key) for f in record_type.declared}
        values.update({f.key: before[f.key] for f in record_type.custom})
        values.update(changes)
        return Change("update", record_type.key, before.id, before, values, frozenset(given), row)


def _again(field: Field, lost: Any) -> Any:
    """The value a record comes back with. Raises InvalidRecord if it needs one and there is none."""
    if not field.custom:
        return lost[field.key]
    value = lost.custom.get(field.key)
    if value is not None:
        try:
            return field.type.parse(value)
        except InvalidValue:
            value = None
    if field.required:
        if field.default is None:
            raise InvalidRecord("a value is required", code="required", field=field.key)
        value = field.default
    return value


def _given(record_type: RecordType, values: Any) -> frozenset[str]:
    """The fields somebody set: all keys of a mapping; of a draft what is not as it is by itself."""
    if type(values) is dict:
        return frozenset(values)
    if not isinstance(values, Record):
        return frozenset(values) if isinstance(values, Mapping) else frozenset()
    declared = (f.key for f in record_type.declared if getattr(values, f.key, None) not in (None, f.default))
    return frozenset((*declared, *values.custom))


def _hidden(record_type: RecordType, key: str) -> Denied:
    return Denied(f"you may not set {key} of this {record_type.label.lower()}", code="field_denied", field=key)
