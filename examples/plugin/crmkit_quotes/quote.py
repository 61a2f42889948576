"""The record type."""

from datetime import date
from uuid import UUID

from crmkit.sdk import Money, Record, field, record_type, types

__all__ = ["Quote"]


@record_type("quote", plural="quotes", title="number", sort="valid_until")
class Quote(Record):
    """An offer for a deal. From this declaration come tables, validation, filters, permissions and history."""

    number: str = field(types.Text(max_length=40), unique=True)
    deal: UUID = field(types.Reference("deal", back="quotes"))
    total: Money = field(types.Money())
    valid_until: date = field(types.Date())
    status: str = field(types.Choice({"open": "Open", "accepted": "Accepted", "refused": "Refused"}), default="open")
    owner: UUID | None = field(types.Reference("user"), default=None)
