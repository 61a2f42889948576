"""What an undo takes back together or not at all, since one means nothing, or does not hold, without the other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.undo.plan import UndoStep
from crmkit.kernel.undo.steps import Planned, by_type
from crmkit.kernel.undo.unique_handover import Holder
from crmkit.kernel.writes.parts import PLACE, subject_of
from crmkit.query.lift import equal_to
from crmkit.schema.types import Reference
from crmkit.store.read.history import RecordChange
from crmkit.store.write.locks import lock

__all__ = ["is_back", "kept_together", "riders", "standing"]


def kept_together(me: Work, planned: Sequence[Planned], placed: set[UUID]) -> list[Planned]:
    """The steps, of which what goes with something kept is kept as well; of deals ``is_back`` says which are placed."""
    found = _with_their_deals(_with_what_they_belong_to(me, planned), placed)
    return _without_rivals(me, _with_all_shares(me, found))


def riders(me: Work, steps: Sequence[Planned]) -> dict[UUID, set[UUID]]:
    """By link that goes, the records it belongs to which go and take it with them."""
    links = [p for key, found in by_type(steps).items() if me.type_of(key).link for p in found if _goes(p)]
    going = {p.id: p for p in steps if _goes(p)} if links else {}
    found = ((p.id, _belonging(me, p, going)) for p in links)
    return {record_id: owners for record_id, owners in found if owners}


def standing(me: Work, planned: Sequence[Planned], way: Sequence[Holder]) -> dict[UUID, set[UUID]]:
    """By record, those without which it must not be taken back, if one of them is refused: all shares of a deal; where
    it is, of where it has been; what was there before, of what took its place; and what a link says something about, of
    the link and of what it leads to.
    """
    found: dict[UUID, set[UUID]] = {}
    steps = by_type(planned)
    for together in _by_deal(steps.get("deal_split", ())).values():
        found |= {p.id: {other.id for other in together} for p in together}
    moved = {p.id for p in steps.get("deal", ()) if PLACE & p.step.values.keys()}
    for deal, together in _by_deal(steps.get("stage_interval", ())).items():
        found |= {p.id: {deal} for p in together if deal in moved}
    for holder in way:
        if holder.planned.step.action == "delete":
            found[holder.planned.id] = found.get(holder.planned.id, set()) | holder.heirs
    owned = riders(me, planned)
    going = {p.id for p in planned if _goes(p)} if owned else set()
    for p in planned if owned else ():
        subject = _subject(p)
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
    joined, subject = _joined(me, link) & others.keys(), _subject(link)
    if subject is None:
        return joined
    return {i for i in joined if i == subject or getattr(_row(others[i]), "listed", False)}


def _subject(planned: Planned) -> UUID | None:
    subject = subject_of(planned.change.type_key, _row(planned))
    return None if subject is None else subject[1]


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
                if _subject(link) in owners - going:
                    staying |= {link.id} | _joined(me, link) & going
                elif owners and not owners & going:
                    staying.add(link.id)
        if not staying:
            break
        going -= staying
        made |= {i: _kept(made[i], "it belongs to what stays") for i in staying}
    return [made[p.id] if p.change.kind == "create" else p for p in planned]


# ----------------------------------------------------------------------------------------------------------- of deals


def is_back(change: RecordChange, current: Any) -> bool:
    """Whether a deal is where it was before and after; in between, it may have been elsewhere."""
    before, after = change.before, change.after
    if before is None or after is None or current is None:
        return False
    return all(before[key] == after[key] == current[key] for key in PLACE)


def _with_their_deals(planned: Sequence[Planned], placed: set[UUID]) -> list[Planned]:
    """Where a deal has been is taken back with where it is, or not at all; where it is ``placed`` as it was already, if
    nobody has changed any of it.
    """
    steps = by_type(planned)
    been = _by_deal(steps.get("stage_interval", ()))
    moved = {p.id for p in steps.get("deal", ()) if _moves(p)}
    moved |= placed - {deal for deal, stays in been.items() if any(p.step.action == "keep" for p in stays)}
    left = {p.id for deal, stays in been.items() if deal not in moved for p in stays if p.step.action != "keep"}
    return [_kept(p, "the deal was moved since") if p.id in left else p for p in planned]


def _moves(planned: Planned) -> bool:
    return planned.step.action in ("create", "delete") or bool(PLACE & planned.step.values.keys())


def _by_deal(planned: Iterable[Planned]) -> dict[UUID, list[Planned]]:
    found: dict[UUID, list[Planned]] = {}
    for p in planned:
        found.setdefault(_row(p).deal, []).append(p)
    return found


def _with_all_shares(me: Work, planned: list[Planned]) -> list[Planned]:
    """The shares of a deal add up: all come back, or none."""
    shares = _by_deal(p for p in planned if p.change.type_key == "deal_split")
    anew = {deal for deal, found in shares.items() if any(p.step.action == "keep" for p in found)}
    back = sorted(deal for deal, found in shares.items() if any(p.step.action == "create" for p in found))
    known = {p.id for found in shares.values() for p in found}
    anew |= {now.deal for now in _beside(me, "deal_split", "deal", [("deal", deal) for deal in back], known)}
    left = {p.id for deal in anew for p in shares[deal] if p.step.action != "keep"}
    return [_kept(p, "the deal was split anew since") if p.id in left else p for p in planned]


def _beside(me: Work, type_key: str, field: str, of: Sequence[tuple[str, UUID]], known: set[UUID]) -> list[Any]:
    """The records that refer to these (type, id) but for the known ones. Nobody adds any until this is committed."""
    for subject, record_id in of:
        lock(me.system_reader, subject, equal_to("id", record_id))
    found = me.system_reader.referring(type_key, field, [record_id for _, record_id in of])
    return [r for r in found if r.id not in known]


# ------------------------------------------------------------------------------------------------------------ of tags


def _without_rivals(me: Work, planned: list[Planned]) -> list[Planned]:
    """Of the tags of a group, one is on a record: what was put on since stays, and the other does not come back."""
    back = [p for p in planned if p.change.type_key == "tagging" and p.step.action == "create"]
    groups = _groups(me, planned, {_row(p).tag for p in back})
    back = [p for p in back if groups.get(_row(p).tag) is not None]
    going = {p.id for p in planned if p.step.action == "delete"}
    subjects = sorted({(_row(p).record_type, _row(p).record) for p in back})
    there = _beside(me, "tagging", "record", subjects, going)
    groups |= _groups(me, (), {t.tag for t in there} - groups.keys())
    taken = {(t.record, groups.get(t.tag)) for t in there}
    left = {p.id for p in back if (_row(p).record, groups[_row(p).tag]) in taken}
    return [_kept(p, "another tag of its group was put on since") if p.id in left else p for p in planned]


def _groups(me: Work, planned: Iterable[Planned], tags: set[UUID]) -> dict[UUID, str | None]:
    """The groups of tags, and of those that come back."""
    back = {p.id: _row(p).group for p in planned if p.change.type_key == "tag" and p.step.action == "create"}
    return back | {tag.id: tag.group for tag in me.system_reader.by_ids("tag", sorted(tags))}
