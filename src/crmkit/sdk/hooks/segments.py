"""Hooks about segments: told after the commit who came and who left."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmkit.sdk.markers import hookspec

__all__ = ["SegmentHooks"]


class SegmentHooks:
    """What a plugin may learn about segments."""

    @hookspec
    def crmkit_segment_changed(self, session: Any, segment: Any, entered: Sequence[UUID], left: Sequence[UUID]) -> None:
        """Learn which records came into a watched segment and which left it.

        Fires after the commit of a refresh that found differences, at least once for each segment
        concerned, in a session of its own whose actor is the plugin. Return nothing. An exception hurts nobody: it is
        recorded with the plugin's name and the changeset is told again later.
        """
        raise AssertionError
