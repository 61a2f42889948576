"""Hooks around records that define something, or hold only together with others."""

from collections.abc import Iterable, Sequence
from typing import Any

from crmkit.sdk.change import Change
from crmkit.sdk.definitions import Dependant, Refusal
from crmkit.sdk.markers import hookspec

__all__ = ["DefinitionHooks"]


class DefinitionHooks:
    """What a plugin checks of its own record types."""

    @hookspec
    def crmkit_check(self, session: Any, changes: Sequence[Change], by_hand: bool) -> Iterable[Refusal] | None:
        """Refuse changes of the plugin's own record types that mean nothing, or that others rely on.

        Fires inside the transaction, once for each batch of one record type and kind, after all plugins have amended
        it: what is checked is what is written. ``by_hand`` says that it comes from the verbs of records, and not from a
        command that keeps these records, or from an undo. Return refusals (``refusals(changes, check)`` makes them of
        a check that raises). An exception refuses the whole batch.
        """
        raise AssertionError

    @hookspec
    def crmkit_dependants(self, session: Any) -> Iterable[Dependant]:
        """Tell what the plugin's records rely on definitions for.

        Fires when fields, objects or segments were changed, and when a tag that conditions name is to change its name.
        Return a Dependant for each record that relies on them; one whose check raises refuses the change. An exception
        is a PluginError that names the plugin.
        """
        raise AssertionError
