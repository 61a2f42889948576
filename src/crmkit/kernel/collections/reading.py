"""A list that is being read while its session writes: it goes on with the records it began with."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar
from uuid import UUID

__all__ = ["Reading"]

T = TypeVar("T")


class Reading(Generic[T]):
    """Records, or blocks of them, that are read as they are asked for.

    Pages follow one another by the values records are sorted by. A record that is changed meanwhile would come again or
    not at all, and a loop that makes new ones would never end: so before the session writes, the rest is noted by id
    (``ids`` of what was found) and read ``again`` from there, so many ids at a time.

    What was read ahead is forgotten whenever something is written. Single records are therefore read as many at a time
    as were taken between two writes, and twice as many each time when there was none.
    """

    def __init__(
        self,
        found: Iterator[T],
        ids: Callable[[T], Iterable[UUID]],
        again: Callable[[list[UUID]], Iterable[T]],
        size: int,
        *,
        single: bool = False,
    ) -> None:
        self._found, self._ids, self._again = found, ids, again
        self._settled = False
        self._rest: deque[UUID] = deque()
        self._ahead: deque[T] = deque()
        self._size, self._most, self._single = 1 if single else size, size, single
        self._taken = 0

    def __iter__(self) -> Iterator[T]:
        yield from self._found
        while self._ahead or self._rest:
            if self._ahead:
                self._taken += 1
                yield self._ahead.popleft()
            else:
                self._read_ahead()

    def _read_ahead(self) -> None:
        if self._taken >= self._size:
            self._size = min(2 * self._size, self._most)
        ids = [self._rest.popleft() for _ in range(min(self._size, len(self._rest)))]
        self._ahead.extend(self._again(ids))

    def settle(self) -> None:
        """Something is about to be written."""
        if not self._settled:
            self._settled = True
            self._rest.extend(i for one in self._found for i in self._ids(one))
        elif self._taken:
            self._rest.extendleft(i for one in reversed(self._ahead) for i in reversed([*self._ids(one)]))
            self._ahead.clear()
            if self._single:
                self._size = min(self._taken, self._most)
            self._taken = 0
