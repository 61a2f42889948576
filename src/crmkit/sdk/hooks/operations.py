"""Hooks about running a CRM: what a new tenant starts with, and what an operator should know."""

from collections.abc import Iterable
from typing import Any

from crmkit.sdk.finding import Finding
from crmkit.sdk.markers import hookspec

__all__ = ["OperationHooks"]


class OperationHooks:
    """What a plugin does for whoever operates a CRM."""

    @hookspec
    def crmkit_new_tenant(self, session: Any) -> None:
        """Make the records that a new tenant starts with.

        Fires in the transaction that makes the tenant, in a session of the system. Return nothing. An exception is a
        PluginError that names the plugin, and the tenant is not made.
        """
        raise AssertionError

    @hookspec
    def crmkit_examine(self, session: Any) -> Iterable[Finding]:
        """Look at the records of one tenant and say what an operator should know.

        Fires when somebody asks for an examination (``crm.examine()``, ``crmkit doctor``), in a session of the system.
        Return an iterable of findings. An exception becomes a finding of its own, a problem that names the plugin.
        """
        raise AssertionError
