"""Which records a grant reaches, as something that can be united, compared and written as an expression.

The levels are nested: the actor is always one of ``my_team``, and ``my_team`` part of ``my_team_and_below``.
"""

import enum
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import cast

import attrs

from crmkit.query import Expr, F, me, my_team, my_team_and_below
from crmkit.query.lift import ActorIds, Lifted, Shape, lift
from crmkit.query.nodes import FALSE, TRUE, Actors, Path, SharedWith, any_of
from crmkit.schema import RecordType
from crmkit.schema.types import Reference

__all__ = ["EVERYTHING", "NOTHING", "Level", "Reach", "Where", "has_owner", "owner_path"]


class Level(enum.IntEnum):
    """Whose records, each level with all of the level before it."""

    NONE = 0
    OWN = 1
    TEAM = 2
    TEAM_AND_BELOW = 3
    ALL = 4


# Each set of actors stands for itself, so that ``owner == me`` and a comparison with a constant never look alike.
_MARKS = cast(ActorIds, {a.who: (a,) for a in (me, my_team, my_team_and_below, Actors("teams"))})


@attrs.frozen(slots=False)
class Where:
    """A condition that knows its equals: two are equal if they say the same of every actor."""

    expr: Expr = attrs.field(eq=False)
    _key: Hashable = attrs.field(init=False, repr=False)
    _lifted: Lifted = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        lifted = lift(self.expr, _MARKS)
        object.__setattr__(self, "_lifted", lifted)
        object.__setattr__(self, "_key", (lifted.shape, tuple(map(_typed, lifted.values))))

    @cached_property
    def form(self) -> tuple[Shape, tuple[str | None, ...]]:
        """Equal for two conditions that have the same shape for every actor, whatever their constants."""
        return self._lifted.shape, tuple(v.who if isinstance(v, Actors) else None for v in self._lifted.values)

    @cached_property
    def order(self) -> str:
        """Sorts conditions by their form."""
        return repr(self.form)


def _typed(value: object) -> Hashable:
    # True, 1 and 1.0 are equal but do not fit the same fields.
    try:
        hash(value)
    except TypeError:
        return type(value), repr(value)
    return type(value), value


@attrs.frozen
class Reach:
    """The records at a level, those that meet any of the conditions, those shared at any of the levels ``shared``."""

    level: Level = Level.NONE
    wheres: tuple[Where, ...] = ()
    shared: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.level or self.wheres or self.shared)

    def within(self, other: "Reach") -> bool:
        """Whether every record reached is surely reached by the other as well."""
        if other.level is Level.ALL:
            return True
        return (
            self.level <= other.level
            and set(self.wheres) <= set(other.wheres)
            and set(self.shared) <= set(other.shared)
        )

    @classmethod
    def union(cls, reaches: Sequence["Reach"], shared: tuple[str, ...] = ()) -> "Reach":
        """What any of them reaches, or is shared, in an order that depends on the conditions only."""
        if len(reaches) == 1 and not shared:
            return reaches[0]
        level, wheres = Level.NONE, dict[Where, None]()
        for reach in reaches:
            level = max(level, reach.level)
            wheres.update(dict.fromkeys(reach.wheres))
        if level is Level.ALL:
            return EVERYTHING
        ordered = sorted(wheres, key=lambda where: where.order) if len(wheres) > 1 else wheres
        return cls(level, tuple(ordered), shared)

    def on(self, record_type: RecordType) -> "Reach":
        """What it reaches among the records of a type: without an owner, ``own`` and ``team`` are nothing."""
        if Level.NONE < self.level < Level.ALL and owner_path(record_type) is None:
            return attrs.evolve(self, level=Level.NONE)
        return self

    def expr(self, record_type: RecordType) -> Expr:
        """True of the records of the type that it reaches."""
        shared = SharedWith(self.shared) if self.shared else FALSE
        return any_of((self._level(record_type), *(where.expr for where in self.wheres), shared))

    def _level(self, record_type: RecordType) -> Expr:
        owner = owner_path(record_type)
        if self.level is Level.ALL:
            return TRUE
        if self.level is Level.NONE or owner is None:
            return FALSE
        if self.level is Level.OWN:
            return owner == me
        return owner.is_in(my_team if self.level is Level.TEAM else my_team_and_below)


NOTHING = Reach()
EVERYTHING = Reach(Level.ALL)


def owner_path(record_type: RecordType) -> Path | None:
    """Where the record says whose it is: a user is their own, other records have a reference ``owner`` or nobody."""
    if record_type.key == "user":
        return F.id
    owner = record_type.by_key.get("owner")
    return F.owner if owner is not None and isinstance(owner.type, Reference) and owner.type.to == "user" else None


def has_owner(record_type: RecordType) -> bool:
    """Whether records of the type belong to somebody: they can be shared, and their owner changes by ``assign``."""
    return record_type.key != "user" and owner_path(record_type) is not None
