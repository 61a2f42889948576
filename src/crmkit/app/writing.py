"""The write path: parse, authorise, ask plugins, check references and unique values, write. Batches only.

A single create is a batch of one. Everything that changes a record passes through here, whoever asks: a verb, a
command, a plugin, an import, an undo.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmkit.app.blocks import apart, blocks, id_of
from crmkit.app.definitions import DEFINITIONS, check_definition, check_dependants, stored
from crmkit.app.loading import SCHEMA_TYPES
from crmkit.app.outcomes import Tally
from crmkit.app.references import Found, Referrers, existence_check
from crmkit.app.uniqueness import uniqueness_check
from crmkit.app.work import Work
from crmkit.errors import Conflict, CrmkitError, Denied, Duplicate, InvalidRecord, NotFound, Problem, UsageError, Vetoed
from crmkit.query.lift import Lifted
from crmkit.schema import Record, RecordType
from crmkit.schema.parsing import Form
from crmkit.schema.types import Reference
from crmkit.sdk.change import Change, Veto
from crmkit.store.writer import NewRow
from crmkit.values import to_micros

__all__ = ["BLOCK", "WritePath"]

BLOCK = 1_000
"""Records written together: one look-up of references and unique values for each block."""

T = TypeVar("T")


@attrs.frozen
class WritePath:
    """Writes records of one session. With ``trusted`` the caller has authorised the writes itself (a command that
    links records the actor may change, the system's own records).
    """

    session: Work
    trusted: bool = False
    _free: dict[tuple[str, str], frozenset[str]] = attrs.field(init=False, factory=dict)
    """By record type and action: the fields the actor may set whatever the record is."""
    _found: tuple[Found, Found] = attrs.field(
        init=False, default=attrs.Factory(lambda me: (Found(me.session.actor.id), Found(me.session.actor.id)), True)
    )
    """What references were found to lead to, those of people and those of plugins, so that it is looked up once."""

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
        if type_key in DEFINITIONS:
            rows = ((row, stored(values)) for row, values in rows)
        for block in blocks(rows, BLOCK):
            ids = iter(self.session.ids.many(len(block)))

            def change(row: int, values: Mapping[str, Any] | Record, ids: Iterator[UUID] = ids) -> Change:
                return self._new(record_type, row, values, form, next(ids))

            self._finish(record_type, self._each(block, tally, change), tally)
            if progress is not None:
                progress(len(block))

    def update(
        self,
        type_key: str,
        rows: Iterable[tuple[int, Any, Mapping[str, Any]]],
        tally: Tally,
        form: Form = "python",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Updates records: row, record or id, values. A record that changed since it was read is refused."""
        record_type = self.session.type_of(type_key)
        if type_key in DEFINITIONS:
            rows = ((row, target, stored(values)) for row, target, values in rows)  # type: ignore[misc]
        for block in apart(rows, BLOCK, lambda row: row[1]):
            current = self._current(type_key, [target for _, target, _ in block])

            def change(
                row: int, item: tuple[int, Any, Mapping[str, Any]], current: dict[UUID, Any] = current
            ) -> Change | None:
                return self._edited(record_type, row, item[1], item[2], form, current)

            changes = self._each([(item[0], item) for item in block], tally, change)
            self._finish(record_type, changes, tally)
            if progress is not None:
                progress(len(block))

    def update_all(self, type_key: str, where: Lifted, given: Mapping[str, Any], tally: Tally) -> bool:
        """Gives all records that meet a condition the same values in two statements, where nothing has to be decided
        for each record: no plugin listens, no rule, unique value, custom field or conditional right is concerned.
        False if something has. Raises InvalidRecord, Conflict.
        """
        session, record_type = self.session, self.session.type_of(type_key)
        values = session.parser(type_key).change(given)
        writable = all(session.policy.writable(type_key, key, "update") is True for key in values)
        unique = {f.key for fields in session.unique_keys(type_key) for f in fields}
        # Custom fields share the JSON column: written for all records at once it would lose the other fields in it.
        shared = {f.key for f in record_type.custom}
        concerned = bool(session.checks(type_key) or (unique | shared) & values.keys() or record_type.object_key)
        heard = any(
            session.crm.plugins.concerned(name, values) for name in session.listeners("crmkit_before_change", type_key)
        )
        if not writable or concerned or heard:
            return False
        self._check_references(record_type, values)
        actions = ("update", "assign") if "owner" in values else ("update",)
        session.unit.begin_write()
        ids = session.reader.ids(type_key, where, *actions)
        if ids and session.writer().update_where(type_key, where, values, actions) != len(ids):
            raise Conflict(f"some of the {record_type.plural} changed in between", hint="run it again")
        for i, record_id in enumerate(ids):
            tally.did(i, "updated", record_id)
        session.wrote(type_key)
        return True

    def _check_references(self, record_type: RecordType, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            type_ = record_type.by_key[key].type
            if value is None or not isinstance(type_, Reference) or type_.to == "*":
                continue
            if not self.session.reader.existing(type_.to, [value]):
                raise InvalidRecord(f"there is no such {type_.to}", code="unknown_reference", field=key)

    def delete(
        self,
        type_key: str,
        rows: Iterable[tuple[int, Any]],
        tally: Tally,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Deletes records: they move to history. Links to them go with them; other references refuse the delete."""
        record_type = self.session.type_of(type_key)
        for block in apart(rows, BLOCK, lambda row: row[1]):
            current = self._current(type_key, [target for _, target in block])

            def change(row: int, target: Any, current: dict[UUID, Any] = current) -> Change:
                before = self._target(record_type, target, current, "delete")
                return Change("delete", type_key, before.id, before, {}, frozenset(), row)

            changes = self._each(block, tally, change)
            self._finish(record_type, changes, tally)
            if progress is not None:
                progress(len(block))

    def restore(self, type_key: str, rows: Iterable[tuple[int, Any]], tally: Tally) -> None:
        """Brings deleted records back as they were: row and the last version, whose successor they become.

        Those that somebody else has brought back and deleted since are refused (``not_last``).
        """
        record_type = self.session.type_of(type_key)
        for block in apart(rows, BLOCK, lambda row: row[1]):
            ended = self.session.system_reader.ended(type_key, [lost.id for _, lost in block])

            def change(row: int, lost: Any, ended: Mapping[UUID, tuple[int, int]] = ended) -> Change:
                values = {f.key: lost[f.key] for f in record_type.fields}
                if not self.trusted:
                    self._may_create(record_type, {**values, "id": lost.id}, frozenset())
                if ended.get(lost.id, (0, 0))[0] != lost.version:
                    raise Conflict("it was brought back and deleted again since", code="not_last", field="id")
                return Change("create", type_key, lost.id, None, values, frozenset(), row)

            changes = self._each(block, tally, change)
            returning = {
                row: NewRow(
                    lost.id, {}, lost.version + 1, to_micros(lost.created_at), lost.created_by, ended[lost.id][1]
                )
                for row, lost in block
                if lost.id in ended
            }
            self._finish(record_type, changes, tally, returning)

    # ------------------------------------------------------------------------------------- from values to changes

    def _each(
        self, block: Sequence[tuple[int, T]], tally: Tally, make: Callable[[int, T], Change | None]
    ) -> list[Change]:
        changes = []
        for row, item in block:
            try:
                change = make(row, item)
            except CrmkitError as error:
                tally.refuse(row, error)
            else:
                if change is not None:
                    changes.append(change)
                else:
                    tally.did(row, "unchanged", Reference("*").parse(item[1]))  # type: ignore[index]
        return changes

    def _new(
        self, record_type: RecordType, row: int, given: Mapping[str, Any] | Record, form: Form, record_id: UUID
    ) -> Change:
        session = self.session
        keys = _given(record_type, given)
        values = session.parser(record_type.key).create(given, form=form, row=row)
        if record_type.owned and "owner" not in keys and values["owner"] is None:
            values["owner"] = session.actor.id
        if not self.trusted:
            self._may_create(record_type, {**values, "id": record_id}, keys)
        return Change("create", record_type.key, record_id, None, values, keys, row)

    def _may_create(self, record_type: RecordType, values: Mapping[str, Any], keys: frozenset[str]) -> None:
        session = self.session
        if session.judge.certain(record_type.key, "create") and session.policy.unlimited:
            return
        if not session.judge.allows(record_type.key, "create", values):
            raise _denied("create", record_type)
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

    def _allowed(self, record_type: RecordType, action: str, row: Any) -> None:
        if not self.session.judge.allows(record_type.key, action, row):
            raise _denied(action, record_type)

    def _current(self, type_key: str, targets: Sequence[Any]) -> dict[UUID, Any]:
        ids = [record_id for target in targets if (record_id := id_of(target)) is not None]
        return {r.id: r for r in self.session.system_reader.by_ids(type_key, ids)}

    def _target(self, record_type: RecordType, target: Any, current: Mapping[UUID, Any], action: str) -> Any:
        """The record as it is now, if the actor sees it, may do this, and has not read an older version."""
        before = current.get(Reference("*").parse(target))
        if before is None or not (self.trusted or self.session.judge.sees(record_type.key, before)):
            raise NotFound(f"there is no such {record_type.label.lower()}", field="id")
        if not self.trusted:
            self._allowed(record_type, action, before)
        if isinstance(target, Record) and target.version != before.version:
            raise self._conflict(record_type, target, before)
        return before

    def _conflict(self, record_type: RecordType, read: Record, now: Record) -> Conflict:
        """Somebody else's version stands where the caller's was; names what differs, of what the actor may read."""
        differing = [
            f
            for f in record_type.fields
            if self.session.may_read(record_type.key, f.key, now) and read[f.key] != now[f.key]
        ]
        problems = [
            Problem("conflict", f"{f.label()} was changed by somebody else", f.key, hint="read it again")
            for f in differing
        ]
        return Conflict(problems or "the record was changed by somebody else, in fields you may not read or back again")

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
        changes = {key: value for key, value in changes.items() if before[key] != value}
        if not self.trusted:
            self._may_set(record_type, frozenset(given), "update", before)
            if "owner" in changes:
                self._allowed(record_type, "assign", before)
        if not changes:
            return None
        values = {f.key: before[f.key] for f in record_type.fields}
        values.update(changes)
        return Change("update", record_type.key, before.id, before, values, frozenset(given), row)

    # -------------------------------------------------------------------------------------- from changes to rows

    def _finish(
        self,
        record_type: RecordType,
        changes: list[Change],
        tally: Tally,
        returning: Mapping[int, NewRow] | None = None,
    ) -> None:
        """Asks plugins, checks what one record alone cannot tell, and writes."""
        if changes and changes[0].kind != "delete":
            changes = self._chosen(record_type, changes, tally)
        changes = self._heard(record_type, changes, tally)
        for check in (self._checked, self._referring, self._unique):
            if changes:
                changes = check(record_type, changes, tally)
        if changes:
            late = self._write(record_type, changes, returning or {})
            for change in changes:
                if change.id in late:
                    tally.refuse(change.row, self._too_late(record_type, change))
                else:
                    tally.did(change.row, _DONE[change.kind], change.id)
                    tally.last = change

    def _heard(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """The changes after every plugin that listens to the type has amended or refused them."""
        session = self.session
        for name in session.listeners("crmkit_before_change", record_type.key):
            if not changes:
                break
            answers = session.ask(name, changes)
            by_row = {change.row: change for change in changes}
            for answer in answers:
                if isinstance(answer, Veto):
                    by_row.pop(answer.row, None)
                    problem = Problem(
                        answer.code, answer.reason, answer.field, hint=answer.hint or f"says the plugin {name}"
                    )
                    tally.refuse(answer.row, Vetoed([problem]))
                elif answer.row in by_row:
                    self._amend(record_type, answer, by_row, tally)
            changes = [by_row[change.row] for change in changes if change.row in by_row]
        return changes

    def _amend(self, record_type: RecordType, amended: Change, by_row: dict[int, Change], tally: Tally) -> None:
        original = by_row[amended.row]
        differing = {key: value for key, value in amended.values.items() if original.values.get(key) != value}
        try:
            parsed = self.session.parser(record_type.key).change(differing, row=amended.row)
        except CrmkitError as error:
            del by_row[amended.row]
            tally.refuse(amended.row, error)
        else:
            given = original.given - parsed.keys()
            by_row[amended.row] = attrs.evolve(original, values={**original.values, **parsed}, given=given)

    def _checked(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """Definitions mean something, and the validation expressions of custom fields hold."""
        session = self.session
        if record_type.key in DEFINITIONS:
            changes = _sifted(changes, tally, lambda change: check_definition(session, change))
        if record_type.key == "custom_field":
            for change in changes:
                self._vacate(change)
        conditions = session.checks(record_type.key)
        if not conditions:
            return changes

        def check(change: Change) -> None:
            row = {**change.values, "id": change.id}
            problems = [
                Problem("check_failed", f"{field.label()} does not meet its rule", field.key, hint=field.check)
                for field, condition in conditions
                if change.kind != "delete" and session.judge.meets(record_type.key, condition, row) is False
            ]
            if problems:
                raise InvalidRecord(problems)

        return _sifted(changes, tally, check)

    def _vacate(self, change: Change) -> None:
        """Values a field leaves behind could become another field's, or be lost unnoticed; in history they are safe."""
        field: Any = change.before
        moved = change.kind == "delete" or change.changed & {"column", "slot", "unique_slot"}
        if field is None or not moved:
            return
        holders = [r.id for r in self.session.system_reader.records(field.on) if r[field.key] is not None]
        rows = ((i, record_id, {field.key: None}) for i, record_id in enumerate(holders))
        WritePath(self.session, trusted=True).update(field.on, rows, Tally(stop=True))

    def _chosen(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """What somebody refers to exists and may be read; before plugins can say anything about it."""
        reader = self.session.system_reader if self.trusted else self.session.reader
        check = existence_check(reader, record_type, changes, self._found[0], chosen=True)
        return changes if check is None else _sifted(changes, tally, check)

    def _referring(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """What plugins refer to exists; what is deleted is not referred to, and its links go with it."""
        if changes[0].kind == "delete":
            return self._unreferenced(record_type, changes, tally)
        check = existence_check(self.session.system_reader, record_type, changes, self._found[1], chosen=False)
        return changes if check is None else _sifted(changes, tally, check)

    def _unreferenced(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        referrers = Referrers(self.session, record_type, self.trusted or self.session.policy.unlimited)
        problems = referrers.problems(frozenset(change.id for change in changes))

        def check(change: Change) -> None:
            if change.id in problems:
                raise InvalidRecord(problems[change.id])

        kept = _sifted(changes, tally, check)
        for type_key, ids in referrers.links([change.id for change in kept]):
            WritePath(self.session, trusted=True).delete(type_key, enumerate(ids), Tally(stop=True))
        return kept

    def _unique(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """Unique values are free, in the database and among the changes themselves."""
        if changes[0].kind == "delete":
            return changes
        for fields in self.session.unique_keys(record_type.key):
            check = uniqueness_check(self.session.system_reader, record_type, fields, changes)
            if check is not None:
                changes = _sifted(changes, tally, check)
        return changes

    def _write(
        self, record_type: RecordType, changes: list[Change], returning: Mapping[int, NewRow]
    ) -> frozenset[UUID]:
        """Writes them; returns the ids of those that somebody else has changed in between."""
        try:
            return self._written(record_type, changes, returning)
        except Duplicate as error:
            raise _in_fields(record_type, error) from error

    def _too_late(self, record_type: RecordType, change: Change) -> CrmkitError:
        now = self.session.system_reader.get(record_type.key, change.id)
        if now is None or change.before is None:
            return NotFound(f"there is no such {record_type.label.lower()}", field="id")
        return self._conflict(record_type, change.before, now)

    def _written(
        self, record_type: RecordType, changes: list[Change], returning: Mapping[int, NewRow]
    ) -> frozenset[UUID]:
        session = self.session
        writer = session.writer()
        kind = changes[0].kind
        if kind == "create":
            writer.insert(record_type.key, (_new_row(c, returning.get(c.row)) for c in changes))
            refused: list[UUID] = []
        elif kind == "update":
            rows = [(c.id, _version(c), c.values) for c in changes]
            refused = writer.update(record_type.key, rows, frozenset().union(*(c.changed for c in changes)))
        else:
            refused = writer.delete(record_type.key, [(c.id, _version(c)) for c in changes])
        if len(refused) < len(changes):
            session.wrote(record_type.key)
            if record_type.key in SCHEMA_TYPES:
                check_dependants(session)
        return frozenset(refused)


_DONE: Mapping[str, Any] = {"create": "created", "update": "updated", "delete": "deleted"}


def _sifted(changes: list[Change], tally: Tally, check: Callable[[Change], None]) -> list[Change]:
    kept = []
    for change in changes:
        try:
            check(change)
        except CrmkitError as error:
            tally.refuse(change.row, error)
        else:
            kept.append(change)
    return kept


def _given(record_type: RecordType, values: Any) -> frozenset[str]:
    """The fields somebody set: all keys of a mapping; of a draft what is not as it is by itself."""
    if not isinstance(values, Record):
        return frozenset(values) if isinstance(values, Mapping) else frozenset()
    declared = (f.key for f in record_type.declared if getattr(values, f.key, None) not in (None, f.default))
    return frozenset((*declared, *values.custom))


def _in_fields(record_type: RecordType, error: Duplicate) -> Duplicate:
    """The database knows a custom field only by the slot it lies in."""
    keys = {f.unique_slot: f.key for f in record_type.custom if f.unique_slot is not None}
    if not keys.keys() & set(error.fields):
        return error
    problems = (attrs.evolve(p, field=keys.get(p.field or "", p.field)) for p in error.problems)
    return Duplicate(attrs.evolve(p, message=f"another {record_type.key} has this {p.field}") for p in problems)


def _new_row(change: Change, returning: NewRow | None) -> NewRow:
    values = change.values
    return NewRow(change.id, values) if returning is None else attrs.evolve(returning, values=values)


def _version(change: Change) -> int:
    if change.before is None:
        raise UsageError("a change of nothing", code="no_record")
    return change.before.version


def _denied(action: str, record_type: RecordType) -> Denied:
    return Denied(
        f"you may not {action} this {record_type.label.lower()}",
        hint=f"needs a grant of {action} on {record_type.key} that covers it",
    )


def _hidden(record_type: RecordType, key: str) -> Denied:
    return Denied(f"you may not set {key} of this {record_type.label.lower()}", code="field_denied", field=key)
