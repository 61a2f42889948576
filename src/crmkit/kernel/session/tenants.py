"""Tenants by API: made with what a sales team starts with, listed, and given their first administrator."""

from collections.abc import Callable

import attrs

from crmkit.errors import NotFound
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.session import Session
from crmkit.permissions import SYSTEM
from crmkit.schema.field import checked_key
from crmkit.store.ledger.tenants import Tenant
from crmkit.values import Money, clean_text, fold, to_micros, zone

__all__ = ["DEFAULT_TENANT", "Tenants"]

DEFAULT_TENANT = "default"
"""The key of the tenant that is there from the start."""
_ADMIN = "admin"
"""The role that may do everything, folded."""


@attrs.frozen
class Tenants:
    """``crm.tenants``. A session names its tenant by key: ``crm.session(actor, tenant="north")``."""

    crm: Foundation
    open: Callable[..., Session]

    def create(
        self, key: str, name: str = "", *, zone_name: str = "UTC", currency: str = "EUR", furnished: bool = True
    ) -> Tenant:
        """A new tenant. ``zone_name`` is where its days begin, ``currency`` what its totals are shown in.

        ``furnished`` gives it what plugins make for a new tenant: the built-in ones a sales pipeline and the roles
        admin, manager, rep and automation. Raises Duplicate, InvalidDefinition.
        """
        checked_key(key, "tenant")
        zone(zone_name)
        Money(0, currency)
        label = clean_text(name or key, max_length=255)
        crm = self.crm
        with crm.database.open() as unit:
            tenant = crm.registry.create(unit, key, label, zone_name, currency, to_micros(crm.clock.now()))
            if furnished:
                # In the same transaction: a tenant without roles would let nobody in.
                me = Session(crm, SYSTEM, tenant=tenant, unit=unit, reason="a new tenant", origin="setup")
                for plugin in crm.plugins.implementing("crmkit_new_tenant"):
                    crm.plugins.ask(plugin, "crmkit_new_tenant", session=me)
                me.commit()
            else:
                unit.commit()
        return tenant

    def list(self) -> list[Tenant]:
        """Every tenant, by key."""
        with self.crm.database.open() as unit:
            return self.crm.registry.all(unit)

    def exists(self, key: str) -> bool:
        """Whether there is a tenant of that key."""
        return any(tenant.key == key for tenant in self.list())

    def admit(self, key: str, email: str, name: str = "") -> None:
        """Give a user of the tenant, made if there is none of that address, the role admin.

        Raises NotFound (``unknown_tenant``, ``unknown_role``).
        """
        with self.open(SYSTEM, tenant=key, reason="first administrator", origin="setup") as me:
            role = next((r for r in me.roles if fold(r.name) == _ADMIN), None)
            if role is None:
                raise NotFound(
                    "the tenant has no role admin", code="unknown_role", hint="make one, or furnish the tenant"
                )
            user = me.users.where(email=email).first() or me.users.create(email=email, name=name or email)
            if not me.records("role_member").exists(role=role.id, user=user.id):
                me.records("role_member").create(role=role, user=user)
