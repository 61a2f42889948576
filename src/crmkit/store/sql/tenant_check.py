"""The wall between tenants: a walk over a finished statement that lets no table of a tenant pass unbound.

Every occurrence of a tenant's table - in FROM, a join, a subquery, EXISTS, IN, a CTE, an arm of UNION, LATERAL, UPDATE
.. FROM, DELETE .. USING - must carry its own conjunct ``occurrence.tenant_id = :tenant``. Equality with another table's
tenant is not enough: a sharded database would ask all shards, and a plain one loses its index.

The walk refuses what it does not understand.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

from sqlalchemy import (
    ColumnClause,
    CompoundSelect,
    Delete,
    FromClause,
    Insert,
    Join,
    Select,
    Table,
    TextClause,
    Update,
)
from sqlalchemy.sql.elements import ClauseElement, Grouping, Label
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import (
    CTE,
    AliasedReturnsRows,
    FromGrouping,
    SelectStatementGrouping,
    Subquery,
    TableSample,
    TableValuedAlias,
    TextualSelect,
    Values,
)
from sqlalchemy.sql.selectable import Lateral as LateralClause

from crmkit.errors import UsageError
from crmkit.store.sql.clauses import (
    TENANT,
    Scope,
    all_froms,
    arms,
    changes_of,
    conjuncts,
    displayed,
    elements,
    holds_select,
    is_from,
    is_occurrence,
    is_tenant_bind,
    leaves,
    name_of,
    rows_of,
    tables_named,
)

__all__ = ["TENANT", "check"]

_HARMLESS_LITERALS = frozenset({"*", "1"})
"""What SQLAlchemy itself writes as text: ``count(*)`` and ``EXISTS (SELECT *``."""


def check(clause: ClauseElement) -> None:
    """Raises UsageError unless the statement keeps to one bound tenant.

    Codes: ``unbound_tenant`` (an occurrence without its conjunct, a row without its tenant, a change of tenant),
    ``unscoped_table`` (a table that does not say whose it is), ``textual_sql`` (``text()``, ``literal_column()`` or a
    hint), ``unknown_clause`` (a construct this walk does not know).
    """
    _Walk().statement(clause, Scope())


class _Walk:
    def __init__(self) -> None:
        self._seen: set[int] = set()

    # ----------------------------------------------------------------------------------------------------- statements

    def statement(self, clause: Any, scope: Scope) -> None:
        if isinstance(clause, Select):
            self._select(clause, scope)
        elif isinstance(clause, CompoundSelect):
            self._refuse_hints(clause)
            for arm in clause.selects:
                self.statement(arm, scope)
            self._children(clause, scope, skip=clause.selects)
        elif isinstance(clause, SelectStatementGrouping):
            self.statement(clause.element, scope)
        elif isinstance(clause, Insert):
            self._insert(clause, scope)
        elif isinstance(clause, Update | Delete):
            self._update_or_delete(clause, scope)
        elif isinstance(clause, TextClause | TextualSelect):
            _textual()
        else:
            _refuse("unknown_clause", f"{type(clause).__name__} is no statement that can be checked")

    def _select(self, select: Select[Any], scope: Scope) -> None:
        self._refuse_hints(select)
        froms = displayed(select, scope)
        inner = scope.inside(froms)
        where = conjuncts(select.whereclause)
        for f in froms:
            self._from(f, where, inner)
        self._children(select, inner)

    def _insert(self, insert: Insert, scope: Scope) -> None:
        self._refuse_hints(insert)
        target = insert.table
        inner = scope.inside([target])
        if self._is_tenants(target):
            self._tenant_of_rows(insert, target)
        if insert.select is not None:
            self.statement(insert.select, scope)
        for row in rows_of(insert):
            for value in row.values():
                if holds_select(value):
                    _refuse("unknown_clause", "INSERT .. VALUES takes no subquery", hint="use INSERT .. SELECT")
                self._expression(value, inner)
        self._on_conflict(insert, inner)
        self._children(insert, inner, skip=(target, insert.select, insert._post_values_clause))

    def _tenant_of_rows(self, insert: Insert, target: FromClause) -> None:
        if insert.select is not None:
            names = [name_of(name) for name in insert._select_names or ()]
            if "tenant_id" not in names:
                _unbound(target, "INSERT .. SELECT names no tenant_id")
            for arm in arms(insert.select):
                if not self._selects_tenant(arm, names.index("tenant_id")):
                    _unbound(target, "the tenant_id of INSERT .. SELECT is neither :tenant nor that of a bound table")
            return
        rows = list(rows_of(insert))
        if not rows:
            _unbound(target, "INSERT states no values, so its tenant_id is not :tenant")
        for row in rows:
            values = [value for column, value in row.items() if name_of(column) == "tenant_id"]
            if not values or not all(map(is_tenant_bind, values)):
                _unbound(target, "INSERT does not take its tenant_id from :tenant")

    def _selects_tenant(self, select: Any, position: int) -> bool:
        if not isinstance(select, Select):
            return False
        columns = list(select.selected_columns)
        value: Any = columns[position] if position < len(columns) else None
        while isinstance(value, Label | Grouping):
            value = value.element
        if is_tenant_bind(value):
            return True
        if not isinstance(value, ColumnClause) or value.name != "tenant_id":
            return False
        return any(value.table is leaf and is_occurrence(leaf) for f in all_froms(select) for leaf in leaves(f))

    def _on_conflict(self, insert: Insert, scope: Scope) -> None:
        conflict: Any = insert._post_values_clause
        if conflict is None:
            return
        changes = getattr(conflict, "update_values_to_set", None) or ()
        for column, value in changes.items() if isinstance(changes, dict) else changes:
            if name_of(column) == "tenant_id":
                _unbound(insert.table, "ON CONFLICT changes the tenant of a row")
            if holds_select(value):
                _refuse("unknown_clause", "ON CONFLICT .. SET takes no subquery")
            self._expression(value, scope)
        for part in ("update_whereclause", "inferred_target_whereclause"):
            self._expression(getattr(conflict, part, None), scope)
        for element in getattr(conflict, "inferred_target_elements", None) or ():
            self._expression(element, scope)

    def _update_or_delete(self, change: Update | Delete, scope: Scope) -> None:
        self._refuse_hints(change)
        where = conjuncts(change.whereclause)
        values = list(changes_of(change)) if isinstance(change, Update) else []
        if isinstance(change, Update) and self._is_tenants(change.table):
            if not values:
                _unbound(change.table, "UPDATE states no values, so it would set tenant_id")
            if any(name_of(column) == "tenant_id" for column, _ in values):
                _unbound(change.table, "UPDATE changes the tenant of a row")
        parts = [part for part in (*elements(change.whereclause), *(value for _, value in values)) if part is not None]
        froms = [change.table, *tables_named(parts, but=change.table)]
        inner = scope.inside(froms)
        for f in froms:
            self._from(f, where, inner)
        for _, value in values:
            self._expression(value, inner)
        self._children(change, inner, skip=(change.table,))

    # ----------------------------------------------------------------------------------------------------------- FROM

    def _from(self, clause: Any, bound: set[int], scope: Scope) -> None:
        """Checks one element of FROM; ``bound`` holds the ids of the tables that conjuncts around it bind."""
        if isinstance(clause, Join):
            self._join(clause, bound, scope)
        elif isinstance(clause, FromGrouping):
            self._from(clause.element, bound, scope)
        elif isinstance(clause, CTE):
            self._cte(clause)
        elif is_occurrence(clause):
            if isinstance(clause, TableSample):
                self._expression(clause.sampling, scope)
            if self._is_tenants(clause) and id(clause) not in bound:
                _unbound(clause, "it is not bound to :tenant")
        elif isinstance(clause, LateralClause):
            inner = clause.element
            self.statement(inner.element if isinstance(inner, Subquery) else inner, scope)
        elif isinstance(clause, Subquery):
            self.statement(clause.element, scope.derived())
        elif isinstance(clause, FunctionElement | TableValuedAlias | Values):
            self._children(clause, scope)
            for value in elements((getattr(clause, "element", None), getattr(clause, "_data", ()))):
                self._expression(value, scope)
        else:
            _refuse("unknown_clause", f"{type(clause).__name__} in FROM cannot be checked")

    def _join(self, join: Join, bound: set[int], scope: Scope) -> None:
        """ON binds both sides of an inner join, the right side of a left join, neither of a full one."""
        on = set() if join.full else conjuncts(join.onclause)
        self._from(join.left, bound if join.isouter else bound | on, scope)
        self._from(join.right, bound | on, scope)
        self._expression(join.onclause, scope)

    def _cte(self, cte: CTE) -> None:
        """A CTE stands before the statement and sees nothing of it; a recursive one names itself."""
        if id(cte.element) in self._seen:
            return
        self._seen.add(id(cte.element))
        self._refuse_hints(cte)
        self.statement(cte.element, Scope())

    def _is_tenants(self, clause: Any) -> bool:
        table = clause
        while isinstance(table, AliasedReturnsRows):
            table = table.element
        scope = table.info.get("scope") if isinstance(table, Table) else None
        if scope not in ("tenant", "reference", "local"):
            _refuse(
                "unscoped_table",
                f"the table {_shown(table)} does not say whose it is",
                hint="Table(info={'scope': ...})",
            )
        return bool(scope == "tenant")

    # ---------------------------------------------------------------------------------------------------- expressions

    def _expression(self, element: Any, scope: Scope) -> None:
        if element is None or not isinstance(element, ClauseElement):
            return
        if isinstance(element, Select | CompoundSelect | SelectStatementGrouping | Insert | Update | Delete):
            self.statement(element, scope)
        elif isinstance(element, TextClause | TextualSelect) or element.__visit_name__ == "textual_label_reference":
            _textual()
        elif isinstance(element, CTE):
            self._cte(element)
        elif is_from(element):
            self._stray(element, scope)
        elif isinstance(element, ColumnClause):
            self._column(element, scope)
        else:
            self._children(element, scope)

    def _column(self, column: "ColumnClause[Any]", scope: Scope) -> None:
        if column.is_literal and column.name not in _HARMLESS_LITERALS:
            _textual()
        table = column.table
        shown = id(table) in scope.explicit or getattr(table, "name", None) == "excluded"
        if is_occurrence(table) and not shown and self._is_tenants(table):
            _unbound(table, f"its column {column.name!r} is used where FROM does not show it")

    def _stray(self, clause: ClauseElement, scope: Scope) -> None:
        """A FROM object among expressions is a whole row, and must be one of those that FROM shows."""
        if isinstance(clause, Table | AliasedReturnsRows) and id(clause) in scope.explicit:
            return
        self._from(clause, set(), scope)

    def _children(self, element: ClauseElement, scope: Scope, skip: Sequence[Any] = ()) -> None:
        for child in element.get_children():
            if any(child is other for other in skip):
                continue
            if isinstance(element, Select | Update | Delete | Insert) and is_from(child):
                if isinstance(child, CTE):
                    self._cte(child)
                continue
            self._expression(child, scope)

    def _refuse_hints(self, statement: Any) -> None:
        """Hints, prefixes and suffixes are text that SQLAlchemy's own walk does not show."""
        if any(getattr(statement, kind, None) for kind in ("_hints", "_statement_hints", "_prefixes", "_suffixes")):
            _textual()


def _shown(clause: Any) -> str:
    return repr(getattr(clause, "name", None) or type(clause).__name__)


def _textual() -> NoReturn:
    _refuse("textual_sql", "a statement holds SQL as text", hint="build it from columns")


def _unbound(clause: Any, why: str) -> NoReturn:
    _refuse(
        "unbound_tenant",
        f"table {_shown(clause)}: {why}",
        hint=f"every occurrence needs its own .tenant_id == bindparam({TENANT!r})",
    )


def _refuse(code: str, message: str, hint: str | None = None) -> NoReturn:
    raise UsageError(message, code=code, hint=hint)
