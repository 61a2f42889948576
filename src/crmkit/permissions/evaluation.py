"""A policy's condition, tested in memory: on drafts that no database has yet, to explain, and before it is stored."""

from collections.abc import Callable, Hashable
from typing import Any

import attrs

from crmkit.query import Expr
from crmkit.query.bind import CONSTANT_SPACE, Binder, SegmentSource, no_segments
from crmkit.query.bound import in_memory
from crmkit.query.condition import Bound
from crmkit.query.context import Moment, Row, Values, World, WorldContext
from crmkit.query.lift import NOBODY, ActorIds, Lifted, lift
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
        bound, values = self._bound(condition, type_key, actors)
        context = WorldContext(self.world, values, self.moment)
        return lambda row: bound.test(context, row)

    def check(self, condition: Expr, type_key: str) -> None:
        """Raises InvalidQuery or InvalidValue if the condition or one of its constants does not fit the type."""
        bound, values = self._bound(condition, type_key, NOBODY)
        in_memory(bound, self.world, values, self.moment)

    def _bound(self, condition: Expr | Lifted, type_key: str, actors: ActorIds) -> tuple[Bound, Values]:
        lifted = condition if isinstance(condition, Lifted) else lift(condition, actors)

        def binder() -> Binder:
            return Binder(self.schema, segments=self.segments, actors=actors)

        def bind() -> tuple[Bound, tuple[Origin, ...]]:
            one = binder()
            return one.bind(lifted.shape, type_key), tuple(one.origins)

        bound, origins = bind() if self.remember is None else self.remember((type_key, lifted.shape), bind)
        # What was bound for another actor says where constants are, not which.
        now = binder() if origins else None
        return bound, (lifted.values, *(origin(now) for origin in origins if now), CONSTANT_SPACE)
