"""Records that say something about another one: a share, a tag on it, where a deal has been.

Whoever may change the record may have them written by its verbs, and so may take them back.
"""

from typing import Any
from uuid import UUID

__all__ = ["PLACE", "subject_of"]

PLACE = frozenset({"pipeline", "stage", "stage_since", "outcome"})
"""Where a deal is: fields that mean something together only, and with its intervals."""

_OF_ANY = frozenset({"share", "tagging"})
_OF_DEALS = frozenset({"deal_split", "stage_interval"})


def subject_of(type_key: str, row: Any) -> tuple[str, UUID] | None:
    """The record type and id of the record it is about; None for a record that stands for itself."""
    if type_key in _OF_ANY:
        return row["record_type"], row["record"]
    return ("deal", row["deal"]) if type_key in _OF_DEALS else None
