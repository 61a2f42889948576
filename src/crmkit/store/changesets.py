"""Changesets: who changed what, when, by which command; and which records one touched."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, case, insert, literal, select, union_all

from crmkit.errors import NotFound
from crmkit.schema import RecordType
from crmkit.store.columns import Codec
from crmkit.store.database import Database, Unit
from crmkit.store.plans import Shelf
from crmkit.store.sources import tenant_param
from crmkit.store.tables import Tables
from crmkit.values import from_micros, to_micros

__all__ = ["Changeset", "Changesets", "Touched"]

_COLUMNS = (
    "id",
    "actor_id",
    "actor",
    "recorded_at",
    "command",
    "reason",
    "origin",
    "causation_id",
    "undoes_id",
)
_IDS = frozenset({"id", "actor_id", "causation_id", "undoes_id"})


@attrs.frozen
class Changeset:
    """One unit of work that changed something.

    ``origin`` is interactive, import, automation or a plugin's name; ``causation_id`` the changeset that caused it,
    ``undoes_id`` the one it undoes.
    """

    id: UUID
    actor_id: UUID | None
    actor: str
    recorded_at: datetime
    command: str
    reason: str | None
    origin: str
    causation_id: UUID | None = None
    undoes_id: UUID | None = None


@attrs.frozen
class Touched:
    """A record a changeset touched: the version it left (None if it deleted the record) and the one it found (None if
    it created it). ``ended`` is the last version of one it deleted, perhaps made by itself.
    """

    type_key: str
    id: UUID
    before: int | None
    after: int | None
    ended: int | None = None

    @property
    def kind(self) -> Literal["create", "update", "delete"]:
        """create, update or delete; a record created and deleted in one changeset is not listed."""
        return "create" if self.before is None else "delete" if self.after is None else "update"


@attrs.frozen
class Changesets:
    """Reads and writes the changesets of one tenant."""

    database: Database
    shelf: Shelf
    tables: Tables
    codec: Codec
    tenant_id: int

    def add(self, unit: Unit, changeset: Changeset) -> None:
        """Records a changeset."""
        table = self.tables.system.changeset
        names = ("tenant_id", *_COLUMNS)
        statement = self.prepared(
            "add",
            lambda: insert(table).values({n: bindparam("tenant" if n == "tenant_id" else n) for n in names}),
        )
        values = {name: getattr(changeset, name) for name in _COLUMNS}
        for name in _IDS:
            values[name] = None if values[name] is None else self.codec.id_in(values[name])
        values["recorded_at"] = to_micros(changeset.recorded_at)
        unit.write(statement, {"tenant": self.tenant_id, **values})

    def get(self, unit: Unit, changeset_id: UUID) -> Changeset:
        """The changeset of that id. Raises NotFound."""
        table = self.tables.system.changeset
        found = self._read(unit, "get", lambda: table.c["id"] == bindparam("id"), id=self.codec.id_in(changeset_id))
        if not found:
            raise NotFound(f"there is no changeset {changeset_id}", code="unknown_changeset")
        return found[0]

    def by_ids(self, unit: Unit, ids: Sequence[UUID]) -> dict[UUID, Changeset]:
        """Changesets by id; unknown ids are absent."""
        found = {}
        for changeset_id in dict.fromkeys(ids):
            try:
                found[changeset_id] = self.get(unit, changeset_id)
            except NotFound:
                continue
        return found

    def undone_by(self, unit: Unit, changeset_id: UUID) -> list[Changeset]:
        """The changesets that undo this one."""
        table = self.tables.system.changeset
        key = self.codec.id_in(changeset_id)
        return self._read(unit, "undone", lambda: table.c["undoes_id"] == bindparam("id"), id=key)

    def latest(self, unit: Unit, limit: int = 50) -> list[Changeset]:
        """The latest changesets, latest first."""
        table = self.tables.system.changeset
        statement = self.prepared(
            "latest",
            lambda: (
                select(*(table.c[name] for name in _COLUMNS))
                .where(table.c["tenant_id"] == tenant_param())
                .order_by(table.c["recorded_at"].desc(), table.c["id"].desc())
                .limit(bindparam("size"))
            ),
        )
        return [self._changeset(row) for row in unit.read(statement, {"tenant": self.tenant_id, "size": limit})]

    def touched(
        self, unit: Unit, changeset_id: UUID, wanted: Callable[[str], bool] = lambda _: True
    ) -> Iterator[Touched]:
        """The records a changeset touched, by type in the schema's order and by id, of the declared types wanted."""
        for record_type in self.tables.declared:
            type_key = record_type.key
            if not wanted(type_key):
                continue
            live, history = self.tables.live_of(record_type), self.tables.history_of(record_type)
            statement = self.prepared(("touched", type_key), lambda live=live, history=history: _touched(live, history))
            rows = unit.read(statement, {"tenant": self.tenant_id, "changeset": self.codec.id_in(changeset_id)})
            yield from self._merged(type_key, rows)

    def endings(self, unit: Unit, record_type: RecordType, record_id: UUID) -> dict[int, UUID]:
        """Which changeset ended each version of a record that is no longer current."""
        history = self.tables.history_of(record_type)

        def make() -> Any:
            return select(history.c["version"], history.c["superseded_by"]).where(
                history.c["tenant_id"] == tenant_param(), history.c["id"] == bindparam("id")
            )

        statement = self.prepared(("endings", history.name), make)
        rows = unit.read(statement, {"tenant": self.tenant_id, "id": self.codec.id_in(record_id)})
        return {version: self.codec.id_out(raw) for version, raw in rows}

    def _merged(self, type_key: str, rows: list[tuple[Any, ...]]) -> Iterator[Touched]:
        """Rows are (id, object key, version, made here, superseded here, live)."""
        by_id: dict[Any, list[tuple[Any, ...]]] = {}
        for row in rows:
            by_id.setdefault(row[0], []).append(row)
        for raw, versions in by_id.items():
            if len(versions) == 1 and versions[0][3] and not versions[0][4]:
                _, kind, version, *_ = versions[0]
                yield Touched(kind or type_key, self.codec.id_out(raw), None, version)
                continue
            made = [v[2] for v in versions if v[3]]
            found = [v[2] for v in versions if v[4] and not v[3]]
            last = max(v[2] for v in versions)
            deleted = any(v[2] == last and v[4] for v in versions)
            before = max(found) if found else None
            after = None if deleted else max(made)
            if before is not None or after is not None:
                yield Touched(
                    versions[0][1] or type_key, self.codec.id_out(raw), before, after, last if deleted else None
                )

    def _read(self, unit: Unit, what: str, condition: Any, **values: Any) -> list[Changeset]:
        table = self.tables.system.changeset
        statement = self.prepared(
            what,
            lambda: select(*(table.c[name] for name in _COLUMNS)).where(
                table.c["tenant_id"] == tenant_param(), condition()
            ),
        )
        return [self._changeset(row) for row in unit.read(statement, {"tenant": self.tenant_id, **values})]

    def _changeset(self, row: tuple[Any, ...]) -> Changeset:
        values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
        for name in _IDS:
            values[name] = None if values[name] is None else self.codec.id_out(values[name])
        values["recorded_at"] = from_micros(values["recorded_at"])
        return Changeset(**values)

    def prepared(self, what: Any, make: Any) -> Any:
        """The statement of that name, made once."""
        return self.shelf.get(("changeset", what), lambda: self.database.prepare(make()))


def _touched(live: Table, history: Table) -> Any:
    here: Any = bindparam("changeset", type_=live.c["changeset_id"].type)

    def arm(table: Any, made: Any, superseded: Any) -> Any:
        kind = table.c["object_key"] if "object_key" in table.c else literal("")
        return select(table.c["id"], kind, table.c["version"], made, superseded).where(
            table.c["tenant_id"] == tenant_param()
        )

    alive, made, found = live.alias(), history.alias(), history.alias()
    return union_all(
        arm(alive, literal(1), literal(0)).where(alive.c["changeset_id"] == here),
        arm(made, literal(1), case((made.c["superseded_by"] == here, 1), else_=0)).where(
            made.c["changeset_id"] == here
        ),
        arm(found, literal(0), literal(1)).where(found.c["superseded_by"] == here, found.c["changeset_id"] != here),
    )
