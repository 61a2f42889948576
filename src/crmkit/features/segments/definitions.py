"""What is checked of segments when they are written, and what they rely on."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from crmkit.errors import InvalidRecord
from crmkit.kernel.definitions.checks import check_condition
from crmkit.query.json_form import from_json
from crmkit.query.lift import lift
from crmkit.sdk.change import Change
from crmkit.sdk.definitions import Dependant

__all__ = ["check_segment", "segments_relying"]


def check_segment(session: Any, change: Change, by_hand: bool) -> None:
    """Raises what a condition raises that means nothing; InvalidRecord (``not_by_hand``) for its list of members."""
    if by_hand:
        _check_list(change)
    if change.kind == "delete":
        return
    values = change.values
    condition = partial(from_json, values["where"])
    check_condition(session, condition, values["on"])
    if not session.undoing and values["kind"] != "snapshot" and change.changed & {"on", "where"}:
        # Who could define it by what is hidden would be told by who comes and goes.
        session.reader.check(values["on"], lift(condition(), session.actor.ids))


def _check_list(change: Change) -> None:
    """A segment's list of members is made by verbs of its own, and a snapshot is that list."""
    before: Any = change.before
    fixed = {"kind": "live", "roll": None} if before is None else {"kind": before.kind, "roll": before.roll}
    if before is not None and before.kind == "snapshot":
        fixed |= {"on": before.on, "where": before.where}
    for key, kept in fixed.items():
        if change.values.get(key, kept) != kept:
            raise InvalidRecord(
                f"{key} of a segment with a list is not written by hand",
                code="not_by_hand",
                field=key,
                hint="me.segments.snapshot(name, of=...) makes one",
            )


def segments_relying(session: Any) -> Iterator[Dependant]:
    """The segments, which rely on the fields in their conditions."""
    for segment in session.system_reader.records("segment"):
        condition = partial(from_json, segment.where)
        yield Dependant(
            f"the segment {segment.name}", partial(check_condition, session, condition, segment.on), condition
        )
