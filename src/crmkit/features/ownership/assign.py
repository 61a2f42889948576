"""Give a record to another owner."""

from collections.abc import Sequence
from typing import Any

from crmkit.kernel.writes.results import Tally
from crmkit.query.lift import Lifted
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

    def run_many(self, me: Any, chosen: Sequence[Lifted], tally: Tally) -> bool:
        """Two statements, where nothing has to be decided for each record; otherwise in blocks."""
        writes, values = me.writes(), {"owner": self.owner}
        if len(chosen) == 1 and writes.update_all(self.type_key, chosen[0], values, tally):
            return True
        ids = [record_id for where in chosen for record_id in me.reader.ids(self.type_key, where)]
        writes.update(self.type_key, ((row, record_id, values) for row, record_id in enumerate(ids)), tally)
        return True
