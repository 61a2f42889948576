"""A session: one actor, one tenant, one transaction, one changeset."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID

import attrs

from crmkit.app.collection import Collection
from crmkit.app.commands.undo import Undo
from crmkit.app.definitions import Fields, Objects
from crmkit.app.judge import Judge, StoredWorld
from crmkit.app.loading import BASE_OBJECT, POLICY_TYPES, SCHEMA_TYPES, TenantSchema
from crmkit.app.outcomes import BulkResult, Tally
from crmkit.app.writing import WritePath
from crmkit.errors import Denied, NotFound, UsageError
from crmkit.history import History, RecordChange, UndoResult
from crmkit.permissions import Actor, Decision, Directory, HistoryRights, Policy, explain, who_can
from crmkit.query.context import ALL_RIGHTS, Guard, Moment
from crmkit.query.lift import Lifted, lift
from crmkit.query.text import parse
from crmkit.records import (
    Contact,
    Lead,
    Pipeline,
    Product,
    Role,
    Segment,
    Stage,
    Tag,
    Team,
    User,
)
from crmkit.schema import Field, Record, RecordType, Schema, record_type_of
from crmkit.schema.parsing import RecordParser
from crmkit.schema.schema import suggestion
from crmkit.sdk.change import Change
from crmkit.sdk.command import Command
from crmkit.store.changesets import Changeset, Changesets
from crmkit.store.database import Unit
from crmkit.store.plans import View
from crmkit.store.reader import Reader
from crmkit.store.tenants import Tenant, TenantState
from crmkit.store.writer import Stamp, Writer
from crmkit.values import IdFactory, from_micros, local_date, to_micros, zone

if TYPE_CHECKING:
    from crmkit.app.collections import Accounts, Activities, Deals
    from crmkit.app.crm import CRM

__all__ = ["Session"]


class Session:
    """What one actor does in one tenant, in one transaction; made by ``crm.session(...)`` and used in a ``with`` block.

    Leaving the block commits, an exception rolls back. Every collection of records is an attribute by its plural
    (``me.deals``); ``me.records("vessel")`` is the one of a custom object. Frozen records come out, changes go in by
    verbs.
    """

    def __init__(
        self,
        crm: "CRM",
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
        self.crm = crm
        self.tenant = tenant
        self.unit = unit
        self.dry_run = dry_run
        self.reason = reason
        self.origin = origin
        self.causation = causation
        self.as_of = as_of
        self.started_at = crm.clock.now()
        self.ids: IdFactory = crm.ids
        self.state: TenantState = crm.registry.state(unit, tenant.id)
        self._stamp: Stamp | None = None
        self._commands: list[str] = []
        self._doing = 0
        self._undoes: UUID | None = None
        self._bumps: set[str] = set()
        self.written: set[str] = set()
        self._closed = False
        self._who = who
        self._resolve()

    # --------------------------------------------------------------------------------------------------- who and what

    def _resolve(self) -> None:
        """Schema, actor and rights as they stand now in this transaction."""
        self._forget()
        tenant_schema = self.crm.tenant_schema(self)
        self.tenant_schema: TenantSchema = tenant_schema
        self.schema: Schema = tenant_schema.schema
        self.actor, rules = self.crm.actor(self, self._who)
        self.policy = Policy(self.actor, rules, self.schema)

    def _forget(self) -> None:
        for name in ("view", "reader", "system_reader", "judge"):
            self.__dict__.pop(name, None)

    def base_view(self) -> View:
        """The records of the declared types, without regard to rights: enough to load schema and actor."""
        crm = self.crm
        past = self.as_of is not None
        return View(
            crm.tables,
            crm.codec,
            self.tenant.id,
            "declared",
            crm.declared,
            Moment(self.as_of or self.started_at, zone(self.state.zone)),
            reading="past" if past else "live",
            at=None if self.as_of is None else to_micros(self.as_of),
        )

    def present_reader(self) -> Reader:
        """Reads the declared types as they stand now, whatever instant the session reads."""
        return self.reading(attrs.evolve(self.base_view(), reading="live", at=None))

    def touched(self, types: frozenset[str]) -> bool:
        """Whether this session has changed records of any of these types."""
        return bool(self._bumps & types)

    @cached_property
    def view(self) -> View:
        """What this session sees."""
        base = self.base_view()
        return View(
            base.tables,
            base.codec,
            base.tenant_id,
            self.tenant_schema.token,
            self.schema,
            base.moment,
            self._guard(),
            self.actor.ids,
            self.tenant_schema.segment,
            base.reading,
            base.at,
        )

    def _guard(self) -> Guard:
        if self.policy.unlimited:
            return ALL_RIGHTS
        return self.policy if self.as_of is None else HistoryRights(self.policy)

    def reading(self, view: View) -> Reader:
        """A reader of any view through this session's transaction."""
        return Reader(self.crm.database, self.crm.shelf, self.unit, view)

    @cached_property
    def reader(self) -> Reader:
        """Reads what the actor may read."""
        return self.reading(self.view)

    @cached_property
    def system_reader(self) -> Reader:
        """Reads everything: for the house's own checks, never for what is shown."""
        return self.reading(self.view.unguarded())

    @cached_property
    def judge(self) -> Judge:
        """Decides rights on single records."""
        return Judge(self.view, self.system_reader)

    # ---------------------------------------------------------------------------------------------------- collections

    if TYPE_CHECKING:
        users: Collection[User]
        teams: Collection[Team]
        roles: Collection[Role]
        accounts: Accounts
        contacts: Collection[Contact]
        leads: Collection[Lead]
        products: Collection[Product]
        pipelines: Collection[Pipeline]
        stages: Collection[Stage]
        deals: Deals
        activities: Activities
        tags: Collection[Tag]
        segments: Collection[Segment]
    else:

        def __getattr__(self, name):
            if name.startswith("_") or name in ("schema", "policy"):
                raise AttributeError(name)
            record_type = self.schema.by_plural.get(name)
            if record_type is None:
                hint = suggestion(name, self.schema.by_plural)
                raise AttributeError(f"a session has no {name!r}; {hint}")
            return self.records(record_type.key)

    def records(self, name: str) -> "Collection[Any]":
        """The collection of a record type, by key or plural. Raises NotFound."""
        record_type = self.type_of(name)
        return self.crm.collection(self, record_type)

    def type_of(self, name: str) -> RecordType:
        """The record type as it stands in this tenant, by key or plural. Raises NotFound."""
        return self.schema.type(name)

    def parser(self, type_key: str) -> RecordParser:
        """The parser of a record type's values."""
        return self.crm.shelf.get(
            ("parser", self.tenant_schema.token, type_key), lambda: RecordParser(self.schema.type(type_key))
        )

    # ---------------------------------------------------------------------------------------------------------- doing

    def do(self, command: Command[Any]) -> Any:
        """Do a command: what its verb does, from an object."""
        self.may_write()
        with self.doing(command.name), self.unit.savepoint():
            return command.run(self)

    @contextmanager
    def doing(self, command: str) -> Iterator[None]:
        """The changeset remembers what was asked for, not the verbs it was done by."""
        if self._doing == 0:
            self.note(command)
        self._doing += 1
        try:
            yield
        finally:
            self._doing -= 1

    @contextmanager
    def bulk(self, command: str, *, stop: bool, dry_run: bool) -> Iterator[Tally]:
        """The frame of a bulk verb: outcomes are collected; an error, or a dry run, leaves nothing behind."""
        self.may_write()
        tally = Tally(stop)
        try:
            with self.doing(command), self.unit.savepoint():
                yield tally
                if dry_run:
                    raise _Discard
        except _Discard:
            self._resolve()

    def result(self, tally: Tally, dry_run: bool) -> BulkResult:
        """What a bulk verb hands back."""
        changed = any(status not in ("refused", "unchanged") for _, status, _ in tally.rows)
        kept = changed and not dry_run and not self.dry_run and self._stamp is not None
        return tally.result(self._stamp.changeset_id if kept and self._stamp else None, dry_run or self.dry_run)

    def writes(self, *, trusted: bool = False) -> WritePath:
        """The write path; ``trusted`` for links and records whose change the caller has authorised itself."""
        return WritePath(self, trusted)

    def may_write(self) -> None:
        """Raises UsageError where nothing can be written."""
        if self._closed:
            raise UsageError("the session is closed", code="closed", hint="open another")
        if self.as_of is not None:
            raise UsageError("the past cannot be changed", code="read_only", hint="open a session without as_of")

    def undo(self, changeset_id: UUID | Changeset) -> UndoResult:
        """Take a changeset back; see ``crmkit.app.commands.undo``."""
        wanted = changeset_id.id if isinstance(changeset_id, Changeset) else changeset_id
        return self.do(Undo(wanted))  # type: ignore[no-any-return]

    def note(self, command: str, undoes: UUID | None = None) -> None:
        """Remember for the changeset what is being done."""
        if command not in self._commands:
            self._commands.append(command)
        if undoes is not None:
            self._undoes = undoes

    def writer(self) -> Writer:
        """The writer under this session's one changeset."""
        self.may_write()
        if self._stamp is None:
            self._stamp = Stamp(self.ids.new(), to_micros(self.crm.clock.now()), self.actor.id)
        return Writer(self.crm.database, self.crm.shelf, self.unit, self.view, self._stamp)

    def wrote(self, type_key: str) -> None:
        """A record of the type was written: forget what may no longer be true."""
        self.judge.forget()
        self.written.add(type_key)
        if type_key in SCHEMA_TYPES or type_key in POLICY_TYPES:
            self._bumps.add(type_key)
            self._resolve()

    @property
    def changeset_id(self) -> UUID | None:
        """The changeset of this session, once it has changed something."""
        return None if self._stamp is None else self._stamp.changeset_id

    @property
    def changes(self) -> list[RecordChange]:
        """What this session has changed so far, as the actor may see it; in a dry run, what it would change."""
        return [] if self._stamp is None else list(self.history().changes(self._stamp.changeset_id))

    def changes_of(self, changeset_id: UUID | Changeset) -> Iterator[RecordChange]:
        """What a changeset did to each record, as the actor may see it. Raises NotFound."""
        wanted = changeset_id.id if isinstance(changeset_id, Changeset) else changeset_id
        self.changesets.get(self.unit, wanted)
        return self.history().changes(wanted)

    @property
    def today(self) -> date:
        """The date in the tenant's zone."""
        return local_date(self.view.moment.now, self.view.moment.zone)

    @property
    def fields(self) -> Fields:
        """The custom fields: ``me.fields.add("account", "employees", Integer())``."""
        return Fields(self)

    @property
    def objects(self) -> Objects:
        """The custom objects: ``me.objects.add("vessel", plural="vessels", label="Vessel")``."""
        return Objects(self)

    # --------------------------------------------------------------------------------------------------------- rights

    def may_set(self, type_key: str, key: str, action: Literal["create", "update"], row: Any) -> bool:
        """Whether the actor may set the field, on a record as it was or with the values it will have."""
        answer = self.policy.writable(type_key, key, action)
        return answer if isinstance(answer, bool) else self.judge.meets(type_key, answer, row) is True

    def may_read(self, type_key: str, key: str, row: Any) -> bool:
        """Whether the actor may read the field of this record."""
        answer = self.view.guard.field(type_key, key)
        return answer if isinstance(answer, bool) else self.judge.meets(type_key, answer, row) is True

    def require(self, type_key: str, action: str, row: Any) -> None:
        """Raises NotFound if the actor may not see the record, Denied if not do this with it."""
        if not self.judge.sees(type_key, row):
            raise NotFound(f"there is no such {self.type_of(type_key).label.lower()}", field="id")
        if not self.judge.allows(type_key, action, row):
            raise Denied(
                f"you may not {action} this {self.type_of(type_key).label.lower()}",
                hint=f"needs a grant of {action} on {type_key} that covers it",
            )

    def explain(self, record: Record, action: str) -> Decision:
        """Whether the actor may do this with the record, and every rule and share that was asked."""
        type_key, row = self._row(record)
        world = StoredWorld(self.system_reader)
        return explain(self.policy, type_key, action, row, world, self.view.moment, self.tenant_schema.segment)

    def who_can(self, record: Record, action: str) -> tuple[tuple[User, Decision], ...]:
        """The active users who may do this with the record, each with the reasons. Needs the right to read users."""
        type_key, row = self._row(record)
        reader = self.present_reader()
        directory = Directory.of(
            self.schema, **{name: list(reader.records(name.removesuffix("s"))) for name in _DIRECTORY}
        )
        world = StoredWorld(self.system_reader)
        found = dict(who_can(directory, type_key, action, row, world, self.view.moment, self.tenant_schema.segment))
        users = self.reader.by_ids("user", list(found))
        return tuple((user, found[user.id]) for user in sorted(users, key=lambda u: u.name))

    def _row(self, record: Record) -> tuple[str, Any]:
        """The record as it is in full, if the actor sees it at all."""
        type_key = self.type_key_of(record)
        found = self.system_reader.get(type_key, record.id)
        if found is None or not self.judge.sees(type_key, found):
            raise NotFound(f"there is no such {self.type_of(type_key).label.lower()}", field="id")
        return type_key, found

    def type_key_of(self, record: Record) -> str:
        """The record type of a record; of a custom object, the object's."""
        declared = record_type_of(record).key
        if declared != BASE_OBJECT:
            return declared
        for record_type in self.schema.types.values():
            if record_type.object_key is not None and self.system_reader.get(record_type.key, record.id) is not None:
                return record_type.key
        raise NotFound("there is no such record", field="id")

    # ---------------------------------------------------------------------------------------------- what types demand

    def unique_keys(self, type_key: str) -> Sequence[tuple[Field, ...]]:
        """The sets of fields whose values must not occur twice."""
        record_type = self.type_of(type_key)
        singles = [(f,) for f in record_type.fields if f.unique]
        return [*singles, *(tuple(record_type.by_key[key] for key in keys) for keys in record_type.unique)]

    def checks(self, type_key: str) -> Sequence[tuple[Field, Lifted]]:
        """The validation expressions of the type's custom fields."""
        return self.crm.shelf.get(
            ("checks", self.tenant_schema.token, type_key),
            lambda: tuple((f, lift(parse(f.check))) for f in self.type_of(type_key).custom if f.check),
        )

    def listeners(self, hook: str, type_key: str) -> Iterable[str]:
        """The plugins that implement a hook and listen to the type."""
        return self.crm.listeners(hook, type_key)

    def ask(self, plugin: str, changes: Sequence[Change]) -> Any:
        """A plugin's answer to changes about to be written."""
        return self.crm.plugins.ask(plugin, "crmkit_before_change", session=self, changes=tuple(changes))

    # -------------------------------------------------------------------------------------------------------- history

    def history(self, *, trusted: bool = False) -> History:
        """The history as the actor may see it; ``trusted`` for the house's own needs."""
        view = self.view
        if trusted or self.policy.unlimited:
            view = view.unguarded()
        else:
            view = attrs.evolve(view, guard=HistoryRights(self.policy))
        versions = self.reading(attrs.evolve(view, reading="versions", at=None))
        return History(self.unit, self.changesets, versions)

    @property
    def changesets(self) -> Changesets:
        """The changesets of the tenant."""
        crm = self.crm
        return Changesets(crm.database, crm.shelf, crm.tables, crm.codec, self.tenant.id)

    # ------------------------------------------------------------------------------------------------------ the frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self.dry_run:
                self.commit()
            else:
                self.unit.rollback()
        finally:
            self._closed = True
            self.unit.close()
        if error is None and not self.dry_run and self._stamp is not None and self.unit.owns:
            self.crm.deliver(self.tenant.key, self._stamp.changeset_id)

    def commit(self) -> None:
        """Write the changeset and keep everything. The ``with`` block does it."""
        if self._stamp is not None:
            self._seal(self._stamp)
        self.unit.commit()

    def _seal(self, stamp: Stamp) -> None:
        schema, policy = bool(self._bumps & SCHEMA_TYPES), bool(self._bumps & POLICY_TYPES)
        if schema or policy:
            self.crm.registry.bump(self.unit, self.tenant.id, schema=schema, policy=policy)
        changeset = Changeset(
            stamp.changeset_id,
            self.actor.id,
            self.actor.name,
            from_micros(stamp.at),
            ", ".join(self._commands)[:500],
            self.reason,
            self.origin,
            self.causation,
            self._undoes,
        )
        self.changesets.add(self.unit, changeset)
        self.crm.outbox.add(self, changeset.id)

    def close(self) -> None:
        """Roll back what was not committed and give the connection back."""
        self._closed = True
        self.unit.close()


_DIRECTORY = ("users", "role_members", "grants", "teams", "team_members")


class _Discard(Exception):
    """Ends the savepoint of a dry run."""
