"""A policy's condition, tested in memory: on drafts that no database has yet, to explain, and before it is stored."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import attrs

from crmkit.query import Expr
from crmkit.query.bind import CONSTANT_SPACE, Binder, SegmentSource, no_segments
from crmkit.query.bound import Bound, Comparison, Missing, Tagged
from crmkit.query.context import Moment, Row, World, WorldContext
from crmkit.query.lift import NOBODY, ActorIds, Lifted, lift
from crmkit.query.terms import Aggregation, Operands, Scalar
from crmkit.schema import Schema

__all__ = ["Evaluation", "Test"]

Origin = Callable[[Binder], tuple[Any, ...]]
Remember = Callable[[Hashable, Callable[[], tuple[Bound, tuple[Origin, ...]]]], tuple[Bound, tuple[Origin, ...]]]
"""Gives what was made for a key, or makes it."""

Test = Callable[[Row], bool | None]
"""True, False, or None for unknown, of one record."""


@attrs.frozen
class Evaluation:
    """What conditions need to be tested in memory: the schema, the records, the moment, the segments."""

    schema: Schema
    world: World
    moment: Moment
    segments: SegmentSource = no_segments
    remember: Remember | None = attrs.field(default=None, eq=False, repr=False)
    """Keeps what was bound, for all evaluations with this schema and these segments."""

    def test(self, condition: Expr | Lifted, type_key: str, actors: ActorIds = NOBODY) -> Test:
        """The condition on records of a type, ready for any number of them; it sees all records there are.

        ``actors`` are the actor's ids; those a lifted condition was lifted with. Raises InvalidQuery if the condition
        does not fit the schema, and the test InvalidValue if a constant does not fit its field.
        """
        bound, context = self._bound(condition, type_key, actors)
        return lambda row: bound.test(context, row)

    def check(self, condition: Expr, type_key: str) -> None:
        """Raises InvalidQuery or InvalidValue if the condition or one of its constants does not fit the type."""
        bound, context = self._bound(condition, type_key, NOBODY)
        for operands in _operands(bound):
            operands.keys(context)

    def _bound(self, condition: Expr | Lifted, type_key: str, actors: ActorIds) -> tuple[Bound, WorldContext]:
        lifted = condition if isinstance(condition, Lifted) else lift(condition, actors)

        def binder() -> Binder:
            return Binder(self.schema, segments=self.segments, actors=actors)

        def bind() -> tuple[Bound, tuple[Origin, ...]]:
            one = binder()
            return one.bind(lifted.shape, type_key), tuple(one.origins)

        bound, origins = bind() if self.remember is None else self.remember((type_key, lifted.shape), bind)
        # What was bound for another actor says where constants are, not which.
        now = binder() if origins else None
        values = (lifted.values, *(origin(now) for origin in origins if now), CONSTANT_SPACE)
        return bound, WorldContext(self.world, values, self.moment)


def _operands(bound: Bound) -> Iterator[Operands]:
    """All constants of a condition with the types they are compared with."""
    match bound:
        case Tagged(tag):
            yield tag
        case Missing(left):
            yield from _of_scalar(left)
        case Comparison(_, left, right):
            yield from _of_scalar(left)
            yield from (right,) if isinstance(right, Operands) else ()
    for part in bound.parts():
        yield from _operands(part)


def _of_scalar(scalar: Scalar) -> Iterator[Operands]:
    if isinstance(scalar, Aggregation):
        yield from _operands(scalar.where)
