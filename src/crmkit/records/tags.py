"""Tags and what they are put on; segments, which are stored expressions."""

from typing import Any
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Json, Reference, Text

__all__ = ["Segment", "Tag", "Tagging"]


@record_type("tag", plural="tags", title="name")
class Tag(Record):
    """A word put on records of any type."""

    name: str = field(Text(max_length=100), unique=True)


@record_type("tagging", plural="taggings", title="id", link=True, unique=(("tag", "record"),), indexes=(("record",),))
class Tagging(Record):
    """A tag on a record."""

    tag: UUID = field(Reference("tag", back="taggings"))
    record_type: str = field(Text(max_length=48))
    record: UUID = field(Reference("*"))


@record_type("segment", plural="segments", title="name")
class Segment(Record):
    """A named expression over one record type; its members are whoever matches now."""

    name: str = field(Text(max_length=100), unique=True)
    on: str = field(Text(max_length=48))
    where: Any = field(Json())
    owner: UUID | None = field(Reference("user"), default=None)
