"""The records of a type that a changeset updated once and that nobody has changed since, set back all at once.

They are known by their rows alone: the live one carries the changeset, the version before it was ended by the same one.
What may not differ between the two decides which records they are, so that reading them and writing them agree.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import BindParameter, bindparam, case, literal, or_, select, update

from crmkit.schema import Field, Kind, RecordType
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.connection.unit import Row
from crmkit.store.read.reader import Reader
from crmkit.store.sql.sources import tenant_param
from crmkit.store.sql.statement import Statement
from crmkit.store.write.writer import Writer, copied, into_history, just_copied, new_version

__all__ = ["SettingBack"]


@attrs.frozen(eq=False)
class SettingBack:
    """Reads and sets back what one changeset did to records of one type, where nothing but the ``free`` fields differs.

    Fields that hold JSON cannot be free: of two texts that differ, the documents may be the same.
    """

    reader: Reader
    type: RecordType
    changeset_id: UUID
    free: tuple[Field, ...]

    def found(self) -> list[tuple[UUID, Row]]:
        """The records by id, each with what it would get back, which ``values`` understands; equal for equal values.

        Where two units of work may write at once, nobody changes them from now on.
        """
        rows = self.reader.unit.read(self._statement("found", self._found), self._parameters)
        id_out = self.reader.view.codec.id_out
        # Most rows are alike: each is kept once, or they would be a third of the garbage collector's work.
        alike: dict[Row, Row] = {}
        return [(id_out(row[0]), alike.setdefault(row[1:], row[1:])) for row in rows]

    def values(self, back: Row) -> dict[str, Any]:
        """The fields that differ, in the order of the type, and their values before."""
        values, at = {}, 0
        for f in self.free:
            parts = back[at + 1 : at + 1 + len(f.type.parts)]
            if back[at]:
                values[f.key] = self._value(f, parts)
            at += 1 + len(parts)
        return values

    def _value(self, field: Field, parts: Row) -> Any:
        if parts[field.type.compare] is None:
            return None
        id_out = self.reader.view.codec.id_out
        kinds = (part.kind for part in field.type.parts)
        return field.type.from_parts(
            *(id_out(p) if kind is Kind.ID else p for p, kind in zip(parts, kinds, strict=True))
        )

    def write(self, writer: Writer, keys: Iterable[str]) -> int:
        """Sets them back, of which ``keys`` are all the fields that differ in any; returns how many there were.

        Two statements, however many records.
        """
        parameters = {**writer.common(), **self._parameters}
        count = writer.unit.write(self._statement("copy", self._copies), parameters)
        names = tuple(name for f in self.free if f.key in keys for name in f.part_columns())
        writer.unit.write(self._statement(("back", names), lambda: self._update(names)), writer.common())
        return count

    # ------------------------------------------------------------------------------------------------------ statements

    @property
    def _parameters(self) -> Mapping[str, Any]:
        view = self.reader.view
        return {"tenant": view.tenant_id, "undone": view.codec.id_in(self.changeset_id)}

    def _statement(self, what: Any, make: Any) -> Statement:
        reader, free = self.reader, tuple(f.key for f in self.free)
        return reader.shelf.get(("set back", what, self.type.table, free), lambda: reader.database.prepare(make()))

    @cached_property
    def _live(self) -> Any:
        return self.reader.view.tables.live_of(self.type)

    @cached_property
    def _history(self) -> Any:
        return self.reader.view.tables.history_of(self.type)

    def _found(self) -> Any:
        live, former = self._live, self._history.alias()
        back: list[Any] = []
        for f in self.free:
            differs = _differing(live, former, f.part_columns())
            back += (differs, *(case((differs, former.c[name])) for name in f.part_columns()))
        return self._locked(select(live.c["id"], *back).where(*self._conditions(former)).order_by(live.c["id"]))

    def _copies(self) -> Any:
        live, former = self._live, self._history.alias()
        return into_history(self._history, live, select(*copied(live, live)).where(*self._conditions(former)))

    def _locked(self, chosen: Any) -> Any:
        locks = self.reader.view.codec.dialect == "postgresql"
        return chosen.with_for_update(of=self._live) if locks else chosen

    def _conditions(self, former: Any) -> Sequence[Any]:
        """Changed by the changeset, once and last, in some of the free fields and in no other column."""
        live, undone = self._live, _undone()
        free = [name for f in self.free for name in f.part_columns()]
        held = [c.name for c in live.columns if c.name not in ("tenant_id", *SYSTEM_FIELDS, *free)]
        return (
            live.c["tenant_id"] == tenant_param(),
            live.c["changeset_id"] == undone,
            *_before(live, former),
            # No equality: PostgreSQL, which takes all of a changeset for one row, would read all of it for each record.
            former.c["superseded_by"].is_not_distinct_from(live.c["changeset_id"]),
            former.c["changeset_id"] != undone,
            _differing(live, former, free),
            *(live.c[name].is_not_distinct_from(former.c[name]) for name in held),
        )

    def _update(self, names: Sequence[str]) -> Any:
        """Sets back what the first statement has just copied to history."""
        live, history = self._live, self._history

        def before(name: str) -> Any:
            former = history.alias()
            return select(former.c[name]).where(*_before(live, former)).scalar_subquery()

        changed = {name: before(name) for name in names}
        version = new_version(live, live.c["version"] + literal(1))
        return update(live).where(*just_copied(live, history)).values({**changed, **version})


def _undone() -> BindParameter[Any]:
    return bindparam("undone")


def _before(live: Any, former: Any) -> tuple[Any, ...]:
    """The row in history of the version before the live one."""
    return (
        former.c["tenant_id"] == tenant_param(),
        former.c["id"] == live.c["id"],
        former.c["version"] == live.c["version"] - literal(1),
    )


def _differing(live: Any, former: Any, names: Iterable[str]) -> Any:
    return or_(*(live.c[name].is_distinct_from(former.c[name]) for name in names))
