"""What the feature adds to a CRM."""

from collections.abc import Iterable
from typing import Any

from crmkit.features.tags.collection import Tagged
from crmkit.features.tags.commands import Tag, Untag
from crmkit.sdk.command import Command
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_collections", "crmkit_commands", "name"]

name = "tags"


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """The history of tags, of records of any type."""
    return [("*", Tagged)]


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [Tag, Untag]
