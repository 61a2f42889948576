"""Telling plugins what was committed: after the commit, at least once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import attrs

from crmkit.errors import CrmkitError
from crmkit.kernel.jobs.noting import HOOK, TELL, jobs_of
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.session import Session
from crmkit.permissions import SYSTEM, Actor
from crmkit.sdk.change import Committed, Event
from crmkit.sdk.plugins import blamed
from crmkit.store.ledger.jobs import Job, Jobs
from crmkit.store.ledger.tenants import Tenant

__all__ = ["Delivery"]

_EVENTS = "crmkit_events"


class _Overtaken(Exception):
    """Ends the unit of work of a delivery whose lease has ended, and that somebody else makes now."""


@attrs.frozen
class Delivery:
    """Tells the plugins of one tenant what was committed; ``open`` opens sessions.

    Each job is claimed in a short transaction, the plugin is called without one, and what the plugin writes is kept
    together with the end of the job: nobody has to wait for a slow plugin, and nothing is kept twice.
    """

    crm: Foundation
    open: Callable[..., Session]
    tenant: Tenant

    def deliver(self, changeset_id: UUID | None = None) -> int:
        """Tell what is due; returns how many deliveries succeeded. A failure is recorded and tried again later."""
        done = 0
        while claimed := self._claimed(changeset_id):
            done += sum(map(self._tell, claimed))
        return done

    def _claimed(self, changeset_id: UUID | None) -> list[Job]:
        with self._jobs() as jobs:
            return jobs.claim(TELL, self.crm.ids.new(), changeset_id)

    @contextmanager
    def _jobs(self) -> Iterator[Jobs]:
        """The jobs in a transaction of their own."""
        with self.crm.database.open() as unit:
            yield jobs_of(self.crm, self.tenant.id, unit)
            unit.commit()

    def _tell(self, job: Job) -> bool:
        """One delivery; False if it failed, or somebody else has made it meanwhile."""
        cause = job.subject
        try:
            actor = self._actor(job.name)
            with self.open(
                actor, tenant=self.tenant.key, origin=job.name, causation=cause, reason=f"told of {cause}"
            ) as me:
                self._ask(me, job)
                if not jobs_of(self.crm, self.tenant.id, me.unit).settle(job):
                    raise _Overtaken
        except _Overtaken:
            return False
        except CrmkitError as error:
            with self._jobs() as jobs:
                jobs.failed(job, str(blamed(job.name, HOOK, error)))
            return False
        return True

    def _ask(self, me: Session, job: Job) -> None:
        plugins, name = self.crm.plugins, job.name
        changes = self._changes(me, job)
        if changes:
            with me.on_behalf(f"{name}.{HOOK}"):
                plugins.ask(name, HOOK, session=me, changes=changes)
        for event in self._events(me, job):
            with me.on_behalf(f"{name}.{event.hook}"):
                plugins.ask(name, event.hook, session=me, **event.arguments)

    def _events(self, me: Session, job: Job) -> Iterator[Event]:
        """What the changeset means to the plugin besides, in hooks that it implements."""
        plugins = self.crm.plugins
        for source in plugins.implementing(_EVENTS):
            for event in plugins.gather(source, _EVENTS, session=me, changeset_id=job.subject):
                if job.name in plugins.implementing(event.hook):
                    yield event

    def _actor(self, plugin: str) -> Actor:
        wanted = self.crm.plugins.role(plugin)
        with self.open(SYSTEM, tenant=self.tenant.key) as me:
            return Actor.plugin(plugin, [role.id for role in me.roles.where(name=wanted)] if wanted else [])

    def _changes(self, me: Session, job: Job) -> tuple[Committed, ...]:
        return tuple(
            Committed(t.kind, t.type_key, t.id, job.subject)
            for t in me.changesets.touched(me.unit, job.subject)
            if job.name in me.listeners(HOOK, t.type_key)
        )
