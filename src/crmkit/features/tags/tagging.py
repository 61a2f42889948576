"""Tags put on and taken off: on one record, on all that match, and the lists that segments keep of their members."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import Duplicate, InvalidRecord, NotFound
from crmkit.features.tags.definitions import listed_tag
from crmkit.features.tags.history import TagEvent, told
from crmkit.features.tags.sql import NO_TAG, Standing, Worn, standing, worn
from crmkit.kernel.session.refusals import denied, missing
from crmkit.kernel.session.unit_of_work import Work
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.results import Raising, Tally
from crmkit.query.lift import Lifted, equal_to
from crmkit.records import Tag
from crmkit.schema.types import Reference
from crmkit.store.write.locks import lock

__all__ = ["put_on", "put_on_all", "tag_history", "take_off", "take_off_all", "unwear", "wear"]

_RULES = frozenset({"system", "plugin"})


@attrs.frozen
class _Given:
    """What is to be put on: the tag, until when, and who says so."""

    name: str
    tag: Tag | None
    expires_at: datetime | None
    origin: str

    def differs(self, found: Any, now: datetime) -> bool:
        """Whether the tag is not on the record as it is to be: it has expired, or expires at another time."""
        over = found.expires_at is not None and found.expires_at <= now
        return over or bool(found.expires_at != self.expires_at)

    @property
    def values(self) -> dict[str, Any]:
        """What a tagging that is there already is changed to."""
        return {"origin": self.origin, "expires_at": self.expires_at}


def put_on(me: Work, type_key: str, target: Any, name: str, expires_at: datetime | None) -> bool:
    """The tag is on the record, and no other of its group; whether that took anything.

    Raises NotFound, Denied, InvalidRecord (``expired``, ``listed_tag``), Vetoed.
    """
    record = _changeable(me, type_key, target)
    given = _given(me, name, expires_at)
    tag = given.tag or _made(me, given.name)
    if tag.group is not None:
        # Two who put tags of one group on it at once would not see each other's.
        lock(me.system_reader, type_key, equal_to("id", record))
    on_it = {t.tag: t for t in me.system_reader.referring("tagging", "record", [record])}
    others = [Worn(record, t.id, t.version) for other in _rivals(me, tag) if (t := on_it.get(other)) is not None]
    unwear(me, others)
    found = on_it.get(tag.id)
    differs = found is None or given.differs(found, me.view.moment.now)
    writes, tally = WritePath(me, trusted=True), Raising()
    if found is None:
        values = {"tag": tag.id, "record_type": type_key, "record": record, **given.values}
        writes.create("tagging", [(0, values)], tally)
    elif differs:
        writes.update("tagging", [(0, found, given.values)], tally)
    return differs or bool(others)


def take_off(me: Work, type_key: str, target: Any, name: str) -> bool:
    """The tag is not on the record; whether it was. Raises NotFound, Denied, InvalidRecord (``listed_tag``), Vetoed."""
    record = _changeable(me, type_key, target)
    tag = _named(me, name)[1]
    on_it = me.system_reader.referring("tagging", "record", [record])
    found = [Worn(record, t.id, t.version) for t in on_it if tag is not None and t.tag == tag.id]
    unwear(me, found)
    return bool(found)


def _changeable(me: Work, type_key: str, target: Any) -> UUID:
    wanted: UUID = Reference("*").parse(target)
    record = me.reader.get(type_key, wanted)
    if record is None:
        raise NotFound(f"there is no {me.type_of(type_key).label.lower()} {wanted}", field="id")
    me.require(type_key, "update", record)
    return wanted


# ----------------------------------------------------------------------------------------------------------------- bulk


def put_on_all(
    me: Work, type_key: str, wheres: Sequence[Lifted], name: str, expires_at: datetime | None, tally: Tally
) -> None:
    """The tag is on all records that meet one of the conditions: read in one statement, written in one for what is new,
    one for what was there, one for what the tag's group takes off. Nobody may listen to taggings.
    """
    given = _given(me, name, expires_at)
    me.unit.begin_write()
    tag_id = NO_TAG if given.tag is None else given.tag.id
    now = me.view.moment.now
    for where in wheres:
        if given.tag is not None and given.tag.group is not None:
            lock(me.reader, type_key, where)
        found = _sorted_out(me, type_key, standing(me.reader, type_key, where, tag_id, "update"), tally)
        changing = [s for s in found if s.worn is None or given.differs(s, now)]
        tag = given.tag
        if changing and tag is None:
            tag = _made(me, given.name)
            given, tag_id = attrs.evolve(given, tag=tag), tag.id
        ids = {s.record for s in changing}
        if tag is not None:
            rivals = _rival_taggings(me, type_key, where, tag, {s.record for s in found})
            ids.update(w.record for w in rivals)
            unwear(me, rivals)
            wear(me, type_key, tag.id, (s.record for s in changing if s.worn is None), given.values)
            _rewear(me, type_key, tag.id, [s.worn for s in changing if s.worn is not None], given)
        for s in found:
            tally.did(len(tally.rows), "updated" if s.record in ids else "unchanged", s.record)


def take_off_all(me: Work, type_key: str, wheres: Sequence[Lifted], name: str, tally: Tally) -> None:
    """The tag is on none of the records that meet one of the conditions. Nobody may listen to taggings."""
    tag = _named(me, name)[1]
    me.unit.begin_write()
    for where in wheres:
        tag_id = NO_TAG if tag is None else tag.id
        found = _sorted_out(me, type_key, standing(me.reader, type_key, where, tag_id, "update"), tally)
        unwear(me, [s.worn for s in found if s.worn is not None])
        for s in found:
            tally.did(len(tally.rows), "unchanged" if s.worn is None else "updated", s.record)


def _sorted_out(me: Work, type_key: str, found: list[Standing], tally: Tally) -> list[Standing]:
    """Those that may be changed; the others are refused."""
    for s in found:
        if not s.allowed:
            tally.refuse(len(tally.rows), denied("update", me.type_of(type_key)), s.record)
    return [s for s in found if s.allowed]


def _rival_taggings(me: Work, type_key: str, where: Lifted, tag: Tag, allowed: set[UUID]) -> list[Worn]:
    return [w for w in worn(me.reader, type_key, where, _rivals(me, tag)) if w.record in allowed]


def wear(me: Work, type_key: str, tag: UUID, records: Iterable[UUID], values: dict[str, Any] | None = None) -> None:
    """New taggings, which the caller has authorised."""
    common = {"tag": tag, "record_type": type_key, "origin": "rule", "expires_at": None, **(values or {})}
    WritePath(me, trusted=True).put("tagging", [{**common, "record": record} for record in records])


def _rewear(me: Work, type_key: str, tag: UUID, found: list[Worn], given: _Given) -> None:
    common = {"tag": tag, "record_type": type_key, **given.values}
    rows = [(w.id, w.version, {**common, "record": w.record}) for w in found]
    WritePath(me, trusted=True).change("tagging", rows, frozenset(given.values))


def unwear(me: Work, found: list[Worn]) -> None:
    """Taggings taken off, which the caller has authorised."""
    WritePath(me, trusted=True).drop("tagging", [(w.id, w.version) for w in found])


# ----------------------------------------------------------------------------------------------------------------- tags


def _given(me: Work, name: str, expires_at: datetime | None) -> _Given:
    written, tag = _named(me, name)
    until: datetime | None = me.parser("tagging").change({"expires_at": expires_at})["expires_at"]
    if until is not None and until <= me.view.moment.now:
        raise InvalidRecord("a tag cannot expire before it is put on", code="expired", field="expires_at")
    return _Given(written, tag, until, _origin(me))


def _origin(me: Work) -> str:
    if me.origin == "import":
        return "import"
    return "rule" if me.actor.kind in _RULES else "person"


def _named(me: Work, name: str) -> tuple[str, Tag | None]:
    """The name as it is written, and the tag so named if there is one. Raises InvalidRecord for a segment's list."""
    fields = (me.type_of("tag").by_key["name"],)
    parsed: str = me.parser("tag").change({"name": name})["name"]
    if not isinstance(parsed, str):
        raise InvalidRecord("a tag needs a name", code="required", field="name")
    found = next(iter(me.system_reader.holders("tag", fields, [(parsed,)]).values()), None)
    tag: Tag | None = None if found is None else me.system_reader.get("tag", found)
    if tag is not None and tag.listed:
        raise listed_tag("name")
    return parsed, tag


def _made(me: Work, name: str) -> Tag:
    """A new tag, or the one that somebody else has made of that name meanwhile."""
    tally = Raising()
    try:
        with me.doing("tag.create"):
            WritePath(me, trusted=True).create("tag", [(0, {"name": name})], tally)
    except Duplicate:
        if (theirs := _named(me, name)[1]) is None:
            raise
        return theirs
    (tag_id,) = (record_id for _, _, record_id in tally.rows if record_id is not None)
    made: Any = me.system_reader.get("tag", tag_id)
    return made  # type: ignore[no-any-return]


def _rivals(me: Work, tag: Tag) -> list[UUID]:
    """The other tags of its group."""
    if tag.group is None:
        return []
    same = equal_to("group", tag.group)
    return [other.id for other in me.system_reader.records("tag", same) if other.id != tag.id]


# -------------------------------------------------------------------------------------------------------------- history


def tag_history(me: Work, type_key: str, target: Any) -> list[TagEvent]:
    """What became of the tags on a record. Raises NotFound, Denied without the right ``history`` on the record."""
    wanted: UUID = Reference("*").parse(target)
    record = me.system_reader.get(type_key, wanted)
    if record is not None:
        me.require(type_key, "history", record)
    elif not me.history().versions.by_ids(type_key, [wanted]):
        raise missing(me.type_of(type_key))
    history = me.history(trusted=True)
    on_it = equal_to("record", wanted)
    found = {t.id: t.tag for block in history.versions.stream("tagging", on_it) for t in block}
    tags = {t.id: t for t in history.versions.by_ids("tag", list(dict.fromkeys(found.values())))}
    told_of = (
        (tags[tag].name, history.timeline("tagging", tagging))
        for tagging, tag in found.items()
        if tag in tags and not tags[tag].listed
    )
    return told(told_of, me.view.moment.now)
