"""What is checked of tags when they are written."""

from collections.abc import Iterator
from typing import Any

from crmkit.errors import InvalidRecord, Problem
from crmkit.kernel.definitions.checks import relying
from crmkit.query.lift import Lifted, lift
from crmkit.sdk.change import Change
from crmkit.values import fold

__all__ = ["check_tag", "listed_tag"]


def check_tag(session: Any, change: Change, by_hand: bool) -> None:
    """Raises InvalidRecord for a tag that a condition names and that would lose its name (``in_use``), and for one that
    is the list of a segment (``listed_tag``).
    """
    before: Any = change.before
    if by_hand and ((before is not None and before.listed) or change.values.get("listed")):
        raise listed_tag("listed")
    if before is None or (change.kind != "delete" and fold(change.values["name"]) == fold(before.name)):
        return
    # Conditions know a tag by its name: under another one they would be empty, and a deny would deny nothing.
    wanted = fold(before.name)
    problems = [
        Problem("in_use", f"{dependant.what} names the tag {before.name}", "name", hint="change it first")
        for dependant in relying(session)
        if dependant.condition is not None
        and any(fold(name) == wanted for name in _tags_named(lift(dependant.condition())))
    ]
    if problems:
        raise InvalidRecord(problems)


def _tags_named(lifted: Lifted) -> Iterator[str]:
    """The names of the tags in a condition, those within others too."""
    shapes: list[Any] = [lifted.shape]
    while shapes:
        shape = shapes.pop()
        match shape:
            case ("tag", int(index)):
                yield lifted.values[index]
            case tuple():
                shapes += shape


def listed_tag(field: str) -> InvalidRecord:
    """Somebody wants to write a tag that is the list of a segment's members."""
    return InvalidRecord(
        "that is the list of a segment and no tag",
        code="listed_tag",
        field=field,
        hint="me.segments.snapshot and me.segments.refresh keep it",
    )
