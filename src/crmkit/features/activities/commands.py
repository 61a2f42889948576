"""A task is done."""

from datetime import datetime
from typing import Any

from crmkit.records import Activity
from crmkit.sdk.command import Command, Target, command

__all__ = ["CompleteActivity"]


@command("activity.complete")
class CompleteActivity(Command[Activity]):
    """``me.activities.complete(task)``: the activity with ``done_at`` set, to the present unless told otherwise."""

    activity: Target
    at: datetime | None = None

    def run(self, me: Any) -> Activity:
        done: Activity = me.activities.update(self.activity, done_at=self.at or me.now)
        return done
