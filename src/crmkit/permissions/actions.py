"""What an actor may do with a record: the built-in actions and those that plugins and tenants add."""

from collections.abc import Iterator
from typing import Any

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.schema.field import checked_key
from crmkit.schema.schema import suggestion
from crmkit.values.text import shown

__all__ = ["ACTIONS", "ANY", "FIELD_ACTIONS", "Actions"]

ANY = "*"
"""In a grant: every action, or every record type."""

FIELD_ACTIONS = frozenset({"read", "create", "update", "see_sensitive"})
"""The actions that concern single fields, so that a grant of them may name fields."""

_BUILTIN = ("read", "create", "update", "delete", "assign", "export", "merge", "approve", "see_sensitive", "history")


@attrs.frozen
class Actions:
    """The actions there are. Immutable: ``with_`` gives a larger registry."""

    names: frozenset[str] = frozenset(_BUILTIN)

    def with_(self, *names: str) -> "Actions":
        """These actions and others, for example ``convert``; one that is there already stays as it is.

        Raises InvalidDefinition (``bad_key``).
        """
        return Actions(self.names | {checked_key(name, "action") for name in names})

    def checked(self, name: Any) -> str:
        """The name if it is an action or ``*``. Raises InvalidDefinition (``unknown_action``)."""
        if not isinstance(name, str) or (name != ANY and name not in self.names):
            raise InvalidDefinition(
                f"there is no action {shown(name)}",
                code="unknown_action",
                field="action",
                hint=suggestion(name, self.names) if isinstance(name, str) else None,
            )
        return name

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.names))


ACTIONS = Actions()
"""The built-in actions."""
