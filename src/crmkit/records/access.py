"""What a role may do, and what is shared with whom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Choice, DateTime, Json, Reference, Text

__all__ = ["Grant", "Share"]


@record_type("grant", plural="grants", title="id", link=True)
class Grant(Record):
    """role x record type x action x scope (x fields), allowed or denied; ``on`` and ``action`` may be ``*``.

    Scope ``where`` takes the expression in ``where`` (JSON form, stored). ``fields`` None means all of them.
    """

    role: UUID = field(Reference("role", back="grants"))
    on: str = field(Text(max_length=48))
    action: str = field(Text(max_length=48))
    scope: str = field(Choice(["own", "team", "team_and_below", "all", "where"]), default="all")
    where: Any = field(Json(), default=None)
    fields: Any = field(Json(), default=None)
    effect: str = field(Choice(["allow", "deny"]), default="allow")


@record_type("share", plural="shares", title="id", link=True, indexes=(("record",),))
class Share(Record):
    """One record shared with a user or a team, with a reason and perhaps an end."""

    record_type: str = field(Text(max_length=48))
    record: UUID = field(Reference("*", part_of=True, type_field="record_type"))
    user: UUID | None = field(Reference("user", back="shares"), default=None)
    team: UUID | None = field(Reference("team", back="shares"), default=None)
    level: str = field(Choice(["read", "edit"]), default="read")
    reason: str = field(Text())
    expires_at: datetime | None = field(DateTime(), default=None)
