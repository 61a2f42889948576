"""The front door: one CRM over one database."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import URL, Connection, Engine

from crmkit.errors import Duplicate, StorageError, UsageError
from crmkit.kernel.collections.collection import Collection
from crmkit.kernel.collections.commands import Commands
from crmkit.kernel.jobs.delivery import Delivery
from crmkit.kernel.jobs.noting import TELL, jobs_of
from crmkit.kernel.session.health import examine
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.session import Session
from crmkit.kernel.session.tenants import DEFAULT_TENANT, Tenants
from crmkit.kernel.undo.undo import Undo
from crmkit.permissions import SYSTEM, Actor
from crmkit.schema import Record
from crmkit.sdk.finding import Finding
from crmkit.store.connection.unit import Audit
from crmkit.store.ledger.tenants import Tenant
from crmkit.values import Clock, IdFactory, clean_text, normalise_email, to_micros

if TYPE_CHECKING:
    from sqlalchemy.orm import Session as HostSession

    from crmkit.kernel.jobs.sealing import Verification

__all__ = ["BUILTIN_PLUGINS", "CRM", "FEATURES"]

_log = logging.getLogger("crmkit")

FEATURES = (
    "crmkit.features.accounts.hooks",
    "crmkit.features.activities.hooks",
    "crmkit.features.customising.hooks",
    "crmkit.features.metrics.hooks",
    "crmkit.features.ownership.hooks",
    "crmkit.features.pipelines.hooks",
    "crmkit.features.segments.hooks",
    "crmkit.features.tags.hooks",
)
"""What every CRM does: plugins that cannot be left out, asked after all others."""

BUILTIN_PLUGINS = (
    "crmkit.plugins.sales_pipeline",
    "crmkit.plugins.stage_gates",
    "crmkit.plugins.required_by_stage",
    "crmkit.plugins.won_activity",
    "crmkit.plugins.account_lifecycle",
    "crmkit.plugins.segment_tasks",
    "crmkit.plugins.sales_team",
)
"""Plugins every CRM has unless told otherwise; they use the sdk like any other."""


class CRM(Foundation):
    """A CRM over a database, given as a URL or as the host's Engine. Opens nothing until used; nothing is global.

    ``plugins`` are added to the built-in ones: objects, modules or dotted names. ``installed_plugins`` also takes
    those that installed distributions announce. ``clock`` and ``ids`` are for tests. ``synchronous`` is SQLite's (FULL
    or NORMAL). ``audit`` is called with every statement before it is sent: its SQL, and the clause it was made of (None
    for COPY).

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
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        audit: Audit | None = None,
    ) -> None:
        super().__init__(
            target,
            plugins=plugins,
            builtin_plugins=(*builtin_plugins, *FEATURES),
            installed_plugins=installed_plugins,
            clock=clock,
            ids=ids,
            synchronous=synchronous,
            audit=audit,
        )
        self.commands = Commands.of(
            [Undo, *self.plugins.collect("crmkit_commands")], (n for n in dir(Collection) if n[0] != "_")
        )
        self._tenants: dict[str, Tenant] = {}

    # --------------------------------------------------------------------------------------------------- the database

    def migrate(self, *, admin: str | None = None) -> None:
        """Create or upgrade crmkit's tables; run it as often as you like.

        The first run also makes the default tenant with a sales pipeline and the roles admin, manager, rep and
        automation. ``admin`` is the e-mail address of a user who gets the role admin, made if there is none.

        Raises InvalidValue for what is no address, before anything is done.
        """
        address = None if admin is None else normalise_email(clean_text(admin))
        from crmkit.store.migrations.migrate import create_missing, migrate

        migrate(self.database)
        create_missing(self.database, self.tables)
        _settled(lambda: self.tenants.exists(DEFAULT_TENANT) or self.tenants.create(DEFAULT_TENANT))
        if address is not None:
            _settled(lambda: self.tenants.admit(DEFAULT_TENANT, address))

    def examine(self) -> list[Finding]:
        """What an operator should know: is the database there, at this release, set up well, are plugins told."""
        return list(examine(self, self.session))

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

        Raises UnknownActor, NotFound (``unknown_tenant``), NotMigrated, UsageError (``in_the_future``).
        """
        if as_of is not None and to_micros(as_of) > to_micros(self.clock.now()):
            raise UsageError(
                "what is to come is not known", code="in_the_future", field="as_of", hint="an instant up to now"
            )
        unit = self.database.open(on)
        try:
            who: Any = getattr(actor, "id", None) if isinstance(actor, Record) else actor
            session = Session(
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
        session.after_commit = self._committed
        return session

    def _committed(self, session: Session) -> None:
        for changeset_id in session.committed:
            try:
                self.deliver(session.tenant.key, changeset_id)
            except StorageError as error:
                # What was committed is committed, and must not look as if it were not; the jobs keep the rest.
                _log.warning("plugins will be told of changeset %s later: %s", changeset_id, error)

    def system(self, **options: Any) -> Session:
        """A session of the system, which may do everything: ``crm.session(SYSTEM, ...)`` spelled short."""
        return self.session(SYSTEM, **options)

    @cached_property
    def tenants(self) -> Tenants:
        """The tenants: made, listed, chosen by key. Who needs only one never meets it."""
        return Tenants(self, self.session)

    def _tenant(self, unit: Any, key: Any) -> Tenant:
        found = self._tenants.get(key) if isinstance(key, str) else None
        if found is None:
            found = self._tenants[key] = self.registry.find(unit, key)
        return found

    def _named(self, tenant: str | None) -> list[Tenant]:
        """The tenant of that key, or all of them."""
        with self.database.open() as unit:
            return self.registry.all(unit) if tenant is None else [self._tenant(unit, tenant)]

    def deliver(self, tenant: str | None = None, changeset_id: UUID | None = None) -> int:
        """Tell plugins what was committed and not told yet, in one tenant or in all; returns how many deliveries
        succeeded.

        crmkit does it after its own commits. A host that commits itself calls this afterwards, or from a timer. No
        transaction is open while a plugin is called, and of several processes that deliver at once each tells what the
        others do not.
        """
        return sum(Delivery(self, self.session, found).deliver(changeset_id) for found in self._named(tenant))

    def redeliver(self, plugin: str | None = None, tenant: str | None = None) -> int:
        """Tell again at once what could not be told, however often it failed or whether it is parked; of one plugin or
        of all. Returns how many deliveries succeeded.
        """
        for found in self._named(tenant):
            with self.database.open() as unit:
                jobs_of(self, found.id, unit).release(TELL, plugin)
                unit.commit()
        return self.deliver(tenant)

    def seal(self, tenant: str | None = None) -> int:
        """Seal what was committed since, in batches, in one tenant or in all: from then on a change of it past crmkit
        shows. For a timer.

        Returns how many changesets were sealed.
        """
        from crmkit.kernel.jobs.sealing import BATCH, seal

        done = 0
        for found in self._named(tenant):
            number = BATCH
            while number == BATCH:
                with self.system(tenant=found.key) as me:
                    number = seal(me)
                done += number
        return done

    def verify(self, tenant: str = DEFAULT_TENANT) -> "Verification":
        """Read the chain of seals anew: what of the history was changed, taken out or put in past crmkit."""
        from crmkit.kernel.jobs.sealing import verify

        with self.system(tenant=tenant) as me:
            return verify(me)

    def undelivered(self, tenant: str | None = None) -> list[tuple[str, int, str]]:
        """What plugins have not been told, in one tenant or in all: the plugin's name, the attempts made, the last
        error (empty: it was not tried yet).
        """
        waiting: list[tuple[str, int, str]] = []
        for found in self._named(tenant):
            with self.database.open() as unit:
                jobs = jobs_of(self, found.id, unit).waiting(TELL)
            waiting += ((job.name, job.attempts, job.error or "") for job in jobs)
        return waiting

    def __repr__(self) -> str:
        return f"CRM({self.database!r})"


def _settled(make: Callable[[], object]) -> None:
    """Makes what is not there yet; when another process did at the same moment, it finds it there."""
    try:
        make()
    except Duplicate:
        make()
