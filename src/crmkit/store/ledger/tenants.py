"""The registry of tenants and the state of each."""

from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import bindparam, func, insert, select, update

from crmkit.errors import Duplicate, NotFound
from crmkit.schema.field import KEY_PATTERN
from crmkit.store.connection.database import Database, Unit
from crmkit.store.sql.plans import Shelf
from crmkit.store.sql.sources import tenant_param
from crmkit.store.tables.system_tables import SystemTables
from crmkit.values.text import shown

__all__ = ["Registry", "Tenant", "TenantState"]


@attrs.frozen
class Tenant:
    """One tenant: a wall around its records. ``id`` is the number every key starts with, ``key`` its name for
    programs.
    """

    id: int
    key: str
    name: str


@attrs.frozen
class TenantState:
    """What all of a tenant's sessions depend on; the versions are others when schema or rights have changed."""

    schema_version: int
    policy_version: int
    zone: str
    currency: str


@attrs.frozen
class Registry:
    """Reads and writes the registry."""

    database: Database
    shelf: Shelf
    system: SystemTables

    def find(self, unit: Unit, key: str) -> Tenant:
        """The tenant of that key. Raises NotFound (``unknown_tenant``)."""
        wanted: Any = key
        if not isinstance(wanted, str) or KEY_PATTERN.fullmatch(wanted) is None:
            raise _unknown(key)
        table = self.system.tenant
        statement = self._prepared(
            "find", lambda: select(table.c.tenant_id, table.c.key, table.c.name).where(table.c.key == bindparam("key"))
        )
        rows = unit.read(statement, {"key": key})
        if not rows:
            raise _unknown(key)
        return Tenant(*rows[0])

    def all(self, unit: Unit) -> list[Tenant]:
        """Every tenant by key."""
        table = self.system.tenant
        statement = self._prepared(
            "all", lambda: select(table.c.tenant_id, table.c.key, table.c.name).order_by(table.c.key)
        )
        return [Tenant(*row) for row in unit.read(statement)]

    def create(self, unit: Unit, key: str, name: str, zone: str, currency: str, at: int) -> Tenant:
        """A new tenant with the next number. Raises Duplicate."""
        tenant, state = self.system.tenant, self.system.tenant_state
        unit.begin_write()
        if any(t.key == key for t in self.all(unit)):
            raise Duplicate(f"there is a tenant {key!r} already", field="key")
        highest = unit.read(self._prepared("highest", lambda: select(func.max(tenant.c.tenant_id))))[0][0]
        number = (highest or 0) + 1
        unit.write(
            self._prepared("add", lambda: _insert(tenant, ("tenant_id", "key", "name", "created_at"))),
            {"tenant": number, "key": key, "name": name, "created_at": at},
        )
        unit.write(
            self._prepared(
                "add_state",
                lambda: _insert(state, ("tenant_id", "schema_version", "policy_version", "zone", "currency")),
            ),
            {"tenant": number, "schema_version": 1, "policy_version": 1, "zone": zone, "currency": currency},
        )
        return Tenant(number, key, name)

    def state(self, unit: Unit, tenant_id: int) -> TenantState:
        """The state of a tenant; one statement."""
        return self._state(unit, tenant_id, "state", lambda found: found)

    def held(self, unit: Unit, tenant_id: int, *, alone: bool) -> TenantState:
        """The state of a tenant, which nobody changes until the unit of work is over; ``alone`` also keeps out those
        who need it as it is.
        """
        unit.begin_write()
        # SQLite has one writer at a time, and no such clause.
        return self._state(unit, tenant_id, f"held-{alone}", lambda found: found.with_for_update(read=not alone))

    def _state(self, unit: Unit, tenant_id: int, what: str, locked: Callable[[Any], Any]) -> TenantState:
        table = self.system.tenant_state

        def make() -> Any:
            columns = table.c.schema_version, table.c.policy_version, table.c.zone, table.c.currency
            return locked(select(*columns).where(table.c.tenant_id == tenant_param()))

        return TenantState(*unit.read(self._prepared(what, make), {"tenant": tenant_id})[0])

    def bump(
        self, unit: Unit, tenant_id: int, state: TenantState, mark: int, *, schema: bool, policy: bool
    ) -> TenantState:
        """The state from now on: tells all sessions to come that schema or rights are no longer what they were.

        ``mark`` is a number nobody else gives: counting would give the number of a change that was rolled back to the
        next one, which is another.
        """
        table = self.system.tenant_state
        names = [name for name, changed in (("schema_version", schema), ("policy_version", policy)) if changed]

        def make() -> Any:
            values = {name: bindparam("mark", type_=table.c[name].type) for name in names}
            return update(table).where(table.c.tenant_id == tenant_param()).values(values)

        if names:
            unit.write(self._prepared("-".join(("bump", *names)), make), {"tenant": tenant_id, "mark": mark})
        marks: dict[str, Any] = dict.fromkeys(names, mark)
        return attrs.evolve(state, **marks)

    def _prepared(self, what: str, make: Any) -> Any:
        return self.shelf.get(("registry", what), lambda: self.database.prepare(make()))


def _unknown(key: object) -> NotFound:
    return NotFound(f"there is no tenant {shown(key)}", code="unknown_tenant", hint="crm.tenants.create(key) makes one")


def _insert(table: Any, names: tuple[str, ...]) -> Any:
    return insert(table).values({n: bindparam("tenant" if n == "tenant_id" else n) for n in names})
