"""Tables from the schema: one road for built-in types, types of plugins, and custom objects.

Each record type has a live table and a history table of the same columns. What a custom object adds lies in the shared
table ``crm_object``, so no tenant ever causes DDL.

Foreign keys run from a declared reference to the live table of its type and take no action. There are none

- from history, whose rows outlive what they refer to;
- from ``created_by`` and ``changeset_id``: who did something is still true after the user is deleted, and the changeset
  is written by the same code in the same transaction;
- from ``tenant_id`` to the registry of tenants: the key comes from there at the start of each unit of work, a check for
  each row would cost a look-up for a constant, and PostgreSQL would lock the tenant's one row in every transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from threading import RLock
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Index, MetaData, PrimaryKeyConstraint, Table

from crmkit.errors import InvalidDefinition
from crmkit.records import BASE_OBJECT
from crmkit.schema import Kind, RecordType, Schema, Slot
from crmkit.schema.parts import SLOTS
from crmkit.schema.types import Reference
from crmkit.store.tables.columns import column_type
from crmkit.store.tables.index_plan import IndexPlan, history_indexes, live_indexes
from crmkit.store.tables.names import named, shortened, told_apart
from crmkit.store.tables.system_tables import add_partial_indexes, define_system_tables

__all__ = ["Tables"]

_SYSTEM = (
    ("tenant_id", Kind.INTEGER, False),
    ("id", Kind.ID, False),
    ("version", Kind.INTEGER, False),
    ("changeset_id", Kind.ID, False),
    ("created_at", Kind.INTEGER, False),
    ("created_by", Kind.ID, True),
    ("recorded_at", Kind.INTEGER, False),
)
_SUPERSEDED = (("superseded_at", Kind.INTEGER, False), ("superseded_by", Kind.ID, False))
_TEXT_POOLS = frozenset({Slot.TEXT, Slot.UNIQUE})
"""The other slots hold integers."""

_Columns = list[tuple[str, Kind, bool]]
"""Name, primitive, and whether it may be NULL."""


class Tables:
    """The tables of a schema of declared record types.

    A table is made when it is first asked for by ``live_of`` or ``history_of``, and indexes, which only those who make
    or examine a database need, with ``metadata``: all at once they are 0.1 s of the first query of a process.

    ``Table.info`` says ``scope`` (tenant, reference or local), ``role`` (live, history, or a system table's name) and,
    for record types, ``type`` (the key).

    Raises InvalidDefinition (``table_taken``) when two types need the same table.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.declared = tuple(t for t in schema.types.values() if t.object_key is None)
        self._metadata = MetaData()
        self.system = define_system_tables(self._metadata)
        """Tenants, changesets, jobs, keys of upserts."""
        self._live: dict[str, Table] = {}
        self._history: dict[str, Table] = {}
        # SQLAlchemy refuses to make a table twice, which two sessions may want at the same time.
        self._making = RLock()
        self._complete = False
        self._index_names: set[str] = set()
        self._unique: dict[str | tuple[str, ...], tuple[str, tuple[str, ...]]] = {}
        self._column_fields: dict[tuple[str, str], tuple[str, str]] = {}
        self._reference_fields: dict[str, tuple[str, str]] = {}
        self._refuse_taken_names()

    @property
    def metadata(self) -> MetaData:
        """All tables with all indexes, the system's own as well."""
        self._completed()
        return self._metadata

    @property
    def live(self) -> Mapping[str, Table]:
        """By record type's key, with all indexes."""
        self._completed()
        return self._live

    @property
    def history(self) -> Mapping[str, Table]:
        """By record type's key, with all indexes."""
        self._completed()
        return self._history

    def live_of(self, record_type: RecordType) -> Table:
        """The live table of a record type, a tenant's custom object included."""
        key = record_type.key if record_type.object_key is None else BASE_OBJECT
        made = self._live.get(key)
        return self._made_live(self.schema.types[key]) if made is None else made

    def history_of(self, record_type: RecordType) -> Table:
        """The history table of a record type, a tenant's custom object included."""
        key = record_type.key if record_type.object_key is None else BASE_OBJECT
        made = self._history.get(key)
        return self._made_history(self.schema.types[key]) if made is None else made

    def unique_fields(self, constraint_or_columns: str | Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
        """The type's key and the fields that a unique constraint keeps unique.

        Takes a constraint's name (as PostgreSQL reports) or ``table.column`` names in order (as SQLite does). A slot
        stands for itself (``unique_1``): which custom field occupies it only the tenant's schema knows.
        """
        self._completed()
        what = constraint_or_columns
        return self._unique.get(what if isinstance(what, str) else tuple(what))

    def column_field(self, table: str, column: str) -> tuple[str, str] | None:
        """The type's key and the field whose part lies in a column."""
        self._completed()
        return self._column_fields.get((table, column))

    def reference_field(self, constraint: str) -> tuple[str, str] | None:
        """The type's key and the field whose foreign key has this name."""
        self._completed()
        return self._reference_fields.get(constraint)

    def _refuse_taken_names(self) -> None:
        taken = set(self._metadata.tables)
        for record_type in self.declared:
            for name in (record_type.table, _history_name(record_type)):
                if name in taken:
                    raise InvalidDefinition(
                        f"the table {name!r} of {record_type.key!r} is taken",
                        code="table_taken",
                        hint="name another table",
                    )
                taken.add(name)

    def _made_live(self, record_type: RecordType) -> Table:
        with self._making:
            made = self._live.get(record_type.key)
            if made is None:
                table = self._table(
                    record_type.table, record_type, _columns_of(record_type), ("tenant_id", "id"), "live"
                )
                for key in _foreign_keys(record_type, self.schema):
                    table.append_constraint(key)
                made = self._live[record_type.key] = table
            return made

    def _made_history(self, record_type: RecordType) -> Table:
        with self._making:
            made = self._history.get(record_type.key)
            if made is None:
                columns = [*_columns_of(record_type), *_SUPERSEDED]
                key = ("tenant_id", "id", "version")
                made = self._table(_history_name(record_type), record_type, columns, key, "history")
                self._history[record_type.key] = made
            return made

    def _table(self, name: str, record_type: RecordType, columns: _Columns, key: tuple[str, ...], role: str) -> Table:
        return Table(
            name,
            self._metadata,
            *(_column(*column) for column in columns),
            PrimaryKeyConstraint(*key, name=named("pk", name)),
            info={"scope": "tenant", "type": record_type.key, "role": role},
        )

    def _completed(self) -> None:
        """Makes what nobody has asked for yet: the other tables, all indexes, and what the database's names mean."""
        with self._making:
            if self._complete:
                return
            add_partial_indexes(self.system)
            self._remember("tenant", ("key",), self.system.tenant, "uq_crm_tenant_key", ("key",))
            live = {t.key: self._explained_live(t) for t in self.declared}
            history = {t.key: self._explained_history(t) for t in self.declared}
            # In the order of the types, whoever was first asked for.
            self._live, self._history, self._complete = live, history, True

    def _explained_live(self, record_type: RecordType) -> Table:
        table = self._made_live(record_type)
        self._explain_columns(table, record_type)
        for constraint in table.foreign_key_constraints:
            self._reference_fields[str(constraint.name)] = (record_type.key, constraint.info["field"])
        for plan in live_indexes(record_type):
            name = self._add_index(table, plan)
            if plan.unique:
                self._remember(record_type.key, plan.fields, table, name, plan.columns[1:])
        self._remember(record_type.key, ("id",), table, named("pk", table.name), ("id",))
        return table

    def _explained_history(self, record_type: RecordType) -> Table:
        table = self._made_history(record_type)
        self._explain_columns(table, record_type)
        for plan in history_indexes(record_type):
            self._add_index(table, plan)
        self._remember(record_type.key, ("id", "version"), table, named("pk", table.name), ("id", "version"))
        return table

    def _explain_columns(self, table: Table, record_type: RecordType) -> None:
        for f in record_type.declared:
            self._column_fields.update({(table.name, column): (record_type.key, f.key) for column in f.part_columns()})

    def _add_index(self, table: Table, plan: IndexPlan) -> str:
        """Adds an index and returns its name; when others read the same, a hash tells it apart."""
        name = plan.name(table.name)
        if name in self._index_names:
            name = told_apart(name, (table.name, *plan.columns))
        self._index_names.add(name)
        present = None if plan.present is None else table.c[plan.present].is_not(None)
        columns = (table.c[column] for column in plan.columns)
        Index(
            name,
            *columns,
            unique=plan.unique,
            sqlite_where=present,
            postgresql_where=present,
            postgresql_ops=plan.ops,
        )
        return name

    def _remember(
        self, key: str, fields: tuple[str, ...], table: Table, constraint: str, columns: Iterable[str]
    ) -> None:
        lead = () if table.info["scope"] == "reference" else ("tenant_id",)
        self._unique[constraint] = (key, fields)
        self._unique[tuple(f"{table.name}.{column}" for column in (*lead, *columns))] = (key, fields)


def _history_name(record_type: RecordType) -> str:
    return shortened(f"{record_type.table}_history")


def _column(name: str, kind: Kind, null: bool) -> Column[Any]:
    return Column(name, column_type(kind), nullable=null, autoincrement=False)


def _columns_of(record_type: RecordType) -> _Columns:
    columns: _Columns = list(_SYSTEM)
    if record_type.key == BASE_OBJECT:
        columns.append(("object_key", Kind.TEXT, False))
    for f in record_type.declared:
        for column, part in zip(f.part_columns(), f.type.parts, strict=True):
            columns.append((column, part.kind, not (f.required and part is f.type.parts[0])))
    if not record_type.link:
        for pool, slots in SLOTS.items():
            columns += [(slot, Kind.TEXT if pool in _TEXT_POOLS else Kind.INTEGER, True) for slot in slots]
    columns.append(("custom", Kind.JSON, True))
    return columns


def _foreign_keys(record_type: RecordType, schema: Schema) -> Iterable[ForeignKeyConstraint]:
    for f in record_type.declared:
        if isinstance(f.type, Reference) and f.type.to in schema.types:
            target = schema.types[f.type.to].table
            yield ForeignKeyConstraint(
                ["tenant_id", f.column],
                [f"{target}.tenant_id", f"{target}.id"],
                name=named("fk", record_type.table, [f.column]),
                info={"field": f.key},
            )
