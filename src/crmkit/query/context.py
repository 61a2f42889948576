"""What an expression needs to know to run: where records lie, what the moment is, which records there are.

The store answers ``Sources``; tests and single records answer ``World``; permissions answer ``Guard``.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from sqlalchemy import BindParameter, ColumnElement, FromClause, bindparam

from crmkit.errors import InvalidQuery
from crmkit.query.lift import EVERYTHING, Lifted
from crmkit.query.nodes import Dynamic, RelativeTime
from crmkit.schema import Field, FieldType, RecordType
from crmkit.schema.forms import Form
from crmkit.schema.types import Date, DateTime
from crmkit.values import days_before, local_date, to_days, to_micros

__all__ = [
    "ALL_RIGHTS",
    "Guard",
    "Moment",
    "Param",
    "Ref",
    "Row",
    "Source",
    "Sources",
    "SqlContext",
    "Values",
    "World",
    "WorldContext",
]


class Row(Protocol):
    """A record, or anything that gives values by field key."""

    def __getitem__(self, key: str, /) -> Any: ...


class World(Protocol):
    """The records there are, for evaluation in memory. Tenant and instant are fixed."""

    def get(self, type_key: str, record_id: UUID) -> Row | None:
        """The record of that id."""
        ...

    def related(self, type_key: str, field_key: str, record_id: UUID) -> Iterable[Row]:
        """The records of a type whose reference ``field_key`` is that id."""
        ...


class Source(Protocol):
    """One occurrence of a record type in a statement."""

    @property
    def type(self) -> RecordType: ...

    @property
    def selectable(self) -> FromClause: ...

    @property
    def conditions(self) -> Sequence[ColumnElement[bool]]:
        """What confines the occurrence to its tenant (and to its custom object)."""
        ...

    def part(self, field: Field, index: int) -> ColumnElement[Any]:
        """A part of a field as a column expression."""
        ...

    def former_part(self, form: Form, index: int) -> ColumnElement[Any]:
        """A part of a custom field in a form it has had, in rows of that form's time."""
        ...

    def record_id(self, like: Field) -> ColumnElement[Any]:
        """The record's id in the form in which the reference field ``like`` holds ids."""
        ...

    def encoder(self, field: Field, index: int) -> Callable[[Any], Any]:
        """Turns a primitive into what that column compares with in the driver."""
        ...


class Sources(Protocol):
    """Opens record types in the tenant and at the instant of the session."""

    def open(self, type_key: str) -> Source: ...


class Guard(Protocol):
    """What the actor may read. Everything in it is decided beforehand, so it may be part of a cache key."""

    @property
    def signature(self) -> object:
        """Equal for two guards whose answers have the same shapes."""
        ...

    def rows(self, type_key: str) -> Lifted:
        """Which records of the type the actor may read."""
        ...

    def scope(self, type_key: str, action: str) -> Lifted:
        """On which records of the type the actor may do something."""
        ...

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        """Whether the actor may read the field: of all readable records, of none, or of those that meet a condition."""
        ...


@attrs.frozen
class _AllRights:
    signature: object = "all"

    def rows(self, type_key: str) -> Lifted:
        return EVERYTHING

    def scope(self, type_key: str, action: str) -> Lifted:
        return EVERYTHING

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        return True


ALL_RIGHTS: Guard = _AllRights()
"""The guard of the system, and of policies themselves, which see what they decide on."""


@attrs.frozen
class Moment:
    """The instant and the zone relative times are counted from."""

    now: datetime
    zone: ZoneInfo

    def resolve(self, field_type: FieldType, value: Any) -> Any:
        """The primitive a constant stands for beside a field of that type; None for no value. Raises InvalidValue."""
        if value is None:
            return None
        if isinstance(value, Dynamic):
            return self._relative(field_type, value)
        return field_type.key(field_type.operand(value))

    def _relative(self, field_type: FieldType, value: Dynamic) -> int:
        if not isinstance(value, RelativeTime) or not isinstance(field_type, Date | DateTime):
            raise InvalidQuery(
                f"a {field_type.name} is not compared with a time", code="type_mismatch", hint="dates and instants are"
            )
        moment = days_before(self.now, -value.days, self.zone)
        day = local_date(moment, self.zone)
        if isinstance(field_type, Date):
            return to_days(day)
        if value.unit == "today":
            moment = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return to_micros(moment)


@attrs.frozen
class Ref:
    """A constant of the expression (``space`` 0) or of a guard's expression: where to find it at run time."""

    space: int
    index: int


Values = Sequence[Sequence[Any]]


@attrs.frozen
class Param:
    """A bind parameter and how to make its driver value from the constants."""

    name: str
    make: Callable[[Values, Moment], Any]


@attrs.define
class SqlContext:
    """Collects the parameters of one statement while conditions are compiled."""

    sources: Sources
    params: list[Param] = attrs.field(factory=list)

    def bind(self, make: Callable[[Values, Moment], Any]) -> BindParameter[Any]:
        """A parameter made at run time."""
        name = f"p{len(self.params)}"
        self.params.append(Param(name, make))
        return bindparam(name)


@attrs.define
class WorldContext:
    """The constants, the moment and the records of one evaluation in memory."""

    world: World
    values: Values
    moment: Moment
    _made: dict[int, tuple[object, Any]] = attrs.field(factory=dict)

    def made(self, what: object, make: Callable[[Values, Moment], Any]) -> Any:
        """What ``make`` gives for a thing, once however many records are tested."""
        # Known by identity: to hash a term costs more than to test a record with it. It is kept, so that the identity
        # stays its own.
        known = self._made.get(id(what))
        if known is None:
            known = self._made[id(what)] = (what, make(self.values, self.moment))
        return known[1]

    def related(self, type_key: str, field_key: str, row: Row) -> Iterable[Row]:
        """The records of a type whose reference ``field_key`` is this record; a draft without an id has none."""
        try:
            record_id = row["id"]
        except KeyError:
            return ()
        return self.world.related(type_key, field_key, record_id)
