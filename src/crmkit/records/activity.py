"""What was done and what is to be done: tasks, calls, meetings, e-mails, notes."""

from datetime import datetime
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Boolean, Choice, DateTime, LongText, Reference, Text

__all__ = ["ACTIVITY_KINDS", "Activity"]

ACTIVITY_KINDS = ("task", "call", "meeting", "email", "note")


@record_type(
    "activity",
    plural="activities",
    title="subject",
    sort="at",
    indexes=(("account", "at"), ("contact", "at"), ("deal", "at"), ("lead", "at")),
)
class Activity(Record):
    """One thing done or due; ``at`` is when it happened or happens, ``due_at`` and ``done_at`` are a task's.

    ``direction`` says who turned to whom. What a machine sent or noted by itself is ``automatic``: it is no contact.
    """

    kind: str = field(Choice(list(ACTIVITY_KINDS)))
    subject: str = field(Text())
    at: datetime | None = field(DateTime(), default=None)
    due_at: datetime | None = field(DateTime(), default=None)
    done_at: datetime | None = field(DateTime(), default=None)
    body: str | None = field(LongText(), default=None)
    direction: str | None = field(Choice(["outbound", "inbound"]), default=None)
    automatic: bool = field(Boolean(), default=False)
    account: UUID | None = field(Reference("account", back="activities"), default=None)
    contact: UUID | None = field(Reference("contact", back="activities"), default=None)
    deal: UUID | None = field(Reference("deal", back="activities"), default=None)
    lead: UUID | None = field(Reference("lead", back="activities"), default=None)
    owner: UUID | None = field(Reference("user"), default=None)
