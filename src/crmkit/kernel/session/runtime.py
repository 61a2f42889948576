"""What all sessions of a CRM stand on: declared schema, plugins, tables, database, and what was loaded before."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol
from uuid import UUID

from sqlalchemy import URL, Engine

from crmkit.errors import InvalidDefinition, InvalidQuery, UnknownActor
from crmkit.kernel.definitions.tenant_schema import (
    POLICY_TYPES,
    SCHEMA_TYPES,
    TenantSchema,
    load_actor,
    load_rules,
    load_schema,
)
from crmkit.kernel.session.extensions import Extensions
from crmkit.permissions import ACTIONS, Actions, Actor, Policy, Rule
from crmkit.query.bind import Binder
from crmkit.query.lift import lift
from crmkit.query.text import parse
from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import FieldType, Record, Schema, record_type_of
from crmkit.schema.types.registry import field_types
from crmkit.sdk.plugins import Plugins
from crmkit.store import Codec, Database, Tables
from crmkit.store.connection.unit import Audit
from crmkit.store.ledger.tenants import Registry, Tenant, TenantState
from crmkit.store.read.reader import Reader
from crmkit.store.sql.plans import Shelf, View
from crmkit.values import Clock, IdFactory, SystemClock
from crmkit.values.text import shown

__all__ = ["Foundation", "Unresolved"]

_REMEMBERED = 10_000
"""Actors of whom a CRM remembers who they are and what they may do."""


class Unresolved(Protocol):
    """A unit of work of which schema and actor are still to be found."""

    as_of: Any
    tenant: Tenant

    @property
    def state(self) -> TenantState: ...

    def reading(self, view: View) -> Reader: ...
    def base_view(self) -> View: ...
    def present_reader(self) -> Reader: ...
    def touched(self, types: frozenset[str]) -> bool: ...


class Foundation:
    """Made once for a CRM and shared by its sessions, on any thread."""

    def __init__(
        self,
        target: str | URL | Engine,
        *,
        plugins: Iterable[object],
        builtin_plugins: Iterable[object],
        installed_plugins: bool,
        clock: Clock | None,
        ids: IdFactory | None,
        synchronous: Literal["FULL", "NORMAL"],
        audit: Audit | None,
    ) -> None:
        self.plugins = Plugins(plugins, builtin=builtin_plugins, installed=installed_plugins)
        self.clock: Clock = clock or SystemClock()
        self.ids = ids or IdFactory(self.clock)
        self.field_types: Mapping[str, type[FieldType]] = field_types(self.plugins.collect("crmkit_field_types"))
        self.record_classes: tuple[type[Record], ...] = (
            *BUILTIN_RECORDS,
            *self.plugins.collect("crmkit_record_types"),
        )
        self.declared = _meaningful(Schema.of(record_type_of(record) for record in self.record_classes))
        self.actions: Actions = ACTIONS.with_(*self.plugins.collect("crmkit_actions"))
        self.extensions = Extensions.of(
            self.plugins.collect("crmkit_session_attributes"),
            self.plugins.collect("crmkit_collections"),
            self.declared.types,
        )
        self.tables = Tables(self.declared)
        self.database = Database(target, tables=self.tables, synchronous=synchronous, audit=audit)
        self.codec: Codec = self.database.codec
        self.shelf = Shelf()
        self.registry = Registry(self.database, self.shelf, self.tables.system)
        self._schemas: dict[int, tuple[int, TenantSchema]] = {}
        self._actors: dict[tuple[int, Any], tuple[int, tuple[Actor, tuple[Rule, ...]]]] = {}
        self._policies: dict[tuple[int, Any], Policy] = {}

    def tenant_schema(self, session: Unresolved) -> TenantSchema:
        """The session's schema, from the cache unless the session itself or somebody since has changed it."""
        tenant, version = session.tenant.id, session.state.schema_version
        cached = self._schemas.get(tenant)
        own = session.touched(SCHEMA_TYPES)

        def load() -> TenantSchema:
            return load_schema(session.reading(session.base_view()), self.declared, self.field_types)

        if session.as_of is not None:
            # What was recorded by then changes with the next change of definitions at the earliest.
            return self.shelf.get(("past", tenant, version, session.as_of), load)
        if cached is not None and cached[0] == version and not own:
            return cached[1]
        loaded = load()
        if not own:
            self._schemas[tenant] = (version, loaded)
        return loaded

    def actor(self, session: Unresolved, who: Actor | UUID | str) -> tuple[Actor, tuple[Rule, ...]]:
        """Who acts and under which rules, also when the past is read, under today's rights. Raises UnknownActor."""
        if isinstance(who, Actor):
            if who.kind == "system":
                return who, ()
            return who, load_rules(session.present_reader(), who.role_ids)
        if not isinstance(who, UUID | str):
            raise UnknownActor(f"{shown(who)} is no actor", hint="an e-mail address, a user, an id, or SYSTEM")
        key, version = (session.tenant.id, who), session.state.policy_version
        cached = self._actors.get(key)
        own = session.touched(POLICY_TYPES)
        if cached is not None and cached[0] == version and not own:
            return cached[1]
        reader = session.present_reader()
        found = load_actor(reader, who)
        answer = found, load_rules(reader, found.role_ids)
        if not own:
            if len(self._actors) > _REMEMBERED:
                self._actors.clear()
            self._actors[key] = (version, answer)
        return answer

    def policy(self, session: Unresolved, who: Actor | UUID | str, schema: Schema) -> Policy:
        """What the actor may do, with all the expressions composed for it before. Raises UnknownActor."""
        actor, rules = self.actor(session, who)
        key = (session.tenant.id, who)
        policy = self._policies.get(key)
        if policy is None or policy.actor is not actor or policy.rules is not rules or policy.schema is not schema:
            policy = Policy(actor, rules, schema)
            if len(self._policies) > _REMEMBERED:
                self._policies.clear()
            self._policies[key] = policy
        return policy

    def listeners(self, hook: str, type_key: str) -> tuple[str, ...]:
        """The plugins that implement a hook and listen to the record type."""
        return self.shelf.get(("listeners", hook, type_key), lambda: self.plugins.listening(hook, type_key))


def _meaningful(declared: Schema) -> Schema:
    """The schema. Raises InvalidDefinition if the check of a declared field means nothing in it."""
    binder = Binder(declared)
    for record_type in declared.types.values():
        for f in record_type.fields:
            if f.check is not None:
                try:
                    binder.bind(lift(parse(f.check)).shape, record_type.key)
                except InvalidQuery as error:
                    place = f"{record_type.key}.{f.key}"
                    raise InvalidDefinition(f"the check of {place}: {error}", code="bad_check", field=f.key) from error
    return declared
