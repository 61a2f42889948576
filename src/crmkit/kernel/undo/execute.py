"""The steps of an undo taken as a whole: what there is after all of them must be consistent, not after each.

Records come back first, each after what it refers to; then fields are set back; then records go, each after what refers
to it. Where a unique value is handed on, whoever holds it makes way before. What could be written only because of
another step that is then refused is taken off again, and the rest done anew without the two of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InputError, Problem
from crmkit.kernel.definitions.tenant_schema import SCHEMA_TYPES
from crmkit.kernel.undo.dependencies import riders, standing
from crmkit.kernel.undo.in_sets import Together
from crmkit.kernel.undo.plan import UndoEntry
from crmkit.kernel.undo.steps import Buckets, Planned, by_type
from crmkit.kernel.undo.unique_handover import Holder, holders, set_aside
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.references import AtOnce
from crmkit.kernel.writes.results import Tally

__all__ = ["take_back"]

_VERB = "changeset.undo"
_REVERTED = {"create": "brought back", "update": "set back", "delete": "deleted again"}
_ACTIONS = ("create", "update", "delete")

Problems = tuple[Problem, ...]


def take_back(me: Any, planned: Sequence[Planned], sets: Mapping[str, Together], outcome: Buckets) -> None:
    """Does the steps, and says what came of each."""
    refused: dict[UUID, Problems] = {}
    way = holders(me, planned)
    together = standing(me, planned, way)
    while True:
        attempt = _Attempt.of(me, planned, sets, refused, way, together)
        try:
            with me.doing(_VERB):
                attempt.run()
                if spoilt := attempt.spoilt():
                    raise _Again(spoilt)
        except _Again as again:
            refused |= again.spoilt
        else:
            break
    outcome.reverted += attempt.reverted
    for p in planned if attempt.refused else ():
        if p.id in attempt.refused:
            problems = attempt.refused[p.id]
            outcome.refused.append(p.entry("; ".join(problem.message for problem in problems), problems))


class _Again(Exception):
    """Ends an attempt, which has shown what must not be tried."""

    def __init__(self, spoilt: dict[UUID, Problems]) -> None:
        self.spoilt = spoilt


@attrs.define
class _Attempt:
    """One attempt to take the steps, but for those that are refused already."""

    me: Any
    steps: Sequence[Planned]
    sets: Mapping[str, Together]
    refused: dict[UUID, Problems]
    way: Sequence[Holder]
    standing: Mapping[UUID, set[UUID]]
    """By record, those without which it is not taken back."""
    riders: Mapping[UUID, set[UUID]]
    """By link, the records that go and take it with them."""
    at_once: AtOnce
    reverted: list[UndoEntry] = attrs.field(factory=list)
    done: set[UUID] = attrs.field(factory=set)
    aside: set[UUID] = attrs.field(factory=set)

    @classmethod
    def of(
        cls,
        me: Any,
        planned: Sequence[Planned],
        sets: Mapping[str, Together],
        refused: Mapping[UUID, Problems],
        way: Sequence[Holder],
        standing: Mapping[UUID, set[UUID]],
    ) -> "_Attempt":
        steps = [p for p in planned if p.id not in refused] if refused else planned
        way = [holder for holder in way if holder.planned.id not in refused and holder.heirs - refused.keys()]
        coming = {key: {p.id for p in found if p.step.action == "create"} for key, found in by_type(steps).items()}
        at_once = AtOnce(coming, {p.id for p in steps if p.step.action == "delete"})
        return cls(me, steps, sets, dict(refused), way, standing, riders(me, steps), at_once)

    def run(self) -> None:
        self._make_way()
        # What comes back must be there before what refers to it, and what goes must go after: links last, and first.
        order = {key: (t.link, i) for i, (key, t) in enumerate(self.me.schema.types.items())}
        riders = [p for p in self.steps if p.id in self.riders] if self.riders else []
        others = [p for p in self.steps if p.id not in self.riders] if riders else self.steps
        for action in _ACTIONS:
            found = by_type(p for p in others if p.step.action == action)
            keys = {*found, *(self.sets if action == "update" else ())}
            for type_key in sorted(keys, key=order.__getitem__, reverse=action == "delete"):
                if action == "update" and type_key in self.sets:
                    self._set_back(self.sets[type_key])
                self._take(type_key, action, found.get(type_key, ()))
        for p in riders:
            self._ride(p)

    def spoilt(self) -> dict[UUID, Problems]:
        """The steps that must not be tried again, since what relied on them was done."""
        found = {i: self.refused[i] for i in self.refused.keys() & (self.at_once.relied | self.aside)}
        for record_id in self.done & self.standing.keys():
            others = self.standing[record_id] & self.refused.keys()
            if others:
                found |= {record_id: _ALONE, **{i: self.refused[i] for i in others}}
        return found

    def _set_back(self, found: Together) -> None:
        found.do()
        for record_id, fields in found.fields.items():
            self.reverted.append(UndoEntry(found.back.type.key, record_id, fields, _REVERTED["update"]))

    def _make_way(self) -> None:
        """Whoever holds what others get back gives it up first; or it is set aside for as long as that takes."""
        making = {holder.planned.id: holder.planned for holder in self.way if holder.planned.id not in self.riders}
        for action in ("delete", "update"):
            for type_key, steps in by_type(p for p in making.values() if p.step.action == action).items():
                self._take(type_key, action, steps, at_last=False)
        left = [holder for holder in self.way if holder.planned.id in making.keys() - self.done]
        for type_key in dict.fromkeys(holder.planned.change.type_key for holder in left):
            found = [holder for holder in left if holder.planned.change.type_key == type_key]
            self.aside |= set_aside(WritePath(self.me, trusted=True), type_key, found)

    def _take(self, type_key: str, action: str, steps: Iterable[Planned], *, at_last: bool = True) -> None:
        for governed in (False, True):
            left = [p for p in steps if p.governed is governed]
            if self.done:
                left = [p for p in left if p.id not in self.done]
            alone = (
                {p.id for p in left if self.standing.get(p.id, _NOBODY) & self.refused.keys()} if self.refused else ()
            )
            ready = [p for p in left if p.id not in alone] if alone else left
            refused = self._tried_again(type_key, action, ready, governed)
            done = [p for p in ready if p.id not in refused] if refused else ready
            self.done.update(p.id for p in done)
            self.reverted += [p.entry(_REVERTED[action]) for p in done]
            if at_last:
                self._refuse({**refused, **dict.fromkeys(alone, _ALONE)})

    def _refuse(self, problems: Mapping[UUID, Problems]) -> None:
        self.refused |= problems
        for record_id in problems:
            self.at_once.fails(record_id)

    def _ride(self, rider: Planned) -> None:
        if self.riders[rider.id] & self.done:
            self.done.add(rider.id)
            self.reverted.append(rider.entry(_REVERTED["delete"]))
        else:
            self._refuse({rider.id: _ALONE})

    def _tried_again(self, type_key: str, action: str, steps: list[Planned], governed: bool) -> dict[UUID, Problems]:
        """Does the steps, and those that were refused again as long as that helps; returns the others."""
        refused: dict[UUID, Problems] = {}
        # What other steps have changed meanwhile is refused for its version, and read again.
        known = {p.current.id: p.current for p in steps if p.current is not None and p.id not in self.aside}
        do = self._singly if type_key in SCHEMA_TYPES else self._tried
        while steps:
            refused = do(type_key, action, steps, governed, known)
            if len(refused) == len(steps) and not known:
                break
            steps, known = [p for p in steps if p.id in refused], {}
        return refused

    def _singly(
        self, type_key: str, action: str, steps: list[Planned], governed: bool, known: Mapping[UUID, Any]
    ) -> dict[UUID, Problems]:
        """One step after the other: that something depends on a definition shows only when it is changed."""
        refused: dict[UUID, Problems] = {}
        for p in steps:
            try:
                with self.me.doing(_VERB):
                    refused |= self._tried(type_key, action, [p], governed, known)
            except InputError as error:
                refused[p.id] = error.problems
        return refused

    def _tried(
        self, type_key: str, action: str, steps: list[Planned], governed: bool, known: Mapping[UUID, Any]
    ) -> dict[UUID, Problems]:
        writes, tally = WritePath(self.me, governed, self.at_once), Tally()
        if action == "create":
            lost: list[Any] = [(p.change.before, p.change.ended) for p in steps]
            writes.restore(type_key, enumerate(lost), tally)
        elif action == "update":
            writes.update(type_key, [(i, p.id, p.step.values) for i, p in enumerate(steps)], tally, known=known)
        else:
            writes.delete(type_key, [(i, p.id) for i, p in enumerate(steps)], tally, known=known)
        return {steps[i].id: problems for i, problems in tally.problems.items()}


_NOBODY: frozenset[UUID] = frozenset()
_ALONE: Problems = (
    Problem("not_alone", "it stays as it is together with another record", hint="see why that was refused"),
)
