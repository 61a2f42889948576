"""Give a record to another owner."""

from typing import Any

from crmkit.sdk.command import Command, Target, command

__all__ = ["Assign"]


@command("*.assign", action="assign")
class Assign(Command[Any]):
    """``me.deals.assign(deal, user)``: the record with its new owner. Raises what an update raises."""

    target: Target
    owner: Target
    type_key: str = ""

    def run(self, me: Any) -> Any:
        return me.records(self.type_key).update(self.target, owner=self.owner)
