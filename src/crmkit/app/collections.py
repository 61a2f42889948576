"""The verbs of the built-in nouns as type checkers see them; at run time commands become verbs by themselves."""

from datetime import date, datetime
from uuid import UUID

from crmkit.app.collection import Collection
from crmkit.records import Account, Activity, Deal, Stage

__all__ = ["Accounts", "Activities", "Deals"]


class Accounts(Collection[Account]):
    """``me.accounts``."""


class Deals(Collection[Deal]):
    """``me.deals``."""

    def move(
        self, deal: Deal | UUID | str, to: Stage | UUID | str, on: date | None = None, loss_reason: str | None = None
    ) -> Deal:
        """See ``crmkit.app.commands.move_deal``."""
        raise AssertionError("the command answers")


class Activities(Collection[Activity]):
    """``me.activities``."""

    def complete(self, activity: Activity | UUID | str, at: datetime | None = None) -> Activity:
        """See ``crmkit.app.commands.complete_activity``."""
        raise AssertionError("the command answers")
