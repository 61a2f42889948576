"""The few SQL functions that are spelt differently on the two databases."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

__all__ = ["never", "text_contains", "text_ends_with"]


class text_contains(GenericFunction[bool]):  # noqa: N801 - a SQL function, called like one
    """The second text occurs in the first; exact, unlike LIKE, which folds ASCII on one database only."""

    type = Boolean()
    inherit_cache = True
    name = "crmkit_contains"


class text_ends_with(GenericFunction[bool]):  # noqa: N801 - a SQL function, called like one
    """The first text ends with the second, which is not empty."""

    type = Boolean()
    inherit_cache = True
    name = "crmkit_ends_with"


class never(GenericFunction[bool]):  # noqa: N801 - a SQL function, called like one
    """False. SQLAlchemy's own ``false()`` swallows the conditions beside it, the tenant's among them."""

    type = Boolean()
    inherit_cache = True
    name = "crmkit_never"


@compiles(never)
def _never(element: ColumnElement[Any], compiler: Any, **kw: Any) -> str:
    return "(1 = 0)"


def _two(element: ColumnElement[Any], compiler: Any, kw: Any) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(text_contains, "sqlite")
def _contains_sqlite(element: ColumnElement[Any], compiler: Any, **kw: Any) -> str:
    haystack, needle = _two(element, compiler, kw)
    return f"(instr({haystack}, {needle}) > 0)"


@compiles(text_contains, "postgresql")
def _contains_postgresql(element: ColumnElement[Any], compiler: Any, **kw: Any) -> str:
    haystack, needle = _two(element, compiler, kw)
    return f"(strpos({haystack}, {needle}) > 0)"


@compiles(text_ends_with, "sqlite")
def _ends_with_sqlite(element: ColumnElement[Any], compiler: Any, **kw: Any) -> str:
    text, tail = _two(element, compiler, kw)
    _, again = _two(element, compiler, kw)  # a positional dialect needs the parameter bound once for each use
    return f"(substr({text}, -length({tail})) = {again})"


@compiles(text_ends_with, "postgresql")
def _ends_with_postgresql(element: ColumnElement[Any], compiler: Any, **kw: Any) -> str:
    text, tail = _two(element, compiler, kw)
    _, again = _two(element, compiler, kw)
    return f"(right({text}, length({tail})) = {again})"
