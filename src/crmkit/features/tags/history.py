"""What became of a tag on a record: the versions of its taggings, told as a person would."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import attrs

__all__ = ["TagEvent", "told"]

What = Literal["put on", "changed", "taken off", "expired"]


@attrs.frozen
class TagEvent:
    """One thing that happened to a tag on a record.

    ``origin`` says who had put it on: a person, a rule or an import. ``by`` is who did this, None where the tag went by
    itself; ``expires_at`` is until when it was to count.
    """

    tag: str
    what: What
    at: datetime
    by: str | None
    origin: str
    expires_at: datetime | None
    changeset_id: UUID | None = None


def told(taggings: Iterable[tuple[str, Sequence[Any]]], now: datetime) -> list[TagEvent]:
    """The events of all taggings of a record, in order of time.

    Each tagging is the name of its tag and the timeline of its versions (``record``, ``changeset``, ``deleted``),
    oldest first. What had expired before it was taken off has expired, and was not taken off.
    """
    found = [event for name, timeline in taggings for event in _of_one(name, timeline, now)]
    return sorted(found, key=lambda event: event.at)


def _of_one(name: str, timeline: Sequence[Any], now: datetime) -> Iterator[TagEvent]:
    before: Any = None
    for version in timeline:
        record, changeset = version.record, version.changeset
        at = changeset.recorded_at if version.deleted and changeset is not None else record.recorded_at
        if before is not None and _over(before, at):
            yield _event(name, "expired", before, before.expires_at)
            before = None
        if version.deleted:
            if before is not None:
                yield _event(name, "taken off", record, at, changeset)
            before = None
        else:
            yield _event(name, "put on" if before is None else "changed", record, at, changeset)
            before = record
    if before is not None and _over(before, now):
        yield _event(name, "expired", before, before.expires_at)


def _over(tagging: Any, at: datetime) -> bool:
    return tagging.expires_at is not None and tagging.expires_at <= at


def _event(name: str, what: What, tagging: Any, at: datetime, changeset: Any = None) -> TagEvent:
    by = None if changeset is None else changeset.actor
    changeset_id = None if changeset is None else changeset.id
    return TagEvent(name, what, at, by, tagging.origin, tagging.expires_at, changeset_id)
