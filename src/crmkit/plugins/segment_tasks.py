"""When a record comes into a watched segment, its owner gets the task the segment asks for (``task_on_enter``)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmkit.sdk import hookimpl

__all__ = ["crmkit_segment_changed", "name", "role"]

name = "segment_tasks"
role = "automation"

_ABOUT = ("account", "contact", "deal", "lead")
"""What an activity can be about."""


@hookimpl
def crmkit_segment_changed(session: Any, segment: Any, entered: Sequence[UUID]) -> None:
    """One task for each record that came."""
    if segment.task_on_enter is None or segment.on not in _ABOUT:
        return
    found = session.records(segment.on).get_many(entered)
    now = session.crm.clock.now()
    session.activities.create_many((_task(segment, record, now) for record in found.values()), stop=True)


def _task(segment: Any, record: Any, now: Any) -> dict[str, Any]:
    return {
        "kind": "task",
        "subject": segment.task_on_enter,
        "body": f"Came into the segment {segment.name}",
        "due_at": now,
        "automatic": True,
        segment.on: record.id,
        "owner": record.owner,
    }
