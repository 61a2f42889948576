"""Records that crmkit keeps itself: verbs of their own write them, the verbs of every record do not."""

from collections.abc import Iterable, Mapping
from typing import Any

from crmkit.errors import InvalidRecord
from crmkit.kernel.session.refusals import listed_tag
from crmkit.schema import RecordType

__all__ = ["check_by_hand"]


def check_by_hand(record_type: RecordType, before: Any, given: Iterable[str], values: Any) -> None:
    """Raises InvalidRecord (``not_by_hand``, ``listed_tag``) for what somebody may not write by the verbs of records.

    ``before`` is the record as it is (None for a create), ``given`` are the fields that somebody set, ``values`` what
    they will hold (None for a delete). Fields a tenant added are the tenant's.
    """
    if record_type.managed_by is not None:
        if before is None or values is None or set(given).intersection(f.key for f in record_type.declared):
            raise InvalidRecord(
                f"{record_type.plural} are not written by hand", code="not_by_hand", hint=record_type.managed_by
            )
    elif record_type.key == "segment":
        _check_list(before, values or {})
    elif record_type.key == "tag" and ((before is not None and before.listed) or (values or {}).get("listed")):
        raise listed_tag("listed")


def _check_list(before: Any, values: Mapping[str, Any]) -> None:
    """A segment's list of members is made by verbs of its own, and a snapshot is that list."""
    fixed = {"kind": "live", "roll": None} if before is None else {"kind": before.kind, "roll": before.roll}
    if before is not None and before.kind == "snapshot":
        fixed |= {"on": before.on, "where": before.where}
    for key, kept in fixed.items():
        if values.get(key, kept) != kept:
            raise InvalidRecord(
                f"{key} of a segment with a list is not written by hand",
                code="not_by_hand",
                field=key,
                hint="me.segments.snapshot(name, of=...) makes one",
            )
