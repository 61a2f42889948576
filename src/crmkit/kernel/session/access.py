"""Rights and conditions decided in memory, on one record at a time, by the same expressions lists are filtered by."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import attrs

from crmkit.permissions import Evaluation
from crmkit.permissions.evaluation import Test
from crmkit.query.context import Row, World
from crmkit.query.lift import EVERYTHING, Lifted, equal_to
from crmkit.store.read.reader import Reader
from crmkit.store.sql.plans import View

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
        where = equal_to(field_key, record_id)
        return self.reader.records(type_key, where)


class _NotAtOnce(Exception):
    """Another record would have to be read."""


class _NoWorld:
    """A world that nobody may look at."""

    def get(self, type_key: str, record_id: UUID) -> Row | None:
        raise _NotAtOnce

    def related(self, type_key: str, field_key: str, record_id: UUID) -> Iterable[Row]:
        raise _NotAtOnce


@attrs.define
class Judge:
    """Decides for one view; ``reader`` reads it without regard to rights. After writing it must ``forget``."""

    view: View
    reader: Reader
    _tests: dict[tuple[str, str], Test] = attrs.field(factory=dict)

    def allows(self, type_key: str, action: str, row: Row) -> bool:
        """The actor may do this with this record."""
        return self._ready(type_key, action)(row) is True

    def sees(self, type_key: str, row: Row) -> bool:
        """The actor may read this record."""
        return self._ready(type_key, "")(row) is True

    def sees_at_once(self, type_key: str, row: Row) -> bool:
        """The actor may read this record, as far as that can be told without reading others."""
        test = self._evaluation(_NoWorld()).test(self.view.guard.rows(type_key), type_key, self.view.actors)
        try:
            return test(row) is True
        except _NotAtOnce:
            return False

    def meets(self, type_key: str, condition: Lifted, row: Row) -> bool | None:
        """Whether the record meets a condition of the house, without regard to rights."""
        return self.evaluation.test(condition, type_key, self.view.actors)(row)

    def certain(self, type_key: str, action: str) -> bool:
        """The action is allowed on every record of the type."""
        return self.view.guard.scope(type_key, action) == EVERYTHING

    @property
    def evaluation(self) -> Evaluation:
        """Conditions tested on the records of the view."""
        return self._evaluation(StoredWorld(self.reader))

    def _evaluation(self, world: World) -> Evaluation:
        view, shelf = self.view, self.reader.shelf
        return Evaluation(
            view.schema,
            world,
            view.moment,
            view.segments,
            lambda key, make: shelf.get(view.key("test", key), make),
        )

    def forget(self) -> None:
        """Forget related records, which may have changed."""
        self._tests.clear()

    def _ready(self, type_key: str, action: str) -> Test:
        key = type_key, action
        if key not in self._tests:
            guard = self.view.guard
            condition = guard.scope(type_key, action) if action else guard.rows(type_key)
            self._tests[key] = self.evaluation.test(condition, type_key, self.view.actors)
        return self._tests[key]
