"""Hooks around a change: one decides inside the transaction, one is told after the commit."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmkit.sdk.change import Change, Committed, Create, Delete, Event, Update, Veto
from crmkit.sdk.markers import hookspec

__all__ = ["ChangeHooks"]


class ChangeHooks:
    """What a plugin may say about changes."""

    @hookspec
    def crmkit_before_change(self, session: Any, changes: Sequence[Change]) -> Sequence[Change | Veto] | None:
        """Refuse or amend changes before they are written.

        Fires inside the transaction, once for each batch of one record type, after authorisation and parsing. Return
        None for no opinion, or a sequence of amended changes (``change.amended(...)``) and vetoes; changes that are not
        mentioned stay as they are. A change is amended once: what is amended further is the amended one. Amended values
        are validated again. An exception is a PluginError that names the plugin and refuses the whole batch. A delete
        that references keep comes again in a later batch of the same verb, once the others have gone.
        """
        raise AssertionError

    @hookspec
    def crmkit_follow_up(self, session: Any, changes: Sequence[Change]) -> Sequence[Create | Update | Delete] | None:
        """Say what must be written with changes: totals, intervals, whatever would be wrong without.

        Fires inside the transaction, once for each batch of one record type and kind, after it was written. Return
        records to create, update and delete: they are written by the same road, whatever the actor may do, as part of
        the same changeset; what cannot be written refuses the whole verb. An undo takes it back by itself: return None
        while ``session.undoing``. An exception is a PluginError that names the plugin.
        """
        raise AssertionError

    @hookspec
    def crmkit_after_commit(self, session: Any, changes: Sequence[Committed]) -> None:
        """Learn what was committed.

        Fires after the commit, at least once for each changeset, in a session of its own whose actor
        is the plugin; what it writes there is kept together with the mark that it was told. Return nothing. An
        exception hurts nobody: it is recorded with the plugin's name and the changeset is told again later.
        """
        raise AssertionError

    @hookspec
    def crmkit_events(self, session: Any, changeset_id: UUID) -> Sequence[Event] | None:
        """Say what a changeset means to plugins, in a hook of the plugin's own.

        Fires after the commit of a changeset in which ``session.announce(hook)`` was called, before the plugins that
        implement that hook are told. Return an Event for each call of the hook. An exception is recorded with the name
        of the plugin that was to be told, which is told again later.
        """
        raise AssertionError
