"""What became of each row of a bulk verb."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal
from uuid import UUID

import attrs

from crmkit.errors import BulkStopped, CrmkitError, Problem, StorageError
from crmkit.sdk.change import Change

__all__ = ["BulkResult", "Outcome", "Raising", "Refusals", "Status", "Tally"]

Status = Literal["created", "updated", "unchanged", "deleted", "refused"]
"""What may become of a row."""


@attrs.frozen
class Outcome:
    """One row: what was done with it, to which record, and if it was refused, why.

    ``id`` is None where no record is known: of a create that was refused, and of a target that is no id.
    """

    row: int
    status: Status
    id: UUID | None = None
    problems: tuple[Problem, ...] = ()


@attrs.frozen(eq=False)
class BulkResult:
    """What a bulk verb did: an outcome for each row in order, and the changeset that undoes it.

    ``changeset_id`` is None when nothing changed, and of a dry run, whose outcomes say what would have been done.
    """

    changeset_id: UUID | None
    dry_run: bool
    _rows: tuple[tuple[int, Status, UUID | None], ...] = attrs.field(repr=False)
    _problems: dict[int, tuple[Problem, ...]] = attrs.field(repr=False)

    @property
    def counts(self) -> Counter[str]:
        """How many rows ended how."""
        return Counter(status for _, status, _ in self._rows)

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """An outcome for each row, in the order of the rows."""
        for row, status, record_id in sorted(self._rows, key=lambda r: r[0]):
            yield Outcome(row, status, record_id, self._problems.get(row, ()))

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """The rows that were refused, with the reasons."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "refused")

    @property
    def ids(self) -> tuple[UUID, ...]:
        """The ids of the records that were created, updated, found unchanged or deleted, in the order of the rows."""
        done = (row for row in sorted(self._rows, key=lambda r: r[0]) if row[1] != "refused")
        return tuple(record_id for _, _, record_id in done if record_id is not None)

    def __len__(self) -> int:
        return len(self._rows)


@attrs.define
class Tally:
    """Collects outcomes while a bulk verb runs; with ``stop`` the first refusal ends it."""

    stop: bool = False
    rows: list[tuple[int, Status, UUID | None]] = attrs.field(factory=list)
    problems: dict[int, tuple[Problem, ...]] = attrs.field(factory=dict)
    held: dict[int, tuple[CrmkitError, UUID]] = attrs.field(factory=dict)
    """The rows that are refused unless other rows, which are not done yet, change that: why, and the record."""
    last: Change | None = None
    """The last change that was written."""

    def did(self, row: int, status: Status, record_id: UUID | None) -> None:
        """The row was done."""
        self.rows.append((row, status, record_id))

    def refuse(self, row: int, error: CrmkitError, record_id: UUID | None = None) -> None:
        """The row, of that record if one is known, was refused. Raises BulkStopped if the verb was told to stop, and
        the error if the database failed: that says nothing of the row.
        """
        if isinstance(error, StorageError):
            try:
                raise error
            finally:
                del error
        problems = tuple(p.at(row=row) for p in error.problems)
        if self.stop:
            raise BulkStopped(problems) from error
        self.rows.append((row, "refused", record_id))
        self.problems[row] = problems

    def mark(self) -> Any:
        """Where the tally stands; see ``back_to``."""
        return len(self.rows), self.last

    def back_to(self, mark: Any) -> None:
        """Forget what became of rows since then: what was done is undone."""
        number, self.last = mark
        for row, _, _ in self.rows[number:]:
            self.problems.pop(row, None)
        del self.rows[number:]

    def hold(self, row: int, error: CrmkitError, record_id: UUID) -> None:
        """The row is refused unless other rows change that."""
        self.held[row] = error, record_id

    def let_go(self) -> None:
        """No other row is to come: what was held is refused. Raises as ``refuse``."""
        held, self.held = self.held, {}
        for row, (error, record_id) in sorted(held.items(), key=lambda item: item[0]):
            self.refuse(row, error, record_id)

    def result(self, changeset_id: UUID | None, dry_run: bool) -> BulkResult:
        """What was collected."""
        return BulkResult(changeset_id, dry_run, tuple(self.rows), self.problems)


@attrs.define
class Refusals(Tally):
    """The tally of what follows from other rows, which are told why it did not happen: the errors, by record."""

    errors: dict[UUID, CrmkitError] = attrs.field(factory=dict)

    def refuse(self, row: int, error: CrmkitError, record_id: UUID | None = None) -> None:
        """The record was refused. Raises the error if the database failed."""
        Tally.refuse(self, row, error, record_id)
        if record_id is not None:
            # Without the frames it came through, one of which holds this tally: see Raising.
            self.errors.setdefault(record_id, error.alone().with_traceback(None))


@attrs.define
class Raising(Tally):
    """The tally of what happens as a whole or not at all: a refusal is raised as it is, without a row."""

    def refuse(self, row: int, error: CrmkitError, record_id: UUID | None = None) -> None:
        """Raises the error."""
        try:
            raise error.alone() from None
        finally:
            # Its traceback leads to this frame, which must not lead back to it: a session that is dropped is let go.
            del error

    def hold(self, row: int, error: CrmkitError, record_id: UUID) -> None:
        """Raises the error."""
        try:
            self.refuse(row, error, record_id)
        finally:
            del error
