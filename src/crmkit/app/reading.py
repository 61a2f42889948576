"""A list that is being read while its session writes: it goes on with the records it began with."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar
from uuid import UUID

__all__ = ["Reading"]

T = TypeVar("T")


class Reading(Generic[T]):
    """Records, or blocks of them, that are read as they are asked for.

    Pages follow one another by the values records are sorted by. A record that is changed meanwhile would come again or
    not at all, and a loop that makes new ones would never end: so before the session writes, the rest is noted by id
    (``ids`` of what was found) and read ``again`` from there.
    """

    def __init__(
        self, found: Iterator[T], ids: Callable[[T], Iterable[UUID]], again: Callable[[list[UUID]], Iterator[T]]
    ) -> None:
        self._found, self._ids, self._again = found, ids, again
        self._settled = False

    def __iter__(self) -> Iterator[T]:
        while True:
            found = self._found
            yield from found
            if found is self._found:
                return

    def settle(self) -> None:
        """Note the rest; once is enough."""
        if not self._settled:
            self._settled = True
            self._found = self._again([i for one in self._found for i in self._ids(one)])
