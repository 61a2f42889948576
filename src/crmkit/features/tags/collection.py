"""What collections of every type tell of tags."""

from typing import TypeVar
from uuid import UUID

from crmkit.features.tags.history import TagEvent
from crmkit.features.tags.tagging import tag_history
from crmkit.kernel.collections.collection import Collection
from crmkit.schema import Record

__all__ = ["Tagged"]

T = TypeVar("T", bound=Record)


class Tagged(Collection[T]):
    """The tags of records."""

    __slots__ = ()

    def tag_history(self, target: T | UUID | str) -> list[TagEvent]:
        """What became of the tags on a record: who put them on, changed them or took them off, what expired, when.

        Raises NotFound, and Denied without the right ``history`` on the record.
        """
        return tag_history(self.session, self.type.key, target)
