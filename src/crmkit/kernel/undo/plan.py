"""What undoing a changeset would do today. Later work by others is kept, field by field, and said."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import attrs

from crmkit.errors import Problem
from crmkit.schema import Record, record_type_of
from crmkit.store.read.history import RecordChange

__all__ = ["UndoEntry", "UndoResult", "UndoStep", "plan_undo"]


_NOTHING: Mapping[str, str] = MappingProxyType({})
_EDITED = "edited since"


@attrs.frozen
class UndoStep:
    """What to do with one record: ``create`` it again as it was, ``update`` fields back, ``delete`` it, or nothing.

    ``values`` are the fields an update sets back; ``kept`` names those that somebody changed since.
    """

    action: Literal["create", "update", "delete", "keep"]
    values: dict[str, Any] = attrs.field(factory=dict)
    kept: tuple[str, ...] = ()
    reason: str = ""


def plan_undo(
    change: RecordChange,
    current: Any,
    readable: Callable[[str], bool] = lambda _: True,
    together: frozenset[str] = frozenset(),
    removed: Mapping[str, str] = _NOTHING,
) -> UndoStep | None:
    """The step that takes one change back, given the record as it is now (None if there is none).

    Of an update it concerns the fields that are ``readable``; None if there are none. Of fields that belong
    ``together`` all are set back, or none. Values that a custom field does not take any more, and those of custom
    fields ``removed`` since (by what versions name them, to the key they had), are kept.
    """
    match change.kind:
        case "create":
            return _undo_create(change, current)
        case "delete":
            if current is not None:
                return UndoStep("keep", reason="the record is there again")
            lost = _unfit(change, readable) | _gone(change, removed)
            return UndoStep("create", kept=tuple(lost), reason=_told(lost))
    if current is None:
        return UndoStep("keep", reason="the record was deleted since")
    changed = change.fields
    fields = [f for f in changed if readable(f.key)]
    gone = _gone(change, removed)
    if not fields and not gone:
        return None
    edited = {f.key for f in changed if current[f.key] not in (f.after, f.before)}
    held = edited | together if edited & together else edited
    back = {f.key: f.before for f in fields if f.key not in held and current[f.key] != f.before}
    unfit = {key: why for key, why in _unfit(change, readable).items() if key in back}
    kept = {**{f.key: _EDITED for f in fields if f.key in held}, **unfit, **gone}
    values = {key: value for key, value in back.items() if key not in unfit}
    if not values:
        return UndoStep("keep", kept=tuple(kept), reason=_told(kept) or "as it was already")
    return UndoStep("update", values, tuple(kept), _told(kept))


def _unfit(change: RecordChange, readable: Callable[[str], bool]) -> dict[str, str]:
    return {key: f"{key}: {why}" for key, why in change.unfit().items() if readable(key)}


def _gone(change: RecordChange, removed: Mapping[str, str]) -> dict[str, str]:
    """The removed fields in which something was changed, by the key they had."""

    def held(record: Record | None, name: str) -> Any:
        return None if record is None else record.custom.get(name)

    changed = (key for name, key in removed.items() if held(change.before, name) != held(change.after, name))
    return {key: f"{key}: the field was removed since" for key in changed}


def _told(kept: Mapping[str, str]) -> str:
    return "; ".join(dict.fromkeys(kept.values()))


def _undo_create(change: RecordChange, current: Any) -> UndoStep:
    if current is None:
        return UndoStep("keep", reason="the record was deleted since")
    edited = _edited(change.after, current)
    return UndoStep("keep", kept=edited, reason="edited since") if edited else UndoStep("delete")


def _edited(then: Any, now: Any) -> tuple[str, ...]:
    """The fields in which a record differs from one of its versions."""
    if then is now:
        return ()
    keys = (*(f.key for f in record_type_of(now).fields), *now.custom)
    return tuple(key for key in keys if _value(then, key) != now[key])


def _value(record: Any, key: str) -> Any:
    try:
        return record[key]
    except KeyError:
        return None


@attrs.frozen
class UndoEntry:
    """One record in the result: what was taken back, what was kept, or why it was refused."""

    type_key: str
    id: UUID
    fields: tuple[str, ...] = ()
    reason: str = ""
    problems: tuple[Problem, ...] = ()


@attrs.frozen
class UndoResult:
    """The outcome of an undo in three buckets. A record may be in two: some fields reverted, others kept."""

    undoes_id: UUID
    changeset_id: UUID | None
    reverted: tuple[UndoEntry, ...]
    kept: tuple[UndoEntry, ...]
    refused: tuple[UndoEntry, ...]
