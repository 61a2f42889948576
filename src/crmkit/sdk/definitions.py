"""Records that define something: what is said of them when they are written, and what relies on them."""

from collections.abc import Callable, Iterable

import attrs

from crmkit.errors import CrmkitError, StorageError
from crmkit.query import Expr
from crmkit.sdk.change import Change

__all__ = ["Dependant", "Refusal", "refusals"]


@attrs.frozen
class Refusal:
    """Why one change is refused."""

    row: int
    error: CrmkitError


@attrs.frozen
class Dependant:
    """Something stored that relies on definitions: what it is, in words; a check that raises if it means nothing any
    more; and the condition in it, if it has one.
    """

    what: str
    check: Callable[[], None]
    condition: Callable[[], Expr] | None = None


def refusals(changes: Iterable[Change], check: Callable[[Change], None]) -> list[Refusal]:
    """A refusal of each change for which the check raises."""
    found = []
    for change in changes:
        try:
            check(change)
        except StorageError:
            raise
        except CrmkitError as error:
            found.append(Refusal(change.row, error))
    return found
