"""Telling plugins what was committed: after the commit, at least once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import CrmkitError
from crmkit.kernel.jobs.noting import HOOK, SEGMENT_HOOK, TELL, jobs_of
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.session import Session
from crmkit.permissions import SYSTEM, Actor
from crmkit.sdk.change import Committed
from crmkit.sdk.plugins import blamed
from crmkit.store.ledger.jobs import Job, Jobs
from crmkit.store.ledger.tenants import Tenant

__all__ = ["Delivery"]


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
        if not (self.crm.plugins.implementing(HOOK) or self.crm.plugins.implementing(SEGMENT_HOOK)):
            return 0
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
        if name in plugins.implementing(SEGMENT_HOOK):
            for changed in self._segments(me, job):
                with me.on_behalf(f"{name}.{SEGMENT_HOOK}"):
                    plugins.ask(name, SEGMENT_HOOK, session=me, **changed)

    def _segments(self, me: Session, job: Job) -> Iterator[dict[str, Any]]:
        """The watched segments whose lists the changeset changed, with who came and who left."""
        came: dict[UUID, list[UUID]] = {}
        left: dict[UUID, list[UUID]] = {}
        for change in me.history(trusted=True).changes(job.subject, {"tagging"}.__contains__):
            row: Any = change.after or change.before
            if change.after is None:
                left.setdefault(row.tag, []).append(row.record)
            elif row.origin != "import":
                came.setdefault(row.tag, []).append(row.record)
        if came or left:
            for segment in list(me.system_reader.records("segment")):
                if segment.watched and segment.kind != "snapshot" and segment.roll in came.keys() | left.keys():
                    entered, gone = (tuple(sorted(of.get(segment.roll, ()))) for of in (came, left))
                    yield {"segment": segment, "entered": entered, "left": gone}

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
