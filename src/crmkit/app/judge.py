"""Rights and conditions decided in memory, on one record at a time, by the same expressions lists are filtered by."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import attrs

from crmkit.query.bind import CONSTANT_SPACE, Binder
from crmkit.query.bound import Bound, Fixed
from crmkit.query.context import Row, WorldContext
from crmkit.query.lift import Lifted
from crmkit.store.plans import View
from crmkit.store.reader import Reader

__all__ = ["Judge", "StoredWorld"]


@attrs.define
class StoredWorld:
    """The records of a view without regard to rights, fetched one by one and remembered."""

    reader: Reader
    _seen: dict[tuple[str, UUID], Any] = attrs.field(factory=dict)

    def get(self, type_key: str, record_id: UUID) -> Row | None:
        """The record of that id."""
        key = type_key, record_id
        if key not in self._seen:
            self._seen[key] = self.reader.get(type_key, record_id)
        return self._seen[key]  # type: ignore[no-any-return]

    def related(self, type_key: str, field_key: str, record_id: UUID) -> Iterable[Row]:
        """The records of a type that refer to that id."""
        where = Lifted(("compare", "eq", ("path", (field_key,)), ("value", 0)), (record_id,))
        return self.reader.records(type_key, where)


@attrs.define
class Judge:
    """Decides for one view. ``forget`` it after writing: it remembers related records."""

    view: View
    reader: Reader
    _bounds: dict[tuple[str, str, str], tuple[Bound, WorldContext]] = attrs.field(factory=dict)

    def allows(self, type_key: str, action: str, row: Row) -> bool:
        """The actor may do this with this record."""
        bound, context = self._ready("action", type_key, action)
        return bound.test(context, row) is True

    def sees(self, type_key: str, row: Row) -> bool:
        """The actor may read this record."""
        bound, context = self._ready("rows", type_key, "")
        return bound.test(context, row) is True

    def meets(self, type_key: str, condition: Lifted, row: Row) -> bool | None:
        """Whether the record meets a condition of the house (without regard to rights)."""
        binder = Binder(self.view.schema)
        bound = binder.bind(condition.shape, type_key)
        return bound.test(self.context(binder, condition.values), row)

    def context(self, binder: Binder, values: tuple[Any, ...]) -> WorldContext:
        """What evaluation in memory needs, for conditions bound by this binder."""
        spaces = (values, *(origin(binder) for origin in binder.origins), CONSTANT_SPACE)
        return WorldContext(StoredWorld(self.reader), spaces, self.view.moment)

    def _ready(self, what: str, type_key: str, action: str) -> tuple[Bound, WorldContext]:
        key = (what, type_key, action)
        if key not in self._bounds:
            binder = self.view.binder()
            bound = binder.rows(type_key) if what == "rows" else binder.allowed(type_key, action)
            self._bounds[key] = bound, self.context(binder, ())
        return self._bounds[key]

    def certain(self, type_key: str, action: str) -> bool:
        """The action is allowed on every record of the type."""
        bound, _ = self._ready("action", type_key, action)
        return isinstance(bound, Fixed) and bound.value

    def forget(self) -> None:
        """Forget related records that may have changed."""
        self._bounds.clear()
