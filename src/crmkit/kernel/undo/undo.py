"""Take a changeset back, keeping what others did since."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.kernel.definitions.concurrent import hold_definitions
from crmkit.kernel.definitions.tenant_schema import SCHEMA_TYPES
from crmkit.kernel.definitions.used import used_definitions
from crmkit.kernel.undo.dependencies import is_back, kept_together
from crmkit.kernel.undo.execute import take_back
from crmkit.kernel.undo.in_sets import DECIDING, Together, together
from crmkit.kernel.undo.plan import UndoEntry, UndoResult, UndoStep, plan_undo
from crmkit.kernel.undo.steps import Buckets, Planned
from crmkit.kernel.writes.references import Referrers
from crmkit.records import BASE_OBJECT
from crmkit.sdk.command import Command, command
from crmkit.store.ledger.changesets import Touched
from crmkit.store.read.history import History, RecordChange

__all__ = ["Undo"]


_NOTHING: Mapping[str, Any] = {}


@command("changeset.undo")
class Undo(Command[UndoResult]):
    """``me.undo(changeset_id)``: what the changeset did is taken back, as a changeset of its own.

    The result has three buckets: reverted, kept because somebody edited it since (field by field), and refused with
    the reason (a right is missing, a unique value is taken, something refers to it). Records and fields that the actor
    may not read are left as they are, and not spoken of. A custom field gets values back as it takes them today; those
    it does not take are kept, and so is the definition of a field or an object that others have used since.
    Raises NotFound.
    """

    changeset_id: UUID

    def run(self, me: Any) -> UndoResult:
        me.changesets.get(me.unit, self.changeset_id)
        me.note(self.name)
        outcome = Buckets()
        with me.taking_back(self.changeset_id):
            # Records are written under the definitions there are: those that come back are there before the records,
            # and those that go, go after them.
            touched = me.changesets.extent(me.unit, self.changeset_id)
            defining = any(touched.get(key, (0, 0)) != (0, 0) for key in DEFINING)
            if defining:
                hold_definitions(me, alone=True)
                self._make_room(me, outcome)
                self._undo(me, DEFINING, ("create", "update"), outcome)
            definitions = _definitions(me, self.changeset_id, outcome.reverted) if defining else _Definitions()
            self._undo(me, None, ("create", "update", "delete"), outcome, definitions)
            if defining:
                self._undo(me, DEFINING, ("delete",), outcome)
        return UndoResult(
            self.changeset_id, me.changeset_id, tuple(outcome.reverted), tuple(outcome.kept), tuple(outcome.refused)
        )

    def _make_room(self, me: Any, outcome: "Buckets") -> None:
        """What has the name of a definition that comes back goes first, with the records it was made for."""
        planned, _, _ = _plan(me, self.changeset_id, DEFINING, _Definitions())
        wanted = {_name(p) for p in planned if p.step.action == "create"}
        going = [p for p in planned if p.step.action == "delete" and _name(p) in wanted]
        for type_key in ("custom_field", "custom_object"):
            steps = [p for p in going if p.change.type_key == type_key]
            if steps and type_key == "custom_object":
                self._undo(me, frozenset({BASE_OBJECT, *(p.current.key for p in steps)}), ("delete",), outcome)
            take_back(me, steps, {}, outcome)

    def _undo(
        self,
        me: Any,
        types: frozenset[str] | None,
        actions: tuple[str, ...],
        outcome: "Buckets",
        definitions: "_Definitions | None" = None,
    ) -> None:
        planned, kept, sets = _plan(me, self.changeset_id, types, definitions or _Definitions())
        if "update" in actions:
            gone = {entry.id for entry in outcome.reverted}
            outcome.kept += [entry for entry in kept if entry.id not in gone]
        planned = [p for p in planned if p.step.action in actions]
        take_back(me, planned, sets if "update" in actions else {}, outcome)


DEFINING = SCHEMA_TYPES - {"segment"}


@attrs.frozen
class _Definitions:
    """By record type, the custom fields whose definitions were just set back, which left their values behind, and the
    required ones that the changeset added, whose values go when they go; and the ids of those that are gone.
    """

    left: Mapping[str, frozenset[str]] = _NOTHING
    required: Mapping[str, frozenset[str]] = _NOTHING
    gone: frozenset[str] = frozenset()


def _definitions(me: Any, changeset_id: UUID, reverted: Sequence[UndoEntry]) -> _Definitions:
    ids = [entry.id for entry in reverted if entry.type_key == "custom_field"]
    left = _by_type(me.system_reader.by_ids("custom_field", ids))
    return _Definitions(left, _required(me, changeset_id), frozenset(map(str, ids)))


def _required(me: Any, changeset_id: UUID) -> Mapping[str, frozenset[str]]:
    touched = me.history(trusted=True).touched(changeset_id, {"custom_field"}.__contains__)
    ids = [t.id for found in touched.values() for t in found if t.kind == "create"]
    return _by_type(f for f in me.system_reader.by_ids("custom_field", ids) if f.required)


def _by_type(fields: Iterable[Any]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for field in fields:
        found.setdefault(field.on, set()).add(field.key)
    return {on: frozenset(keys) for on, keys in found.items()}


def _plan(
    me: Any, changeset_id: UUID, types: frozenset[str] | None, definitions: _Definitions
) -> tuple[list[Planned], list[UndoEntry], dict[str, Together]]:
    """The steps for the records of these types, or of all others; what is kept; and what needs no steps, by type."""
    planned: list[Planned] = []
    wanted = (lambda key: key not in DEFINING) if types is None else types.__contains__
    history = me.history(trusted=True, vacated=definitions.left)
    extent = {key: found for key, found in me.changesets.extent(me.unit, changeset_id).items() if wanted(key)}
    sets = _sets(me, changeset_id, extent)
    # Where nothing was touched, or nothing but what is set back at once, there is nothing more to read.
    read = {
        key for key, (made, ended) in extent.items() if made == ended == len(sets[key].fields if key in sets else ())
    }
    touched = history.touched(changeset_id, lambda key: wanted(key) and key not in read)
    single = {key: _besides(found, sets[key]) if key in sets else found for key, found in touched.items()}
    # What one did oneself one knows; to set back what others changed is to show what was.
    known = me.policy.unlimited or me.changesets.get(me.unit, changeset_id).actor_id == me.actor.id
    placed: set[UUID] = set()
    for change, current in history.beside(single, me.system_reader):
        if is_back(me.type_of(change.type_key).together, change, current):
            placed.add(change.id)
        may_know = (
            known or change.before is None or me.judge.allows(change.type_key, "history", current or change.before)
        )
        found = _in_sight(me, change, current, definitions.gone, may_know=may_know)
        if found is not None and (found := _but(found, definitions.required.get(change.type_key))) is not None:
            planned.append(found)
    planned = kept_together(me, _unless_used(me, history, changeset_id, planned), placed)
    kept = [
        UndoEntry(p.change.type_key, p.id, fields, p.step.reason or "edited since")
        for p, fields in _not_set_back(planned, sets)
        if p.step.action == "keep" or p.step.kept
    ]
    return [p for p in planned if p.step.action != "keep"], kept, sets


def _but(planned: Planned, keys: frozenset[str] | None) -> Planned | None:
    """The step without these fields; None if nothing else is in it."""
    step = planned.step
    if not keys or step.action != "update" or keys.isdisjoint(step.values):
        return planned
    values = {key: value for key, value in step.values.items() if key not in keys}
    if values or step.kept:
        return attrs.evolve(planned, step=attrs.evolve(step, action="update" if values else "keep", values=values))
    return None


def _not_set_back(
    planned: Sequence[Planned], sets: Mapping[str, Together]
) -> Iterator[tuple[Planned, tuple[str, ...]]]:
    """The steps with the fields they keep: of a record that the changeset made and changed again after another one did,
    those that differ now because of others.
    """
    back = {p.id: p.step.values for p in planned if p.step.action == "update"}
    for p in planned:
        at_once: Mapping[Any, Any] = sets[p.change.type_key].fields if p.change.type_key in sets else _NOTHING
        own = {*back.get(p.id, ()), *at_once.get(p.id, ())} if p.change.kind == "create" else ()
        yield p, tuple(key for key in p.step.kept if key not in own)


def _sets(me: Any, changeset_id: UUID, extent: Mapping[str, tuple[int, int]]) -> dict[str, Together]:
    """By type, the records that are set back at once: none where an earlier step may change what is allowed."""
    if any(extent[key] != (0, 0) for key in DECIDING & extent.keys()):
        return {}
    updated = [key for key, (made, ended) in extent.items() if made and ended and key in me.schema.types]
    found = {key: together(me.writes(), key, changeset_id) for key in updated}
    return {key: records for key, records in found.items() if records is not None}


def _besides(touched: Sequence[Touched], found: Together) -> list[Touched]:
    """What is not set back at once: other records, and what was done to one of them before another changeset's part."""
    last = {t.id: t for t in touched}
    return [t for t in touched if t.id not in found.fields or last[t.id] is not t]


def _unless_used(me: Any, history: History, changeset_id: UUID, planned: list[Planned]) -> list[Planned]:
    """What others have linked something to since stays, or given values: these would go with it."""
    ids = {p.id for p in planned}
    by_type: dict[str, list[UUID]] = {}
    for p in planned:
        if p.step.action == "delete":
            by_type.setdefault(p.change.type_key, []).append(p.id)
    used: set[UUID] = set()
    for type_key, going in by_type.items():
        for target, link in Referrers(me, me.type_of(type_key), tells=True).attached(going):
            if link.changeset_id != changeset_id and link.id not in ids:
                used.add(target)
    placing = frozenset(me.type_of("custom_field").together)
    moving = [
        p
        for p in planned
        if p.change.type_key == "custom_field" and (p.step.action == "delete" or placing & p.step.values.keys())
    ]
    fields = [(p.current, p.step.action == "delete") for p in moving]
    objects = [p.current for p in planned if p.change.type_key == "custom_object" and p.step.action == "delete"]
    used.update(used_definitions(me, history, changeset_id, fields, objects))
    return [attrs.evolve(p, step=_kept(p)) if p.id in used else p for p in planned]


def _name(planned: Planned) -> tuple[Any, ...]:
    """What no two definitions may have in common."""
    row: Any = planned.change.before or planned.change.after
    return planned.change.type_key, getattr(row, "on", None), row.key


def _kept(planned: Planned) -> UndoStep:
    kept = (*planned.step.values, *planned.step.kept)
    return UndoStep("keep", kept=kept, reason="others have used it since")


def _in_sight(me: Any, change: RecordChange, current: Any, gone: frozenset[str], *, may_know: bool) -> Planned | None:
    """The step as far as the actor may see what there is to do; None if there is nothing."""
    record_type = me.type_of(change.type_key)
    together = frozenset(record_type.together)
    # Of removed fields there are no rights any more: they are spoken of to those who could bring them back.
    removed = me.forms.removed_of(change.type_key) if me.policy.may("custom_field", "create") else _NOTHING
    removed = {name: key for name, key in removed.items() if name not in gone}
    if me.policy.unlimited:
        step = plan_undo(change, current, together=together, removed=removed)
        return None if step is None else Planned(change, step, current)
    row = current or change.before or change.after
    subject = record_type.whole_of(row)
    if subject is not None and _may_change(me, *subject):
        step = plan_undo(change, current)
        return None if step is None else Planned(change, step, current, governed=True)
    if not may_know or not me.judge.sees(change.type_key, row):
        return None

    def readable(key: str) -> bool:
        return bool(me.may_read(change.type_key, key, row))

    step = plan_undo(change, current, readable, together, removed)
    if step is None:
        return None
    told = tuple(key for key in step.kept if key in removed.values() or readable(key))
    return Planned(change, attrs.evolve(step, kept=told), current)


def _may_change(me: Any, type_key: str, record_id: UUID) -> bool:
    record = me.system_reader.get(type_key, record_id) if type_key in me.schema.types else None
    return record is not None and me.judge.sees(type_key, record) and me.judge.allows(type_key, "update", record)
