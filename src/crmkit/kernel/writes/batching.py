"""Rows in blocks: what is written together."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from crmkit.errors import CrmkitError
from crmkit.schema.types import Reference

__all__ = ["BLOCK", "apart", "blocks", "id_of"]

BLOCK = 1_000
"""Records written together: one look-up of references and unique values for each block."""

T = TypeVar("T")


def blocks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many rows."""
    iterator = iter(rows)
    while block := list(islice(iterator, size)):
        yield block


def apart(rows: Iterable[T], size: int, target: Callable[[T], Any]) -> Iterator[list[T]]:
    """Lists of rows, no two of which concern the same record: the later one sees what the earlier one did."""
    block: list[T] = []
    met: set[UUID] = set()
    for row in rows:
        record_id = id_of(target(row))
        if len(block) == size or record_id in met:
            yield block
            block, met = [], set()
        block.append(row)
        if record_id is not None:
            met.add(record_id)
    if block:
        yield block


def id_of(target: Any) -> UUID | None:
    """The id a record, an id or its text stands for; None if it stands for none, which its row is told later."""
    if target is None or type(target) is UUID:
        return target
    try:
        return Reference("*").parse(target)
    except CrmkitError:
        return None
