"""What records refer to is there and may be read; what is deleted is not referred to."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import attrs

from crmkit.errors import InvalidRecord, Problem
from crmkit.kernel.session.unit_of_work import Work
from crmkit.schema import Field, RecordType
from crmkit.schema.types import Reference
from crmkit.sdk.change import Change
from crmkit.store.read.reader import Reader

__all__ = ["AtOnce", "Found", "Referrers", "existence_check", "loose_ends", "news", "targets_first"]

T = TypeVar("T", bound=Hashable)


def news(change: Change, key: str) -> bool:
    """The change sets the field to something it was not before."""
    return change.before is None or change.before[key] != change.values[key]


@attrs.frozen
class AtOnce:
    """Records that come and go as if at one instant: ``coming``, by record type, are as good as there, and those that
    are ``going`` refer to nothing any more. Only as far as the database itself does not look: of custom fields.
    """

    coming: Mapping[str, set[UUID]] = attrs.field(factory=dict)
    going: set[UUID] = attrs.field(factory=set)
    relied: set[UUID] = attrs.field(factory=set)
    """Those without which something could not have been written. Whoever writes must see that they do come, or go."""

    def awaits(self, field: Field, ids: set[UUID]) -> set[UUID]:
        """Which of the ids that a reference field is to hold are coming."""
        found = self.coming.get(field.type.to, set()) & ids if field.custom else set()  # type: ignore[attr-defined]
        self.relied.update(found)
        return found

    def lets_go(self, field: Field, referrer: UUID) -> bool:
        """Whether a record that refers to another by this field goes as well."""
        if field.custom and referrer in self.going:
            self.relied.add(referrer)
            return True
        return False

    def fails(self, record_id: UUID) -> None:
        """The record does not come, or not go."""
        self.going.discard(record_id)
        for ids in self.coming.values():
            ids.discard(record_id)


def targets_first(
    nodes: Iterable[T], targets: Callable[[T], Iterable[tuple[str, T]]]
) -> tuple[list[T], dict[T, set[str]]]:
    """The nodes, each after what it refers to; and by node the references that no order can keep, for they lead round
    in a circle. ``targets`` gives name and node of each reference; one to the node itself does not matter.
    """
    state: dict[T, str] = dict.fromkeys(nodes, "new")
    order: list[T] = []
    cut: dict[T, set[str]] = {}
    for start in state:
        path = [(start, iter(targets(start)))] if state[start] == "new" else []
        while path:
            node, left = path[-1]
            state[node] = "open"
            for name, target in left:
                if state.get(target) == "new":
                    path.append((target, iter(targets(target))))
                    break
                if state.get(target) == "open" and target != node:
                    cut.setdefault(node, set()).add(name)
            else:
                state[node] = "done"
                order.append(node)
                path.pop()
    return order, cut


@attrs.frozen
class Found:
    """What was found to be there, by record type, so that nothing is looked up twice in one verb."""

    actor_id: UUID | None
    _ids: dict[str, set[UUID | None]] = attrs.field(init=False, factory=dict)

    def of(self, type_key: str) -> set[UUID | None]:
        """What is known to be there; nothing (None) and the actor always are."""
        return self._ids.setdefault(type_key, {None, self.actor_id} if type_key == "user" else {None})

    def missing(self, reader: Reader, type_key: str, ids: set[UUID]) -> set[UUID]:
        """Those of the ids that are not there, or that the reader may not see."""
        self.of(type_key).update(reader.existing(type_key, sorted(ids)))
        return ids - self.of(type_key)


def existence_check(
    reader: Reader,
    record_type: RecordType,
    changes: Sequence[Change],
    found: Found,
    *,
    chosen: bool,
    at_once: AtOnce,
) -> Callable[[Change], None] | None:
    """Raises InvalidRecord for a change that refers to what the reader does not find; None if there is no such change.

    ``chosen`` narrows it to the references that were given with the change, or to the others, which plugins have set.
    What the changes themselves create, in an order that suits, counts as found: see ``loose_ends``.
    """

    def concerns(change: Change, key: str) -> bool:
        return (key in change.given) is chosen and news(change, key)

    fields = [f for f in record_type.fields if isinstance(f.type, Reference) and f.type.to != "*"]
    wanted: dict[str, set[UUID]] = {}
    for f in fields:
        known = found.of(f.type.to)  # type: ignore[attr-defined]
        ids = {value for c in changes if (value := c.values[f.key]) not in known and concerns(c, f.key)}
        if ids:
            wanted.setdefault(f.type.to, set()).update(ids)  # type: ignore[attr-defined]
    missing: dict[str, set[UUID]] = {to: found.missing(reader, to, ids) for to, ids in wanted.items()}
    if record_type.key in missing:
        missing[record_type.key] -= {c.id for c in changes if c.kind == "create"}
    looked_for = ((f, missing.get(f.type.to, set())) for f in fields)  # type: ignore[attr-defined]
    unknown = [(f, left) for f, ids in looked_for if (left := ids - at_once.awaits(f, ids))]
    if not unknown:
        return None

    def check(change: Change) -> None:
        problems = [_unknown(f) for f, ids in unknown if change.values[f.key] in ids and concerns(change, f.key)]
        if problems:
            raise InvalidRecord(problems)

    return check


def _unknown(field: Field) -> Problem:
    return Problem("unknown_reference", f"there is no such {field.type.to}", field.key)  # type: ignore[attr-defined]


def loose_ends(record_type: RecordType, changes: Sequence[Change], refused: set[UUID]) -> dict[UUID, list[Problem]]:
    """Why changes cannot be made that refer to others of the batch which were ``refused``, or to such, and so on."""
    fields = [f for f in record_type.fields if isinstance(f.type, Reference) and f.type.to == record_type.key]
    waiting: dict[UUID, list[tuple[UUID, Field]]] = {}
    for change in changes if refused else ():
        for f in fields:
            waiting.setdefault(change.values[f.key], []).append((change.id, f))
    found: dict[UUID, list[Problem]] = {}
    gone = list(refused)
    for record_id in gone:
        for referrer, f in waiting.get(record_id, ()):
            if referrer not in found:
                gone.append(referrer)
            found.setdefault(referrer, []).append(_unknown(f))
    return found


@attrs.frozen
class Referrers:
    """Who refers to records that are to be deleted: links, which go with them, and others, which keep them."""

    work: Work
    record_type: RecordType
    tells: bool
    """Whether whoever asks may know all of them."""
    at_once: AtOnce = attrs.field(factory=AtOnce)

    def problems(self, ids: frozenset[UUID]) -> dict[UUID, list[Problem]]:
        """Why records cannot go, by id. One that stays keeps what it refers to itself, and so on."""
        found = list(self._others(sorted(ids)))
        problems: dict[UUID, list[Problem]] = {}
        leaving = set(ids)
        staying: set[UUID] = set()
        while True:
            for target, referrer, problem in found:
                if target in leaving and referrer not in leaving:
                    problems.setdefault(target, []).append(problem)
                    staying.add(target)
            if not staying & leaving:
                return {target: _told(listed) for target, listed in problems.items()}
            leaving -= staying

    def _others(self, ids: Sequence[UUID]) -> Iterator[tuple[UUID, UUID, Problem]]:
        """Target, referrer, and the problem: of what the actor may not see, only that there is something."""
        work, known = self.work, set(ids)
        for other, f in self._fields(link=False):
            seen = Problem("referenced", f"{other.plural} refer to it by {f.key}", f.key)
            unseen = Problem("referenced", "other records refer to it")
            for r in work.system_reader.referring(other.key, f.key, ids):
                if r.id not in known and self.at_once.lets_go(f, r.id):
                    continue
                told = self.tells or work.judge.sees(other.key, r)
                yield r[f.key], r.id, seen if told else unseen

    def links(self, ids: Sequence[UUID]) -> Iterator[tuple[str, list[UUID]]]:
        """The links that go with these records, by type."""
        for other, f in self._fields(link=True):
            found = list(self.work.system_reader.referrers(other.key, f.key, ids))
            if found:
                yield other.key, found

    def attached(self, ids: Sequence[UUID]) -> Iterator[tuple[UUID, Any]]:
        """Each of these records with each link that would go with it."""
        for other, f in self._fields(link=True):
            for link in self.work.system_reader.referring(other.key, f.key, ids):
                yield link[f.key], link

    def _fields(self, *, link: bool) -> Iterable[tuple[RecordType, Field]]:
        """The fields that lead to the record's type: of links that go with it, or those that hold it."""
        for other in self.work.schema.types.values():
            for f in other.fields:
                if not isinstance(f.type, Reference) or f.type.to not in (self.record_type.key, "*"):
                    continue
                goes = other.link and not f.type.holds
                if goes is link and (link or f.type.to != "*"):
                    yield other, f


def _told(problems: list[Problem]) -> list[Problem]:
    """Each problem once; that there is something unseen as well only where nothing else says why."""
    seen = [problem for problem in problems if problem.field is not None]
    return list(dict.fromkeys(seen or problems))
