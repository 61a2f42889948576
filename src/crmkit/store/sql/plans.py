"""Queries compiled once: a shape, in a schema, under rights of one shape, is one prepared statement.

Building and compiling a statement costs a hundred times what running it does, so nothing that only varies in its
constants is compiled twice: the caller's constants, those of guards and segments, the tenant and the instant are
parameters.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import attrs
from sqlalchemy import ColumnElement, Select, select

from crmkit.errors import UsageError
from crmkit.query.bind import CONSTANT_SPACE, Binder, SegmentSource, no_segments
from crmkit.query.bound import Fixed
from crmkit.query.condition import Bound
from crmkit.query.context import ALL_RIGHTS, Guard, Moment, Param, Source, SqlContext, Values
from crmkit.query.lift import NOBODY, ActorIds, Lifted
from crmkit.schema import Schema
from crmkit.schema.forms import NO_FORMS, Forms
from crmkit.store.connection.database import Database, Statement
from crmkit.store.read.rows import RowLayout
from crmkit.store.sql.sources import Reading, TableSources
from crmkit.store.tables.columns import Codec
from crmkit.store.tables.record_tables import Tables

__all__ = ["Draft", "Plan", "Shelf", "View"]

T = TypeVar("T")

NO_STATEMENT = Statement("", (), {}, writes=False, returns_rows=False, clause=select())

_SHELF_SIZE = 5_000


class Shelf:
    """Prepared things by key, for all sessions of one CRM. Threads may race to make the same thing; one result
    stays.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for the key, or what ``make`` makes now."""
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _SHELF_SIZE:
                # Plans are cheap to make again; forgetting all of them keeps a flood of shapes from eating memory.
                self._made.clear()
            found = self._made[key] = make()
        return found


@attrs.frozen(eq=False)
class View:
    """What one session sees: a tenant's schema under an actor's rights, at a moment.

    ``token`` identifies the schema (and its segments) among all tenants and versions: equal tokens, equal plans.
    """

    tables: Tables
    codec: Codec
    tenant_id: int
    token: Hashable
    schema: Schema
    moment: Moment
    guard: Guard = ALL_RIGHTS
    actors: ActorIds = attrs.field(factory=lambda: NOBODY)
    segments: SegmentSource = no_segments
    reading: Reading = "live"
    at: int | None = None
    forms: Forms = NO_FORMS
    _head: tuple[Hashable, ...] = attrs.field(init=False, default=attrs.Factory(lambda me: me._key_head(), True))

    def _key_head(self) -> tuple[Hashable, ...]:
        sizes = tuple([len(ids) for ids in self.actors.values()])
        return self.token, self.reading, self.forms.token, self.guard.signature, sizes

    def binder(self) -> Binder:
        """A fresh binder of this view."""
        return Binder(self.schema, self.guard, self.segments, self.actors)

    def unguarded(self) -> "View":
        """The same records without regard to rights, for the system's own needs."""
        return attrs.evolve(self, guard=ALL_RIGHTS)

    def key(self, *parts: Hashable) -> Hashable:
        """The cache key of a plan made in this view."""
        return (*self._head, *parts)

    def layout(self, type_key: str, shelf: Shelf) -> RowLayout:
        """How rows of the type become records here."""

        def make() -> RowLayout:
            return RowLayout(self.schema.type(type_key), self.codec, self.forms.by_type.get(type_key, {}))

        return shelf.get(("layout", self.token, self.forms.token, type_key), make)

    def parameters(self, plan: "Plan", values: Sequence[Any]) -> dict[str, Any]:
        """The bind values of a plan for these constants. Raises InvalidValue or InvalidQuery for a constant that
        does not fit.
        """
        spaces: Values = (values,)
        if plan.origins:
            binder = self.binder()
            spaces = (values, *(origin(binder) for origin in plan.origins), CONSTANT_SPACE)
        elif plan.params:
            spaces = (values, CONSTANT_SPACE)
        bound = {param.name: param.make(spaces, self.moment) for param in plan.params}
        bound["tenant"] = self.tenant_id
        if self.reading == "past":
            if self.at is None:
                raise UsageError("reading the past needs an instant", code="no_instant")
            bound["at"] = self.at
        return bound


@attrs.frozen(eq=False)
class Plan:
    """A prepared statement, how to make its parameters, and whatever its maker needs to read the answer."""

    statement: Statement
    params: tuple[Param, ...]
    origins: tuple[Callable[[Binder], tuple[Any, ...]], ...]
    extra: Any = None


class Draft:
    """A statement under construction in a view: one source, its conditions, its parameters."""

    def __init__(self, view: View, type_key: str) -> None:
        self.view = view
        self.type_key = type_key
        self.binder = view.binder()
        self.context = SqlContext(TableSources(view.tables, view.schema, view.codec, view.reading, view.forms.by_type))
        self.source: Source = self.context.sources.open(type_key)

    def conditions(self, where: Lifted, *actions: str) -> list[ColumnElement[bool]]:
        """Tenant, the right to read (and to do more), and the caller's condition."""
        bounds = [self.binder.rows(self.type_key), self.binder.bind(where.shape, self.type_key)]
        bounds += (self.binder.allowed(self.type_key, action) for action in actions)
        return [*self.source.conditions, *(self.compile(bound) for bound in bounds if not _certain(bound))]

    def compile(self, bound: Bound) -> ColumnElement[bool]:
        """A bound condition on the source."""
        return bound.sql(self.context, self.source)

    def finish(self, database: Database, statement: "Select[Any] | Any", extra: Any = None) -> Plan:
        """The finished plan."""
        return Plan(database.prepare(statement), tuple(self.context.params), tuple(self.binder.origins), extra)

    def unprepared(self) -> Plan:
        """The plan without a statement: enough to check constants."""
        return Plan(NO_STATEMENT, tuple(self.context.params), tuple(self.binder.origins))


def _certain(bound: Bound) -> bool:
    return isinstance(bound, Fixed) and bound.value
