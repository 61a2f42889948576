"""Telling plugins what was committed: after the commit, from the outbox, at least once."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import CrmkitError
from crmkit.kernel.jobs.outbox import HOOK, SEGMENT_HOOK, outbox_of
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.session import Session
from crmkit.permissions import SYSTEM, Actor
from crmkit.sdk.change import Committed
from crmkit.sdk.plugins import blamed
from crmkit.store.ledger.outbox import Due

__all__ = ["Delivery"]


@attrs.frozen
class Delivery:
    """Empties the outbox; ``open`` opens sessions."""

    crm: Foundation
    open: Callable[..., Session]

    def deliver(self, tenant: str, changeset_id: UUID | None = None) -> int:
        """Tell what is due; returns how many deliveries succeeded. A failure is recorded and tried again later."""
        if not (self.crm.plugins.implementing(HOOK) or self.crm.plugins.implementing(SEGMENT_HOOK)):
            return 0
        done = 0
        failed: set[UUID] = set()
        while due := [row for row in self._due(tenant, changeset_id) if row.id not in failed]:
            for row in due:
                if self._tell(tenant, row):
                    done += 1
                else:
                    failed.add(row.id)
        return done

    def _due(self, tenant: str, changeset_id: UUID | None) -> list[Due]:
        with self.open(SYSTEM, tenant=tenant) as me:
            return outbox_of(me).due(changeset_id)

    def _tell(self, tenant: str, due: Due) -> bool:
        """One delivery; False if it failed, or somebody else was faster. The mark that it was told is removed in the
        transaction of whatever the plugin writes.
        """
        cause = due.changeset_id
        try:
            actor = self._actor(tenant, due.plugin)
            with self.open(actor, tenant=tenant, origin=due.plugin, causation=cause, reason=f"told of {cause}") as me:
                taken = outbox_of(me).take(due)
                if taken:
                    self._ask(me, due)
        except CrmkitError as error:
            with self.open(SYSTEM, tenant=tenant) as me:
                outbox_of(me).failed(due, str(blamed(due.plugin, HOOK, error)))
            return False
        return taken

    def _ask(self, me: Session, due: Due) -> None:
        plugins = self.crm.plugins
        changes = self._changes(me, due)
        if changes:
            with me.doing(f"{due.plugin}.{HOOK}"):
                plugins.ask(due.plugin, HOOK, session=me, changes=changes)
        if due.plugin in plugins.implementing(SEGMENT_HOOK):
            for changed in self._segments(me, due):
                with me.doing(f"{due.plugin}.{SEGMENT_HOOK}"):
                    plugins.ask(due.plugin, SEGMENT_HOOK, session=me, **changed)

    def _segments(self, me: Session, due: Due) -> Iterator[dict[str, Any]]:
        """The watched segments whose lists the changeset changed, with who came and who left."""
        came: dict[UUID, list[UUID]] = {}
        left: dict[UUID, list[UUID]] = {}
        for change in me.history(trusted=True).changes(due.changeset_id, {"tagging"}.__contains__):
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

    def _actor(self, tenant: str, plugin: str) -> Actor:
        wanted = self.crm.plugins.role(plugin)
        with self.open(SYSTEM, tenant=tenant) as me:
            return Actor.plugin(plugin, [role.id for role in me.roles.where(name=wanted)] if wanted else [])

    def _changes(self, me: Session, due: Due) -> tuple[Committed, ...]:
        return tuple(
            Committed(t.kind, t.type_key, t.id, due.changeset_id)
            for t in me.changesets.touched(me.unit, due.changeset_id)
            if due.plugin in me.listeners(HOOK, t.type_key)
        )
