"""The same values given to all records that meet a condition, in two statements, however many records.

What has a value already is told part by part, as it is stored: in a condition ``SaaS`` is equal to ``saas``, and it is
another value. Fields that hold JSON cannot be given so: of two texts that differ, the documents may be the same.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import ColumnElement, bindparam, case, literal, or_, select, update

from crmkit.query.lift import Lifted
from crmkit.schema import Kind
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.read.reader import Reader
from crmkit.store.sql.plans import Draft, Plan
from crmkit.store.sql.statement import Statement
from crmkit.store.write.writer import Writer, copied, into_history, just_copied, new_version

__all__ = ["Giving", "Taker"]


@attrs.frozen
class Taker:
    """A record that is to get the values: whether any of them is new to it, and whether it may be updated."""

    id: UUID
    changes: bool
    allowed: bool


@attrs.frozen(eq=False)
class Giving:
    """Values for the declared fields of all readable records of a type that meet a condition."""

    reader: Reader
    type_key: str
    where: Lifted
    values: Mapping[str, Any]

    @property
    def possible(self) -> bool:
        """Whether there is any, and all can be told apart by their columns."""
        by_key = self.reader.view.schema.type(self.type_key).by_key
        kinds = [part.kind for key in self.values for part in by_key[key].type.parts]
        return bool(kinds) and Kind.JSON not in kinds

    def takers(self) -> list[Taker]:
        """The readable records that meet the condition, in order of their ids."""
        plan = self._plan("takers", self._takers)
        id_out = self.reader.view.codec.id_out
        rows = self.reader.unit.read(plan.statement, self._parameters(plan))
        return [Taker(id_out(row[0]), bool(row[1]), bool(row[2])) for row in rows]

    def write(self, writer: Writer) -> int:
        """Gives them to those that they are new to and that may get them; returns to how many."""
        plan = self._plan("taken", self._copies)
        count = writer.unit.write(plan.statement, {**self._parameters(plan), **writer.common()})
        if count:
            writer.unit.write(self._update(), {**writer.common(), **self._written})
        return count

    # ------------------------------------------------------------------------------------------------------ statements

    @property
    def _names(self) -> tuple[str, ...]:
        return self.reader.view.layout(self.type_key, self.reader.shelf).columns_of(frozenset(self.values))

    @property
    def _written(self) -> dict[str, Any]:
        layout = self.reader.view.layout(self.type_key, self.reader.shelf)
        blank = {f.key: None for f in layout.type.fields}
        written = dict(zip(layout.columns, layout.write({**blank, **self.values}), strict=True))
        return {f"set_{name}": written[name] for name in self._names}

    def _parameters(self, plan: Plan) -> dict[str, Any]:
        return {**self.reader.view.parameters(plan, self.where.values), **self._written}

    def _plan(self, what: str, make: Any) -> Plan:
        reader = self.reader
        plan: Plan = reader.shelf.get(reader.view.key(what, self.type_key, self.where.shape, self._names), make)
        return plan

    def _takers(self) -> Plan:
        draft = Draft(self.reader.view, self.type_key)
        conditions = draft.conditions(self.where)
        identity = draft.source.part(SYSTEM_FIELDS["id"], 0)
        flags = (_differs(draft, self._names), draft.compile(draft.binder.allowed(self.type_key, "update")))
        found = select(identity, *(case((flag, literal(1)), else_=literal(0)) for flag in flags))
        return draft.finish(self.reader.database, found.where(*conditions).order_by(identity))

    def _copies(self) -> Plan:
        draft = Draft(self.reader.view, self.type_key)
        conditions = draft.conditions(self.where, "update")
        layout = draft.view.layout(self.type_key, self.reader.shelf)
        live, history = draft.view.tables.live_of(layout.type), draft.view.tables.history_of(layout.type)
        chosen = select(*copied(draft.source.selectable, live)).where(*conditions, _differs(draft, self._names))
        if draft.view.codec.dialect == "postgresql":
            chosen = chosen.with_for_update(of=draft.source.selectable)
        return draft.finish(self.reader.database, into_history(history, live, chosen))

    def _update(self) -> Statement:
        """Gives the values to what the first statement has just copied to history: rows whose current version stands
        there.

        The list of ids is what the database starts from; the look-up of the version leaves out rows that the same
        changeset had superseded before.
        """
        reader, names = self.reader, self._names
        layout = reader.view.layout(self.type_key, reader.shelf)
        live, history = reader.view.tables.live_of(layout.type), reader.view.tables.history_of(layout.type)

        def make() -> Statement:
            given: dict[str, Any] = {name: bindparam(f"set_{name}") for name in names}
            version = new_version(live, live.c["version"] + literal(1))
            return reader.database.prepare(update(live).where(*just_copied(live, history)).values({**given, **version}))

        return reader.shelf.get((("mass", names), layout.type.table, layout.columns), make)


def _differs(draft: Draft, names: Iterable[str]) -> ColumnElement[bool]:
    columns = (draft.source.selectable.c[name] for name in names)
    return or_(*(column.is_distinct_from(bindparam(f"set_{column.name}", type_=column.type)) for column in columns))
