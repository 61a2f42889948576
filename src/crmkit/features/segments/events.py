"""What a changeset means to whoever watches segments: who came and who left."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from crmkit.sdk.change import Event

__all__ = ["SEGMENT_HOOK", "segments_changed"]

SEGMENT_HOOK = "crmkit_segment_changed"


def segments_changed(session: Any, changeset_id: UUID) -> Iterator[Event]:
    """The watched segments whose lists the changeset changed, with who came and who left."""
    came: dict[UUID, list[UUID]] = {}
    left: dict[UUID, list[UUID]] = {}
    for change in session.history(trusted=True).changes(changeset_id, {"tagging"}.__contains__):
        row: Any = change.after or change.before
        if change.after is None:
            left.setdefault(row.tag, []).append(row.record)
        elif row.origin != "import":
            came.setdefault(row.tag, []).append(row.record)
    if came or left:
        for segment in list(session.system_reader.records("segment")):
            if segment.watched and segment.kind != "snapshot" and segment.roll in came.keys() | left.keys():
                entered, gone = (tuple(sorted(of.get(segment.roll, ()))) for of in (came, left))
                yield Event(SEGMENT_HOOK, {"segment": segment, "entered": entered, "left": gone})
