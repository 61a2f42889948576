"""The built-in commands, one use case a file, and the registry that makes verbs of them."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.features.accounts.commands import Advance
from crmkit.features.activities.commands import CompleteActivity
from crmkit.features.customising.commands import AddField, AddObject, ChangeField, RemoveField
from crmkit.features.ownership.assign import Assign
from crmkit.features.ownership.share import Share, Unshare
from crmkit.features.pipelines.move import MoveDeal
from crmkit.features.pipelines.split import SplitDeal
from crmkit.features.segments.commands import MakeRfm, MakeTiers, Refresh, Snapshot, Watch
from crmkit.features.tags.commands import Tag, Untag
from crmkit.kernel.undo.undo import Undo
from crmkit.sdk.command import Command
from crmkit.values.text import shown

__all__ = ["BUILTIN_COMMANDS", "Commands"]

BUILTIN_COMMANDS: tuple[type[Command[Any]], ...] = (
    AddField,
    AddObject,
    Advance,
    Assign,
    ChangeField,
    CompleteActivity,
    MakeRfm,
    MakeTiers,
    MoveDeal,
    Refresh,
    RemoveField,
    Share,
    Snapshot,
    SplitDeal,
    Tag,
    Undo,
    Unshare,
    Untag,
    Watch,
)
"""The commands every CRM has; plugins add theirs."""


@attrs.frozen(slots=False)
class Commands:
    """Commands by name.

    Raises InvalidDefinition for what is none, and for two verbs of one name on a record type, built in or not.
    """

    by_name: Mapping[str, type[Command[Any]]]

    @classmethod
    def of(cls, commands: Iterable[Any], taken: Iterable[str] = ()) -> "Commands":
        """A registry of these; ``taken`` are names no verb may have."""
        by_name: dict[str, type[Command[Any]]] = {}
        own = frozenset(taken)
        nouns: dict[str, set[str]] = {}
        for command in commands:
            if not (isinstance(command, type) and issubclass(command, Command) and command.name):
                raise InvalidDefinition(
                    f"{shown(command)} is not declared as a command", code="bad_command", hint="@command('noun.verb')"
                )
            noun, _, verb = command.name.partition(".")
            of_the_verb = nouns.setdefault(verb, set())
            if verb in own or noun in of_the_verb or "*" in of_the_verb or (noun == "*" and of_the_verb):
                raise InvalidDefinition(f"there is a command {command.name!r} already", code="duplicate_command")
            of_the_verb.add(noun)
            by_name[command.name] = command
        return cls(by_name)

    @cached_property
    def _verbs(self) -> dict[str, dict[str, type[Command[Any]]]]:
        verbs: dict[str, dict[str, type[Command[Any]]]] = {}
        for name, command in self.by_name.items():
            noun, _, verb = name.partition(".")
            verbs.setdefault(noun, {})[verb] = command
        return verbs

    def verbs(self, noun: str) -> Mapping[str, type[Command[Any]]]:
        """The commands of a noun by verb, those of every noun among them."""
        return {**self._verbs.get("*", {}), **self._verbs.get(noun, {})}
