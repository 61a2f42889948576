"""A session: one actor, one tenant, one transaction, one changeset."""

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from crmkit.errors import NotFound, UsageError
from crmkit.kernel.collections.collection import Collection
from crmkit.kernel.definitions.concurrent import hold_definitions
from crmkit.kernel.definitions.tenant_schema import POLICY_TYPES, SCHEMA_TYPES
from crmkit.kernel.jobs.noting import note
from crmkit.kernel.session.access import StoredWorld
from crmkit.kernel.session.refusals import missing
from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.undo.plan import UndoResult
from crmkit.kernel.undo.undo import Undo
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.permissions import Decision, Directory, explain, who_can
from crmkit.records import BASE_OBJECT, Contact, Lead, Pipeline, Product, Role, Stage, Tag, Team, User
from crmkit.schema import Record, record_type_of
from crmkit.schema.schema import suggestion
from crmkit.store.ledger.changesets import Changeset
from crmkit.store.write.writer import Stamp
from crmkit.values import from_micros, parse_id

if TYPE_CHECKING:
    from crmkit.features.customising.collections import Fields, Objects
    from crmkit.features.metrics.metrics import Metrics
    from crmkit.features.pipelines.collections import Deals, Pipelines
    from crmkit.features.segments.collection import Segments
    from crmkit.kernel.collections.collection import Accounts, Activities

__all__ = ["Session"]


class Session(Work):
    """What one actor does in one tenant, in one transaction; made by ``crm.session(...)`` and used in a ``with`` block.

    Leaving the block commits, an exception rolls back. Every collection of records is an attribute by its plural
    (``me.deals``); ``me.records("vessel")`` is the one of a custom object. Frozen records come out, changes go in by
    verbs.
    """

    _to_tell = False
    after_commit: Callable[["Session"], None] | None = None
    """Called when crmkit itself has committed a changeset."""

    # ---------------------------------------------------------------------------------------------------- collections

    if TYPE_CHECKING:
        users: Collection[User]
        teams: Collection[Team]
        roles: Collection[Role]
        accounts: Accounts
        contacts: Collection[Contact]
        leads: Collection[Lead]
        products: Collection[Product]
        pipelines: Pipelines
        stages: Collection[Stage]
        deals: Deals
        activities: Activities
        tags: Collection[Tag]
        segments: Segments
        fields: Fields
        """The custom fields: ``me.fields.add("account", "employees", Integer())``."""
        objects: Objects
        """The custom objects: ``me.objects.add("vessel", plural="vessels", label="Vessel")``."""

        def metrics(self, pipeline: Pipeline | UUID | str | None = None, **options: Any) -> Metrics:
            """Numbers about a pipeline's deals, or all deals: ``me.metrics().win_rate(Period.quarter(2026, 1))``.

            Options are ``where`` (a condition on deals), ``currency``, ``rates`` and ``policy``, ``start`` (the field
            at which a deal's age begins) and ``members`` (list the ids behind each number); see
            ``crmkit.features.metrics.metrics``.
            """
            ...
    else:

        def __getattr__(self, name):
            if name.startswith("_") or name in _NOT_COLLECTIONS:
                raise AttributeError(name)
            if (make := self.crm.extensions.attributes.get(name)) is not None:
                return make(self)
            record_type = self.schema.by_plural.get(name)
            if record_type is None:
                hint = suggestion(name, self.schema.by_plural)
                raise AttributeError(f"a session has no {name!r}; {hint}")
            return self.records(record_type.key)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.crm.extensions.attributes})

    def records(self, name: str) -> "Collection[Any]":
        """The collection of a record type, by key or plural. Raises NotFound."""
        record_type = self.type_of(name)
        made = self.crm.shelf.get(
            ("collection", record_type.key), lambda: self.crm.extensions.collection_class(record_type.key, Collection)
        )
        return made(self, record_type)  # type: ignore[no-any-return]

    def writes(self, *, trusted: bool = False) -> WritePath:
        """The write path; ``trusted`` for links and records whose change the caller has authorised itself."""
        return WritePath(self, trusted)

    def undo(self, changeset_id: UUID | Changeset) -> UndoResult:
        """Take a changeset back; see ``crmkit.kernel.undo.undo``."""
        wanted = changeset_id.id if isinstance(changeset_id, Changeset) else parse_id(changeset_id)
        return self.do(Undo(wanted))  # type: ignore[no-any-return]

    def explain(self, record: Record, action: str) -> Decision:
        """Whether the actor may do this with the record, and every rule and share that was asked.

        Raises NotFound, and InvalidDefinition (``unknown_action``).
        """
        self.crm.actions.checked(action)
        type_key, row = self._row(record)
        world = StoredWorld(self.system_reader)
        return explain(self.policy, type_key, action, row, world, self.view.moment, self.tenant_schema.segment)

    def who_can(self, record: Record, action: str) -> tuple[tuple[User, Decision], ...]:
        """The active users who may do this with the record, each with the reasons. Needs the right to read users."""
        type_key, row = self._row(record)
        self.crm.actions.checked(action)
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
            raise missing(self.type_of(type_key))
        return type_key, found

    def type_key_of(self, record: Record) -> str:
        """The record type of a record; of a custom object, the object's. Raises NotFound."""
        declared = record_type_of(record).key
        if declared != BASE_OBJECT:
            return declared
        for record_type in self.schema.types.values():
            if record_type.object_key is not None and self.system_reader.get(record_type.key, record.id) is not None:
                return record_type.key
        raise NotFound("there is no such record", field="id")

    # ------------------------------------------------------------------------------------------------------ the frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._between_verbs()
        try:
            if error is None and not self.dry_run:
                self.commit()
            elif error is None:
                self.unit.rollback()
            else:
                # What ended the block is told, and not that the host has ended its transaction as well.
                with suppress(UsageError):
                    self.unit.rollback()
        finally:
            self._closed = True
            self.unit.close()
        if self._to_tell and self.committed and self.unit.owns and self.after_commit is not None:
            self.after_commit(self)

    def commit(self) -> None:
        """Write the changeset and keep everything; the ``with`` block does it. What is done after is another unit of
        work, with a changeset and a ``now`` of its own.

        Raises UsageError in a dry run (``dry_run``) and inside a verb (``verb_under_way``): in a hook, in ``progress``,
        in the iterable that gives a verb its rows; also while a host has a savepoint open that it made after the
        session began to write (``savepoint_open``).
        """
        self._between_verbs()
        if self.dry_run:
            raise UsageError("a dry run keeps nothing", code="dry_run", hint="open a session without dry_run")
        self.unit.check_commit()
        stamp = self._stamp
        if stamp is not None and stamp.changeset_id not in self.committed:
            self._seal(stamp)
            self.unit.commit()
            self.committed.append(stamp.changeset_id)
            self.written.clear()
            self.announced.clear()
            self._commands.clear()
            self._undoes = None
        else:
            self.unit.commit()
        self.forget_readers()

    def _between_verbs(self) -> None:
        if self._doing:
            raise UsageError(
                "a verb is under way, and what it writes is kept as a whole or not at all",
                code="verb_under_way",
                hint="commit, or close the session, when the verb has returned",
            )

    def _seal(self, stamp: Stamp) -> None:
        schema, policy = bool(self._bumps & SCHEMA_TYPES), bool(self._bumps & POLICY_TYPES)
        if schema or policy:
            hold_definitions(self, alone=True)
            mark = self.ids.new().int & _MARK
            state = self.crm.registry.bump(self.unit, self.tenant.id, self.state, mark, schema=schema, policy=policy)
            self.state = state
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
            tuple(sorted(self.written.keys() & self.schema.types.keys())),
        )
        if not self.changesets.add(self.unit, changeset, self.state):
            hold_definitions(self)
            self.changesets.add(self.unit, changeset, self.state)
        self._to_tell = note(self, changeset.id) or self._to_tell

    def close(self) -> None:
        """Roll back what was not committed and give the connection back. Raises UsageError inside a verb."""
        self._between_verbs()
        self._closed = True
        self.unit.close()


_NOT_COLLECTIONS = frozenset({"schema", "tenant_schema", "policy", "actor"})
"""What collections are looked up by: an attribute error from within is not to be answered by a look-up."""

_MARK = 2**62 - 1
"""The bits of an id that differ between any two: what is cached of a tenant is known by them."""

_DIRECTORY = ("users", "role_members", "grants", "teams", "team_members")
