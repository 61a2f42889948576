"""The expression tree: what a person writes as Python, text or JSON, before it meets a schema.

::

    Node
    ├── Value                   something a record has
    │   ├── Path                F.account.industry
    │   └── Aggregate           F.deals.count(F.outcome == "won")
    ├── Dynamic                 something only the moment or the actor knows
    │   ├── RelativeTime        days_ago(30), today, now
    │   └── Actors              me, my_team, my_team_and_below
    └── Expr                    true, false or unknown of a record
        ├── Compare IsNull      on a value
        ├── And Or Not Constant
        ├── Quantifier          any, all, none of the related records
        ├── Within              on the one record a path of references leads to
        ├── HasTag InSegment
        └── SharedWith          shared with the actor (made by permissions)

Nodes are frozen and know nothing of databases. ``==`` builds conditions, so nodes have no equality of their own:
compare ``lift(a) == lift(b)``. ``crmkit.query.bind`` checks them against a schema.
"""

from collections.abc import Iterable
from typing import Any, NoReturn

import attrs

from crmkit.errors import InvalidQuery

__all__ = [
    "AGGREGATES",
    "COMPARISONS",
    "FALSE",
    "MAX_DAYS",
    "QUANTIFIERS",
    "TRUE",
    "Actors",
    "Aggregate",
    "And",
    "Compare",
    "Constant",
    "Dynamic",
    "Expr",
    "F",
    "HasTag",
    "InSegment",
    "IsNull",
    "Node",
    "Not",
    "Or",
    "Order",
    "Path",
    "Quantifier",
    "RelativeTime",
    "SharedWith",
    "Value",
    "Within",
    "all_of",
    "any_of",
    "days_ago",
    "days_from_now",
    "holds",
    "in_segment",
    "joined",
    "me",
    "my_team",
    "my_team_and_below",
    "now",
    "today",
]


class Node:
    """Anything in the tree."""

    __slots__ = ()


class Expr(Node):
    """A condition: true, false or unknown of a record. Combine with ``&``, ``|`` and ``~``."""

    __slots__ = ()

    def __and__(self, other: "Expr") -> "Expr":
        return all_of((self, _expr(other)))

    def __or__(self, other: "Expr") -> "Expr":
        return any_of((self, _expr(other)))

    def __invert__(self) -> "Expr":
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise InvalidQuery(
            "a condition has no truth of its own", code="not_boolean", hint="combine with & | ~, not and/or/not"
        )


def _expr(value: object) -> Expr:
    if not isinstance(value, Expr):
        raise InvalidQuery(f"{value!r:.80} is not a condition", code="not_a_condition")
    return value


@attrs.frozen(eq=False)
class And(Expr):
    """All of them."""

    items: tuple[Expr, ...]


@attrs.frozen(eq=False)
class Or(Expr):
    """At least one of them."""

    items: tuple[Expr, ...]


@attrs.frozen(eq=False)
class Not(Expr):
    """The contrary; unknown stays unknown."""

    item: Expr


@attrs.frozen(eq=False)
class Constant(Expr):
    """True or false of every record."""

    value: bool


TRUE = Constant(True)
FALSE = Constant(False)


def all_of(items: Iterable[Expr]) -> Expr:
    """The conjunction, flattened; of nothing, true."""
    flat: list[Expr] = []
    for item in items:
        if isinstance(item, Constant):
            if not item.value:
                return FALSE
            continue
        flat.extend(item.items if isinstance(item, And) else (item,))
    return TRUE if not flat else flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(items: Iterable[Expr]) -> Expr:
    """The disjunction, flattened; of nothing, false."""
    flat: list[Expr] = []
    for item in items:
        if isinstance(item, Constant):
            if item.value:
                return TRUE
            continue
        flat.extend(item.items if isinstance(item, Or) else (item,))
    return FALSE if not flat else flat[0] if len(flat) == 1 else Or(tuple(flat))


def joined(junction: And | Or) -> Expr:
    """The same condition as one would write it: those of its kind inside flattened; of none a constant, of one that."""
    flat: list[Expr] = []
    ahead = list(reversed(junction.items))
    while ahead:
        item = ahead.pop()
        while isinstance(item, And | Or) and len(item.items) == 1:
            item = item.items[0]
        if type(item) is type(junction):
            ahead.extend(reversed(item.items))
        elif isinstance(item, And | Or) and not item.items:
            flat.append(Constant(isinstance(item, And)))
        else:
            flat.append(item)
    if len(flat) == 1:
        return flat[0]
    return type(junction)(tuple(flat)) if flat else Constant(isinstance(junction, And))


class Dynamic(Node):
    """A value that depends on the moment or the actor, known when the expression runs."""

    __slots__ = ()


@attrs.frozen
class RelativeTime(Dynamic):
    """``now`` or ``today`` moved by a number of calendar days in the tenant's zone.

    Compared with an instant it is that instant (``today``: the day's beginning); compared with a date, that date.
    """

    unit: str
    days: int = 0


@attrs.frozen
class Actors(Dynamic):
    """Users seen from the actor: ``me``, ``my_team`` or ``my_team_and_below``."""

    who: str


me = Actors("me")
"""The user who asks."""
my_team = Actors("my_team")
"""Everybody in the teams of the user who asks, that user among them."""
my_team_and_below = Actors("my_team_and_below")
"""Everybody in these teams and in all below them."""
now = RelativeTime("now")
"""The instant at which the expression runs."""
today = RelativeTime("today")
"""The day on which it runs, in the tenant's zone; compared with an instant, that day's beginning."""

MAX_DAYS = 1_000_000


def _days(days: object) -> int:
    if type(days) is not int or abs(days) > MAX_DAYS:
        raise InvalidQuery(f"{days!r:.80} is not a number of days", code="bad_days", hint="a whole number")
    return days


def days_ago(days: int) -> RelativeTime:
    """Now, that many calendar days earlier (in the tenant's zone)."""
    return RelativeTime("now", -_days(days))


def days_from_now(days: int) -> RelativeTime:
    """Now, that many calendar days later (in the tenant's zone)."""
    return RelativeTime("now", _days(days))


class Value(Node):
    """Something a record has, to be compared. ``==`` and the like build conditions, so values compare by ``is``."""

    __slots__ = ()

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return IsNull(self) if other is None else Compare("eq", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return Not(IsNull(self)) if other is None else Compare("ne", self, other)

    def __lt__(self, other: object) -> Expr:
        return Compare("lt", self, other)

    def __le__(self, other: object) -> Expr:
        return Compare("le", self, other)

    def __gt__(self, other: object) -> Expr:
        return Compare("gt", self, other)

    def __ge__(self, other: object) -> Expr:
        return Compare("ge", self, other)

    __hash__ = object.__hash__

    def is_in(self, values: object) -> Expr:
        """One of these values, or of ``my_team``."""
        if isinstance(values, Actors):
            return Compare("in", self, values)
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise InvalidQuery("'in' needs a list of values", code="not_a_list")
        return Compare("in", self, tuple(values))

    def not_in(self, values: object) -> Expr:
        """None of these values; unknown where there is no value."""
        return Not(self.is_in(values))

    def between(self, low: object, high: object) -> Expr:
        """From low to high, both included."""
        return Compare("between", self, (low, high))

    def is_null(self) -> Expr:
        """There is no value."""
        return IsNull(self)

    def not_null(self) -> Expr:
        """There is a value."""
        return Not(IsNull(self))


@attrs.frozen(eq=False, repr=False)
class Path(Value):
    """A field, reached through references (``F.account.industry``) or, for relations, back along them (``F.deals``).

    Any attribute is a step; ``F["count"]`` reaches a field whose name is a method's.
    """

    names: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> "Path":
        if name.startswith("_"):
            raise AttributeError(name)
        return Path((*self.names, name))

    def __getitem__(self, name: str) -> "Path":
        if not isinstance(name, str):
            raise InvalidQuery(f"{name!r:.80} is not a field name", code="bad_name")
        return Path((*self.names, name))

    def __iter__(self) -> NoReturn:
        raise TypeError("a path is not iterable")

    def __neg__(self) -> "Order":
        return Order(self, descending=True)

    def __pos__(self) -> "Order":
        return Order(self)

    def __repr__(self) -> str:
        return ".".join(("F", *self.names))

    def contains(self, text: str) -> Expr:
        """The text occurs in the value, regardless of case."""
        return Compare("contains", self, text)

    def starts_with(self, text: str) -> Expr:
        """The value begins with the text, regardless of case."""
        return Compare("starts_with", self, text)

    def ends_with(self, text: str) -> Expr:
        """The value ends with the text, regardless of case."""
        return Compare("ends_with", self, text)

    def has(self, item: str) -> Expr:
        """The tag is on the record (``F.tags.has("vip")``), or the option is chosen in a field of several."""
        if self.names and self.names[-1] == "tags":
            return _within(self.names[:-1], HasTag(item))
        return Compare("has", self, item)

    def in_segment(self, name: str) -> Expr:
        """The record this path leads to is in the segment; on ``F`` itself, the record at hand."""
        return _within(self.names, InSegment(name))

    def any(self, where: Expr = TRUE) -> Expr:
        """At least one related record meets the condition."""
        return Quantifier("any", self, _expr(where))

    def all(self, where: Expr) -> Expr:
        """Every related record meets the condition; true of none."""
        return Quantifier("all", self, _expr(where))

    def none(self, where: Expr = TRUE) -> Expr:
        """No related record meets the condition."""
        return Quantifier("none", self, _expr(where))

    def count(self, where: Expr = TRUE) -> "Aggregate":
        """How many related records meet the condition."""
        return Aggregate("count", self, None, _expr(where))

    def sum(self, where: Expr = TRUE) -> "Aggregate":
        """The sum of a field of the related records (``F.deals.amount.sum()``).

        Unknown of none, and of two currencies.
        """
        return self._aggregate("sum", where)

    def min(self, where: Expr = TRUE) -> "Aggregate":
        """The least value of a field of the related records; unknown of none."""
        return self._aggregate("min", where)

    def max(self, where: Expr = TRUE) -> "Aggregate":
        """The greatest value of a field of the related records; unknown of none."""
        return self._aggregate("max", where)

    def latest(self, where: Expr = TRUE) -> "Aggregate":
        """The latest date or instant of a field of the related records; unknown of none."""
        return self._aggregate("latest", where)

    def _aggregate(self, function: str, where: Expr) -> "Aggregate":
        if len(self.names) < 2:
            raise InvalidQuery(
                f"{function} needs a relation and a field", code="bad_aggregate", hint=f"F.deals.amount.{function}()"
            )
        return Aggregate(function, Path(self.names[:-1]), self.names[-1], _expr(where))


F = Path()
"""The record at hand; ``F.amount`` is its field."""


@attrs.frozen(eq=False)
class Aggregate(Value):
    """A number or value over the related records that meet a condition; the function is one of AGGREGATES."""

    function: str
    relation: Path
    field: str | None
    where: Expr


@attrs.frozen(eq=False)
class Order:
    """A sort key; records without a value are the least: first in ascending order, last in descending."""

    path: Path
    descending: bool = False


COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "between", "contains", "starts_with", "ends_with", "has")
"""What a comparison may say; the contrary of each is said with Not."""
QUANTIFIERS = ("any", "all", "none")
"""Of how many related records a condition may be said."""
AGGREGATES = ("count", "sum", "min", "max", "latest")
"""What may be told of related records; of all but count it is told of one of their fields."""


@attrs.frozen(eq=False)
class Compare(Expr):
    """A value against another value, a constant or something dynamic; the operator is one of COMPARISONS."""

    operator: str
    left: Value
    right: Any


@attrs.frozen(eq=False)
class IsNull(Expr):
    """There is no value; true or false, never unknown."""

    left: Value


@attrs.frozen(eq=False)
class Quantifier(Expr):
    """Any, all or none of the related records; never unknown. The kind is one of QUANTIFIERS."""

    kind: str
    relation: Path
    where: Expr


@attrs.frozen(eq=False)
class Within(Expr):
    """The one record the references lead to exists (for this actor) and meets the condition; never unknown."""

    path: Path
    where: Expr


@attrs.frozen(eq=False)
class HasTag(Expr):
    """The tag of that name is on the record; never unknown."""

    tag: Any


@attrs.frozen(eq=False)
class InSegment(Expr):
    """The record meets the stored expression of that segment."""

    segment: Any


@attrs.frozen(eq=False)
class SharedWith(Expr):
    """The record is shared with the actor or one of the actor's teams at one of these levels, and not expired."""

    levels: tuple[str, ...]


def in_segment(name: str) -> Expr:
    """The record at hand is in the segment."""
    return InSegment(name)


def holds(expr: Expr) -> Expr:
    """True where the condition is true, false where it is false or unknown."""
    return Within(Path(()), expr)


def _within(names: tuple[str, ...], where: Expr) -> Expr:
    return Within(Path(names), where) if names else where
