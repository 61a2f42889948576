"""CRMs of tests share what they have compiled: each is new, and would compile a hundred statements before it begins.

Only tables, statements and plans are shared, between CRMs of the same record types on the same kind of database: their
keys say all they are made of. What a CRM knows of its tenants stays its own. A plan holds its tables, so that plans of
tables of their own would keep a gigabyte of them.
"""

from collections.abc import Callable, Hashable
from typing import Any

from crmkit.kernel.session import runtime
from crmkit.schema import Schema
from crmkit.store import Tables
from crmkit.store.sql.plans import Plan, Shelf
from crmkit.store.sql.statement import Statement

_MOST = 4_000
_SHARED: dict[Hashable, Any] = {}
_TABLES: dict[Hashable, Tables] = {}


class SharedShelf(Shelf):
    """A shelf that looks for statements on one that all CRMs of a kind have in common."""

    kind: Hashable = None

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        found = self._made.get(key)
        if found is not None:
            return found
        common = self.kind, key
        if self.kind is not None and common in _SHARED:
            made = _SHARED[common]
        else:
            made = make()
            if self.kind is not None and isinstance(made, Plan | Statement):
                if len(_SHARED) > _MOST:
                    _SHARED.clear()
                _SHARED[common] = made
        return super().get(key, lambda: made)


def shared_tables(schema: Schema) -> Tables:
    """The tables of these record types, made once."""
    types = tuple(record_type.record for record_type in schema.types.values())
    return _TABLES.setdefault(types, Tables(schema))


def share_plans() -> None:
    """From now on, CRMs of this process share their plans."""
    begin = runtime.Foundation.__init__

    def sharing(self: Any, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        types = tuple(sorted(self.field_types.items(), key=lambda item: item[0]))
        self.shelf.kind = self.record_classes, types, self.database.dialect

    runtime.Shelf = SharedShelf  # type: ignore[attr-defined]
    runtime.Tables = shared_tables  # type: ignore[attr-defined]
    runtime.Foundation.__init__ = sharing  # type: ignore[method-assign]
