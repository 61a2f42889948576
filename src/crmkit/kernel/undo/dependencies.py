"""What an undo takes back together or not at all, since one means nothing, or does not hold, without the other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.undo.plan import UndoStep
from crmkit.kernel.undo.steps import Planned, by_type
from crmkit.kernel.undo.unique_handover import Holder
from crmkit.query.lift import equal_to
from crmkit.schema import RecordType
from crmkit.schema.types import Reference
from crmkit.store.read.history import RecordChange
from crmkit.store.write.locks import lock

__all__ = ["is_back", "kept_together", "riders", "standing"]


def kept_together(me: Work, planned: Sequence[Planned], placed: set[UUID]) -> list[Planned]:
    """The steps, of which what goes with something kept is kept as well; ``is_back`` says which wholes are placed."""
    found = _with_their_wholes(me, _with_what_they_belong_to(me, planned), placed)
    return _without_rivals(me, _with_all_that_adds_up(me, found))


def riders(me: Work, steps: Sequence[Planned]) -> dict[UUID, set[UUID]]:
    """By link that goes, the records it belongs to which go and take it with them."""
    links = [p for key, found in by_type(steps).items() if me.type_of(key).link for p in found if _goes(p)]
    going = {p.id: p for p in steps if _goes(p)} if links else {}
    found = ((p.id, _belonging(me, p, going)) for p in links)
    return {record_id: owners for record_id, owners in found if owners}


def standing(me: Work, planned: Sequence[Planned], way: Sequence[Holder]) -> dict[UUID, set[UUID]]:
    """By record, those without which it must not be taken back, if one of them is refused: all parts that add up; what
    a whole is, of the parts that track it; what was there before, of what took its place; and what a link says
    something about, of the link and of what it leads to.
    """
    found: dict[UUID, set[UUID]] = {}
    steps = by_type(planned)
    for part in _parts(me, steps):
        if part.adds_up is not None:
            for together in _by_whole(part, steps[part.key]).values():
                found |= {p.id: {other.id for other in together} for p in together}
        if part.tracks is not None:
            whole, placing = _tracked(me, part)
            moved = {p.id for p in steps.get(whole, ()) if placing & p.step.values.keys()}
            for whole_id, together in _by_whole(part, steps[part.key]).items():
                found |= {p.id: {whole_id} for p in together if whole_id in moved}
    for holder in way:
        if holder.planned.step.action == "delete":
            found[holder.planned.id] = found.get(holder.planned.id, set()) | holder.heirs
    owned = riders(me, planned)
    going = {p.id for p in planned if _goes(p)} if owned else set()
    for p in planned if owned else ():
        subject = _subject(me, p)
        if subject is not None and subject in owned.get(p.id, ()):
            for other in {p.id} | _joined(me, p) & going - {subject}:
                found.setdefault(other, set()).add(subject)
    return found


def _kept(planned: Planned, reason: str) -> Planned:
    kept = (*planned.step.values, *planned.step.kept)
    return attrs.evolve(planned, step=UndoStep("keep", kept=kept, reason=reason))


def _goes(planned: Planned) -> bool:
    return planned.step.action == "delete"


def _row(planned: Planned) -> Any:
    return planned.current or planned.change.after or planned.change.before


# --------------------------------------------------------------------------------------------- what records belong to


def _joined(me: Work, link: Planned) -> set[UUID]:
    record_type, row = me.type_of(link.change.type_key), _row(link)
    return {row[f.key] for f in record_type.fields if isinstance(f.type, Reference) and not f.type.holds}


def _belonging(me: Work, link: Planned, others: Mapping[UUID, Planned]) -> set[UUID]:
    """Which of the others a link belongs to: what it says something about, and the list it is in; or all it joins."""
    joined, subject = _joined(me, link) & others.keys(), _subject(me, link)
    if subject is None:
        return joined
    return {i for i in joined if i == subject or getattr(_row(others[i]), "listed", False)}


def _subject(me: Work, planned: Planned) -> UUID | None:
    whole = me.type_of(planned.change.type_key).whole_of(_row(planned))
    return None if whole is None else whole[1]


def _with_what_they_belong_to(me: Work, planned: Sequence[Planned]) -> list[Planned]:
    """A link that was made with a record stays with it; with what it says something about, so does what it leads to."""
    links = [p for key, found in by_type(planned).items() if me.type_of(key).link for p in found if _goes(p)]
    if not links:
        return list(planned)
    made = {p.id: p for p in planned if p.change.kind == "create"}
    going = {i for i, p in made.items() if _goes(p)}
    while True:
        staying: set[UUID] = set()
        for link in links:
            if link.id in going:
                owners = _belonging(me, link, made)
                if _subject(me, link) in owners - going:
                    staying |= {link.id} | _joined(me, link) & going
                elif owners and not owners & going:
                    staying.add(link.id)
        if not staying:
            break
        going -= staying
        made |= {i: _kept(made[i], "it belongs to what stays") for i in staying}
    return [made[p.id] if p.change.kind == "create" else p for p in planned]


# ----------------------------------------------------------------------------------------------- of parts and wholes


def is_back(together: Sequence[str], change: RecordChange, current: Any) -> bool:
    """Whether fields that change together are as they were before and after; in between, they may have been others."""
    before, after = change.before, change.after
    if not together or before is None or after is None or current is None:
        return False
    return all(before[key] == after[key] == current[key] for key in together)


def _parts(me: Work, steps: Mapping[str, Sequence[Planned]]) -> list[RecordType]:
    """The types of parts among the steps, of whose parts something holds in common."""
    found = (me.type_of(key) for key in steps)
    return [part for part in found if part.adds_up or part.exclusive or part.tracks]


def _tracked(me: Work, part: RecordType) -> tuple[str, frozenset[str]]:
    """The type of the wholes of which such parts track a field, and the fields that change together with it."""
    whole = me.type_of(_reference(part).to)
    return whole.key, frozenset({part.tracks or "", *whole.together})


def _reference(part: RecordType) -> Reference:
    """The reference of a part to its whole."""
    found = part.part_of
    if found is None or not isinstance(found.type, Reference):
        raise AssertionError(f"{part.key} is no part")
    return found.type


def _by_whole(part: RecordType, planned: Iterable[Planned]) -> dict[UUID, list[Planned]]:
    """The steps of parts by the id of their whole."""
    found: dict[UUID, list[Planned]] = {}
    for p in planned:
        whole = part.whole_of(_row(p))
        if whole is not None:
            found.setdefault(whole[1], []).append(p)
    return found


def _with_their_wholes(me: Work, planned: Sequence[Planned], placed: set[UUID]) -> list[Planned]:
    """Parts that track a field are taken back with it, or not at all; wholes are ``placed`` as they were already, if
    nobody has changed any of it.
    """
    steps = by_type(planned)
    left: dict[UUID, str] = {}
    for part in _parts(me, steps):
        if part.tracks is None:
            continue
        whole, placing = _tracked(me, part)
        been = _by_whole(part, steps[part.key])
        moved = {p.id for p in steps.get(whole, ()) if _moves(p, placing)}
        moved |= placed - {i for i, stays in been.items() if any(p.step.action == "keep" for p in stays)}
        reason = f"{part.tracks} of the {me.type_of(whole).label.lower()} was changed since"
        alone = (p for i, stays in been.items() if i not in moved for p in stays if p.step.action != "keep")
        left |= {p.id: reason for p in alone}
    return [_kept(p, left[p.id]) if p.id in left else p for p in planned]


def _moves(planned: Planned, placing: frozenset[str]) -> bool:
    return planned.step.action in ("create", "delete") or bool(placing & planned.step.values.keys())


def _with_all_that_adds_up(me: Work, planned: list[Planned]) -> list[Planned]:
    """Parts that add up all come back, or none."""
    steps = by_type(planned)
    left: dict[UUID, str] = {}
    for part in _parts(me, steps):
        if part.adds_up is None or part.part_of is None:
            continue
        parts = _by_whole(part, steps[part.key])
        anew = {i for i, found in parts.items() if any(p.step.action == "keep" for p in found)}
        back = sorted(i for i, found in parts.items() if any(p.step.action == "create" for p in found))
        known = {p.id for found in parts.values() for p in found}
        wholes = [(_reference(part).to, i) for i in back]
        anew |= {now[part.part_of.key] for now in _beside(me, part.key, part.part_of.key, wholes, known)}
        reason = f"other {part.plural.replace('_', ' ')} were made since"
        left |= {p.id: reason for i in anew for p in parts[i] if p.step.action != "keep"}
    return [_kept(p, left[p.id]) if p.id in left else p for p in planned]


def _beside(me: Work, type_key: str, field: str, of: Sequence[tuple[str, UUID]], known: set[UUID]) -> list[Any]:
    """The records that refer to these (type, id) but for the known ones. Nobody adds any until this is committed."""
    for subject, record_id in of:
        lock(me.system_reader, subject, equal_to("id", record_id))
    found = me.system_reader.referring(type_key, field, [record_id for _, record_id in of])
    return [r for r in found if r.id not in known]


# ------------------------------------------------------------------------------------- of parts that exclude each other


def _without_rivals(me: Work, planned: list[Planned]) -> list[Planned]:
    """Of parts that exclude each other one is there: what came since stays, and the other does not come back."""
    left: dict[UUID, str] = {}
    for part in _parts(me, by_type(planned)):
        if part.exclusive is not None and part.part_of is not None:
            by, group = part.exclusive
            rivals = _rivals(me, planned, part, by, group)
            left |= dict.fromkeys(rivals, f"another {by} of its {group} was put on since")
    return [_kept(p, left[p.id]) if p.id in left else p for p in planned]


def _rivals(me: Work, planned: list[Planned], part: RecordType, by: str, group: str) -> set[UUID]:
    """The parts that come back to a whole that has another one of their group by now."""
    to = part.by_key[by].type
    whole = part.part_of
    if not isinstance(to, Reference) or whole is None:
        return set()
    back = [p for p in planned if p.change.type_key == part.key and p.step.action == "create"]
    groups = _groups(me, planned, to.to, group, {_row(p)[by] for p in back})
    back = [p for p in back if groups.get(_row(p)[by]) is not None]
    going = {p.id for p in planned if p.step.action == "delete"}
    wholes = sorted({found for p in back if (found := part.whole_of(_row(p))) is not None})
    there = _beside(me, part.key, whole.key, wholes, going)
    groups |= _groups(me, (), to.to, group, {t[by] for t in there} - groups.keys())
    taken = {(t[whole.key], groups.get(t[by])) for t in there}
    return {p.id for p in back if (_row(p)[whole.key], groups[_row(p)[by]]) in taken}


def _groups(me: Work, planned: Iterable[Planned], type_key: str, group: str, ids: set[UUID]) -> dict[UUID, str | None]:
    """The groups of records, and of those that come back."""
    back = {p.id: _row(p)[group] for p in planned if p.change.type_key == type_key and p.step.action == "create"}
    return back | {record.id: record[group] for record in me.system_reader.by_ids(type_key, sorted(ids))}
