"""Put a tag on a record, take it off."""

from typing import Any

from crmkit.app.outcomes import Tally
from crmkit.sdk.command import Command, Target, command

__all__ = ["Tag", "Untag"]


@command("*.tag")
class Tag(Command[None]):
    """``me.accounts.tag(acme, "vip")``: the tag is on the record, made if there was none of that name.

    Needs the right to update the record. Putting a tag on twice is putting it on once.
    """

    target: Target
    tag: str
    type_key: str = ""

    def run(self, me: Any) -> None:
        record = me.records(self.type_key).get(self.target)
        me.require(self.type_key, "update", record)
        tag = _tag(me, self.tag)
        if tag is None:
            tag = _create(me, "tag", {"name": self.tag})
        if not _taggings(me, tag, record.id):
            _create(me, "tagging", {"tag": tag, "record_type": self.type_key, "record": record.id})


@command("*.untag")
class Untag(Command[None]):
    """``me.accounts.untag(acme, "vip")``: the tag is not on the record. Needs the right to update the record."""

    target: Target
    tag: str
    type_key: str = ""

    def run(self, me: Any) -> None:
        record = me.records(self.type_key).get(self.target)
        me.require(self.type_key, "update", record)
        tag = _tag(me, self.tag)
        taggings = [] if tag is None else _taggings(me, tag, record.id)
        me.writes(trusted=True).delete("tagging", [(i, t.id) for i, t in enumerate(taggings)], Tally(stop=True))


def _tag(me: Any, name: str) -> Any:
    fields = (me.type_of("tag").by_key["name"],)
    parsed = me.parser("tag").change({"name": name})["name"]
    return next(iter(me.system_reader.holders("tag", fields, [(parsed,)]).values()), None)


def _taggings(me: Any, tag: Any, record_id: Any) -> list[Any]:
    return [t for t in me.system_reader.referring("tagging", "record", [record_id]) if t.tag == tag]


def _create(me: Any, type_key: str, values: dict[str, Any]) -> Any:
    tally = Tally(stop=True)
    me.writes(trusted=True).create(type_key, [(0, values)], tally)
    return tally.rows[0][2]
