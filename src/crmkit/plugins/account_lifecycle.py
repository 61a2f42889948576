"""Accounts keep to their lifecycle: a verb, a bulk verb, an import and a plugin go by the same ways."""

from collections.abc import Mapping
from typing import Any

from crmkit.sdk import Change, Veto, hookimpl
from crmkit.sdk.lifecycle import refusal

__all__ = ["concerned", "crmkit_before_change", "listens_to", "name"]

name = "account_lifecycle"
listens_to = ("account",)


@hookimpl
def crmkit_before_change(session: Any, changes: tuple[Change, ...]) -> list[Change | Veto] | None:
    """Refuses a step no way leads along, and a way back without a reason; a reason holds for the step it was given
    with. An account may begin in any state.
    """
    # What was there before may be there again.
    if session.undoing:
        return None
    return [_answer(c) for c in changes if c.kind == "update" and _goes(c)]


def concerned(values: Mapping[str, Any]) -> bool:
    """Only a change of state takes a way."""
    return "lifecycle" in values


def _goes(change: Change) -> bool:
    return change.before is not None and bool(change.before["lifecycle"] != change.values["lifecycle"])


def _answer(change: Change) -> Change | Veto:
    before: Any = change.before
    reason = change.values["lifecycle_reason"] if "lifecycle_reason" in change.given else None
    refused = refusal(before["lifecycle"], change.values["lifecycle"], reason)
    if refused is not None:
        return Veto(change.row, refused.message, refused.field, refused.code, refused.hint)
    return change.amended(lifecycle_reason=reason)
