"""What an undo is about to do, record by record, and what came of it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import Problem
from crmkit.kernel.undo.plan import UndoEntry, UndoStep
from crmkit.store.read.history import RecordChange

__all__ = ["Buckets", "Planned", "by_type"]


@attrs.frozen
class Planned:
    """A change, the step that takes it back, and the record as it is now.

    It is ``governed`` if the right to the record it is about allows it.
    """

    change: RecordChange
    step: UndoStep
    current: Any
    governed: bool = False

    @property
    def id(self) -> UUID:
        """The record's."""
        return self.change.id

    def entry(self, reason: str, problems: tuple[Problem, ...] = ()) -> UndoEntry:
        """The step in the result."""
        fields = tuple(self.step.values) if self.step.action == "update" else ()
        return UndoEntry(self.change.type_key, self.change.id, fields, reason, problems)


@attrs.define
class Buckets:
    """The buckets of an undo while it runs."""

    reverted: list[UndoEntry] = attrs.field(factory=list)
    kept: list[UndoEntry] = attrs.field(factory=list)
    refused: list[UndoEntry] = attrs.field(factory=list)


def by_type(planned: Iterable[Planned]) -> dict[str, list[Planned]]:
    """The steps by the key of the record type."""
    found: dict[str, list[Planned]] = {}
    for p in planned:
        found.setdefault(p.change.type_key, []).append(p)
    return found
