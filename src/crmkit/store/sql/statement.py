"""A statement that was checked and compiled once, to be sent many times as plain driver SQL."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import attrs
from sqlalchemy import BindParameter, Dialect, Select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from crmkit.errors import UsageError
from crmkit.query.terms import as_is
from crmkit.store.sql.tenant_check import check

__all__ = ["STATEMENT_OPTION", "Statement", "compile_dialect", "prepared"]

STATEMENT_OPTION = "crmkit_statement"
"""The execution option by which listeners of a host's engine (and the tests) recognise what crmkit sends."""


@attrs.frozen(eq=False)
class Statement:
    """``sql`` in the driver's own positional style; ``names`` of its parameters in order; ``literals``, the values of
    those that were in the clause, as the driver wants them; ``writes`` when it needs a write transaction.
    """

    sql: str
    names: tuple[str, ...]
    literals: Mapping[str, Any]
    writes: bool
    returns_rows: bool
    clause: ClauseElement
    options: Mapping[str, Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "options", {STATEMENT_OPTION: self})

    def bind(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The parameters in order, from raw driver values by name. Raises UsageError (``unbound_value``)."""
        try:
            if self.literals:
                return tuple([self.literals[n] if n in self.literals else values[n] for n in self.names])
            return tuple([values[name] for name in self.names])
        except KeyError as missing:
            raise UsageError(
                f"the statement needs a value for {missing.args[0]!r}",
                code="unbound_value",
                hint=f"it takes {', '.join(self.needed)}",
            ) from None

    @property
    def needed(self) -> tuple[str, ...]:
        """The names that must be given a value, each once."""
        return tuple(dict.fromkeys(name for name in self.names if name not in self.literals))

    def index(self, name: str) -> int | None:
        """The position of a parameter in a row for ``write_many``; None when the statement has no such parameter."""
        return self.names.index(name) if name in self.names else None


@cache
def compile_dialect(name: str) -> Dialect:
    """A dialect that renders positional parameters, the same for every engine. Raises UsageError."""
    # One for all databases: it remembers which names need quotes, a tenth of the time it takes to compile.
    if name == "sqlite":
        from sqlalchemy.dialects.sqlite import pysqlite

        return pysqlite.SQLiteDialect_pysqlite(paramstyle="qmark")
    if name == "postgresql":
        from sqlalchemy.dialects.postgresql import psycopg

        dialect: Any = psycopg.PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
        # What SQLAlchemy would learn from the server: a backslash in a literal is just that, as in standard SQL.
        dialect._backslash_escapes = False
        return dialect  # type: ignore[no-any-return]
    raise UsageError(
        f"crmkit does not run on {name!r}", code="unsupported_database", hint="use SQLite, or PostgreSQL with psycopg 3"
    )


def prepared(clause: ClauseElement, dialect: Dialect) -> Statement:
    """The statement of a clause. Raises UsageError when it names a tenant's table without its tenant."""
    check(clause)
    compiled = clause.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise UsageError(
            f"{type(clause).__name__} is no statement", code="unknown_clause", hint="use migrations for DDL"
        )
    # Parameters without a value stand in for themselves here; only lists and literals are read from the result.
    state = compiled.construct_expanded_state(dict.fromkeys(_open_names(compiled)))
    names = tuple(state.positiontup or ())
    expanded = {part: name for name, parts in state.parameter_expansion.items() for part in parts}
    literals: dict[str, Any] = {}
    for name in names:
        parameter = compiled.binds[expanded.get(name, name)]
        if not parameter.required:
            literals[name] = _driver_value(parameter, dialect)(state.parameters[name])
    return Statement(
        state.statement, names, literals, _writes(clause), bool(getattr(clause, "_returning", True)), clause
    )


def _open_names(compiled: SQLCompiler) -> list[str]:
    """Names of the parameters that get their values when the statement is sent."""
    for name, parameter in compiled.binds.items():
        if parameter.required and parameter.expanding:
            raise UsageError(
                f"the list {name!r} has no fixed length",
                code="open_list",
                hint="give one bindparam for each element, or the values themselves",
            )
    return [name for name, parameter in compiled.binds.items() if parameter.required]


def _driver_value(parameter: BindParameter[Any], dialect: Dialect) -> Callable[[Any], Any]:
    processor = parameter.type.dialect_impl(dialect).bind_processor(dialect)
    return processor or as_is


def _writes(clause: ClauseElement) -> bool:
    """Whether the statement, or a CTE in it, changes rows or locks them."""
    return any(
        getattr(element, "is_dml", False) or (isinstance(element, Select) and element._for_update_arg is not None)
        for element in visitors.iterate(clause)
    )
