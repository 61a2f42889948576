"""What a session keeps of what it has read: schema, actor, rights, readers, parsers, configuration.

Each is a ``cached_property``: loaded when it is first asked for, and forgotten in one place, by the name it has in one
of the two lists below. They are forgotten whenever records are no longer what they were:

- something is taken back: a verb that is refused, a dry run, a savepoint of a host (``Work.went_back``);
- fields, segments or rights were written (``resolve``);
- the unit of work was committed, and another moment begins (``forget_readers``: what is made of records, not what is
  made of definitions alone).

To keep something more: records of a small type are declared ``cached`` and asked for by ``configuration``, and need
nothing else. For anything else add a ``cached_property`` here or in a class below, and its name to ``_OF_DEFINITIONS``
if it is made of fields, segments and rights alone, else to ``_OF_RECORDS``. A test finds those that are in neither
list, and a law compares what a session knows with what the database holds after all kinds of rollbacks.
"""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import attrs

from crmkit.kernel.definitions.tenant_schema import SCHEMA_TYPES, TenantSchema, load_forms
from crmkit.kernel.session.access import Judge
from crmkit.kernel.session.runtime import Foundation
from crmkit.permissions import Actor, HistoryRights, Policy
from crmkit.query.context import ALL_RIGHTS, Guard, Moment
from crmkit.schema import RecordType, Schema
from crmkit.schema.forms import Forms
from crmkit.schema.parsing import RecordParser
from crmkit.store.connection.database import Unit
from crmkit.store.ledger.changesets import Changesets
from crmkit.store.ledger.tenants import Tenant, TenantState
from crmkit.store.read.reader import Reader
from crmkit.store.sql.plans import View
from crmkit.values import local_date, to_micros, zone

__all__ = ["Memory"]

_OF_DEFINITIONS = ("tenant_schema", "policy", "parsers", "forms")
_OF_RECORDS = ("view", "reader", "system_reader", "judge", "kept")


class Memory:
    """One actor in one tenant on one connection, with what is known of them."""

    def __init__(
        self, crm: Foundation, who: Actor | str | UUID, *, tenant: Tenant, unit: Unit, as_of: datetime | None
    ) -> None:
        self.crm = crm
        self.tenant = tenant
        self.unit = unit
        self.as_of = as_of
        self.written: dict[str, tuple[Mapping[str, Any], ...] | None] = {}
        """By record type: the values that many records were given at once, or None once any was written by itself."""
        self._who = who
        self._bumps: set[str] = set()

    # --------------------------------------------------------------------------------------------------------- keeping

    def forget(self) -> None:
        """Forget all that was made of records, since records are others than they were."""
        for name in (*_OF_DEFINITIONS, *_OF_RECORDS):
            self.__dict__.pop(name, None)

    def forget_readers(self) -> None:
        """Forget what knows of the present moment: another one begins."""
        for name in ("started_at", *_OF_RECORDS):
            self.__dict__.pop(name, None)

    def resolve(self) -> None:
        """Load schema, actor and rights anew, as they stand now in this transaction. Raises UnknownActor."""
        self.forget()
        _ = self.policy

    def touched(self, types: frozenset[str]) -> bool:
        """Whether this session has changed records of any of these types."""
        return bool(self._bumps & types)

    # ----------------------------------------------------------------------------------------------------- definitions

    @cached_property
    def state(self) -> TenantState:
        """The versions of the tenant's definitions on which the session stands."""
        return self.crm.registry.state(self.unit, self.tenant.id)

    @cached_property
    def tenant_schema(self) -> TenantSchema:
        """The tenant's schema and segments."""
        return self.crm.tenant_schema(self)  # pyright: ignore[reportArgumentType] - it takes state for no property

    @property
    def schema(self) -> Schema:
        """The record types of the tenant."""
        return self.tenant_schema.schema

    @cached_property
    def policy(self) -> Policy:
        """What the actor may do."""
        return self.crm.policy(self, self._who, self.schema)  # pyright: ignore[reportArgumentType] - as above

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self.policy.actor

    @cached_property
    def parsers(self) -> dict[str, RecordParser]:
        """The parsers by record type: asked for with every record, so what one may name is found out once."""
        return {}

    def type_of(self, name: str) -> RecordType:
        """The record type as it stands in this tenant, by key or plural. Raises NotFound."""
        return self.schema.type(name)

    def parser(self, type_key: str) -> RecordParser:
        """The parser of a record type's values; its hints name no field that the actor may not read."""
        if (known := self.parsers.get(type_key)) is not None:
            return known
        record_type = self.schema.type(type_key)
        field = self.view.guard.field
        unnamed = tuple(f.key for f in record_type.fields if field(record_type.key, f.key) is False)
        found: RecordParser = self.crm.shelf.get(
            ("parser", self.tenant_schema.token, record_type.key, unnamed),
            lambda: RecordParser(record_type, unnamed=unnamed),
        )
        self.parsers[type_key] = found
        return found

    @cached_property
    def forms(self) -> Forms:
        """The forms that custom fields have had: history is read by them."""

        def load() -> Forms:
            return load_forms(self.reading(self.base_view()), self.changesets, self.crm.field_types)

        if self.touched(SCHEMA_TYPES):
            return load()
        return self.crm.shelf.get(("forms", self.tenant.id, self.state.schema_version, self.as_of), load)

    @cached_property
    def changesets(self) -> Changesets:
        """The changesets of the tenant."""
        crm = self.crm
        return Changesets(crm.database, crm.shelf, crm.tables, crm.codec, self.tenant.id)

    # --------------------------------------------------------------------------------------------------- configuration

    @cached_property
    def kept(self) -> dict[str, tuple[bool, tuple[Any, ...]]]:
        """The records of cached types by type, and whether the unit of work was writing when they were read."""
        return {}

    def configuration(self, type_key: str) -> tuple[Any, ...]:
        """All records of a ``cached`` type, without regard to rights, read once for as long as they cannot change: what
        was read before the unit of work began to write is read again.
        """
        writing = self.unit.writing
        held = self.kept.get(type_key)
        if held is None or held[0] is not writing:
            held = self.kept[type_key] = writing, tuple(self.system_reader.records(type_key))
        return held[1]

    @property
    def alone(self) -> bool:
        """Whether nobody else can write before this unit of work ends: on SQLite, once it writes."""
        return self.unit.writing and self.crm.database.dialect == "sqlite"

    # ------------------------------------------------------------------------------------------------------- the moment

    @cached_property
    def started_at(self) -> datetime:
        """When the unit of work first asked for the time, after the session was opened or had committed."""
        return self.crm.clock.now()

    @property
    def now(self) -> datetime:
        """What is now in conditions: the instant the session reads, or when the unit of work began."""
        return self.as_of or self.started_at

    @property
    def today(self) -> date:
        """The date in the tenant's zone, now."""
        return local_date(self.now, self.view.moment.zone)

    # --------------------------------------------------------------------------------------------------------- reading

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
            Moment(self.now, zone(self.state.zone)),
            reading="past" if past else "live",
            at=None if self.as_of is None else to_micros(self.as_of),
        )

    def present_reader(self) -> Reader:
        """Reads the declared types as they stand now, whatever instant the session reads."""
        return self.reading(attrs.evolve(self.base_view(), reading="live", at=None))

    @cached_property
    def view(self) -> View:
        """What this session sees."""
        return attrs.evolve(
            self.base_view(),
            token=self.tenant_schema.token,
            schema=self.schema,
            guard=self._guard(),
            actors=self.actor.ids,
            segments=self.tenant_schema.segment,
        )

    def _guard(self) -> Guard:
        if self.policy.unlimited:
            return ALL_RIGHTS
        return self.policy if self.as_of is None else HistoryRights(self.policy)

    def reading(self, view: View) -> Reader:
        """A reader of any view through this session's transaction."""
        return Reader(self.crm.database, self.crm.shelf, self.unit, view)

    def reader_as_of(self, instant: datetime) -> Reader:
        """Reads what the actor may read, and of which also the history, as it stood at an instant."""
        guard = ALL_RIGHTS if self.policy.unlimited else HistoryRights(self.policy)
        moment = attrs.evolve(self.view.moment, now=instant)
        return self.reading(attrs.evolve(self.view, guard=guard, moment=moment, reading="past", at=to_micros(instant)))

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
