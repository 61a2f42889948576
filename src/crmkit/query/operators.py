"""Comparison operators: one class each, with its meaning in SQL and its meaning in memory side by side.

Both see primitives only: a column (or a value that is not None) on the left, converted constants on the right.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
from sqlalchemy import ColumnElement, and_, or_

from crmkit.query.functions import never, text_contains, text_ends_with

__all__ = ["OPERATORS", "Operator"]

Sql = ColumnElement[Any]


@attrs.frozen
class Operator:
    """One comparison. ``negation`` names the operator that is true exactly where this one is false."""

    name: ClassVar[str]
    negation: ClassVar[str]

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        """The condition on a column; NULL columns and operands make it NULL or false, never true."""
        raise AssertionError(self.name)

    def test(self, value: Any, *operands: Any) -> bool:
        """The answer for a value that is there."""
        raise AssertionError(self.name)


class Equal(Operator):
    name, negation = "eq", "ne"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column == operands[0]

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value == operands[0])


class NotEqual(Operator):
    name, negation = "ne", "eq"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column != operands[0]

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value != operands[0])


class Less(Operator):
    name, negation = "lt", "ge"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column < operands[0]

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value < operands[0])


class LessOrEqual(Operator):
    name, negation = "le", "gt"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column <= operands[0]

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value <= operands[0])


class Greater(Operator):
    name, negation = "gt", "le"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column > operands[0]

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value > operands[0])


class GreaterOrEqual(Operator):
    name, negation = "ge", "lt"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column >= operands[0]

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value >= operands[0])


class In(Operator):
    name, negation = "in", "not_in"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column.in_(operands) if operands else never()

    def test(self, value: Any, *operands: Any) -> bool:
        return value in operands


class NotIn(Operator):
    name, negation = "not_in", "in"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return column.not_in(operands) if operands else column.is_not(None)

    def test(self, value: Any, *operands: Any) -> bool:
        return value not in operands


class Between(Operator):
    name, negation = "between", "not_between"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return and_(column >= operands[0], column <= operands[1])

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(operands[0] <= value <= operands[1])


class NotBetween(Operator):
    name, negation = "not_between", "between"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return or_(column < operands[0], column > operands[1])

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value < operands[0] or value > operands[1])


class Contains(Operator):
    name, negation = "contains", "not_contains"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return text_contains(column, operands[0])

    def test(self, value: Any, *operands: Any) -> bool:
        return operands[0] in value


class NotContains(Operator):
    name, negation = "not_contains", "contains"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return ~text_contains(column, operands[0])

    def test(self, value: Any, *operands: Any) -> bool:
        return operands[0] not in value


class StartsWith(Operator):
    """Compiled as a range, which an index serves: the second operand is the least text above all that start so."""

    name, negation = "starts_with", "not_starts_with"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return and_(column >= operands[0], column < operands[1])

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value.startswith(operands[0]))


class NotStartsWith(Operator):
    name, negation = "not_starts_with", "starts_with"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return or_(column < operands[0], column >= operands[1])

    def test(self, value: Any, *operands: Any) -> bool:
        return not value.startswith(operands[0])


class EndsWith(Operator):
    name, negation = "ends_with", "not_ends_with"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return text_ends_with(column, operands[0])

    def test(self, value: Any, *operands: Any) -> bool:
        return bool(value.endswith(operands[0]))


class NotEndsWith(Operator):
    name, negation = "not_ends_with", "ends_with"

    def sql(self, column: Sql, *operands: Sql) -> ColumnElement[bool]:
        return ~text_ends_with(column, operands[0])

    def test(self, value: Any, *operands: Any) -> bool:
        return not value.endswith(operands[0])


class Has(Contains):
    """An option among several; both sides are fenced (``|a|b|`` and ``|a|``), so containment is exact."""

    name, negation = "has", "has_not"


class HasNot(NotContains):
    name, negation = "has_not", "has"


OPERATORS: Mapping[str, Operator] = {
    kind.name: kind()
    for kind in (
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        In,
        NotIn,
        Between,
        NotBetween,
        Contains,
        NotContains,
        StartsWith,
        NotStartsWith,
        EndsWith,
        NotEndsWith,
        Has,
        HasNot,
    )
}
