"""Reading SQLAlchemy's statements for the checker: which tables FROM shows, and what WHERE binds.

Which tables a nested SELECT leaves to the enclosing one (correlation) follows the rules that SQLAlchemy's compiler
applies later; objects are compared by identity, so what only looks alike counts as not bound.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs
from sqlalchemy import (
    BindParameter,
    ColumnClause,
    CompoundSelect,
    FromClause,
    Insert,
    Join,
    Select,
    TableClause,
    Update,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ClauseElement, Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import CTE, AliasedReturnsRows, FromGrouping, SelectStatementGrouping

__all__ = [
    "TENANT",
    "Scope",
    "all_froms",
    "arms",
    "changes_of",
    "conjuncts",
    "displayed",
    "elements",
    "holds_select",
    "is_from",
    "is_occurrence",
    "is_tenant_bind",
    "leaves",
    "name_of",
    "outside_selects",
    "rows_of",
    "tables_named",
]

TENANT = "tenant"
"""The name of the bind parameter that carries the tenant in every statement."""


@attrs.frozen
class Scope:
    """What a nested SELECT may correlate to, as ids of FROM objects: explicitly, and by itself."""

    explicit: frozenset[int] = frozenset()
    implicit: frozenset[int] = frozenset()

    def inside(self, froms: Iterable[FromClause]) -> "Scope":
        """The scope of expressions in a statement over these tables."""
        own = frozenset(id(leaf) for f in froms for leaf in leaves(f))
        return Scope(self.explicit | own, own)

    def derived(self) -> "Scope":
        """The scope of a subquery in the FROM clause, which does not see its neighbours."""
        return Scope(self.explicit - self.implicit, frozenset())


def displayed(select: Select[Any], scope: Scope) -> list[FromClause]:
    """The FROM list without what the compiler will leave to enclosing statements."""
    froms = all_froms(select)
    if select._correlate:
        named = {id(f) for f in select._correlate}
        froms = [f for f in froms if not (id(f) in scope.explicit and id(f) in named)]
    if select._correlate_except is not None:
        kept = {id(f) for f in select._correlate_except}
        froms = [f for f in froms if id(f) not in scope.explicit or id(f) in kept]
    if select._auto_correlate and scope.implicit and len(froms) > 1:
        froms = [f for f in froms if id(f) not in scope.implicit]
    return froms


def all_froms(select: Select[Any]) -> list[FromClause]:
    """The FROM list as it would be if nothing were around the SELECT.

    The public ``get_final_froms`` is the same, but compiles the whole statement first, for no database in particular.
    """
    state: Any = select
    return list(state._compile_state_factory(select, None).froms)


def leaves(clause: Any) -> Iterator[FromClause]:
    """The FROM objects that columns can belong to."""
    if isinstance(clause, Join):
        yield clause
        yield from leaves(clause.left)
        yield from leaves(clause.right)
    elif isinstance(clause, FromGrouping):
        yield from leaves(clause.element)
    else:
        yield clause


def is_from(element: Any) -> bool:
    """Whether this stands in FROM only; SQLAlchemy lets a function stand there as well as among expressions."""
    return isinstance(element, FromClause) and not isinstance(element, FunctionElement)


def is_occurrence(clause: Any) -> bool:
    """Whether this is a table, or an alias or sample of one."""
    while isinstance(clause, AliasedReturnsRows) and not isinstance(clause, CTE):
        clause = clause.element
    return isinstance(clause, TableClause)


def conjuncts(clause: Any) -> set[int]:
    """Ids of the FROM objects that top-level conjuncts bind to :tenant."""
    if isinstance(clause, Grouping):
        return conjuncts(clause.element)
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        return set().union(*map(conjuncts, clause.clauses))
    if isinstance(clause, BinaryExpression) and clause.operator is operators.eq:
        for column, value in ((clause.left, clause.right), (clause.right, clause.left)):
            if isinstance(column, ColumnClause) and column.name == "tenant_id" and is_tenant_bind(value):
                return {id(column.table)}
    return set()


def is_tenant_bind(value: Any) -> bool:
    """Whether this is the parameter ``tenant``, without a value of its own."""
    return (
        isinstance(value, BindParameter)
        and value.key == TENANT
        and value.required
        and not value.unique
        and not value.expanding
        and not value.literal_execute
    )


def rows_of(insert: Insert) -> Iterator[dict[Any, Any]]:
    """The rows of INSERT .. VALUES, as values by column."""
    if insert._values:
        yield dict(insert._values)
    for rows in insert._multi_values:
        for row in rows:
            yield dict(row) if isinstance(row, dict) else dict(zip(insert.table.c, row, strict=False))


def changes_of(update: Update) -> Iterator[tuple[Any, Any]]:
    """The columns that UPDATE sets, and to what."""
    yield from (update._values or {}).items()
    yield from getattr(update, "_ordered_values", None) or ()


def arms(select: Any) -> Iterator[Any]:
    """The SELECTs of a UNION and its like; a SELECT is its own only arm."""
    if isinstance(select, CompoundSelect):
        for arm in select.selects:
            yield from arms(arm)
    elif isinstance(select, SelectStatementGrouping):
        yield from arms(select.element)
    else:
        yield select


def elements(value: Any) -> Iterator[Any]:
    """The expressions in a nest of lists."""
    if isinstance(value, ClauseElement):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from elements(item)


def outside_selects(element: Any) -> Iterator[ClauseElement]:
    """The element and all below it, nested SELECTs not entered."""
    yield element
    if not isinstance(element, Select | CompoundSelect) and not is_from(element):
        for child in element.get_children():
            yield from outside_selects(child)


def holds_select(value: Any) -> bool:
    """Whether a SELECT is nested in an expression."""
    return isinstance(value, ClauseElement) and any(
        isinstance(part, Select | CompoundSelect) for part in outside_selects(value)
    )


def tables_named(parts: Iterable[ClauseElement], but: FromClause) -> list[FromClause]:
    """The tables whose columns are used besides the one that is changed: SQLAlchemy adds them to FROM or USING."""
    own = {id(leaf) for leaf in leaves(but)}
    found: dict[int, FromClause] = {}
    for part in parts:
        for element in outside_selects(part):
            table = element.table if isinstance(element, ColumnClause) else None
            if isinstance(table, FromClause) and id(table) not in own:
                found[id(table)] = table
    return list(found.values())


def name_of(column: Any) -> str:
    """The name of a column that is given as such or by name."""
    return column if isinstance(column, str) else str(getattr(column, "name", column))
