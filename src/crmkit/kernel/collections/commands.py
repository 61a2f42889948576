"""The registry of commands, which makes verbs of them."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.sdk.command import Command
from crmkit.values.text import shown

__all__ = ["Commands"]


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
