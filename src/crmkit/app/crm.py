"""The front door: one CRM over one database."""

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import URL, Connection, Engine

from crmkit.app.collection import Collection
from crmkit.app.commands import BUILTIN_COMMANDS, Commands
from crmkit.app.loading import POLICY_TYPES, SCHEMA_TYPES, TenantSchema, load_actor, load_rules, load_schema
from crmkit.app.outbox import Outbox
from crmkit.app.session import Session
from crmkit.app.tenants import DEFAULT_TENANT, Tenants
from crmkit.permissions import ACTIONS, SYSTEM, Actions, Actor, Rule
from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import FieldType, Record, RecordType, Schema, record_type_of
from crmkit.schema.types.registry import field_types
from crmkit.sdk.plugins import Plugins
from crmkit.store import Codec, Database, Tables
from crmkit.store.plans import Shelf
from crmkit.store.tenants import Registry, Tenant
from crmkit.values import Clock, IdFactory, SystemClock, to_micros

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as HostSession

__all__ = ["BUILTIN_PLUGINS", "CRM"]

BUILTIN_PLUGINS = (
    "crmkit.plugins.sales_pipeline",
    "crmkit.plugins.required_by_stage",
    "crmkit.plugins.won_activity",
)
"""Plugins every CRM has unless told otherwise; they use the sdk like any other."""


class CRM:
    """A CRM over a database, given as a URL or as the host's Engine. Opens nothing until used; nothing is global.

    ``plugins`` are added to the built-in ones: objects, modules or dotted names. ``installed_plugins`` also takes
    those that
    installed distributions announce. ``clock`` and ``ids`` are for tests. ``synchronous`` is SQLite's (FULL or NORMAL).

    Raises PluginError, InvalidDefinition for plugins that do not fit, UsageError for a URL that cannot be used.
    """

    def __init__(
        self,
        target: str | URL | Engine,
        *,
        plugins: Iterable[object] = (),
        builtin_plugins: Iterable[object] = BUILTIN_PLUGINS,
        installed_plugins: bool = False,
        clock: Clock | None = None,
        ids: IdFactory | None = None,
        synchronous: Any = "FULL",
        audit: Any = None,
    ) -> None:
        self.plugins = Plugins([*builtin_plugins, *plugins], installed=installed_plugins)
        self.clock: Clock = clock or SystemClock()
        self.ids = ids or IdFactory(self.clock)
        self.field_types: Mapping[str, type[FieldType]] = field_types(self.plugins.collect("crmkit_field_types"))
        self.record_classes: tuple[type[Record], ...] = (
            *BUILTIN_RECORDS,
            *self.plugins.collect("crmkit_record_types"),
        )
        self.declared = Schema.of(record_type_of(record) for record in self.record_classes)
        self.actions: Actions = ACTIONS.with_(*self.plugins.collect("crmkit_actions"))
        self.commands = Commands.of(
            [*BUILTIN_COMMANDS, *self.plugins.collect("crmkit_commands")], (n for n in dir(Collection) if n[0] != "_")
        )
        self.tables = Tables(self.declared)
        self.database = Database(target, tables=self.tables, synchronous=synchronous, audit=audit)
        self.codec: Codec = self.database.codec
        self.shelf = Shelf()
        self.registry = Registry(self.database, self.shelf, self.tables.system)
        self.outbox = Outbox(self)
        self._tenants: dict[str, Tenant] = {}
        self._lock = threading.Lock()
        self._schemas: dict[int, tuple[int, TenantSchema]] = {}
        self._actors: dict[tuple[int, Any], tuple[int, tuple[Actor, tuple[Rule, ...]]]] = {}

    # --------------------------------------------------------------------------------------------------- the database

    def migrate(self, *, admin: str | None = None) -> None:
        """Create or upgrade crmkit's tables; run it as often as you like.

        The first run also makes the default tenant with a sales pipeline and the roles admin, manager and rep.
        ``admin`` is the e-mail address of a user who gets the role admin, made if there is none.
        """
        from crmkit.store.migrate import create_missing, migrate

        migrate(self.database)
        create_missing(self.database, self.tables)
        if not self.tenants.exists(DEFAULT_TENANT):
            self.tenants.create(DEFAULT_TENANT)
        if admin is not None:
            self.tenants.admit(DEFAULT_TENANT, admin)

    def dispose(self) -> None:
        """Close the connections crmkit opened itself."""
        self.database.dispose()

    # ------------------------------------------------------------------------------------------------------- sessions

    def session(
        self,
        actor: Actor | Record | UUID | str,
        *,
        tenant: str = DEFAULT_TENANT,
        on: "Connection | HostSession | None" = None,
        as_of: datetime | None = None,
        dry_run: bool = False,
        reason: str | None = None,
        origin: str = "interactive",
        causation: UUID | None = None,
    ) -> Session:
        """A session of one actor (e-mail address, user, id, or SYSTEM) in one tenant; use it in a ``with`` block.

        ``on`` joins the host's Connection or Session and never commits it. ``as_of`` reads the past, ``dry_run`` does
        everything and keeps nothing. ``reason``, ``origin`` and ``causation`` are written to the changeset.

        Raises UnknownActor, NotFound (``unknown_tenant``), NotMigrated.
        """
        if as_of is not None:
            to_micros(as_of)
        unit = self.database.open(on)
        try:
            who = actor.id if isinstance(actor, Record) else actor
            return Session(
                self,
                who,
                tenant=self._tenant(unit, tenant),
                unit=unit,
                as_of=as_of,
                dry_run=dry_run,
                reason=reason,
                origin=origin,
                causation=causation,
            )
        except BaseException:
            unit.close()
            raise

    def system(self, **options: Any) -> Session:
        """A session of the system, which may do everything: ``crm.session(SYSTEM, ...)`` spelled short."""
        return self.session(SYSTEM, **options)

    @cached_property
    def tenants(self) -> Tenants:
        """The tenants: made, listed, chosen by key. Who needs only one never meets it."""
        return Tenants(self)

    def _tenant(self, unit: Any, key: str) -> Tenant:
        found = self._tenants.get(key)
        if found is None:
            found = self._tenants[key] = self.registry.find(unit, key)
        return found

    # -------------------------------------------------------------------------------------------- what sessions share

    def tenant_schema(self, session: Session) -> TenantSchema:
        """The session's schema, from the cache unless the session itself or somebody since has changed it."""
        tenant, version = session.tenant.id, session.state.schema_version
        cached = self._schemas.get(tenant)
        own = session.touched(SCHEMA_TYPES)
        if cached is not None and cached[0] == version and session.as_of is None and not own:
            return cached[1]
        loaded = load_schema(session.reading(session.base_view()), self.declared, self.field_types)
        if session.as_of is None and not own:
            self._schemas[tenant] = (version, loaded)
        return loaded

    def actor(self, session: Session, who: Actor | UUID | str) -> tuple[Actor, tuple[Rule, ...]]:
        """Who acts and under which rules; rights are those of today, also when the past is read."""
        if isinstance(who, Actor):
            if who.kind == "system":
                return who, ()
            return who, load_rules(session.present_reader(), who.role_ids)
        key, version = (session.tenant.id, who), session.state.policy_version
        cached = self._actors.get(key)
        own = session.touched(POLICY_TYPES)
        if cached is not None and cached[0] == version and not own:
            return cached[1]
        reader = session.present_reader()
        found = load_actor(reader, who)
        answer = found, load_rules(reader, found.role_ids)
        if not own:
            if len(self._actors) > 10_000:
                self._actors.clear()
            self._actors[key] = (version, answer)
        return answer

    def collection(self, session: Session, record_type: RecordType) -> Collection[Any]:
        """The collection of a record type in a session."""
        return Collection(session, record_type)

    def listeners(self, hook: str, type_key: str) -> tuple[str, ...]:
        """The plugins that implement a hook and listen to the record type."""
        return self.shelf.get(("listeners", hook, type_key), lambda: self.plugins.listening(hook, type_key))

    def deliver(self, tenant: str = DEFAULT_TENANT, changeset_id: UUID | None = None) -> int:
        """Tell plugins what was committed and not told yet; returns how many deliveries succeeded.

        crmkit does it after its own commits. A host that commits itself calls this afterwards, or from a timer.
        """
        return self.outbox.deliver(tenant, changeset_id)

    def __repr__(self) -> str:
        return f"CRM({self.database!r})"
