"""What the feature adds to a CRM."""

from collections.abc import Iterable, Sequence
from typing import Any

from crmkit.features.tags.collection import Tagged
from crmkit.features.tags.commands import Tag, Untag
from crmkit.features.tags.definitions import check_tag
from crmkit.sdk.change import Change
from crmkit.sdk.command import Command
from crmkit.sdk.definitions import Refusal, refusals
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_check", "crmkit_collections", "crmkit_commands", "listens_to", "name"]

name = "tags"
listens_to = ("tag",)


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """The history of tags, of records of any type."""
    return [("*", Tagged)]


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [Tag, Untag]


@hookimpl
def crmkit_check(session: Any, changes: Sequence[Change], by_hand: bool) -> Iterable[Refusal]:
    """A tag that conditions name keeps its name; a segment's list is no tag."""
    return refusals(changes, lambda change: check_tag(session, change, by_hand))
