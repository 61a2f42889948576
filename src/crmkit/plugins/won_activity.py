"""When a deal is won, a note is written into its timeline. What an import brings was won before, and needs none."""

from collections.abc import Mapping
from typing import Any

from crmkit.sdk import Committed, hookimpl

__all__ = ["concerned", "crmkit_after_commit", "listens_to", "name", "role"]

name = "won_activity"
listens_to = ("deal",)
role = "automation"


@hookimpl
def crmkit_after_commit(session: Any, changes: tuple[Committed, ...]) -> None:
    """One note for each deal that the changeset made a won one, unless it imported deals."""
    for changeset_id in {c.changeset_id for c in changes}:
        if session.changeset(changeset_id).origin == "import":
            continue
        won = [
            change.after
            for change in session.changes_of(changeset_id)
            if change.type_key == "deal" and _was_won(change.before, change.after)
        ]
        session.activities.create_many(map(_note, won), stop=True)


def concerned(values: Mapping[str, Any]) -> bool:
    """Only a change of outcome wins a deal."""
    return "outcome" in values


def _was_won(before: Any, after: Any) -> bool:
    return after is not None and after.outcome == "won" and (before is None or before.outcome != "won")


def _note(deal: Any) -> dict[str, Any]:
    return {
        "kind": "note",
        "subject": f"Won: {deal.name}"[:255],
        "at": deal.recorded_at,
        "deal": deal.id,
        "account": deal.account,
        "owner": deal.owner,
    }
