"""People with rights, made for tests."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from crmkit import CRM

ADMIN = "ana@acme.example"
"""The administrator of the default tenant in every migrated database."""

Grants = Mapping[str, str | dict[str, Any]]


def grant(me: Any, role: Any, on: str, actions: str, **options: Any) -> None:
    """Grants a role actions (in one text) on a record type."""
    for action in actions.split():
        me.records("grant").create(role=role, on=on, action=action, **options)


def employ(me: Any, email: str, *roles: Any) -> UUID:
    """A user with roles (records, or names of those the tenant has)."""
    user = me.users.create(email=email, name=email.partition("@")[0])
    for role in roles:
        held = me.roles.one(name=role) if isinstance(role, str) else role
        me.records("role_member").create(role=held, user=user)
    return user.id  # type: ignore[no-any-return]


def hire(crm: CRM, email: str, *roles: str, tenant: str = "default", **grants: Any) -> UUID:
    """A new user with roles of the tenant, and with a role of their own: ``hire(crm, "bo@x.example", deal="read")``."""
    with crm.system(tenant=tenant) as me:
        if grants:
            own = me.roles.create(name=f"role of {email}")
            for on, actions in grants.items():
                grant(me, own, on, actions)
            return employ(me, email, *roles, own)
        return employ(me, email, *roles)
