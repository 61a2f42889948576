"""Unique values are free, in the database and among the changes themselves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crmkit.app.references import news
from crmkit.errors import Duplicate
from crmkit.schema import Field, RecordType
from crmkit.sdk.change import Change
from crmkit.store.reader import Reader
from crmkit.store.rows import unique_text

__all__ = ["uniqueness_check"]


def uniqueness_check(
    reader: Reader, record_type: RecordType, fields: tuple[Field, ...], changes: Sequence[Change]
) -> Callable[[Change], None] | None:
    """Raises Duplicate for a change whose values in these fields somebody has, or an earlier change of the sequence;
    None if there is no such change.
    """
    keys = {change.id: _unique_key(fields, change.values) for change in changes}
    wanted = {
        key: tuple([change.values[f.key] for f in fields])
        for change in changes
        if (key := keys[change.id]) is not None and (change.before is None or any(news(change, f.key) for f in fields))
    }
    if not wanted:
        return None
    taken = reader.holders(record_type.key, fields, list(wanted.values()))
    if not taken and len(wanted) == len(changes):
        return None

    def check(change: Change) -> None:
        key = keys[change.id]
        if key is not None and taken.setdefault(key, change.id) != change.id:
            names = " and ".join(f.key for f in fields)
            raise Duplicate(f"another {record_type.key} has this {names}", field=fields[-1].key)

    return check


def _unique_key(fields: tuple[Field, ...], values: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What must not occur twice; None where a field has no value, which is never a duplicate."""
    key = []
    for f in fields:
        value = values[f.key]
        if value is None:
            return None
        key.append(unique_text(f, value))
    return tuple(key)
