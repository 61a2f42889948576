"""Conditions bound and ready for records in memory."""

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import reject

from crmkit.errors import InvalidQuery
from crmkit.query.bind import Binder, no_segments
from crmkit.query.bound import in_memory
from crmkit.query.condition import Bound
from crmkit.query.context import ALL_RIGHTS, Guard, Moment, WorldContext
from crmkit.query.explain import Explanation, explain
from crmkit.query.lift import NOBODY, ActorIds, lift
from crmkit.query.nodes import Expr
from crmkit.schema import Schema
from tests.query.worlds import MOMENT, DictWorld, Row


@attrs.frozen
class Session:
    """What surrounds a condition."""

    world: DictWorld
    moment: Moment = MOMENT
    guard: Guard = ALL_RIGHTS
    actors: ActorIds = attrs.field(factory=lambda: NOBODY)
    segments: Callable[[str], tuple[str, Expr] | None] = no_segments

    @property
    def schema(self) -> Schema:
        return self.world.schema

    def bound(self, expr: Expr, on: str) -> tuple[Bound, WorldContext]:
        """The condition, checked, and its surroundings."""
        binder = Binder(self.schema, self.guard, self.segments, self.actors)
        lifted = lift(expr, self.actors)
        bound = binder.bind(lifted.shape, on)
        return bound, in_memory(bound, self.world, binder.values(lifted.values), self.moment)

    def test(self, expr: Expr, on: str) -> Callable[[Row], bool | None]:
        """The condition as a test of records."""
        bound, context = self.bound(expr, on)
        return lambda row: bound.test(context, row)

    def answers(self, expr: Expr, on: str) -> list[bool | None]:
        """What the condition says of each record of the type."""
        return list(map(self.test(expr, on), self.world.all(on)))

    def explain(self, expr: Expr, on: str, row: Row) -> Explanation:
        """Which clauses hold of a record."""
        bound, context = self.bound(expr, on)
        return explain(bound, expr, row, context, self.segments)


def unless_too_large(action: Callable[[], Any]) -> Any:
    """What the action gives. Too large to bind, or a total past 64 bits, is no case: the one is refused before any
    database is asked, the other by each place that computes the total, and which do depends on the order of clauses.
    """
    try:
        return action()
    except InvalidQuery as error:
        if error.code in ("too_large", "overflow"):
            reject()
        raise
