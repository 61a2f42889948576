"""What is said of a record that is not there for the actor, or that they may not do this with."""

from crmkit.errors import Denied, NotFound
from crmkit.schema import RecordType

__all__ = ["denied", "missing"]


def missing(record_type: RecordType) -> NotFound:
    """No such record, or none the actor may see: the same words for both."""
    return NotFound(f"there is no such {record_type.label.lower()}", field="id")


def denied(action: str, record_type: RecordType) -> Denied:
    """The actor sees the record, and may not do this with it."""
    return Denied(
        f"you may not {action} this {record_type.label.lower()}",
        hint=f"needs a grant of {action} on {record_type.key} that covers it",
    )
