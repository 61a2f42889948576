"""What stands on either side of a comparison: constants, columns reached through references, aggregates."""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, false, func, not_, select

from crmkit.errors import InputError, InvalidQuery
from crmkit.query.condition import Bound, Condition
from crmkit.query.context import Moment, Ref, Row, Source, SqlContext, Values, WorldContext
from crmkit.query.operators import Operator
from crmkit.schema import Field, FieldType
from crmkit.schema.types import Decimal, Duration, Integer, Money
from crmkit.schema.types.numbers import MAX_INTEGER

__all__ = ["SUMMABLE", "Aggregation", "Column", "Operands", "Scalar", "Step", "as_is"]

Encode = Callable[[Any], Any]
Keyed = tuple[Any, Any]
"""A compare primitive and its unit (the currency of money; None for types without)."""

SUMMABLE = (Integer, Decimal, Duration, Money)
"""The types that have sums."""

_TEXT_PIECES = frozenset({"contains", "starts_with", "ends_with"})


@attrs.frozen
class Operands:
    """The constants on the right of a comparison, converted by the type on its left when the expression runs.

    ``name`` is the field they are compared with. One that does not fit raises InvalidQuery with the code of the type.
    """

    type: FieldType
    refs: tuple[Ref, ...]
    operator: str
    name: str

    def condition(self, context: SqlContext, source: Source, field: Field, operator: Operator) -> Condition:
        """The comparison on a field of a source."""
        unit = self.type.unit
        column = source.part(field, self.type.compare)
        unit_column = None if unit is None else source.part(field, unit)
        return self.compare(context, column, unit_column, operator, source.encoder(field, self.type.compare))

    def compare(
        self,
        context: SqlContext,
        column: ColumnElement[Any],
        unit_column: ColumnElement[Any] | None,
        operator: Operator,
        encode: Encode,
    ) -> Condition:
        """The comparison on a column; with a unit, only where the units are equal."""
        bound = [context.bind(self._maker(i, encode)) for i in range(self._count())]
        condition = operator.sql(column, *bound)
        if unit_column is None or not self.refs:
            return condition
        return and_(unit_column == context.bind(self._unit), condition)

    def keys(self, context: WorldContext) -> tuple[tuple[Any, ...], Any]:
        """The converted constants and their unit, for evaluation in memory."""
        return context.made(self, self._keyed)  # type: ignore[no-any-return]

    def _count(self) -> int:
        return 2 if self.operator == "starts_with" else len(self.refs)

    def _maker(self, index: int, encode: Encode) -> Callable[[Values, Moment], Any]:
        def make(values: Values, moment: Moment) -> Any:
            if self.operator == "starts_with" and index == 1:
                key = self._key(self.refs[0], values, moment)
                return None if key is None else encode(_after(key))
            key = self._key(self.refs[index], values, moment)
            return None if key is None else encode(key)

        return make

    def _keyed(self, values: Values, moment: Moment) -> tuple[tuple[Any, ...], Any]:
        return self._keys(values, moment), self._unit(values, moment)

    def _keys(self, values: Values, moment: Moment) -> tuple[Any, ...]:
        return tuple(self._key(ref, values, moment) for ref in self.refs)

    def _key(self, ref: Ref, values: Values, moment: Moment) -> Any:
        try:
            key = moment.resolve(self.type, values[ref.space][ref.index])
        except InputError as error:
            raise InvalidQuery(problem.at(field=self.name) for problem in error.problems) from error
        if self.operator == "has":
            return f"|{key}|"
        if self.operator in _TEXT_PIECES and key == "":
            raise InvalidQuery(
                "an empty text is contained in everything", code="empty", field=self.name, hint="give a letter or more"
            )
        return key

    def _unit(self, values: Values, moment: Moment) -> Any:
        if self.type.unit is None or not self.refs:
            return None
        units = {
            self.type.to_parts(self.type.operand(value))[self.type.unit]
            for value in (values[ref.space][ref.index] for ref in self.refs)
            if value is not None
        }
        if len(units) > 1:
            raise InvalidQuery(
                f"constants in different units: {', '.join(sorted(units))}",
                code="currency_mismatch",
                field=self.name,
                hint="use one",
            )
        return next(iter(units), None)


def _after(prefix: str) -> str:
    """The least text greater than every text that starts with the prefix."""
    for length in range(len(prefix), 0, -1):
        code = ord(prefix[length - 1]) + 1
        if code <= 0x10FFFF:
            # Surrogates are not characters; the next code point after the gap is.
            return prefix[: length - 1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
    return "\U0010ffff" * 1_000


@attrs.frozen
class Step:
    """One reference on the way: the field that holds it, the type it leads to, which records there are readable."""

    field: Field
    to: str
    rows: Bound
    mask: Bound | None = None


class Scalar:
    """A term with one value for each record."""

    __slots__ = ()
    type: FieldType

    def scalar(self, context: SqlContext, source: Source) -> tuple[ColumnElement[Any], ColumnElement[Any] | None]:
        """The compare part and the unit as SQL expressions."""
        raise AssertionError(type(self))

    def value(self, context: WorldContext, row: Row) -> Keyed:
        """The compare primitive and the unit; None where there is no value."""
        raise AssertionError(type(self))

    @property
    def encode(self) -> Encode:
        """Turns a primitive into what ``scalar`` compares with."""
        return as_is


def as_is(value: Any) -> Any:
    """The encoder of columns that hold primitives as they are."""
    return value


@attrs.frozen
class Column(Scalar):
    """A field of the record, or of the record that references lead to.

    ``mask`` is the condition under which the actor may read the field; elsewhere there is no value.
    """

    steps: tuple[Step, ...]
    field: Field
    mask: Bound | None = None

    @property
    def type(self) -> FieldType:  # type: ignore[override]
        return self.field.type

    def where(self, context: SqlContext, source: Source, condition: Callable[[Source, Field], Condition]) -> Condition:
        """A condition on the field, at the end of the references; never true where it cannot be reached."""

        def at(place: Source) -> Condition:
            held = condition(place, self.field)
            return held if self.mask is None else and_(self.mask.sql(context, place), held)

        return self.reach(context, source, at)

    def missing(self, context: SqlContext, source: Source, negate: bool) -> Condition:
        """There is no value, or with ``negate`` there is one."""
        present = self.where(context, source, lambda place, field: place.part(field, field.type.compare).is_not(None))
        if negate:
            return present
        if not self.steps and self.mask is None:
            return source.part(self.field, self.type.compare).is_(None)
        return not_(func.coalesce(present, false()))

    def reach(self, context: SqlContext, source: Source, condition: Callable[[Source], Condition]) -> Condition:
        """The condition at the record the references lead to.

        An IN over the target's ids rather than a join: the planner may start from either side, and it nests.
        """
        if not self.steps:
            return condition(source)
        step, rest = self.steps[0], attrs.evolve(self, steps=self.steps[1:])
        target = context.sources.open(step.to)
        ids = select(target.record_id(step.field)).where(
            *target.conditions, step.rows.sql(context, target), rest.reach(context, target, condition)
        )
        reached = source.part(step.field, 0).in_(ids)
        return reached if step.mask is None else and_(step.mask.sql(context, source), reached)

    def follow(self, context: WorldContext, row: Row) -> Row | None:
        """The record the references lead to, if the actor may read all of the way."""
        here: Row | None = row
        for step in self.steps:
            if here is None or (step.mask is not None and step.mask.test(context, here) is not True):
                return None
            link = _held(here, step.field)
            here = None if link is None else context.world.get(step.to, link)
            if here is not None and step.rows.test(context, here) is not True:
                return None
        return here

    def scalar(self, context: SqlContext, source: Source) -> tuple[ColumnElement[Any], ColumnElement[Any] | None]:
        value = self.part(context, source, self.type.compare)
        return value, None if self.type.unit is None else self.part(context, source, self.type.unit)

    def part(self, context: SqlContext, source: Source, part: int) -> ColumnElement[Any]:
        """A part of the field as a SQL expression, NULL where there is no value or the actor may not read it."""
        if not self.steps:
            column = source.part(self.field, part)
            return column if self.mask is None else case((self.mask.sql(context, source), column))
        step, rest = self.steps[0], attrs.evolve(self, steps=self.steps[1:])
        target = context.sources.open(step.to)
        link = target.record_id(step.field) == source.part(step.field, 0)
        conditions = [*target.conditions, link, step.rows.sql(context, target)]
        reached = (
            select(rest.part(context, target, part)).select_from(target.selectable).where(*conditions).scalar_subquery()
        )
        # Beside the subquery, not in it: what the mask asks of the source would be two levels up from there, and only
        # one is correlated.
        return reached if step.mask is None else case((step.mask.sql(context, source), reached))

    def value(self, context: WorldContext, row: Row) -> Keyed:
        target = self.follow(context, row) if self.steps else row
        if target is None or (self.mask is not None and self.mask.test(context, target) is not True):
            return None, None
        return _keyed(self.type, _held(target, self.field))


def _held(row: Row, field: Field) -> Any:
    """The value a record has; of a custom field nobody filled, and of a draft's system field, there is none."""
    try:
        return row[field.key]
    except KeyError:
        if field.custom or field.system:
            return None
        raise


def _keyed(type_: FieldType, value: Any) -> Keyed:
    if value is None:
        return None, None
    return type_.key(value), None if type_.unit is None else type_.to_parts(value)[type_.unit]


@attrs.frozen
class Aggregation(Scalar):
    """count, sum, min, max or latest over the readable related records that meet a condition.

    A sum over two currencies is unknown, and so is one over nothing, as in SQL. A sum that does not fit 64 bits raises
    InvalidQuery (``overflow``) where it is computed.
    """

    COUNT: ClassVar[FieldType] = Integer()

    function: str
    type_key: str
    back: str
    field: Field | None
    rows: Bound
    where: Bound
    mask: Bound | None = None

    @property
    def type(self) -> FieldType:  # type: ignore[override]
        return self.COUNT if self.field is None else self.field.type

    def scalar(self, context: SqlContext, source: Source) -> tuple[ColumnElement[Any], ColumnElement[Any] | None]:
        if self.field is None:
            return self._select(context, source, lambda target: func.count()), None
        field, compare, unit = self.field, self.type.compare, self.type.unit
        if unit is None:
            return self._select(context, source, lambda t: self._over(self._part(context, t, field, compare))), None

        def one_unit(target: Source, part: ColumnElement[Any]) -> ColumnElement[Any]:
            units = self._part(context, target, field, unit)
            return case((func.min(units) == func.max(units), part))

        value = self._select(context, source, lambda t: one_unit(t, self._over(self._part(context, t, field, compare))))
        return value, self._select(
            context, source, lambda t: one_unit(t, func.max(self._part(context, t, field, unit)))
        )

    def _part(self, context: SqlContext, target: Source, field: Field, index: int) -> ColumnElement[Any]:
        column = target.part(field, index)
        return column if self.mask is None else case((self.mask.sql(context, target), column))

    def _over(self, part: ColumnElement[Any]) -> ColumnElement[Any]:
        match self.function:
            case "sum":
                # PostgreSQL would give a numeric that knows no bounds; SQLite refuses by itself.
                return cast(func.sum(part), BigInteger)
            case "min":
                return func.min(part)
        return func.max(part)

    def _select(
        self, context: SqlContext, source: Source, term: Callable[[Source], ColumnElement[Any]]
    ) -> ColumnElement[Any]:
        target = context.sources.open(self.type_key)
        back = target.type.by_key[self.back]
        link = target.part(back, 0) == source.record_id(back)
        return (
            select(term(target))
            .select_from(target.selectable)
            .where(*target.conditions, link, self.rows.sql(context, target), self.where.sql(context, target))
            .scalar_subquery()
        )

    def value(self, context: WorldContext, row: Row) -> Keyed:
        rows = [
            r
            for r in context.related(self.type_key, self.back, row)
            if self.rows.test(context, r) is True and self.where.test(context, r) is True
        ]
        if self.field is None:
            return len(rows), None
        if self.mask is not None:
            rows = [r for r in rows if self.mask.test(context, r) is True]
        keyed = [_keyed(self.type, _held(r, self.field)) for r in rows]
        keyed = [pair for pair in keyed if pair[0] is not None]
        units = {unit for _, unit in keyed}
        if len(units) != 1:
            return None, None
        keys = [key for key, _ in keyed]
        total = sum(keys) if self.function == "sum" else min(keys) if self.function == "min" else max(keys)
        if self.function == "sum" and not -MAX_INTEGER - 1 <= total <= MAX_INTEGER:
            raise InvalidQuery("a total does not fit 64 bits", code="overflow", hint="narrow the query")
        return total, units.pop()
