"""How far a figure reaches: whether its reader may read all it is made of, and how many records that leaves out."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import attrs

from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.parts import Parts
from crmkit.query.context import Guard
from crmkit.query.lift import EVERYTHING, Lifted
from crmkit.store.read.reader import Reader

__all__ = ["HIDDEN", "Asked", "covers", "pipelines_seen", "reads", "where_readable"]

HIDDEN = "not_readable"
"""The reason under which figures count the records they leave out because a field they need may not be read there."""

_NO_AMOUNT, _NO_READABLE_AMOUNT = "no_amount", "no_readable_amount"

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Asked(Protocol):
    """What figures are asked of."""

    def seeing(self, needed: Iterable[str], also: Iterable[str] = (), *, aged: bool = False) -> Self:
        """The same of the deals whose ``needed`` fields may be read, in a frame that says whether that is all."""
        ...

    def fewer(self, than: Any) -> int:
        """How many deals there are not, of those there are in the other."""
        ...

    def shows(self, field: str) -> bool:
        """Whether the field may be read of every deal."""
        ...


A = TypeVar("A", bound=Asked)


def reads(
    *needed: str, also: tuple[str, ...] = (), aged: bool = False
) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """A figure that needs these fields of deals, reads others too as far as they may be read, and perhaps the one at
    which their age begins.

    It is refused with InvalidQuery (``unknown_field``) to who may never read a needed field, and told without the deals
    of which one may not be read; these are counted as ``not_readable``.
    """

    def decorated(make: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        @wraps(make)
        def figure(asked: A, /, *args: P.args, **options: P.kwargs) -> R:
            seen = asked.seeing(needed, also, aged=aged)
            hidden = seen.fewer(asked)
            amounts = "amount" not in also or seen.shows("amount")
            made = make(seen, *args, **options)
            return made if amounts and not hidden else _told(made, hidden, amounts)

        return figure

    return decorated


def _told(part: Any, hidden: int, amounts: bool) -> Any:
    """A result whose figures say what the reader may not read."""
    if isinstance(part, tuple):
        return tuple([_told(each, hidden, amounts) for each in part])
    if isinstance(part, Mapping):
        return {key: _told(each, hidden, amounts) for key, each in part.items()}
    if isinstance(part, Parts):
        return part + Parts({HIDDEN: hidden} if hidden else {})
    if not attrs.has(type(part)) or isinstance(part, Frame):
        return part
    changed: dict[str, Any] = {}
    for field in attrs.fields(type(part)):
        value = getattr(part, field.name)
        if field.name == "excluded":
            changed["excluded"] = _reasons(value, hidden, amounts)
        elif field.name != "members" and (attrs.has(type(value)) or isinstance(value, tuple | Mapping)):
            changed[field.name] = _told(value, hidden, amounts)
    return attrs.evolve(part, **changed) if changed else part


def _reasons(excluded: Mapping[str, int], hidden: int, amounts: bool) -> dict[str, int]:
    told = {_NO_READABLE_AMOUNT if why == _NO_AMOUNT and not amounts else why: n for why, n in excluded.items()}
    return {**told, HIDDEN: hidden} if hidden else told


def where_readable(where: Lifted, fields: Iterable[str]) -> Lifted:
    """The condition, where these fields may be read as well."""
    clauses = [("readable", key) for key in fields]
    return Lifted(("and", where.shape, *clauses), where.values) if clauses else where


def covers(reader: Reader, on: str, where: Lifted, fields: Iterable[str] = ()) -> bool:
    """Whether the reader reads all records of a type, the fields of all of them, and all that the condition asks about.

    A field may be a path. Raises InvalidQuery for a field that may never be read.
    """
    noting = _Noting(reader.view.guard)
    binder = attrs.evolve(reader.view, guard=noting).binder()
    noting.rows(on)
    binder.bind(where.shape, on)
    for field in fields:
        binder.column(tuple(field.split(".")), on)
    return noting.whole


@attrs.define
class _Noting:
    """A guard that notes whether it was ever asked about what the actor may not read all of."""

    guard: Guard
    whole: bool = True

    @property
    def signature(self) -> object:
        return self.guard.signature

    def rows(self, type_key: str) -> Lifted:
        return self._noted(self.guard.rows(type_key))

    def scope(self, type_key: str, action: str) -> Lifted:
        return self._noted(self.guard.scope(type_key, action))

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        return self._noted(self.guard.field(type_key, field_key))

    def _noted(self, answer: T) -> T:
        if isinstance(answer, bool):
            self.whole &= answer
        elif answer != EVERYTHING:
            self.whole = False
        return answer


def pipelines_seen(session: Any) -> str:
    """A hint: the names of the pipelines the actor may see."""
    names = sorted(pipeline.name for pipeline in session.reader.records("pipeline"))
    return f"you may see: {', '.join(names)}" if names else "there is none that you may see"
