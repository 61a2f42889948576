"""Split a deal among people: who is credited with which share of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crmkit.errors import InvalidRecord
from crmkit.kernel.writes.results import Raising
from crmkit.query.lift import equal_to
from crmkit.sdk.command import Command, Target, command
from crmkit.store.write.locks import lock
from crmkit.values.text import shown

__all__ = ["SplitDeal"]

_WHOLE = Decimal(100)


@command("deal.split")
class SplitDeal(Command[None]):
    """``me.deals.split(deal, {ana: 70, bo: 30})``: each user's share in percent; together 100, or nobody's at all.

    It takes the place of the shares there were; with no shares the whole deal is the owner's. Needs the right to update
    the deal. Raises InvalidRecord (``not_whole``, ``bad_share``) and what a create raises.
    """

    deal: Target
    shares: Mapping[Any, Any]

    def run(self, me: Any) -> None:
        deal = me.deals.get(self.deal)
        me.require("deal", "update", deal)
        parser = me.parser("deal_split")
        rows = [parser.change({"user": user, "share": share}) for user, share in _pairs(self.shares)]
        if any(row["share"] is None or row["share"] <= 0 for row in rows):
            raise InvalidRecord("a share is more than nothing", code="bad_share", field="share")
        if rows and sum(row["share"] for row in rows) != _WHOLE:
            raise InvalidRecord("the shares of a deal add up to 100", code="not_whole", field="share")
        # Two who split it at once would not see each other's shares.
        lock(me.system_reader, "deal", equal_to("id", deal.id))
        writes = me.writes(trusted=True)
        old = [split.id for split in me.system_reader.referring("deal_split", "deal", [deal.id])]
        writes.delete("deal_split", enumerate(old), Raising())
        writes.create("deal_split", enumerate({"deal": deal, **row} for row in rows), Raising())


def _pairs(shares: Any) -> list[tuple[Any, Any]]:
    if not isinstance(shares, Mapping):
        raise InvalidRecord(f"{shown(shares)} is no mapping of users to shares", code="bad_share", field="share")
    return list(shares.items())
