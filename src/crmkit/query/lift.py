"""Lift the constants out of an expression, so that what remains can be compiled once and used for all of them.

``lift(F.amount > 5)`` gives the shape ``("compare", "gt", ("path", ("amount",)), ("value", 0))`` and the values
``[5]``. Shapes are nested tuples: hashable, comparable, the key of the plan cache.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

import attrs

from crmkit.errors import InvalidQuery
from crmkit.query import nodes
from crmkit.query.nodes import Expr, Value
from crmkit.schema import Record
from crmkit.values import PersonName

__all__ = [
    "EVERYTHING",
    "MAX_DEPTH",
    "MAX_LEVELS",
    "MAX_NODES",
    "MAX_STEPS",
    "MAX_VALUES",
    "NOBODY",
    "ActorIds",
    "Lifted",
    "Shape",
    "constant",
    "equal_to",
    "lift",
    "too_large",
]

Shape: TypeAlias = tuple[Any, ...]

ActorIds: TypeAlias = Mapping[str, tuple[UUID, ...]]
"""Who ``me``, ``my_team`` and ``my_team_and_below`` are; ``me`` is empty for the system."""

NOBODY: ActorIds = {"me": (), "my_team": (), "my_team_and_below": ()}


@attrs.frozen
class Lifted:
    """An expression taken apart: what it says, and the constants it says it of."""

    shape: Shape
    values: tuple[Any, ...] = attrs.field(eq=False)


EVERYTHING = Lifted(("constant", True), ())
"""The condition that every record meets."""


def equal_to(key: str, value: Any) -> Lifted:
    """A field has this value."""
    return Lifted(("compare", "eq", ("path", (key,)), ("value", 0)), (value,))


MAX_NODES = 500
"""SQLite takes expressions up to 1,000 deep, and a chain of "or" is as deep as it is long."""
MAX_DEPTH = 24
"""Of what a person writes; policies wrap it in a few levels more."""
MAX_LEVELS = 32
"""Of what is compiled: both meanings recurse. Relations within relations weigh more, see ``weight``."""
MAX_STEPS = 10
"""Of one path."""
MAX_VALUES = 5_000
"""Of one list; SQLite takes 32,766 parameters in a statement."""


def too_large() -> InvalidQuery:
    """The refusal of an expression beyond what can be compiled."""
    return InvalidQuery(
        "the expression is too large",
        code="too_large",
        hint=f"{MAX_NODES} clauses, {MAX_DEPTH} levels, about five relations within each other at most",
    )


def constant(value: object) -> object:
    """What stands for a value in comparisons: a record's id, a person's full name, else the value itself."""
    if isinstance(value, Record):
        try:
            return value.id
        except AttributeError:
            raise InvalidQuery(
                "a draft has no id to compare with", code="not_created", hint="create it first"
            ) from None
    return value.full if isinstance(value, PersonName) else value


@attrs.define
class _Lifter:
    actors: ActorIds
    values: list[Any] = attrs.field(factory=list)
    clauses: int = 0
    depth: int = 0

    def expr(self, node: object) -> Shape:
        self.clauses += 1
        self.depth += 1
        if self.clauses > MAX_NODES or self.depth > MAX_LEVELS:
            raise too_large()
        try:
            return self._expr(node)
        finally:
            self.depth -= 1

    def _expr(self, node: object) -> Shape:
        match node:
            case nodes.Compare(operator, left, right):
                return "compare", operator, self.value(left), self.operand(right)
            case nodes.And() | nodes.Or():
                return self.junction(node)
            case nodes.Not(item):
                return "not", self.expr(item)
            case nodes.IsNull(left):
                return "null", self.value(left)
            case nodes.Constant(bool(value)):
                return "constant", value
            case nodes.Within(nodes.Path(names), where):
                return "within", _checked(names), self.expr(where)
            case nodes.Quantifier(kind, nodes.Path(names), where):
                return "quantifier", kind, _checked(names), self.expr(where)
            case nodes.HasTag(str(tag)):
                return "tag", self.keep(tag)
            case nodes.InSegment(str(name)):
                return "segment", name
            case nodes.SharedWith(levels):
                return "shared", levels, self.add_all(self.actors["me"]), self.add_all(self.actors.get("teams", ()))
        raise InvalidQuery(f"{node!r:.80} is not a condition", code="not_a_condition", hint=_hint(node))

    def junction(self, node: nodes.And | nodes.Or) -> Shape:
        whole = nodes.joined(node)
        if not isinstance(whole, nodes.And | nodes.Or):
            return self._expr(whole)
        return "and" if isinstance(whole, nodes.And) else "or", *map(self.expr, whole.items)

    def value(self, node: object) -> Shape:
        match node:
            case nodes.Path(names):
                return "path", _checked(names)
            case nodes.Aggregate(function, nodes.Path(names), field, where):
                return "aggregate", function, _checked(names), field, self.expr(where)
        raise InvalidQuery(f"{node!r:.80} is not a field", code="not_a_field", hint="a field stands on the left")

    def operand(self, node: object) -> Shape:
        if isinstance(node, Value):
            return self.value(node)
        if isinstance(node, tuple):
            if len(node) > MAX_VALUES:
                raise InvalidQuery(
                    f"a list of {len(node)} values", code="too_large", hint=f"{MAX_VALUES} at most; tag the records"
                )
            return "values", *map(self.keep, node)
        if isinstance(node, nodes.Actors):
            return self.actor(node.who)
        return "value", self.keep(node)

    def actor(self, who: str) -> Shape:
        try:
            ids = self.actors[who]
        except KeyError:
            raise InvalidQuery(f"there is no {who!r:.80}", code="unknown_actor_set") from None
        return ("actor", self.add(ids[0] if ids else None)) if who == "me" else ("actors", *self.add_all(ids))

    def keep(self, value: object) -> int:
        if value is None:
            raise InvalidQuery(
                "nothing compares with null, the answer would always be unknown",
                code="null_operand",
                hint="ask for 'is null', or 'is not null', on its own",
            )
        if isinstance(value, Expr | Value | nodes.Actors):
            raise InvalidQuery(f"{value!r:.80} is not a constant", code="not_a_constant")
        return self.add(constant(value))

    def add(self, value: object) -> int:
        self.values.append(value)
        return len(self.values) - 1

    def add_all(self, values: tuple[object, ...]) -> Shape:
        return tuple(map(self.add, values))


def _checked(names: Any) -> tuple[str, ...]:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise InvalidQuery(f"{names!r:.80} is not a path", code="bad_name")
    if len(names) > MAX_STEPS:
        raise InvalidQuery(f"a path of {len(names)} steps", code="too_large", hint=f"{MAX_STEPS} at most")
    return names


def _hint(node: object) -> str | None:
    return "compare it with something, for example == True" if isinstance(node, Value) else None


def lift(expr: Expr, actors: ActorIds = NOBODY) -> Lifted:
    """The shape of an expression and its constants in order. Raises InvalidQuery if it is no expression.

    Nested and/or of one kind are flattened, so that one meaning has one shape.
    """
    lifter = _Lifter(actors)
    shape = lifter.expr(expr)
    return Lifted(shape, tuple(lifter.values))
