"""Changesets: who changed what, when, by which command; and which records one touched."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import attrs
from sqlalchemy import Table, and_, bindparam, case, func, insert, literal, or_, select, union_all

from crmkit.errors import NotFound
from crmkit.records import BASE_OBJECT
from crmkit.schema import RecordType
from crmkit.store.connection.database import Database, Unit
from crmkit.store.ledger.tenants import TenantState
from crmkit.store.sql.lists import LISTED, among, list_width, listed
from crmkit.store.sql.plans import Shelf
from crmkit.store.sql.sources import tenant_param
from crmkit.store.tables.columns import Codec
from crmkit.store.tables.record_tables import Tables
from crmkit.values import from_micros, to_micros

__all__ = ["Changeset", "Changesets", "Touched"]

_EVER = 2**63 - 1
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
    "types",
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
    types: tuple[str, ...] = ()
    """The keys of the record types of which it touched records."""


@attrs.frozen
class Touched:
    """A record a changeset touched: the version it left (None if it deleted the record) and the one it found (None if
    it created it), with no other changeset's in between. ``ended`` is the last version of one it deleted, perhaps made
    by itself.
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
    _touching: dict[UUID, frozenset[str]] = attrs.field(init=False, factory=dict, eq=False, repr=False)
    """By changeset: the declared types of which it touched records, which never change."""

    def add(self, unit: Unit, changeset: Changeset, state: TenantState) -> bool:
        """Records a changeset if schema and rights are still those of the state, and holds them; False if not.

        What was written under other definitions than those there are would be lost or wrong, and to look first would be
        a statement more.
        """
        table, now = self.tables.system.changeset, self.tables.system.tenant_state

        def make() -> Any:
            names = ("tenant_id", *_COLUMNS)
            values = [bindparam("tenant" if n == "tenant_id" else n, type_=table.c[n].type) for n in names]
            known = [now.c[n] == bindparam(n) for n in ("schema_version", "policy_version")]
            found = select(*values).where(now.c["tenant_id"] == tenant_param(), *known).with_for_update(read=True)
            return insert(table).from_select(list(names), found)

        statement = self.prepared("add", make)
        values = {name: getattr(changeset, name) for name in _COLUMNS}
        for name in _IDS:
            values[name] = None if values[name] is None else self.codec.id_in(values[name])
        values["recorded_at"] = to_micros(changeset.recorded_at)
        values["types"] = " ".join(changeset.types)
        values |= {"schema_version": state.schema_version, "policy_version": state.policy_version}
        return unit.write(statement, {"tenant": self.tenant_id, **values}) == 1

    def get(self, unit: Unit, changeset_id: UUID) -> Changeset:
        """The changeset of that id. Raises NotFound."""
        table = self.tables.system.changeset
        found = self._read(unit, "get", lambda: table.c["id"] == bindparam("id"), id=self.codec.id_in(changeset_id))
        if not found:
            raise NotFound(f"there is no changeset {changeset_id}", code="unknown_changeset")
        return found[0]

    def by_ids(self, unit: Unit, ids: Sequence[UUID]) -> dict[UUID, Changeset]:
        """Changesets by id; unknown ids are absent."""
        table, wanted = self.tables.system.changeset, list(map(self.codec.id_in, dict.fromkeys(ids)))
        found: dict[UUID, Changeset] = {}
        for at in range(0, len(wanted), LISTED):
            block = wanted[at : at + LISTED]
            width = list_width(self.codec, len(block))
            rows = self._read(
                unit,
                ("listed", width),
                lambda width=width: among(table.c["id"], "id", width),
                **listed("id", block, width),
            )
            found |= {changeset.id: changeset for changeset in rows}
        return found

    def latest(
        self, unit: Unit, limit: int = 50, until: datetime | None = None, before: Changeset | None = None
    ) -> list[Changeset]:
        """The latest changesets, or those that were the latest at an instant, latest first; ``before`` one of them."""
        table = self.tables.system.changeset
        at, id_ = table.c["recorded_at"], table.c["id"]

        def make() -> Any:
            found = select(*(table.c[name] for name in _COLUMNS)).where(
                table.c["tenant_id"] == tenant_param(), at <= bindparam("until")
            )
            if before is not None:
                found = found.where(or_(at < bindparam("at"), and_(at == bindparam("at"), id_ < bindparam("id"))))
            return found.order_by(at.desc(), id_.desc()).limit(bindparam("size"))

        binds = {"tenant": self.tenant_id, "size": limit, "until": _EVER if until is None else to_micros(until)}
        if before is not None:
            binds |= {"at": to_micros(before.recorded_at), "id": self.codec.id_in(before.id)}
            binds["until"] = min(binds["until"], binds["at"])
        statement = self.prepared(("latest", before is not None), make)
        return [self._changeset(row) for row in unit.read(statement, binds)]

    def extent(self, unit: Unit, changeset_id: UUID) -> dict[str, tuple[int, int]]:
        """Of each declared type it touched, how many versions a changeset made and how many it ended."""
        types = self._types(unit, changeset_id)
        found = [t for t in self.tables.declared if types is None or t.key in types]
        if not found:
            return {}
        keys = tuple(t.key for t in found)
        statement = self.prepared(("extent", keys), lambda: _extent(self.tables, found))
        rows = unit.read(statement, {"tenant": self.tenant_id, "changeset": self.codec.id_in(changeset_id)})
        counts = {(type_key, what): count for type_key, what, count in rows}
        return {key: (counts[key, "live"] + counts[key, "made"], counts[key, "ended"]) for key in keys}

    def touched(
        self, unit: Unit, changeset_id: UUID, wanted: Callable[[str], bool] = lambda _: True
    ) -> Iterator[Touched]:
        """The records a changeset touched, by type in the schema's order and by id, of the declared types wanted.

        A record that another changeset changed in between is there once for each stretch, the earliest first.
        """
        types = self._types(unit, changeset_id)
        for record_type in self.tables.declared:
            type_key = record_type.key
            if not wanted(type_key) or (types is not None and type_key not in types):
                continue
            live, history = self.tables.live_of(record_type), self.tables.history_of(record_type)
            statement = self.prepared(("touched", type_key), lambda live=live, history=history: _touched(live, history))
            rows = unit.read(statement, {"tenant": self.tenant_id, "changeset": self.codec.id_in(changeset_id)})
            yield from self._merged(type_key, rows)

    def _types(self, unit: Unit, changeset_id: UUID) -> frozenset[str] | None:
        """The declared types of which the changeset touched records; None while its unit of work is under way."""
        if (known := self._touching.get(changeset_id)) is not None:
            return known
        table = self.tables.system.changeset
        found = self._read(unit, "get", lambda: table.c["id"] == bindparam("id"), id=self.codec.id_in(changeset_id))
        if not found:
            return None
        types, declared = frozenset(found[0].types), frozenset(t.key for t in self.tables.declared)
        # Custom objects lie in the table of one declared type.
        touched = types if types <= declared else (types & declared) | {BASE_OBJECT}
        self._touching[changeset_id] = touched
        return touched

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

    def all_endings(self, unit: Unit, record_type: RecordType) -> dict[tuple[UUID, int], tuple[int, UUID]]:
        """When each version of a record of the type ended (microseconds since 1970), and by which changeset."""
        history, id_out = self.tables.history_of(record_type), self.codec.id_out

        def make() -> Any:
            columns = [history.c[name] for name in ("id", "version", "superseded_at", "superseded_by")]
            return select(*columns).where(history.c["tenant_id"] == tenant_param())

        rows = unit.read(self.prepared(("all endings", history.name), make), {"tenant": self.tenant_id})
        return {(id_out(raw), version): (at, id_out(by)) for raw, version, at, by in rows}

    def _merged(self, type_key: str, rows: list[tuple[Any, ...]]) -> Iterator[Touched]:
        """Rows are (id, object key, version, made here, superseded here, live)."""
        by_id: dict[Any, list[tuple[Any, ...]]] = {}
        for row in rows:
            by_id.setdefault(row[0], []).append(row)
        id_out = self.codec.id_out
        # The database gives rows in the order in which they happen to lie there.
        for raw, versions in sorted(by_id.items(), key=lambda item: item[0]):
            for stretch in _stretches(versions):
                (_, kind, first, made, _), (_, _, last, _, superseded) = stretch[0], stretch[-1]
                if not (made and superseded):
                    ends = (None, last) if superseded else (last, None)
                    yield Touched(kind or type_key, id_out(raw), None if made else first, *ends)

    def _read(self, unit: Unit, what: Hashable, condition: Any, **values: Any) -> list[Changeset]:
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
        values["types"] = tuple(values["types"].split())
        return Changeset(**values)

    def prepared(self, what: Any, make: Any) -> Any:
        """The statement of that name, made once."""
        return self.shelf.get(("changeset", what), lambda: self.database.prepare(make()))


def _stretches(versions: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """The versions of one record that follow on each other through the changeset alone, in their order.

    It is one stretch, unless sessions that are joined to one connection, one inside the other, both changed the record.
    """
    found: list[list[tuple[Any, ...]]] = []
    for row in sorted(versions):
        _, _, _, made, _ = row
        if found and made and found[-1][-1][4]:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _extent(tables: Tables, types: Sequence[RecordType]) -> Any:
    """Counted in the indexes alone, and for all types in one statement."""
    here: Any = bindparam("changeset")

    def arm(type_key: str, what: str, table: Table, column: str) -> Any:
        chosen = select(literal(type_key), literal(what), func.count()).select_from(table)
        return chosen.where(table.c["tenant_id"] == tenant_param(), table.c[column] == here)

    arms = (
        arm(t.key, what, table, column)
        for t in types
        for what, table, column in (
            ("live", tables.live_of(t), "changeset_id"),
            ("made", tables.history_of(t), "changeset_id"),
            ("ended", tables.history_of(t), "superseded_by"),
        )
    )
    return union_all(*arms)


def _touched(live: Table, history: Table) -> Any:
    here: Any = bindparam("changeset", type_=live.c["changeset_id"].type)

    def arm(table: Any, made: Any, superseded: Any) -> Any:
        kind = table.c["object_key"] if "object_key" in table.c else literal("")
        return select(table.c["id"], kind, table.c["version"], made, superseded).where(
            table.c["tenant_id"] == tenant_param()
        )

    # Each arm has the table itself: an alias copies its forty columns, and there are three for each record type.
    return union_all(
        arm(live, literal(1), literal(0)).where(live.c["changeset_id"] == here),
        arm(history, literal(1), case((history.c["superseded_by"] == here, 1), else_=0)).where(
            history.c["changeset_id"] == here
        ),
        arm(history, literal(0), literal(1)).where(
            history.c["superseded_by"] == here, history.c["changeset_id"] != here
        ),
    )
