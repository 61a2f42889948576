"""Share one record with a user or a team, with a reason and perhaps until a day."""

from datetime import datetime
from typing import Any

from crmkit.errors import InvalidRecord
from crmkit.kernel.writes.results import Raising
from crmkit.permissions.scopes import has_owner
from crmkit.sdk.command import Command, Target, command

__all__ = ["Share", "Unshare"]


@command("*.share")
class Share(Command[None]):
    """``me.deals.share(deal, user=bo, level="edit", reason="holiday")``: who it is shared with may read (or edit) it.

    Name a user or a team. Needs the right to update the record: nobody passes on more than they have.
    """

    target: Target
    reason: str
    user: Target | None = None
    team: Target | None = None
    level: str = "read"
    expires_at: datetime | None = None
    type_key: str = ""

    def run(self, me: Any) -> None:
        record = me.records(self.type_key).get(self.target)
        me.require(self.type_key, "update", record)
        if not has_owner(me.type_of(self.type_key)):
            raise InvalidRecord(
                f"{self.type_key} has no owner, so a share would change nothing",
                code="not_shareable",
                hint="grant the right to a role",
            )
        if (self.user is None) is (self.team is None):
            raise InvalidRecord("a record is shared with a user or with a team", code="required", field="user")
        values = {
            "record_type": self.type_key,
            "record": record.id,
            "user": self.user,
            "team": self.team,
            "level": self.level,
            "reason": self.reason,
            "expires_at": self.expires_at,
        }
        me.writes(trusted=True).create("share", [(0, values)], Raising())


@command("*.unshare")
class Unshare(Command[None]):
    """``me.deals.unshare(deal, user=bo)``: every share of the record with that user or team is gone."""

    target: Target
    user: Target | None = None
    team: Target | None = None
    type_key: str = ""

    def run(self, me: Any) -> None:
        record = me.records(self.type_key).get(self.target)
        me.require(self.type_key, "update", record)
        parsed = me.parser("share").change({"user": self.user, "team": self.team})
        shares = [
            s
            for s in me.system_reader.referring("share", "record", [record.id])
            if s.user == parsed["user"] and s.team == parsed["team"]
        ]
        me.writes(trusted=True).delete("share", [(i, s.id) for i, s in enumerate(shares)], Raising())
