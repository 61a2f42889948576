"""Take a changeset back, keeping what others did since."""

from typing import Any
from uuid import UUID

import attrs

from crmkit.app.loading import SCHEMA_TYPES
from crmkit.app.outcomes import Tally
from crmkit.errors import Problem
from crmkit.history import RecordChange, UndoEntry, UndoResult, UndoStep, plan_undo
from crmkit.sdk.command import Command, command

__all__ = ["Undo"]

_Planned = tuple[RecordChange, UndoStep]


@command("changeset.undo")
class Undo(Command[UndoResult]):
    """``me.undo(changeset_id)``: what the changeset did is taken back, as a changeset of its own.

    The result has three buckets: reverted, kept because somebody edited it since (field by field), and refused with
    the reason (a right is missing, a unique value is taken, something refers to it). Records and fields that the actor
    may not read are left as they are, and not spoken of. Raises NotFound.
    """

    changeset_id: UUID

    def run(self, me: Any) -> UndoResult:
        me.changesets.get(me.unit, self.changeset_id)
        me.note(self.name, undoes=self.changeset_id)
        outcome = _Buckets()
        # Values are read under the definitions they were written under: definitions that come back are there before
        # the records, and those that go, go after them.
        self._undo(me, DEFINING, ("create", "update"), outcome)
        self._undo(me, None, ("create", "update", "delete"), outcome)
        self._undo(me, DEFINING, ("delete",), outcome)
        return UndoResult(
            self.changeset_id, me.changeset_id, tuple(outcome.reverted), tuple(outcome.kept), tuple(outcome.refused)
        )

    def _undo(self, me: Any, types: frozenset[str] | None, actions: tuple[str, ...], outcome: "_Buckets") -> None:
        planned, kept = _plan(me, self.changeset_id, types)
        if "update" in actions:
            outcome.kept += kept
        # What comes back must be there before what refers to it, and what goes must go after.
        order = {key: i for i, key in enumerate(me.schema.types)}
        for action in actions:
            by_type: dict[str, list[_Planned]] = {}
            for change, step in planned:
                if step.action == action:
                    by_type.setdefault(change.type_key, []).append((change, step))
            for type_key in sorted(by_type, key=order.__getitem__, reverse=action == "delete"):
                _apply(me, type_key, action, by_type[type_key], outcome)


DEFINING = SCHEMA_TYPES - {"segment"}


@attrs.define
class _Buckets:
    reverted: list[UndoEntry] = attrs.field(factory=list)
    kept: list[UndoEntry] = attrs.field(factory=list)
    refused: list[UndoEntry] = attrs.field(factory=list)


def _plan(me: Any, changeset_id: UUID, types: frozenset[str] | None) -> tuple[list[_Planned], list[UndoEntry]]:
    """The steps for the records of these types, or of all others."""
    planned: list[_Planned] = []
    kept: list[UndoEntry] = []
    wanted = (lambda key: key not in DEFINING) if types is None else types.__contains__
    changes = list(me.history(trusted=True).changes(changeset_id, wanted))
    by_type: dict[str, list[UUID]] = {}
    for change in changes:
        by_type.setdefault(change.type_key, []).append(change.id)
    current = {r.id: r for key, ids in by_type.items() for r in me.system_reader.by_ids(key, ids)}
    for change in changes:
        step = _in_sight(me, change, current.get(change.id))
        if step is None:
            continue
        if step.action != "keep":
            planned.append((change, step))
        if step.action == "keep" or step.kept:
            kept.append(UndoEntry(change.type_key, change.id, step.kept, step.reason or "edited since"))
    return planned, kept


def _in_sight(me: Any, change: RecordChange, current: Any) -> UndoStep | None:
    """The step as far as the actor may see what there is to do; None if there is nothing."""
    if me.policy.unlimited:
        return plan_undo(change, current)
    row = current or change.before or change.after
    if not me.judge.sees(change.type_key, row):
        return None

    def readable(key: str) -> bool:
        return bool(me.may_read(change.type_key, key, row))

    if change.kind == "update":
        change = attrs.evolve(change, fields=tuple(f for f in change.fields if readable(f.key)))
        if not change.fields:
            return None
    step = plan_undo(change, current)
    return attrs.evolve(step, kept=tuple(filter(readable, step.kept)))


def _apply(me: Any, type_key: str, action: str, steps: list[_Planned], outcome: _Buckets) -> None:
    """Does the steps, and those that were refused again as long as that helps: records may refer to one another."""
    refused: dict[int, tuple[Problem, ...]] = {}
    while steps:
        refused = _tried(me, type_key, action, steps)
        for i, (change, step) in enumerate(steps):
            if i not in refused:
                fields = tuple(step.values) if action == "update" else ()
                outcome.reverted.append(UndoEntry(type_key, change.id, fields, _REVERTED[action]))
        if len(refused) == len(steps):
            break
        steps = [steps[i] for i in refused]
    for i, (change, step) in enumerate(steps):
        fields = tuple(step.values) if action == "update" else ()
        reason = "; ".join(p.message for p in refused[i])
        outcome.refused.append(UndoEntry(type_key, change.id, fields, reason, refused[i]))


def _tried(me: Any, type_key: str, action: str, steps: list[_Planned]) -> dict[int, tuple[Problem, ...]]:
    tally = Tally()
    writes = me.writes()
    if action == "create":
        writes.restore(type_key, [(i, change.before) for i, (change, _) in enumerate(steps)], tally)
    elif action == "update":
        writes.update(type_key, [(i, change.id, step.values) for i, (change, step) in enumerate(steps)], tally)
    else:
        writes.delete(type_key, [(i, change.id) for i, (change, _) in enumerate(steps)], tally)
    return tally.problems


_REVERTED = {"create": "brought back", "update": "set back", "delete": "deleted again"}
