"""Put a tag on a record, take it off."""

from datetime import datetime
from typing import Any

from crmkit.features.tags.tagging import put_on, take_off
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


@command("*.untag")
class Untag(Command[None]):
    """``me.accounts.untag(acme, "vip")``: the tag is not on the record. Needs the right to update the record."""

    target: Target
    tag: str
    type_key: str = ""

    def run(self, me: Any) -> None:
        take_off(me, self.type_key, self.target, self.tag)
