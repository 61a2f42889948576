"""What the feature adds to a CRM."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from crmkit.features.segments.collection import Segments
from crmkit.features.segments.commands import MakeRfm, MakeTiers, Refresh, Snapshot, Watch
from crmkit.features.segments.definitions import check_segment, segments_relying
from crmkit.features.segments.events import segments_changed
from crmkit.sdk.change import Change, Event
from crmkit.sdk.command import Command
from crmkit.sdk.definitions import Dependant, Refusal, refusals
from crmkit.sdk.markers import hookimpl

__all__ = [
    "crmkit_check",
    "crmkit_collections",
    "crmkit_commands",
    "crmkit_dependants",
    "crmkit_events",
    "listens_to",
    "name",
]

name = "segments"
listens_to = ("segment",)


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """``me.segments``."""
    return [("segment", Segments)]


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [MakeRfm, MakeTiers, Refresh, Snapshot, Watch]


@hookimpl
def crmkit_check(session: Any, changes: Sequence[Change], by_hand: bool) -> Iterable[Refusal]:
    """A segment's condition means something."""
    return refusals(changes, lambda change: check_segment(session, change, by_hand))


@hookimpl
def crmkit_dependants(session: Any) -> Iterable[Dependant]:
    """Segments rely on the fields in their conditions."""
    return segments_relying(session)


@hookimpl
def crmkit_events(session: Any, changeset_id: UUID) -> Sequence[Event]:
    """Who came into watched segments, and who left."""
    return tuple(segments_changed(session, changeset_id))
