"""Segments that are made, kept and compared with what they were: snapshots, watching, ready-made ones."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InvalidQuery, InvalidRecord, InvalidValue, NotFound
from crmkit.features.segments.events import SEGMENT_HOOK
from crmkit.features.segments.rfm import CutPoints, rfm_expressions
from crmkit.features.segments.tiers import close_tiers
from crmkit.features.tags.sql import entering, leaving
from crmkit.features.tags.tagging import unwear, wear
from crmkit.kernel.collections.query import Query
from crmkit.kernel.writes.results import Raising
from crmkit.query import Expr, F, in_segment
from crmkit.query.json_form import to_json
from crmkit.query.lift import NOBODY, Lifted, equal_to, lift
from crmkit.query.nodes import holds
from crmkit.records import Segment
from crmkit.schema.types import Reference
from crmkit.sdk.command import Command, Target, command
from crmkit.store.read.reader import Reader
from crmkit.store.write.locks import lock
from crmkit.values import parse_id

__all__ = ["MakeRfm", "MakeTiers", "Refresh", "SegmentChange", "Snapshot", "Watch", "find_segment"]


@attrs.frozen
class SegmentChange:
    """Who came into a segment and who left it since its last refresh: the ids, in order, of what the actor may read."""

    segment: Segment
    entered: tuple[UUID, ...]
    left: tuple[UUID, ...]


@command("segment.snapshot", action="create")
class Snapshot(Command[Segment]):
    """``me.segments.snapshot("Q4 list", of="hot accounts")``: a segment of those who are in it now.

    They stay in it, whatever they become. ``of`` is a segment, or a query, whose limit and order count. The members are
    those the actor may read. Raises NotFound, InvalidRecord, Duplicate, Denied.
    """

    called: str
    of: Any

    def run(self, me: Any) -> Segment:
        query: Any = self.of if isinstance(self.of, Query) else _members(me, find_segment(me, self.of))
        if query.session is not me:
            raise InvalidQuery("the query belongs to another session", code="other_session")
        if query.size is None:
            ids = me.reader.ids(query.type.key, lift(query.condition, me.actor.ids))
        else:
            ids = [record.id for record in query]
        tag = _new_list(me)
        made = me.segments.create(name=self.called, on=query.type.key, where=F.tags.has(tag.name))
        wear(me, query.type.key, tag.id, ids)
        return _keep_list(me, made, tag, kind="snapshot")


@command("segment.watch")
class Watch(Command[Segment]):
    """``me.segments.watch("hot accounts")``: from now on a refresh tells who comes and who leaves.

    Who is in it now is noted and has not come. Raises NotFound, Denied, InvalidRecord (``not_live``).
    """

    segment: Target

    def run(self, me: Any) -> Segment:
        segment = _live(find_segment(me, self.segment))
        me.require("segment", "update", segment)
        if segment.watched:
            return segment
        me.unit.begin_write()
        old, tag = segment.roll, _new_list(me)
        me.segments.update(segment, watched=True)
        watched = _keep_list(me, segment, tag)
        if old is not None:
            me.writes(trusted=True).delete("tag", [(0, old)], Raising())
        wear(me, segment.on, tag.id, entering(_as_system(me), segment.on, _inside(segment), tag.id), _NOTED)
        return watched


@command("segment.refresh")
class Refresh(Command[tuple[SegmentChange, ...]]):
    """``me.segments.refresh("hot accounts")``: who came and who left since the last time; of all watched segments that
    the actor may update, without a name.

    Who is in it is judged as the system sees it, whoever asks; who asks is told of the records they may read. Plugins
    are told after the commit. Those without a change are left out. Raises NotFound, Denied, InvalidQuery for a segment
    that means nothing to the actor, InvalidRecord (``not_watched``).
    """

    segment: Target | None = None

    def run(self, me: Any) -> tuple[SegmentChange, ...]:
        changes = []
        for segment in self._segments(me):
            kept, entered, left = _compared(me, segment)
            if entered or left:
                me.announce(SEGMENT_HOOK)
            changes.append(SegmentChange(kept, _readable(me, kept.on, entered), _readable(me, kept.on, left)))
        return tuple(change for change in changes if change.entered or change.left)

    def _segments(self, me: Any) -> list[Segment]:
        if self.segment is None:
            watched = lift(_WATCHED, NOBODY)
            found = me.system_reader.records("segment", watched, ((("name",), False),))
            seen = [s for s in list(found) if me.judge.sees("segment", s) and me.judge.allows("segment", "update", s)]
            return [s for s in seen if _understood(me, s)]
        segment = _live(find_segment(me, self.segment))
        me.require("segment", "update", segment)
        me.reader.check(segment.on, _inside(segment))
        if not segment.watched:
            raise InvalidRecord("nobody watches this segment", code="not_watched", hint="me.segments.watch(name)")
        return [segment]


@command("segment.make_rfm", action="create")
class MakeRfm(Command[tuple[Segment, ...]]):
    """The segments of ``me.segments.make_rfm()``: made, or with the new condition if there are segments so named."""

    cuts: CutPoints
    window: int | None = None
    prefix: str = ""

    def run(self, me: Any) -> tuple[Segment, ...]:
        basis = {**self.cuts.document(), "window": self.window}
        return _made_or_changed(me, "account", self.prefix, rfm_expressions(self.cuts, window=self.window), basis)


@command("segment.make_tiers", action="create")
class MakeTiers(Command[tuple[Segment, ...]]):
    """``me.segments.make_tiers()``: deals by the day they are expected to close, see ``features.segments.tiers``.

    Raises InvalidValue (``bad_days``), Denied.
    """

    near: int = 30
    far: int = 60
    prefix: str = "Closing "

    def run(self, me: Any) -> tuple[Segment, ...]:
        basis = {"made_of": "close_tiers", "near": self.near, "far": self.far}
        return _made_or_changed(me, "deal", self.prefix, close_tiers(self.near, self.far), basis)


_NOTED = {"origin": "import"}
"""Of those who were in a segment before anybody watched it: they are noted and have not come."""

_WATCHED = (F.watched == True) & ~holds(F.kind == "snapshot")  # noqa: E712 - a condition


def find_segment(me: Any, wanted: Any) -> Segment:
    """The segment of that name, id or record, if the actor may read it. Raises NotFound."""
    found: Segment | None = None
    if isinstance(wanted, str) and not _is_id(wanted):
        found = me.records("segment").where(name=wanted).first() if wanted else None
    elif wanted is not None:
        found = me.reader.get("segment", Reference("*").parse(wanted))
    if found is None:
        raise NotFound(f"there is no segment {getattr(wanted, 'name', wanted)!s:.80}", field="segment")
    return found


def _is_id(text: str) -> bool:
    try:
        parse_id(text)
    except InvalidValue:
        return False
    return True


def _members(me: Any, segment: Segment) -> Any:
    return me.records(segment.on).where(in_segment(segment.name))


def _live(segment: Segment) -> Segment:
    if segment.kind == "snapshot":
        raise InvalidRecord("a snapshot does not change", code="not_live", field="kind")
    return segment


def _compared(me: Any, segment: Segment) -> tuple[Segment, tuple[UUID, ...], tuple[UUID, ...]]:
    """The segment after its list was brought up to date, and what that took: two statements to find it out."""
    me.unit.begin_write()
    # Two who refresh at once would both tell who came.
    lock(me.system_reader, "segment", equal_to("id", segment.id))
    segment = me.system_reader.get("segment", segment.id)
    if segment.roll is None:
        segment = _keep_list(me, segment, _new_list(me))
    roll: Any = segment.roll
    reader = _as_system(me)
    entered = entering(reader, segment.on, _inside(segment), roll)
    left = leaving(reader, segment.on, _inside(segment), roll)
    unwear(me, left)
    wear(me, segment.on, roll, entered)
    return segment, tuple(entered), tuple(w.record for w in left)


def _understood(me: Any, segment: Segment) -> bool:
    """Whether the actor may read what it goes by."""
    try:
        me.reader.check(segment.on, _inside(segment))
    except InvalidQuery:
        return False
    return True


def _readable(me: Any, type_key: str, ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if not ids or me.judge.certain(type_key, "read"):
        return ids
    seen = frozenset(me.reader.existing(type_key, ids))
    return tuple(i for i in ids if i in seen)


def _as_system(me: Any) -> Reader:
    """Reads everything, as nobody in particular."""
    reader: Reader = me.reading(attrs.evolve(me.view.unguarded(), actors=NOBODY))
    return reader


def _inside(segment: Segment) -> Lifted:
    return lift(in_segment(segment.name), NOBODY)


def _new_list(me: Any) -> Any:
    tally = Raising()
    name = f"list {me.ids.new().hex}"
    me.writes(trusted=True).create("tag", [(0, {"name": name, "listed": True})], tally)
    return me.system_reader.get("tag", tally.rows[0][2])


def _keep_list(me: Any, segment: Segment, tag: Any, **values: Any) -> Segment:
    me.writes(trusted=True).update("segment", [(0, segment.id, {"roll": tag.id, **values})], Raising())
    kept: Segment = me.system_reader.get("segment", segment.id)
    return kept


def _made_or_changed(me: Any, on: str, prefix: str, conditions: Mapping[str, Expr], basis: Any) -> tuple[Segment, ...]:
    return tuple(_each(me, on, ((f"{prefix}{name}", where) for name, where in conditions.items()), basis))


def _each(me: Any, on: str, wanted: Iterable[tuple[str, Expr]], basis: Any) -> Iterator[Segment]:
    for name, where in wanted:
        found = me.segments.where(name=name).first()
        if found is None:
            yield me.segments.create(name=name, on=on, where=where, basis=basis)
        elif found.on != on or found.kind == "snapshot":
            raise InvalidRecord(f"there is another segment named {name}", code="other_segment", field="name")
        else:
            yield me.segments.update(found, where=to_json(where), basis=basis)
