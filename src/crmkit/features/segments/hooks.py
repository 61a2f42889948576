"""What the feature adds to a CRM."""

from collections.abc import Iterable
from typing import Any

from crmkit.features.segments.collection import Segments
from crmkit.features.segments.commands import MakeRfm, MakeTiers, Refresh, Snapshot, Watch
from crmkit.sdk.command import Command
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_collections", "crmkit_commands", "name"]

name = "segments"


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """``me.segments``."""
    return [("segment", Segments)]


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [MakeRfm, MakeTiers, Refresh, Snapshot, Watch]
