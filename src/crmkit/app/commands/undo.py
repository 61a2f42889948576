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

_Planned = tuple[RecordChange, UndoStep, Any]
"""A change, what to do about it, and the record as it is now."""


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
            for one in planned:
                if one[1].action == action:
                    by_type.setdefault(one[0].type_key, []).append(one)
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
    for change, current in me.history(trusted=True).beside(changeset_id, me.system_reader, wanted):
        step = _in_sight(me, change, current)
        if step is None:
            continue
        if step.action != "keep":
            planned.append((change, step, current))
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

    step = plan_undo(change, current, readable)
    if step is None:
        return None
    return attrs.evolve(step, kept=tuple(filter(readable, step.kept))) if step.kept else step


def _apply(me: Any, type_key: str, action: str, steps: list[_Planned], outcome: _Buckets) -> None:
    """Does the steps, and those that were refused again as long as that helps: records may refer to one another."""
    refused: dict[int, tuple[Problem, ...]] = {}
    # What other steps have changed meanwhile is refused for its version, and read again.
    known = {current.id: current for _, _, current in steps if current is not None}
    while steps:
        refused = _tried(me, type_key, action, steps, known)
        for i, (change, step, _) in enumerate(steps):
            if i not in refused:
                fields = tuple(step.values) if action == "update" else ()
                outcome.reverted.append(UndoEntry(type_key, change.id, fields, _REVERTED[action]))
        if len(refused) == len(steps) and not known:
            break
        steps, known = [steps[i] for i in refused], {}
    for i, (change, step, _) in enumerate(steps):
        fields = tuple(step.values) if action == "update" else ()
        reason = "; ".join(p.message for p in refused[i])
        outcome.refused.append(UndoEntry(type_key, change.id, fields, reason, refused[i]))


def _tried(
    me: Any, type_key: str, action: str, steps: list[_Planned], known: dict[UUID, Any]
) -> dict[int, tuple[Problem, ...]]:
    tally = Tally()
    writes = me.writes()
    if action == "create":
        writes.restore(type_key, [(i, change.before) for i, (change, _, _) in enumerate(steps)], tally)
    elif action == "update":
        values = [(i, change.id, step.values) for i, (change, step, _) in enumerate(steps)]
        writes.update(type_key, values, tally, known=known)
    else:
        writes.delete(type_key, [(i, change.id) for i, (change, _, _) in enumerate(steps)], tally, known=known)
    return tally.problems


_REVERTED = {"create": "brought back", "update": "set back", "delete": "deleted again"}
