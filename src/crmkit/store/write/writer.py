"""The one road by which records change: insert, supersede, delete, in batches, under one changeset.

A superseded version is copied to the history table inside the database; a create copies nothing. Every statement names
the version it replaces, so an update that would lose somebody's work changes no row, and the caller is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import BindParameter, Table, bindparam, case, delete, exists, insert, select, update

from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.store.connection.database import Database, Unit
from crmkit.store.read.rows import RowLayout
from crmkit.store.sql.lists import LISTED, among, list_width, listed
from crmkit.store.sql.plans import Shelf, View
from crmkit.store.sql.sources import tenant_param
from crmkit.store.sql.statement import Statement

__all__ = ["NewRow", "Stamp", "Writer", "copied", "into_history", "just_copied", "new_version"]

_COPY_FROM = 300
"""From this many rows on PostgreSQL takes them by COPY: 5 µs a row against 19 for executemany (performance.md)."""

_LISTED_FROM = 16
"""From so many ids on they go in lists. Contacts superseded on SQLite: 16 µs each by lists of 512, 36 one by one."""
_LISTED_AT_ONCE = 1_024
"""So many go in one statement by a list: contacts deleted on SQLite, 16 µs each; by what stands in history, 29."""


@attrs.frozen
class Stamp:
    """Who writes, in which changeset, when (microseconds since 1970)."""

    changeset_id: UUID
    at: int
    actor_id: UUID | None


@attrs.frozen
class NewRow:
    """A row to insert: the normalised values of every field, and for a record that comes back what it was before.

    ``not_before`` is when its last version ended.
    """

    id: UUID
    values: Mapping[str, Any]
    version: int = 1
    created_at: int | None = None
    created_by: UUID | None = None
    not_before: int = -(2**63)


@attrs.frozen
class Writer:
    """Writes in one view through one unit of work, all under one stamp."""

    database: Database
    shelf: Shelf
    unit: Unit
    view: View
    stamp: Stamp

    def insert(self, type_key: str, rows: Iterable[NewRow]) -> None:
        """Inserts new records."""
        layout = self.view.layout(type_key, self.shelf)
        names = _insert_columns(layout)
        id_in = self.view.codec.id_in
        by = None if self.stamp.actor_id is None else id_in(self.stamp.actor_id)
        head = (self.view.tenant_id,)
        tail = (id_in(self.stamp.changeset_id),)
        kind = () if layout.type.object_key is None else (layout.type.object_key,)
        at, write = self.stamp.at, layout.write
        tuples = [
            (
                *head,
                id_in(row.id),
                row.version,
                *tail,
                at if row.created_at is None else row.created_at,
                by if row.created_at is None else None if row.created_by is None else id_in(row.created_by),
                at if at > row.not_before else row.not_before,
                *kind,
                *write(row.values),
            )
            for row in rows
        ]
        table = self.view.tables.live_of(layout.type)
        if len(tuples) >= _COPY_FROM and self.view.codec.dialect == "postgresql":
            self.unit.copy_in(table, names, tuples)
        else:
            self.unit.write_many(self._statement("insert", layout, lambda: _insert(table, names)), tuples)

    def update(
        self, type_key: str, rows: Sequence[tuple[UUID, int, Mapping[str, Any]]], changed: frozenset[str]
    ) -> list[UUID]:
        """Writes new versions: id, the version it replaces, the values of every field; ``changed`` names the fields.

        Returns the ids whose version was not the current one; nothing was changed about those.
        """
        layout = self.view.layout(type_key, self.shelf)
        names = layout.columns_of(changed)
        positions = [layout.columns.index(name) for name in names]
        refused = self._supersede(layout, [(record_id, version) for record_id, version, _ in rows])
        kept = [row for row in rows if row[0] not in refused] if refused else rows
        if not kept:
            return list(refused)
        statement = self._statement(
            ("update", names), layout, lambda: _update(self.view.tables.live_of(layout.type), names)
        )
        id_in, write = self.view.codec.id_in, layout.write
        common = self.common()
        tuples = []
        for record_id, version, values in kept:
            written = write(values)
            named = {f"set_{name}": written[i] for name, i in zip(names, positions, strict=True)}
            tuples.append(
                statement.bind({**common, **named, "id": id_in(record_id), "version": version, "next": version + 1})
            )
        self.unit.write_many(statement, tuples)
        return list(refused)

    def delete(self, type_key: str, rows: Sequence[tuple[UUID, int]]) -> list[UUID]:
        """Moves records to history: id and current version. Returns the ids whose version was not the current one."""
        layout = self.view.layout(type_key, self.shelf)
        refused = self._supersede(layout, rows)
        kept = [record_id for record_id, _ in rows if record_id not in refused]
        if not kept:
            return list(refused)
        # In one statement: what goes together may refer to one another. Nobody has changed what was just superseded.
        live = self.view.tables.live_of(layout.type)
        if len(kept) <= _LISTED_AT_ONCE:
            width = list_width(self.view.codec, len(kept))
            statement = self._statement(("delete", width), layout, lambda: _delete(live, width))
            self.unit.write(statement, self.common() | self._listed(kept, width))
        else:
            history = self.view.tables.history_of(layout.type)
            self.unit.write(self._statement("mass_delete", layout, lambda: _mass_delete(live, history)), self.common())
        return list(refused)

    def _supersede(self, layout: RowLayout, rows: Sequence[tuple[UUID, int]]) -> set[UUID]:
        """Copies current versions to history; returns the ids of which the given version is not current."""
        tables = self.view.tables
        live, history = tables.live_of(layout.type), tables.history_of(layout.type)
        common, id_in = self.common(), self.view.codec.id_in
        if self._copied_to_history(layout, live, history, rows) == len(rows):
            return set()
        current = self._statement("current", layout, lambda: _current(live))
        # Nothing but copies has been made yet, so what is current still says what was copied.
        return {
            record_id
            for record_id, version in rows
            if not self.unit.read(current, {**common, "id": id_in(record_id), "version": version})
        }

    def _copied_to_history(
        self, layout: RowLayout, live: Table, history: Table, rows: Sequence[tuple[UUID, int]]
    ) -> int:
        """How many rows stood at the given version, and were copied: by lists of those at the same version."""
        locks, common = self.view.codec.dialect == "postgresql", self.common()
        by_version: dict[int, list[UUID]] = {}
        for record_id, version in rows:
            by_version.setdefault(version, []).append(record_id)
        count, singles = 0, []
        one = self._statement("supersede", layout, lambda: _supersede(live, history, locks))
        for version, ids in by_version.items():
            for at in range(0, len(ids), LISTED):
                block = ids[at : at + LISTED]
                if len(block) < _LISTED_FROM:
                    id_in = self.view.codec.id_in
                    singles += [one.bind({**common, "id": id_in(i), "version": version}) for i in block]
                    continue
                width = list_width(self.view.codec, len(block))
                several = self._statement(
                    ("supersede", width), layout, lambda width=width: _supersede(live, history, locks, width)
                )
                count += self.unit.write(several, {**common, **self._listed(block, width), "version": version})
        return count + self.unit.write_many(one, singles)

    def _listed(self, ids: Sequence[UUID], width: int) -> dict[str, Any]:
        return listed("id", list(map(self.view.codec.id_in, ids)), width)

    def common(self) -> dict[str, Any]:
        """The parameters of whatever is written: whose it is, when, in which changeset."""
        id_in = self.view.codec.id_in
        return {"tenant": self.view.tenant_id, "at": self.stamp.at, "changeset": id_in(self.stamp.changeset_id)}

    def _statement(self, what: Any, layout: RowLayout, make: Any) -> Statement:
        return self.shelf.get((what, layout.type.table, layout.columns), lambda: self.database.prepare(make()))


def _insert_columns(layout: RowLayout) -> tuple[str, ...]:
    kind = () if layout.type.object_key is None else ("object_key",)
    return ("tenant_id", *SYSTEM_FIELDS, *kind, *layout.columns)


def _named(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _insert(table: Table, names: Iterable[str]) -> Any:
    return insert(table).values({name: _named("tenant" if name == "tenant_id" else f"set_{name}") for name in names})


def _one(table: Table) -> tuple[Any, ...]:
    return (
        table.c["tenant_id"] == tenant_param(),
        table.c["id"] == _named("id"),
        table.c["version"] == _named("version"),
    )


def copied(source: Any, live: Table) -> list[Any]:
    """What a row of the live table is in history: all of it, until when it held, and what ended it."""
    columns = [source.c[c.name] for c in live.columns]
    return [*columns, _not_before(source), bindparam("changeset", type_=live.c["changeset_id"].type)]


def _not_before(row: Any) -> Any:
    """The present, or the row's own time if that is later: units of work may end in another order than they began,
    and clocks may go back, but no two versions of a record hold at the same time.
    """
    recorded = row.c["recorded_at"]
    at: Any = bindparam("at", type_=recorded.type)
    return case((recorded > at, recorded), else_=at)


def into_history(history: Table, live: Table, chosen: Any) -> Any:
    """Puts what ``copied`` has chosen there."""
    names = [c.name for c in live.columns]
    return insert(history).from_select([*names, "superseded_at", "superseded_by"], chosen)


def _supersede(live: Table, history: Table, locks: bool, width: int | None = None) -> Any:
    """Of one row, or of a list of rows at the same version. ``locks`` where two units of work may write at once: the
    second waits, and finds another version.
    """
    chosen = _one(live) if width is None else _several(live, width)
    copies = select(*copied(live, live)).where(*chosen)
    return into_history(history, live, copies.with_for_update() if locks else copies)


def _several(table: Table, width: int) -> tuple[Any, ...]:
    return (
        table.c["tenant_id"] == tenant_param(),
        among(table.c["id"], "id", width),
        table.c["version"] == _named("version"),
    )


def _current(live: Table) -> Any:
    return select(live.c["id"]).where(*_one(live))


def _update(table: Table, names: Iterable[str]) -> Any:
    changed = {name: _named(f"set_{name}") for name in names}
    return update(table).where(*_one(table)).values({**changed, **new_version(table, _named("next"))})


def new_version(table: Table, version: Any) -> dict[str, Any]:
    """What every new version of a row says of itself."""
    return {"version": version, "changeset_id": _named("changeset"), "recorded_at": _not_before(table)}


def _delete(table: Table, width: int) -> Any:
    return delete(table).where(table.c["tenant_id"] == tenant_param(), among(table.c["id"], "id", width))


def _mass_delete(live: Table, history: Table) -> Any:
    return delete(live).where(*just_copied(live, history))


def just_copied(live: Table, history: Table) -> tuple[Any, ...]:
    """True of the rows whose current version this changeset has put into history."""
    listed, copy = history.alias(), history.alias()
    ids = select(listed.c["id"]).where(
        listed.c["tenant_id"] == tenant_param(), listed.c["superseded_by"] == _named("changeset")
    )
    current = exists(
        select(copy.c["id"]).where(
            copy.c["tenant_id"] == tenant_param(),
            copy.c["id"] == live.c["id"],
            copy.c["version"] == live.c["version"],
        )
    )
    return live.c["tenant_id"] == tenant_param(), live.c["id"].in_(ids), current
