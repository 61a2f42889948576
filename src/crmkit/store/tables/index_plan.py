"""Which indexes a record type's two tables carry.

Every index starts with the tenant. Lists are filtered by one column and sorted by the type's usual one, so an index
that holds both answers a page without sorting; ``id`` completes it, because pages continue after a key. Indexes over
slots are partial: a slot nobody uses costs nothing when a row is written.
"""

from collections.abc import Iterable, Iterator

import attrs

from crmkit.records import BASE_OBJECT
from crmkit.schema import Field, Kind, RecordType, Slot
from crmkit.schema.parts import SLOTS
from crmkit.schema.types import Reference
from crmkit.store.tables.names import named

__all__ = ["IndexPlan", "compare_column", "history_indexes", "live_indexes"]

_NEVER_NULL = frozenset({"tenant_id", "object_key", "id"})


@attrs.frozen
class IndexPlan:
    """An index to be made: ``fields`` are what a unique one keeps unique, ``present`` the column that must have a value
    for a row to be in it.
    """

    columns: tuple[str, ...]
    unique: bool = False
    present: str | None = None
    fields: tuple[str, ...] = ()

    @property
    def ops(self) -> dict[str, str]:
        """How PostgreSQL orders each column: records without a value first, as SQLite does and every list says.

        Without it no list of records could be read from the index in order.
        """
        return {} if self.unique else {column: "NULLS FIRST" for column in self.columns if column not in _NEVER_NULL}

    def name(self, table: str) -> str:
        """Its name on a table."""
        return named("uq" if self.unique else "ix", table, self.columns)


def compare_column(record_type: RecordType, key: str) -> str | None:
    """The column that comparisons of a field use; None when it holds JSON, which has no order worth an index."""
    f: Field = record_type.by_key[key]
    if f.type.parts[f.type.compare].kind is Kind.JSON:
        return None
    return f.part_columns()[f.type.compare]


def live_indexes(record_type: RecordType) -> tuple[IndexPlan, ...]:
    """The indexes of the live table, none of them redundant."""
    by_changeset = IndexPlan(("tenant_id", "changeset_id"))
    unique = tuple(_unique(record_type))
    return unique + _folded([*_plain(record_type), *_slots(record_type), by_changeset], unique)


def history_indexes(record_type: RecordType) -> tuple[IndexPlan, ...]:
    """The indexes of the history table: those of the live one, not unique, and by the changeset that superseded a row.

    There is none on ``recorded_at``: with it, SQLite chooses the wrong index for a list as of an instant.
    """
    live = (attrs.evolve(plan, unique=False, fields=()) for plan in live_indexes(record_type))
    return _folded([*live, IndexPlan(("tenant_id", "superseded_by"))], ())


def _lead(record_type: RecordType) -> tuple[str, ...]:
    return ("tenant_id", "object_key") if record_type.key == BASE_OBJECT else ("tenant_id",)


def _columns(record_type: RecordType, keys: Iterable[str]) -> tuple[str, ...]:
    """Leading columns and the compare columns of fields, each once."""
    found = [compare_column(record_type, key) for key in keys]
    return tuple(dict.fromkeys((*_lead(record_type), *(column for column in found if column is not None))))


def _unique(record_type: RecordType) -> Iterator[IndexPlan]:
    singles = [(f.key,) for f in record_type.declared if f.unique]
    for fields in dict.fromkeys([*singles, *record_type.unique]):
        yield IndexPlan(_columns(record_type, fields), unique=True, fields=fields)
    if not record_type.link:
        for slot in SLOTS[Slot.UNIQUE]:
            yield IndexPlan((*_lead(record_type), slot), unique=True, present=slot, fields=(slot,))


def _plain(record_type: RecordType) -> Iterator[IndexPlan]:
    yield IndexPlan(_columns(record_type, (record_type.sort, "id")))
    if record_type.owned:
        yield IndexPlan(_columns(record_type, ("owner", record_type.sort, "id")))
    for fields in record_type.indexes:
        yield IndexPlan(_columns(record_type, (*fields, "id")))
    for f in record_type.declared:
        if isinstance(f.type, Reference):
            yield IndexPlan(("tenant_id", f.column))
        elif f.indexed:
            yield IndexPlan(_columns(record_type, (f.key, record_type.sort, "id")))


def _slots(record_type: RecordType) -> Iterator[IndexPlan]:
    if record_type.link:
        return
    tail = [column for column in (compare_column(record_type, record_type.sort), "id") if column]
    for pool, slots in SLOTS.items():
        if pool is not Slot.UNIQUE:
            for slot in slots:
                yield IndexPlan(tuple(dict.fromkeys((*_lead(record_type), slot, *tail))), present=slot)


def _folded(plans: list[IndexPlan], unique: tuple[IndexPlan, ...]) -> tuple[IndexPlan, ...]:
    """The plans without those that an index over more columns, or the primary key, already serves."""
    kept: list[IndexPlan] = []
    serving = [("tenant_id", "id"), *(plan.columns for plan in unique if plan.present is None)]
    serving += [plan.columns for plan in plans if plan.present is None]
    for plan in dict.fromkeys(plans):
        longer = any(len(other) > len(plan.columns) and other[: len(plan.columns)] == plan.columns for other in serving)
        same = plan.columns == ("tenant_id", "id") or any(plan.columns == other.columns for other in (*unique, *kept))
        if not longer and not same:
            kept.append(plan)
    return tuple(kept)
