"""What hooks see of a change."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import attrs

from crmkit.schema import Record

__all__ = ["Change", "Committed", "Create", "Delete", "Event", "Update", "Veto"]

Kind = Literal["create", "update", "delete"]


def _read_only(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return values if type(values) is MappingProxyType else MappingProxyType(values)


@attrs.frozen
class Change:
    """One record about to change, inside the transaction.

    ``before`` is the record as it is (None for a create). ``values`` holds every field as it will be (empty for a
    delete), to be read and not written to: ``amended`` is the way. ``given`` names the fields somebody set. ``row`` is
    its index in the batch.
    """

    kind: Kind
    type_key: str
    id: UUID
    before: Record | None
    values: Mapping[str, Any] = attrs.field(converter=_read_only)
    given: frozenset[str]
    row: int
    _changed: frozenset[str] | None = attrs.field(init=False, default=None, eq=False, repr=False)

    @property
    def changed(self) -> frozenset[str]:
        """The fields whose value differs from before."""
        # Kept: on its way a change is asked for this by each plugin and each check, six times as things are.
        if self._changed is None:
            object.__setattr__(self, "_changed", self._compared())
        return self._changed  # type: ignore[return-value]

    def _compared(self) -> frozenset[str]:
        before = self.before
        if before is None:
            return frozenset([key for key, value in self.values.items() if value is not None])
        # What is no custom field is an attribute: a subscript takes ten times as long.
        custom = before.custom
        return frozenset(
            [
                key
                for key, value in self.values.items()
                if (custom[key] if key in custom else getattr(before, key)) != value
            ]
        )

    def amended(self, **values: Any) -> "Change":
        """The same change with other values; what the plugin sets is validated like what a person sets."""
        return attrs.evolve(self, values={**self.values, **values})


@attrs.frozen
class Veto:
    """A plugin's refusal of one change: the batch goes on without it, or stops, as the caller asked."""

    row: int
    reason: str
    field: str | None = None
    code: str = "vetoed"
    hint: str | None = None


@attrs.frozen
class Create:
    """A record that is to be made with a change: what a plugin answers to ``crmkit_follow_up``."""

    type_key: str
    values: Mapping[str, Any]


@attrs.frozen
class Update:
    """A record that is to get other values with a change; ``before`` is the record in full, if it was just read."""

    type_key: str
    id: UUID
    values: Mapping[str, Any]
    before: Record | None = None


@attrs.frozen
class Delete:
    """A record that is to go with a change."""

    type_key: str
    id: UUID


@attrs.frozen
class Committed:
    """One record that changed in a committed changeset: the ids to look it up with, never the data itself."""

    kind: Kind
    type_key: str
    id: UUID
    changeset_id: UUID


@attrs.frozen
class Event:
    """Something a committed changeset means to plugins that implement the hook of that name, and what they are told."""

    hook: str
    arguments: Mapping[str, Any]
