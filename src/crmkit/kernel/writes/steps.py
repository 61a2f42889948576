"""From changes to rows: plugins are asked, what one record alone cannot tell is checked, and everything is written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import chain, groupby
from typing import Any, Protocol
from uuid import UUID

import attrs

from crmkit.errors import Conflict, CrmkitError, Duplicate, InvalidRecord, Problem, UsageError, Vetoed
from crmkit.kernel.definitions.checks import check_dependants, is_checked, refused
from crmkit.kernel.definitions.tenant_schema import SCHEMA_TYPES
from crmkit.kernel.session.refusals import missing
from crmkit.kernel.session.unit_of_work import FOLLOW_UP, Work
from crmkit.kernel.writes.batching import BLOCK, blocks
from crmkit.kernel.writes.references import AtOnce, Found, Referrers, existence_check, loose_ends
from crmkit.kernel.writes.results import Raising, Refusals, Tally
from crmkit.kernel.writes.unique_keys import Holders
from crmkit.query.lift import lift
from crmkit.query.text import parse
from crmkit.schema import Record, RecordType
from crmkit.schema.types import Json, Reference
from crmkit.sdk.change import Change, Create, Delete, Update, Veto
from crmkit.store.write.writer import NewRow

__all__ = ["Finishing", "conflict"]


class FollowUp(Protocol):
    """What changes bring about besides: written by the same road, on the house's account."""

    def create(self, type_key: str, rows: Iterable[tuple[int, Mapping[str, Any]]], tally: Tally) -> None: ...
    def update(
        self,
        type_key: str,
        rows: Iterable[tuple[int, Any, Mapping[str, Any]]],
        tally: Tally,
        *,
        known: Mapping[UUID, Any],
    ) -> None: ...
    def delete(self, type_key: str, rows: Iterable[tuple[int, Any]], tally: Tally) -> None: ...
    def knows(self, type_key: str, ids: Iterable[UUID]) -> None: ...
    def change(
        self, type_key: str, rows: Sequence[tuple[UUID, int, Mapping[str, Any]]], keys: frozenset[str]
    ) -> None: ...


@attrs.frozen
class Finishing:
    """Finishes the changes of one verb, in batches of one record type and kind."""

    session: Work
    trusted: bool
    follow_up: Callable[[], FollowUp]
    at_once: AtOnce = attrs.field(factory=AtOnce)
    _found: tuple[Found, Found] = attrs.field(
        init=False, default=attrs.Factory(lambda me: (Found(me.session.actor.id), Found(me.session.actor.id)), True)
    )
    """What references were found to lead to, those of people and those of plugins, so that it is looked up once."""

    def finish(
        self,
        record_type: RecordType,
        changes: list[Change],
        tally: Tally,
        returning: Mapping[int, NewRow] | None = None,
    ) -> None:
        """Asks plugins, checks what one record alone cannot tell, and writes."""
        if changes and changes[0].kind != "delete":
            changes = self._chosen(record_type, changes, tally)
        changes = wanted = self._heard(record_type, changes, tally)
        for check in (self._checked, self._referring, self._unique):
            if changes:
                changes = check(record_type, changes, tally)
        if len(changes) < len(wanted):
            changes = self._tied_up(record_type, wanted, changes, tally)
        if changes:
            late = self._write(record_type, changes, returning or {})
            for change in changes:
                if change.id in late:
                    tally.refuse(change.row, self._too_late(record_type, change), change.id)
                else:
                    tally.did(change.row, _DONE[change.kind], change.id)
                    tally.last = change
            self._followed_up(record_type, [change for change in changes if change.id not in late])

    def _followed_up(self, record_type: RecordType, changes: list[Change]) -> None:
        """Writes what plugins want to be written with the changes, which are there by now."""
        for name in self.session.listeners(FOLLOW_UP, record_type.key) if changes else ():
            answers = self.session.follow_ups(name, changes)
            for (_, type_key), found in groupby(answers, key=lambda answer: (type(answer), answer.type_key)):
                writes, group = self.follow_up(), list(found)
                writes.knows(record_type.key, (change.id for change in changes))
                made = [answer.values for answer in group if isinstance(answer, Create)]
                changed = [answer for answer in group if isinstance(answer, Update)]
                gone = [answer.id for answer in group if isinstance(answer, Delete)]
                if made:
                    writes.create(type_key, enumerate(made), Raising())
                if changed:
                    known = {answer.before.id: answer.before for answer in changed if answer.before is not None}
                    rows = [(i, answer.id, answer.values) for i, answer in enumerate(changed)]
                    writes.update(type_key, rows, Raising(), known=known)
                if gone:
                    writes.delete(type_key, enumerate(gone), Raising())

    def _heard(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """The changes after every plugin that listens to the type has amended or refused them."""
        session = self.session
        for name in session.listeners("crmkit_before_change", record_type.key):
            if not changes:
                break
            answers = session.ask(name, _lent(record_type, changes))
            by_row = {change.row: change for change in changes}
            for answer in answers:
                # What it has refused already stays refused.
                if answer.row not in by_row:
                    continue
                if isinstance(answer, Veto):
                    vetoed = by_row.pop(answer.row)
                    problem = Problem(
                        answer.code, answer.reason, answer.field, hint=answer.hint or f"says the plugin {name}"
                    )
                    tally.refuse(answer.row, Vetoed([problem]), _known(vetoed))
                else:
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
            tally.refuse(amended.row, error, _known(original))
        else:
            given = original.given - parsed.keys()
            by_row[amended.row] = attrs.evolve(original, values={**original.values, **parsed}, given=given)

    def _checked(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """Definitions mean something, and the validation expressions of fields hold."""
        session = self.session
        if is_checked(session, record_type.key):
            changes = self._defined(changes, tally)
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

    def _defined(self, changes: list[Change], tally: Tally) -> list[Change]:
        """The changes without those that would define something that means nothing."""
        errors = refused(self.session, changes, by_hand=not (self.trusted or self.session.undoing))
        for change in changes:
            if change.row in errors:
                tally.refuse(change.row, errors[change.row], _known(change))
        return [change for change in changes if change.row not in errors]

    def _vacate(self, change: Change) -> None:
        """Values a field leaves behind could become another field's, or be lost unnoticed; in history they are safe."""
        field: Any = change.before
        moved = change.kind == "delete" or change.changed & {"column", "slot", "unique_slot"}
        if field is None or not moved:
            return
        reader, record_type = self.session.system_reader, self.session.type_of(field.on)
        # A required field leaves as well, and nobody is asked: it is the definition that changes.
        for holders in blocks(reader.ids(field.on, lift(parse(f"{field.key} is not None"))), BLOCK):
            values = ((r, {f.key: r[f.key] for f in record_type.fields}) for r in reader.by_ids(field.on, holders))
            rows = [(r.id, r.version, {**kept, field.key: None}) for r, kept in values]
            self.follow_up().change(field.on, rows, frozenset({field.key}))

    def _chosen(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """What somebody refers to exists and may be read; before plugins can say anything about it."""
        reader = self.session.system_reader if self.trusted else self.session.reader
        self._keep_in_mind(record_type, self._found[0], trusted=self.trusted)
        check = existence_check(reader, record_type, changes, self._found[0], chosen=True, at_once=self.at_once)
        return changes if check is None else _sifted(changes, tally, check)

    def knows(self, type_key: str, ids: Iterable[UUID]) -> None:
        """These records are there: they were written just now."""
        there = list(ids)
        for found in self._found:
            found.of(type_key).update(there)

    def _keep_in_mind(self, record_type: RecordType, found: Found, *, trusted: bool) -> None:
        """Records of cached types are known to be there, where whoever writes may read all of them."""
        session = self.session
        for f in record_type.declared:
            to = f.type.to if isinstance(f.type, Reference) else "*"
            if to != "*" and session.type_of(to).cached and (trusted or session.judge.certain(to, "read")):
                found.of(to).update(record.id for record in session.configuration(to))

    def _referring(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """What plugins refer to exists; what is deleted is not referred to, and its links go with it."""
        if changes[0].kind == "delete":
            return self._unreferenced(record_type, changes, tally)
        reader = self.session.system_reader
        self._keep_in_mind(record_type, self._found[1], trusted=True)
        check = existence_check(reader, record_type, changes, self._found[1], chosen=False, at_once=self.at_once)
        return changes if check is None else _sifted(changes, tally, check)

    def _tied_up(
        self, record_type: RecordType, wanted: list[Change], changes: list[Change], tally: Tally
    ) -> list[Change]:
        """The changes but for those that refer to records which were to come with them, and do not."""
        lost = {change.id for change in wanted if change.kind == "create"} - {change.id for change in changes}
        loose = loose_ends(record_type, changes, lost)

        def check(change: Change) -> None:
            if change.id in loose:
                raise InvalidRecord(loose[change.id])

        return _sifted(changes, tally, check) if loose else changes

    def _unreferenced(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        tells = self.trusted or self.session.policy.unlimited
        referrers = Referrers(self.session, record_type, tells, self.at_once)
        problems = referrers.problems(frozenset(change.id for change in changes))
        for change in changes:
            if change.id in problems:
                tally.hold(change.row, InvalidRecord(problems[change.id]), change.id)
        return self._unlinked(referrers, [change for change in changes if change.id not in problems], tally)

    def _unlinked(self, referrers: Referrers, changes: list[Change], tally: Tally) -> list[Change]:
        """The changes whose links have gone with them; a record of which one may not go stays, with all its links."""
        while kept := self._drop_links(referrers, [change.id for change in changes]):
            found = referrers.attached([change.id for change in changes])
            reasons = {record_id: kept[link.id] for record_id, link in found if link.id in kept}
            if not reasons:
                raise next(iter(kept.values())).at()

            def check(change: Change, reasons: Mapping[UUID, CrmkitError] = reasons) -> None:
                if change.id in reasons:
                    raise reasons[change.id].at()

            changes = _sifted(changes, tally, check)
        return changes

    def _drop_links(self, referrers: Referrers, ids: Sequence[UUID]) -> Mapping[UUID, CrmkitError]:
        """Deletes the links of these records, all or none; returns which may not go, and why."""
        links = referrers.links(ids)
        first = next(links, None)
        if first is None:
            return {}
        refusals = Refusals()
        with suppress(_Kept), self.session.doing(f"{referrers.record_type.key}.delete"):
            for type_key, found in chain((first,), links):
                self.follow_up().delete(type_key, enumerate(found), refusals)
            if refusals.errors:
                raise _Kept
        return refusals.errors

    def _unique(self, record_type: RecordType, changes: list[Change], tally: Tally) -> list[Change]:
        """Unique values are free, in the database and among the changes themselves."""
        if changes[0].kind == "delete":
            return changes
        reader = self.session.system_reader
        keys = self.session.unique_keys(record_type.key)
        held = [h for fields in keys if (h := Holders.of(reader, record_type, fields, changes)) is not None]
        if not held:
            return changes

        def check(change: Change) -> None:
            problems = [problem for holders in held if (problem := holders.problem(change)) is not None]
            if problems:
                raise Duplicate(problems)
            for holders in held:
                holders.made(change)

        return _sifted(changes, tally, check)

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
            return missing(record_type)
        return conflict(self.session, record_type, change.before, now)

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


def conflict(work: Work, record_type: RecordType, read: Record, now: Record) -> Conflict:
    """Somebody else's version stands where the caller's was; names what differs, of what the actor may read."""
    differing = [
        f for f in record_type.fields if work.may_read(record_type.key, f.key, now) and read[f.key] != now[f.key]
    ]
    problems = [
        Problem("conflict", f"{f.label()} was changed by somebody else", f.key, hint="read it again") for f in differing
    ]
    return Conflict(problems or "the record was changed by somebody else, in fields you may not read or back again")


class _Kept(Exception):
    """Ends the savepoint of links that do not go."""


_DONE: Mapping[str, Any] = {"create": "created", "update": "updated", "delete": "deleted"}


def _lent(record_type: RecordType, changes: list[Change]) -> list[Change]:
    """The changes as plugins get them: a document in them is a copy, so that what is done to it goes nowhere."""
    documents = [f.key for f in record_type.fields if isinstance(f.type, Json)]
    if not documents:
        return changes
    return [
        attrs.evolve(c, values={**c.values, **{key: deepcopy(c.values.get(key)) for key in documents if c.values}})
        for c in changes
    ]


def _sifted(changes: list[Change], tally: Tally, check: Callable[[Change], None]) -> list[Change]:
    kept = []
    for change in changes:
        try:
            check(change)
        except CrmkitError as error:
            tally.refuse(change.row, error, _known(change))
        else:
            kept.append(change)
    return kept


def _known(change: Change) -> UUID | None:
    """The id of the record, if it is there."""
    return None if change.before is None else change.id


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
