"""A unit of work: what an actor, a tenant and a transaction have in common, before there are verbs.

Write path, queries and commands stand on this; the session adds the collections and the frame.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Any, Literal, TypeVar
from uuid import UUID
from weakref import WeakSet

import attrs

from crmkit.errors import Denied, InvalidQuery, NotFound, UsageError
from crmkit.kernel.collections.reading import Reading
from crmkit.kernel.definitions.tenant_schema import POLICY_TYPES, SCHEMA_TYPES
from crmkit.kernel.session.memory import Memory
from crmkit.kernel.session.refusals import denied, missing
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.writes.results import BulkResult, Tally
from crmkit.permissions import Actor, FieldRights, HistoryRights
from crmkit.query.json_form import from_json
from crmkit.query.lift import EVERYTHING, Lifted, lift
from crmkit.query.text import parse
from crmkit.schema import Field, RecordType
from crmkit.schema.types import Reference
from crmkit.sdk.change import Change, Create, Delete, Update, Veto
from crmkit.sdk.command import Command
from crmkit.sdk.plugins import checked_answers, checked_follow_up
from crmkit.store.connection.database import Unit
from crmkit.store.ledger.changesets import Changeset
from crmkit.store.ledger.tenants import Tenant
from crmkit.store.read.history import History, RecordChange
from crmkit.store.write.writer import Stamp, Writer
from crmkit.values import IdFactory, clean_text, from_micros, parse_id, to_micros
from crmkit.values.text import shown

__all__ = ["FOLLOW_UP", "Work"]

T = TypeVar("T")

FOLLOW_UP = "crmkit_follow_up"
"""The hook that says what must be written with changes."""

_LOG = 50
"""Changesets that are looked at together."""
_NOTHING: Mapping[str, frozenset[str]] = {}
_REASON_LENGTH = 2_000
_ORIGIN_LENGTH = 100


class Work(Memory):
    """One actor in one tenant in one transaction: schema, rights, readers, the one changeset.

    ``me`` in commands and hooks is a Session, which is a Work.
    """

    def __init__(
        self,
        crm: Foundation,
        who: Actor | str | UUID,
        *,
        tenant: Tenant,
        unit: Unit,
        as_of: datetime | None = None,
        dry_run: bool = False,
        reason: str | None = None,
        origin: str = "interactive",
        causation: UUID | None = None,
    ) -> None:
        super().__init__(crm, who, tenant=tenant, unit=unit, as_of=as_of)
        self.dry_run = dry_run
        self.reason = None if reason is None else clean_text(reason, max_length=_REASON_LENGTH, multiline=True)
        self.origin = clean_text(origin, max_length=_ORIGIN_LENGTH)
        self.causation = None if causation is None else parse_id(causation)
        self.ids: IdFactory = crm.ids
        self.committed: list[UUID] = []
        self._stamp: Stamp | None = None
        self._commands: list[str] = []
        self.announced: set[str] = set()
        """The hooks whose plugins are to be told of the changeset besides those that listen to what it wrote."""
        self._doing = 0
        self.writes_made = 0
        """How often anything was written: by it one can tell whether a verb has."""
        self._undoes: UUID | None = None
        self.undoing = False
        self.placing = False
        unit.keeper = self
        self._closed = False
        self._readings: WeakSet[Reading[Any]] = WeakSet()
        self.resolve()

    def written_record(self, type_key: str, record_id: UUID, change: Change | None = None) -> Any:
        """A record as a verb hands it back to the actor who wrote it: of one that the actor may not see (any more), the
        fields the actor may read of others. With the change that was just written, it is read only where rights are
        concerned. Raises NotFound.
        """
        record = None if change is None else self._record_of(change)
        found = record if record is not None else self.reader.get(type_key, record_id)
        if found is None and not self.policy.unlimited:
            found = self.reading(attrs.evolve(self.view, guard=FieldRights(self.policy))).get(type_key, record_id)
        if found is None:
            raise missing(self.type_of(type_key))
        return found

    def _record_of(self, change: Change) -> Any:
        """The record a change has made, if the actor surely may read all of it."""
        record_type, stamp, before = self.type_of(change.type_key), self._stamp, change.before
        readable = (self.view.guard.field(record_type.key, f.key) is True for f in record_type.fields)
        if stamp is None or not all(readable):
            return None
        # As the database has it: no version begins before the one it follows.
        at = from_micros(stamp.at) if before is None else max(from_micros(stamp.at), before.recorded_at)
        system = {
            "id": change.id,
            "version": 1 if before is None else before.version + 1,
            "changeset_id": stamp.changeset_id,
            "created_at": at if before is None else before.created_at,
            "created_by": stamp.actor_id if before is None else before.created_by,
            "recorded_at": at,
        }
        record = self.view.layout(record_type.key, self.crm.shelf).record(system, change.values)
        return record if self.judge.sees_at_once(record_type.key, record) else None

    # ---------------------------------------------------------------------------------------------------------- doing

    def do(self, command: Command[Any]) -> Any:
        """Do a command: what its verb does, from an object. Raises UsageError, Denied, and what the command raises."""
        if not isinstance(command, Command):
            raise UsageError(f"{shown(command)} is no command", code="not_a_command", hint="such as Tag(deal, 'vip')")
        with self.doing(self.permit(command)):
            return command.run(self)

    def permit(self, command: Command[Any]) -> str:
        """The name by which the command is remembered: one of every noun by the noun it is done with. Raises Denied."""
        name = command.name.replace("*", getattr(command, "type_key", "*"), 1)
        noun = name.partition(".")[0]
        if noun in self.schema.types and not self.policy.may(noun, command.action):
            raise Denied(
                f"you may not {command.action} {self.schema.types[noun].plural}",
                hint=f"{name} needs a grant of {command.action} on {noun}",
            )
        return name

    @contextmanager
    def doing(self, command: str) -> Iterator[None]:
        """The frame of every verb: it happens as a whole or not at all.

        The changeset remembers what was asked for, not the verbs it was done by. When an exception ends the verb, the
        unit of work is as if it had not been tried, and goes on.
        """
        self.may_write()
        before = self.remembered()
        if self._doing == 0:
            self.note(command)
        self._doing += 1
        try:
            with self.unit.savepoint():
                yield
        except BaseException:
            self.went_back(before)
            raise
        finally:
            self._doing -= 1

    @contextmanager
    def on_behalf(self, command: str) -> Iterator[None]:
        """The frame of what a plugin does after a commit: the changeset remembers the hook, and each verb in it is a
        whole of its own. Nothing is locked before the plugin writes.
        """
        self.may_write()
        self.note(command)
        self._doing += 1
        try:
            yield
        finally:
            self._doing -= 1

    def remembered(self) -> Any:
        """What the session has written so far: what it goes back to when what follows is taken back."""
        kept = self._stamp, set(self._bumps), dict(self.written), list(self._commands), set(self.announced)
        return kept, list(self.committed), self.__dict__.get("state")

    def went_back(self, to: Any) -> None:
        """What was written since (None: all of it) is undone, by crmkit or by a host: nothing kept of it holds."""
        nothing: Any = (None, set(), {}, [], set()), [], None
        kept, self.committed, state = to or nothing
        self._stamp, self._bumps, self.written, self._commands, self.announced = kept
        self.forget()
        if state is None:
            self.__dict__.pop("state", None)
        else:
            self.state = state

    @contextmanager
    def bulk(self, command: str, *, stop: bool, dry_run: bool) -> Iterator[Tally]:
        """The frame of a bulk verb: outcomes are collected; an error, or a dry run, leaves nothing behind.

        Raises BulkStopped at the first refusal if told to ``stop``.
        """
        tally = Tally(stop)
        with suppress(_Discard), self.doing(command):
            yield tally
            if dry_run:
                raise _Discard

    def result(self, tally: Tally, dry_run: bool) -> BulkResult:
        """What a bulk verb hands back."""
        changed = any(status not in ("refused", "unchanged") for _, status, _ in tally.rows)
        kept = changed and not dry_run and not self.dry_run and self._stamp is not None
        return tally.result(self._stamp.changeset_id if kept and self._stamp else None, dry_run or self.dry_run)

    def may_write(self) -> None:
        """Raises UsageError where nothing can be written."""
        if self._closed:
            raise UsageError("the session is closed", code="closed", hint="open another")
        if self.as_of is not None:
            raise UsageError("the past cannot be changed", code="read_only", hint="open a session without as_of")

    def note(self, command: str) -> None:
        """Remember for the changeset what is being done."""
        if command not in self._commands:
            self._commands.append(command)

    @contextmanager
    def taking_back(self, changeset_id: UUID) -> Iterator[None]:
        """Inside, ``undoing`` is true: what is written was there before, and what follows from it comes with it."""
        self._undoes, self.undoing = changeset_id, True
        try:
            yield
        finally:
            self.undoing = False

    def reads(self, reading: Reading[T]) -> Iterator[T]:
        """What is read while the session may write."""
        self._readings.add(reading)
        return iter(reading)

    def writer(self) -> Writer:
        """The writer under this session's one changeset."""
        self.may_write()
        for reading in list(self._readings):
            reading.settle()
        if self._stamp is None or self._stamp.changeset_id in self.committed:
            self._stamp = Stamp(self.ids.new(), to_micros(self.crm.clock.now()), self.actor.id)
        return Writer(self.crm.database, self.crm.shelf, self.unit, self.view, self._stamp)

    def wrote(self, type_key: str, alike: Iterable[Mapping[str, Any]] | None = None) -> None:
        """Records of the type were written, many ``alike`` or each by itself: forget what may no longer be true."""
        self.writes_made += 1
        self.kept.pop(type_key, None)
        self.judge.forget()
        before = self.written.get(type_key, ())
        self.written[type_key] = None if alike is None or before is None else (*before, *alike)
        if type_key in SCHEMA_TYPES or type_key in POLICY_TYPES:
            self._bumps.add(type_key)
            self.resolve()

    def announce(self, hook: str) -> None:
        """The plugins that implement this hook are to be told of the changeset; ``crmkit_events`` says what."""
        self.announced.add(hook)

    @property
    def changeset_id(self) -> UUID | None:
        """The changeset of this session, once it has changed something."""
        return None if self._stamp is None else self._stamp.changeset_id

    @property
    def changes(self) -> list[RecordChange]:
        """What this session has changed so far, as the actor may see it; in a dry run, what it would change."""
        return [] if self._stamp is None else list(self.history().changes(self._stamp.changeset_id))

    def changeset(self, changeset_id: UUID | str) -> Changeset:
        """A changeset by its id: who did what, when and why; the actor's own, or one with a change the actor may see.

        Raises NotFound.
        """
        found = self._recorded(changeset_id)
        if self.policy.unlimited or found.actor_id == self.actor.id or any(True for _ in self.changes_of(found)):
            return found
        raise NotFound(f"there is no changeset {found.id}", code="unknown_changeset")

    def changes_of(self, changeset_id: UUID | Changeset) -> Iterator[RecordChange]:
        """What a changeset did to each record, as the actor may see it. Raises NotFound."""
        wanted = changeset_id.id if isinstance(changeset_id, Changeset) else changeset_id
        return self.history().changes(self._recorded(wanted).id)

    def _recorded(self, changeset_id: UUID | str) -> Changeset:
        """The changeset, if it was there at the instant the session reads. Raises NotFound."""
        found = self.changesets.get(self.unit, parse_id(changeset_id))
        if self.as_of is not None and found.recorded_at > self.as_of:
            raise NotFound(f"there was no changeset {found.id} yet", code="unknown_changeset")
        return found

    # --------------------------------------------------------------------------------------------------------- rights

    def may_set(self, type_key: str, key: str, action: Literal["create", "update"], row: Any) -> bool:
        """Whether the actor may set the field, on a record as it was or with the values it will have."""
        answer = self.policy.writable(type_key, key, action)
        return answer if isinstance(answer, bool) else self.judge.meets(type_key, answer, row) is True

    def may_do(self, type_key: str, action: str, row: Any) -> bool:
        """Whether the actor may do this with the record."""
        return self.judge.allows(type_key, action, row)

    def meets(self, type_key: str, where: Any, row: Any) -> bool:
        """Whether a record meets a stored condition, whatever the actor may read."""
        return self.judge.meets(type_key, lift(from_json(where), self.actor.ids), row) is True

    def may_read(self, type_key: str, key: str, row: Any) -> bool:
        """Whether the actor may read the field of this record."""
        answer = self.view.guard.field(type_key, key)
        return answer if isinstance(answer, bool) else self.judge.meets(type_key, answer, row) is True

    def readable_fields(self, type_key: str) -> list[Field]:
        """The fields of a type that the actor may read of some records at least: the id, its own, the system's."""
        record_type, guard = self.type_of(type_key), self.view.guard
        keys = dict.fromkeys(("id", *(f.key for f in record_type.fields), *record_type.by_key))
        return [record_type.by_key[key] for key in keys if guard.field(record_type.key, key) is not False]

    def require(self, type_key: str, action: str, row: Any) -> None:
        """Raises NotFound if the actor may not see the record, Denied if not do this with it."""
        if not self.judge.sees(type_key, row):
            raise missing(self.type_of(type_key))
        if not self.judge.allows(type_key, action, row):
            raise denied(action, self.type_of(type_key))

    # ---------------------------------------------------------------------------------------------- what types demand

    def unique_keys(self, type_key: str) -> Sequence[tuple[Field, ...]]:
        """The sets of fields whose values must not occur twice."""
        record_type = self.type_of(type_key)
        singles = [(f,) for f in record_type.fields if f.unique]
        return [*singles, *(tuple(record_type.by_key[key] for key in keys) for keys in record_type.unique)]

    def checks(self, type_key: str) -> Sequence[tuple[Field, Lifted]]:
        """The validation expressions of the type's fields."""
        return self.crm.shelf.get(
            ("checks", self.tenant_schema.token, type_key),
            lambda: tuple((f, lift(parse(f.check))) for f in self.type_of(type_key).fields if f.check),
        )

    def listeners(self, hook: str, type_key: str) -> Iterable[str]:
        """The plugins that implement a hook and listen to the type."""
        return self.crm.listeners(hook, type_key)

    def ask(self, plugin: str, changes: Sequence[Change]) -> tuple[Change | Veto, ...]:
        """A plugin's answers to changes about to be written. Raises PluginError."""
        answer = self.crm.plugins.ask(plugin, "crmkit_before_change", session=self, changes=tuple(changes))
        return checked_answers(plugin, changes, answer)

    def follow_ups(self, plugin: str, changes: Sequence[Change]) -> tuple[Create | Update | Delete, ...]:
        """What a plugin wants to be written with changes that were just written. Raises PluginError."""
        found = self.crm.plugins.gather(plugin, FOLLOW_UP, session=self, changes=tuple(changes))
        return checked_follow_up(plugin, found)

    # -------------------------------------------------------------------------------------------------------- history

    def history(self, *, trusted: bool = False, vacated: Mapping[str, frozenset[str]] = _NOTHING) -> History:
        """The history as the actor may see it; ``trusted`` for the house's own needs.

        That has values of removed fields as well, and those of others as today's type takes them, where it does. Of
        ``vacated`` fields, by record type, it is read without the forms that this session has put an end to.
        """
        view = self.view
        if trusted or self.policy.unlimited:
            view = view.unguarded()
        else:
            view = attrs.evolve(view, guard=HistoryRights(self.policy))
        forms = (self.forms if trusted else self.forms.as_they_were()).without(self.changeset_id, vacated)
        versions = self.reading(attrs.evolve(view, reading="versions", at=None, forms=forms))
        return History(self.unit, self.changesets, versions, self.as_of)

    def log(self, limit: int = 50, before: Changeset | UUID | str | None = None) -> list[Changeset]:
        """Changesets in which the actor may see a change, latest first; ``before`` one of them, to page on.

        Raises InvalidQuery (``bad_limit``), NotFound.
        """
        if type(limit) is not int or limit < 0:
            raise InvalidQuery(f"{shown(limit)} is not a number of changesets", code="bad_limit")
        at = before if before is None or isinstance(before, Changeset) else self._recorded(before)
        found: list[Changeset] = []
        while len(found) < limit:
            block = self.changesets.latest(self.unit, max(limit, _LOG), self.as_of, at)
            found += islice((c for c in block if self._sees_changes(c)), limit - len(found))
            if len(block) < max(limit, _LOG):
                break
            at = block[-1]
        return found

    def _sees_changes(self, changeset: Changeset) -> bool:
        """Whether the actor may see anything of what a changeset changed; whoever may see all of a type that it touched
        does, without looking.
        """
        seen = self.history().versions.view.guard
        if any(seen.rows(key) == EVERYTHING for key in changeset.types if key in self.schema.types):
            return True
        return any(True for _ in self.history().changes(changeset.id))

    def find(self, record_id: UUID | str) -> RecordType:
        """The record type of the record of that id, also of one that was deleted. Raises NotFound.

        A record that is there may be read, of a deleted one its history.
        """
        wanted = Reference("*").parse(record_id)
        for reader in (self.reader, self.history().versions):
            for record_type in self.schema.types.values():
                if reader.get(record_type.key, wanted) is not None:
                    return record_type
        raise NotFound(f"there is no record {wanted}", field="id")


class _Discard(Exception):
    """Ends the savepoint of a dry run."""
