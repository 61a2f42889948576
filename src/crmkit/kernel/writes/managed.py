"""Records that are kept by verbs of their own: the verbs of every record do not write them."""

from collections.abc import Iterable
from typing import Any

from crmkit.errors import InvalidRecord
from crmkit.schema import RecordType

__all__ = ["check_by_hand"]


def check_by_hand(record_type: RecordType, before: Any, given: Iterable[str], values: Any) -> None:
    """Raises InvalidRecord (``not_by_hand``) for what somebody may not write by the verbs of records.

    ``before`` is the record as it is (None for a create), ``given`` are the fields that somebody set, ``values`` what
    they will hold (None for a delete). Fields a tenant added are the tenant's.
    """
    kept = record_type.managed_by
    by_hand = before is None or values is None or not {f.key for f in record_type.declared}.isdisjoint(given)
    if kept is not None and by_hand:
        raise InvalidRecord(f"{record_type.plural} are not written by hand", code="not_by_hand", hint=kept)
