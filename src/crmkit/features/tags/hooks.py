"""What the feature adds to a CRM."""

from collections.abc import Iterable
from typing import Any

from crmkit.features.tags.collection import Tagged
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_collections", "name"]

name = "tags"


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """The history of tags, of records of any type."""
    return [("*", Tagged)]
