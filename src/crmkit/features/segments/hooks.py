"""What the feature adds to a CRM."""

from collections.abc import Iterable
from typing import Any

from crmkit.features.segments.collection import Segments
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_collections", "name"]

name = "segments"


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """``me.segments``."""
    return [("segment", Segments)]
