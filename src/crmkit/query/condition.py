"""What every bound condition promises: one meaning in SQL and in memory."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement

from crmkit.query.context import Row, Source, SqlContext, WorldContext

__all__ = ["Bound", "Condition"]

Condition = ColumnElement[bool]


class Bound:
    """A condition ready to run, in SQL and in memory."""

    __slots__ = ()

    def sql(self, context: SqlContext, source: Source, negate: bool = False) -> Condition:
        """TRUE exactly where ``test`` is True (or, negated, False)."""
        raise AssertionError(type(self))

    def test(self, context: WorldContext, row: Row) -> bool | None:
        """True, False, or None for unknown."""
        raise AssertionError(type(self))

    def parts(self) -> "Sequence[Bound]":
        """The conditions this one is made of."""
        return ()
