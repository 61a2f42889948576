"""What records refer to is there and may be read; what is deleted is not referred to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import attrs

from crmkit.app.work import Work
from crmkit.errors import InvalidRecord, Problem
from crmkit.schema import Field, RecordType
from crmkit.schema.types import Reference
from crmkit.sdk.change import Change
from crmkit.store.reader import Reader

__all__ = ["Found", "Referrers", "existence_check", "news"]


def news(change: Change, key: str) -> bool:
    """The change sets the field to something it was not before."""
    return change.before is None or change.before[key] != change.values[key]


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
    reader: Reader, record_type: RecordType, changes: Sequence[Change], found: Found, *, chosen: bool
) -> Callable[[Change], None] | None:
    """Raises InvalidRecord for a change that refers to what the reader does not find; None if there is no such change.

    ``chosen`` narrows it to the references that were given with the change, or to the others, which plugins have set.
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
    missing = {to: found.missing(reader, to, ids) for to, ids in wanted.items()}
    unknown = [(f, missing[f.type.to]) for f in fields if missing.get(f.type.to)]  # type: ignore[attr-defined]
    if not unknown:
        return None

    def check(change: Change) -> None:
        problems = [
            Problem("unknown_reference", f"there is no such {f.type.to}", f.key)  # type: ignore[attr-defined]
            for f, ids in unknown
            if change.values[f.key] in ids and concerns(change, f.key)
        ]
        if problems:
            raise InvalidRecord(problems)

    return check


@attrs.frozen
class Referrers:
    """Who refers to records that are to be deleted: links, which go with them, and others, which keep them."""

    work: Work
    record_type: RecordType
    tells: bool
    """Whether whoever asks may know all of them."""

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
        work = self.work
        for other, f in self._fields(link=False):
            seen = Problem("referenced", f"{other.plural} refer to it by {f.key}", f.key)
            unseen = Problem("referenced", "other records refer to it")
            for r in work.system_reader.referring(other.key, f.key, ids):
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
