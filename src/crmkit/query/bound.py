"""Conditions that have met a schema: fields resolved, rights applied. Each has its meaning in SQL and in memory.

``sql(context, source, negate)`` gives a condition that is TRUE exactly where ``test`` (negated, if asked) is True;
elsewhere it may be FALSE or NULL. So a negation is pushed down to the comparisons, where each operator has its exact
opposite: that keeps three-valued logic the same in both meanings and every condition within reach of an index.
"""

from collections.abc import Iterator, Sequence

import attrs
from sqlalchemy import and_, exists, false, func, not_, or_, select, true

from crmkit.query.condition import Bound, Condition
from crmkit.query.context import Moment, Row, Source, SqlContext, Values, World, WorldContext
from crmkit.query.functions import never
from crmkit.query.operators import OPERATORS, Operator
from crmkit.query.terms import Column, Operands, Scalar, Step

__all__ = [
    "Comparison",
    "Conjunction",
    "Fixed",
    "Inside",
    "Missing",
    "Negation",
    "Related",
    "Shared",
    "Tagged",
    "in_memory",
]


@attrs.frozen
class Fixed(Bound):
    """True or false of every record."""

    value: bool

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        return true() if self.value is not negate else never()

    def test(self, context: WorldContext, row: Row) -> bool | None:
        return self.value


@attrs.frozen
class Conjunction(Bound):
    """All of the items, or with ``dual`` at least one of them."""

    items: tuple[Bound, ...]
    dual: bool = False

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        if not self.items:
            return true() if self.dual is negate else never()
        items = [item.sql(context, source, negate) for item in self.items]
        return or_(*items) if self.dual is not negate else and_(*items)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        unknown = False
        for item in self.items:
            held = item.test(context, row)
            if held is self.dual:
                return self.dual
            unknown = unknown or held is None
        return None if unknown else not self.dual

    def parts(self) -> Sequence[Bound]:
        return self.items


@attrs.frozen
class Negation(Bound):
    """The contrary."""

    item: Bound

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        return self.item.sql(context, source, not negate)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        held = self.item.test(context, row)
        return None if held is None else not held

    def parts(self) -> Sequence[Bound]:
        return (self.item,)


@attrs.frozen
class Comparison(Bound):
    """A field or an aggregate against constants, or against another field."""

    operator: Operator
    left: Scalar
    right: Operands | Column

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        operator = OPERATORS[self.operator.negation] if negate else self.operator
        if isinstance(self.right, Operands) and isinstance(self.left, Column):
            right = self.right
            return self.left.where(
                context, source, lambda place, column: right.condition(context, place, column, operator)
            )
        left, left_unit = self.left.scalar(context, source)
        if isinstance(self.right, Operands):
            return self.right.compare(context, left, left_unit, operator, self.left.encode)
        right_value, right_unit = self.right.scalar(context, source)
        condition = operator.sql(left, right_value)
        return condition if left_unit is None else and_(left_unit == right_unit, condition)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        left, left_unit = self.left.value(context, row)
        if isinstance(self.right, Operands):
            operands, unit = self.right.keys(context)
        else:
            value, unit = self.right.value(context, row)
            operands = (value,)
        if left is None:
            return None
        for operand in operands:
            if operand is None:
                return None
        # A list of nothing has no unit, and holds no value of any.
        if operands and left_unit != unit:
            return None
        return self.operator.test(left, *operands)


@attrs.frozen
class Missing(Bound):
    """There is no value."""

    left: Scalar

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        if isinstance(self.left, Column):
            return self.left.missing(context, source, negate)
        value, _ = self.left.scalar(context, source)
        return value.is_not(None) if negate else value.is_(None)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        return self.left.value(context, row)[0] is None


@attrs.frozen
class Inside(Bound):
    """The one record that references lead to exists, is readable, and meets the condition."""

    column: Column
    where: Bound

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        reached = self.column.reach(context, source, lambda place: self.where.sql(context, place))
        return not_(func.coalesce(reached, false())) if negate else reached

    def test(self, context: WorldContext, row: Row) -> bool | None:
        target = self.column.follow(context, row)
        return target is not None and self.where.test(context, target) is True

    def parts(self) -> Sequence[Bound]:
        return (self.where,)


@attrs.frozen
class Related(Bound):
    """any, all or none of the readable related records meet the condition."""

    kind: str
    type_key: str
    back: str
    rows: Bound
    where: Bound

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        target = context.sources.open(self.type_key)
        held = self.where.sql(context, target)
        if self.kind == "all":
            held = not_(func.coalesce(held, false()))
        found = _exists(context, source, target, self.back, self.rows, held)
        return found if (self.kind == "any") is not negate else not_(found)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        rows = context.related(self.type_key, self.back, row)
        held = (self.where.test(context, r) is True for r in rows if self.rows.test(context, r) is True)
        match self.kind:
            case "any":
                return any(held)
            case "none":
                return not any(held)
        return all(held)

    def parts(self) -> Sequence[Bound]:
        return (self.where,)


def _exists(context: SqlContext, source: Source, target: Source, back: str, rows: Bound, held: Condition) -> Condition:
    reference = target.type.by_key[back]
    link = target.part(reference, 0) == source.record_id(reference)
    return exists(select(target.part(reference, 0)).where(*target.conditions, link, rows.sql(context, target), held))


@attrs.frozen
class Tagged(Bound):
    """The tag of that name is on the record, and not expired."""

    tag: Operands
    now: Operands

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        tag, tagging = context.sources.open("tag"), context.sources.open("tagging")
        name = tag.type.by_key["name"]
        wanted = (
            select(tag.part(tag.type.by_key["id"], 0))
            .where(*tag.conditions, self.tag.condition(context, tag, name, OPERATORS["eq"]))
            .scalar_subquery()
        )
        expires = tagging.type.by_key["expires_at"]
        tagged = select(tagging.part(tagging.type.by_key["record"], 0)).where(
            *tagging.conditions,
            tagging.part(tagging.type.by_key["tag"], 0) == wanted,
            or_(
                tagging.part(expires, 0).is_(None),
                self.now.condition(context, tagging, expires, OPERATORS["gt"]),
            ),
        )
        record = source.record_id(tagging.type.by_key["record"])
        return record.not_in(tagged) if negate else record.in_(tagged)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        (wanted,), (now,) = self.tag.keys(context)[0], self.now.keys(context)[0]
        for tagging in context.related("tagging", "record", row):
            expires = tagging["expires_at"]
            if expires is not None and self.now.type.key(expires) <= now:
                continue
            tag = context.world.get("tag", tagging["tag"])
            if tag is not None and self.tag.type.key(tag["name"]) == wanted:
                return True
        return False


@attrs.frozen
class Shared(Bound):
    """The record is shared with the actor or one of the actor's teams, at one of the levels, and not expired."""

    levels: tuple[str, ...]
    users: Operands
    teams: Operands
    now: Operands

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        share = context.sources.open("share")
        fields = share.type.by_key
        isin = OPERATORS["in"]
        expires = fields["expires_at"]
        shared = select(share.part(fields["record"], 0)).where(
            *share.conditions,
            or_(
                self.users.condition(context, share, fields["user"], isin),
                self.teams.condition(context, share, fields["team"], isin),
            ),
            or_(*(share.part(fields["level"], 0) == level for level in self.levels)) if self.levels else never(),
            or_(
                share.part(expires, 0).is_(None),
                self.now.condition(context, share, expires, OPERATORS["gt"]),
            ),
        )
        record = source.record_id(fields["record"])
        return record.not_in(shared) if negate else record.in_(shared)

    def test(self, context: WorldContext, row: Row) -> bool | None:
        users, teams, (now,) = (o.keys(context)[0] for o in (self.users, self.teams, self.now))
        for share in context.related("share", "record", row):
            meant = share["user"] in users or share["team"] in teams
            expires = share["expires_at"]
            if meant and share["level"] in self.levels and (expires is None or self.now.type.key(expires) > now):
                return True
        return False


def in_memory(bound: Bound, world: World, values: Values, moment: Moment) -> WorldContext:
    """What ``bound.test`` needs, with every constant converted.

    So one that does not fit raises InvalidQuery here, as it does in SQL, and not only when a record reaches it.
    """
    context = WorldContext(world, values, moment)
    for operands in _operands(bound):
        operands.keys(context)
    return context


def _operands(part: object) -> Iterator[Operands]:
    """All constants of a condition, those of its terms, masks and guards among them."""
    if isinstance(part, Operands):
        yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from _operands(item)
    elif isinstance(part, Bound | Scalar | Step):
        for value in attrs.astuple(part, recurse=False):  # type: ignore[arg-type]  # all their classes are attrs
            yield from _operands(value)
