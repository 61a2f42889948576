"""Tags and what they are put on; segments, which are stored expressions or stored lists."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Boolean, Choice, DateTime, Json, Reference, Text

__all__ = ["ORIGINS", "SEGMENT_KINDS", "Segment", "Tag", "Tagging"]

ORIGINS = ("person", "rule", "import")
"""Who put a tag on a record."""

SEGMENT_KINDS = ("live", "snapshot")


@record_type("tag", plural="tags", title="name")
class Tag(Record):
    """A word put on records of any type.

    Tags of one ``group`` exclude each other on a record. One that a stored condition names keeps its name. A ``listed``
    tag is no word but the list of a segment's members; crmkit alone puts it on and takes it off.
    """

    name: str = field(Text(max_length=100), unique=True)
    group: str | None = field(Text(max_length=100), default=None)
    listed: bool = field(Boolean(), default=False)


@record_type(
    "tagging",
    plural="taggings",
    title="id",
    link=True,
    unique=(("tag", "record"),),
    indexes=(("record",),),
    exclusive=("tag", "group"),
    managed_by="me.accounts.tag(record, name) and untag, on records of any type",
)
class Tagging(Record):
    """A tag on a record, until ``expires_at``: from then on it does not count, and stays to be read.

    Written by the verbs ``tag`` and ``untag`` alone.
    """

    tag: UUID = field(Reference("tag", back="taggings"))
    record_type: str = field(Text(max_length=48))
    record: UUID = field(Reference("*", part_of=True, type_field="record_type"))
    origin: str = field(Choice(list(ORIGINS)), default="person")
    expires_at: datetime | None = field(DateTime(), default=None)


@record_type("segment", plural="segments", title="name")
class Segment(Record):
    """Named records of one type: whoever meets ``where`` now, or, of a ``snapshot``, those who did when it was made.

    Of a ``watched`` segment ``me.segments.refresh`` finds out who came and who left. ``roll`` is the tag that keeps the
    members: a snapshot's, or a watched segment's as of its last refresh. ``basis`` is what the expression was made
    from, such as the cut points of an RFM. ``task_on_enter`` is what is to be done about a record that comes.
    """

    name: str = field(Text(max_length=100), unique=True)
    on: str = field(Text(max_length=48))
    where: Any = field(Json())
    kind: str = field(Choice(list(SEGMENT_KINDS)), default="live")
    watched: bool = field(Boolean(), default=False)
    roll: UUID | None = field(Reference("tag", back="segments"), default=None)
    basis: Any = field(Json(), default=None)
    task_on_enter: str | None = field(Text(max_length=200), default=None)
    owner: UUID | None = field(Reference("user"), default=None)
