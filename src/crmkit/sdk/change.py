"""What hooks see of a change."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

import attrs

from crmkit.schema import Record

__all__ = ["Change", "Committed", "Veto"]

Kind = Literal["create", "update", "delete"]


@attrs.frozen
class Change:
    """One record about to change, inside the transaction.

    ``before`` is the record as it is (None for a create). ``values`` holds every field as it will be (empty for a
    delete); ``given`` names the fields somebody set. ``row`` is its index in the batch.
    """

    kind: Kind
    type_key: str
    id: UUID
    before: Record | None
    values: Mapping[str, Any]
    given: frozenset[str]
    row: int

    @property
    def changed(self) -> frozenset[str]:
        """The fields whose value differs from before."""
        if self.before is None:
            return frozenset(key for key, value in self.values.items() if value is not None)
        return frozenset(key for key, value in self.values.items() if self.before[key] != value)

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
class Committed:
    """One record that changed in a committed changeset: the ids to look it up with, never the data itself."""

    kind: Kind
    type_key: str
    id: UUID
    changeset_id: UUID
