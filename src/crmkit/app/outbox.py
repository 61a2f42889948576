"""The outbox: what was committed is told to the plugins that want to know, at least once, and never inside the
commit.
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from sqlalchemy import bindparam, delete, insert, select, update

from crmkit.errors import CrmkitError
from crmkit.permissions import SYSTEM, Actor
from crmkit.sdk.change import Committed
from crmkit.sdk.plugins import blamed
from crmkit.store.sources import tenant_param
from crmkit.values import to_micros

if TYPE_CHECKING:
    from crmkit.app.crm import CRM
    from crmkit.app.session import Session

__all__ = ["Outbox"]

_HOOK = "crmkit_after_commit"
_BATCH = 50
_MAX_DEPTH = 8
"""Changesets that plugins cause by answering changesets that plugins caused: a longer chain is a loop and is parked."""
_NEVER = 2**62
_MINUTE = 60_000_000
_MAX_DELAY = 24 * 60 * _MINUTE


@attrs.frozen
class Outbox:
    """Writes, reads and empties the outbox of a CRM."""

    crm: "CRM"

    @property
    def _table(self) -> Any:
        return self.crm.tables.system.outbox

    def add(self, session: "Session", changeset_id: UUID) -> None:
        """In the transaction of the changeset: note which plugins are to be told of it."""
        plugins = {
            name
            for type_key in session.written
            for name in session.listeners(_HOOK, type_key)
            if name != session.origin
        }
        if not plugins:
            return
        parked = self._depth(session) > _MAX_DEPTH
        statement = self._prepared("add", lambda: insert(self._table).values(_named(self._table)))
        now = to_micros(self.crm.clock.now())
        id_in = self.crm.codec.id_in
        for plugin in sorted(plugins):
            values = {
                "tenant": session.tenant.id,
                "id": id_in(self.crm.ids.new()),
                "changeset_id": id_in(changeset_id),
                "plugin": plugin,
                "attempts": 0,
                "error": "parked: plugins answer each other without end" if parked else None,
                "next_at": _NEVER if parked else now,
            }
            session.unit.write(statement, values)

    def _depth(self, session: "Session") -> int:
        depth, cause = 0, session.causation
        while cause is not None and depth <= _MAX_DEPTH:
            depth += 1
            cause = session.changesets.get(session.unit, cause).causation_id
        return depth

    def deliver(self, tenant: str, changeset_id: UUID | None = None) -> int:
        """Tell what is due; returns how many deliveries succeeded. A failure is recorded and tried again later."""
        if not self.crm.plugins.implementing(_HOOK):
            return 0
        done = 0
        failed: set[UUID] = set()
        while due := [row for row in self._due(tenant, changeset_id) if row[0] not in failed]:
            for row_id, cause, plugin, attempts in due:
                if self._tell(tenant, row_id, cause, plugin, attempts):
                    done += 1
                else:
                    failed.add(row_id)
        return done

    def _due(self, tenant: str, changeset_id: UUID | None) -> list[tuple[UUID, UUID, str, int]]:
        table, codec = self._table, self.crm.codec
        one = changeset_id is not None

        def make() -> Any:
            found = (
                select(table.c["id"], table.c["changeset_id"], table.c["plugin"], table.c["attempts"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["next_at"] <= bindparam("now"))
                .order_by(table.c["next_at"], table.c["id"])
                .limit(bindparam("size"))
            )
            return found.where(table.c["changeset_id"] == bindparam("changeset")) if one else found

        with self.crm.session(SYSTEM, tenant=tenant) as me:
            binds: dict[str, Any] = {
                "tenant": me.tenant.id,
                "now": to_micros(self.crm.clock.now()),
                "size": _BATCH,
            }
            if changeset_id is not None:
                binds["changeset"] = codec.id_in(changeset_id)
            rows = me.unit.read(self._prepared(("due", one), make), binds)
        return [(codec.id_out(r[0]), codec.id_out(r[1]), r[2], r[3]) for r in rows]

    def _tell(self, tenant: str, row_id: UUID, cause: UUID, plugin: str, attempts: int) -> bool:
        """One delivery. The mark that it was told is removed in the transaction of whatever the plugin writes."""
        try:
            with self.crm.session(
                self._actor(tenant, plugin), tenant=tenant, origin=plugin, causation=cause, reason=f"told of {cause}"
            ) as me:
                if me.unit.write(self._remove(), {"tenant": me.tenant.id, "id": self.crm.codec.id_in(row_id)}):
                    changes = self._committed(me, plugin, cause)
                    me.note(f"{plugin}.{_HOOK}")
                    self.crm.plugins.ask(plugin, _HOOK, session=me, changes=changes)
        except CrmkitError as error:
            self._failed(tenant, row_id, attempts, blamed(plugin, _HOOK, error))
            return False
        return True

    def _actor(self, tenant: str, plugin: str) -> Actor:
        wanted = self.crm.plugins.role(plugin)
        with self.crm.session(SYSTEM, tenant=tenant) as me:
            return Actor.plugin(plugin, [role.id for role in me.roles.where(name=wanted)] if wanted else [])

    def _committed(self, me: "Session", plugin: str, changeset_id: UUID) -> tuple[Committed, ...]:
        return tuple(
            Committed(t.kind, t.type_key, t.id, changeset_id)  # type: ignore[arg-type]
            for t in me.changesets.touched(me.unit, changeset_id)
            if plugin in me.listeners(_HOOK, t.type_key)
        )

    def _failed(self, tenant: str, row_id: UUID, attempts: int, error: CrmkitError) -> None:
        table = self._table
        statement = self._prepared(
            "failed",
            lambda: (
                update(table)
                .where(table.c["tenant_id"] == tenant_param(), table.c["id"] == bindparam("row"))
                .values(attempts=bindparam("tries"), error=bindparam("text"), next_at=bindparam("again"))
            ),
        )
        delay = min(_MAX_DELAY, _MINUTE * 2 ** min(attempts, 12))
        with self.crm.session(SYSTEM, tenant=tenant) as me:
            binds = {
                "tenant": me.tenant.id,
                "row": self.crm.codec.id_in(row_id),
                "tries": attempts + 1,
                "text": str(error)[:2_000],
                "again": to_micros(self.crm.clock.now()) + delay,
            }
            me.unit.write(statement, binds)

    def failures(self, tenant: str) -> list[tuple[str, int, str]]:
        """What could not be told yet: plugin, attempts, the last error."""
        table = self._table
        statement = self._prepared(
            "failures",
            lambda: (
                select(table.c["plugin"], table.c["attempts"], table.c["error"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["error"].is_not(None))
                .order_by(table.c["id"])
            ),
        )
        with self.crm.session(SYSTEM, tenant=tenant) as me:
            return [(r[0], r[1], r[2]) for r in me.unit.read(statement, {"tenant": me.tenant.id})]

    def _remove(self) -> Any:
        table = self._table
        return self._prepared(
            "remove",
            lambda: delete(table).where(table.c["tenant_id"] == tenant_param(), table.c["id"] == bindparam("id")),
        )

    def _prepared(self, what: Any, make: Any) -> Any:
        return self.crm.shelf.get(("outbox", what), lambda: self.crm.database.prepare(make()))


def _named(table: Any) -> dict[str, Any]:
    return {c.name: bindparam("tenant" if c.name == "tenant_id" else c.name) for c in table.columns}
