"""Put a tag on a record, take it off."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crmkit.features.tags.tagging import put_on, put_on_all, take_off, take_off_all
from crmkit.kernel.writes.results import Tally
from crmkit.query.lift import Lifted
from crmkit.sdk.command import Command, Target, command

__all__ = ["Tag", "Untag"]


@command("*.tag")
class Tag(Command[None]):
    """``me.accounts.tag(acme, "vip")``: the tag is on the record, made if there was none of that name.

    It counts until ``expires_at``, or as long as it is there. Tags of one group exclude each other: the others are
    taken off. Needs the right to update the record. Putting a tag on twice is putting it on once; said with another
    ``expires_at``, it holds as said last.
    """

    target: Target
    tag: str
    expires_at: datetime | None = None
    type_key: str = ""

    def run(self, me: Any) -> None:
        put_on(me, self.type_key, self.target, self.tag, self.expires_at)

    def run_many(self, me: Any, chosen: Sequence[Lifted], tally: Tally) -> bool:
        """A handful of statements, however many records, where no plugin listens to taggings."""
        quiet: bool = me.writes().quiet("tagging")
        if quiet:
            put_on_all(me, self.type_key, chosen, self.tag, self.expires_at, tally)
        return quiet


@command("*.untag")
class Untag(Command[None]):
    """``me.accounts.untag(acme, "vip")``: the tag is not on the record. Needs the right to update the record."""

    target: Target
    tag: str
    type_key: str = ""

    def run(self, me: Any) -> None:
        take_off(me, self.type_key, self.target, self.tag)

    def run_many(self, me: Any, chosen: Sequence[Lifted], tally: Tally) -> bool:
        """As of ``Tag``."""
        quiet: bool = me.writes().quiet("tagging")
        if quiet:
            take_off_all(me, self.type_key, chosen, self.tag, tally)
        return quiet
