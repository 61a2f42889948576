"""Seals: changesets in order, each with a hash of itself, of what it wrote, and of the seal before it.

Whoever changes, takes out or puts in a changeset or a version afterwards, past crmkit, breaks the chain from there on.
The hash is SHA-256 over the canonical JSON of the rows as the database holds them; columns without a value are left
out, so a column that a later release adds changes nothing. Not every process has every plugin: what a changeset wrote
in the record types that plugins declare has a hash by type, kept beside the seal and sealed with it, so that the rest
can be verified without them, and that it is known which types were there when it was sealed.

Whoever can write to the database can make the chain anew: note the last seal somewhere else.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import attrs
from sqlalchemy import Table, bindparam, exists, func, literal, select, update

from crmkit.records import BASE_OBJECT, BUILTIN_RECORDS
from crmkit.schema import record_type_of
from crmkit.store.connection.unit import Unit
from crmkit.store.ledger.changesets import Changesets
from crmkit.store.sql.sources import tenant_param

__all__ = ["Seal", "Seals"]

_FIRST = "0" * 64

_OWN = frozenset(record_type_of(record).key for record in BUILTIN_RECORDS)
"""The record types that are there in every process."""


@attrs.frozen
class Seal:
    """The place of a changeset in the chain, from 1, and its hash in hex.

    ``parts`` are the plugins' record types that were looked at when it was sealed, each with the hash of what the
    changeset wrote there, or nothing.
    """

    position: int
    changeset_id: UUID
    seal: str
    parts: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Seals:
    """The chain of one tenant, through one unit of work."""

    changesets: Changesets
    unit: Unit

    def last(self) -> Seal | None:
        """The end of the chain."""
        table = self._table

        def make() -> Any:
            return (
                select(table.c["position"], table.c["id"], table.c["seal"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["position"].is_not(None))
                .order_by(table.c["position"].desc())
                .limit(literal(1))
            )

        rows = self._read("last", make)
        return None if not rows else self._seal(rows[0])

    def seal(self, size: int) -> int:
        """Adds the oldest changesets that have no seal, so many at most; returns how many."""
        table = self._table

        def make() -> Any:
            return (
                select(table.c["id"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["position"].is_(None))
                .order_by(table.c["recorded_at"], table.c["id"])
                .limit(bindparam("size"))
            )

        def sealing() -> Any:
            one = (table.c["tenant_id"] == tenant_param(), table.c["id"] == bindparam("row"))
            values: dict[str, Any] = {"position": bindparam("place"), "seal": bindparam("hash")}
            return update(table).where(*one).values(values)

        self.unit.begin_write()
        last = self.last()
        position, seal = (0, _FIRST) if last is None else (last.position, last.seal)
        rows = self._read("unsealed", make, size=size)
        for (raw,) in rows:
            parts = [(key, self._part(key, raw)) for key in self._plugins_types]
            position, seal = position + 1, self._hash(seal, raw, parts)
            tenant = self.changesets.tenant_id
            kept = " ".join((seal, *(f"{key}={part}" for key, part in parts)))
            values = {"tenant": tenant, "row": raw, "place": position, "hash": kept}
            self.unit.write(self.changesets.prepared("sealing", sealing), values)
        return len(rows)

    def chain(self) -> Iterator[Seal]:
        """Every seal, the first one first."""
        table = self._table

        def make() -> Any:
            return (
                select(table.c["position"], table.c["id"], table.c["seal"])
                .where(table.c["tenant_id"] == tenant_param(), table.c["position"].is_not(None))
                .order_by(table.c["position"])
            )

        yield from map(self._seal, self._read("chain", make))

    def unsealed(self) -> int:
        """How many changesets have no seal yet."""
        table = self._table

        def make() -> Any:
            without = (table.c["tenant_id"] == tenant_param(), table.c["position"].is_(None))
            return select(func.count()).select_from(table).where(*without)

        return int(self._read("count", make)[0][0])

    def holds(self, found: Seal, before: Seal | None) -> bool:
        """Whether the seal is the one its changeset has after the seal ``before``."""
        raw, here = self.changesets.codec.id_in(found.changeset_id), self._plugins_types
        parts = [(key, self._part(key, raw) if key in here else part) for key, part in found.parts]
        return found.seal == self._hash(_FIRST if before is None else before.seal, raw, parts)

    def unseen(self, found: Seal) -> Iterator[str]:
        """The record types of which it is not known whether what the changeset wrote there is what it was: those that
        are not here now, and those that were not when it was sealed.
        """
        raw, here, there = self.changesets.codec.id_in(found.changeset_id), self._plugins_types, dict(found.parts)
        yield from (key for key in there if key not in here)
        yield from (key for key in here if key not in there and self._part(key, raw))

    def stray(self) -> UUID | None:
        """A changeset that is not there, though a version says that it was made or ended by it."""
        tables, changesets = self.changesets.tables, self._table
        for key, live in tables.live.items():
            history = tables.history[key]
            for table, column in ((live, "changeset_id"), (history, "changeset_id"), (history, "superseded_by")):

                def make(table: Table = table, column: str = column) -> Any:
                    known = exists().where(
                        changesets.c["tenant_id"] == tenant_param(), changesets.c["id"] == table.c[column]
                    )
                    return (
                        select(table.c[column])
                        .where(table.c["tenant_id"] == tenant_param(), ~known)
                        .order_by(table.c["id"], table.c["version"])
                        .limit(literal(1))
                    )

                for (raw,) in self._read(("stray", table.name, column), make):
                    return self.changesets.codec.id_out(raw)
        return None

    # ------------------------------------------------------------------------------------------------------- contents

    @property
    def _plugins_types(self) -> tuple[str, ...]:
        """The plugins' record types that are here, in an order of their own."""
        return tuple(sorted(self.changesets.tables.live.keys() - _OWN))

    def _hash(self, before: str, raw: Any, parts: Iterable[tuple[str, str]]) -> str:
        found = hashlib.sha256(before.encode())
        for row in self._rows("itself", self._table, "id", raw, frozenset({"position", "seal"})):
            found.update(_canonical(row))
        for row in self._contents(raw, _OWN):
            found.update(_canonical(row))
        for part in parts:
            found.update(_canonical(part))
        return found.hexdigest()

    def _part(self, key: str, raw: Any) -> str:
        """The hash of what a changeset wrote in one record type; nothing if it wrote nothing there."""
        found = hashlib.sha256()
        rows = list(self._contents(raw, frozenset({key})))
        for row in rows:
            found.update(_canonical(row))
        return found.hexdigest() if rows else ""

    def _contents(self, raw: Any, wanted: frozenset[str]) -> Iterator[dict[str, Any]]:
        """The versions the changeset made and those it ended, in these declared types."""
        tables = self.changesets.tables
        changeset_id = self.changesets.codec.id_out(raw)
        types = {t.type_key for t in self.changesets.touched(self.unit, changeset_id, wanted.__contains__)}
        keys = {self._declared(type_key) for type_key in types}
        for key in sorted(keys):
            live, history = tables.live[key], tables.history[key]
            ended = frozenset({"superseded_at", "superseded_by"})
            made = [*self._rows(("live", key), live, "changeset_id", raw, frozenset())]
            made += self._rows(("history", key), history, "changeset_id", raw, ended)
            yield from sorted(made, key=lambda row: (row["id"], row["version"]))
            gone = self._rows(("ended", key), history, "superseded_by", raw, frozenset())
            yield from ({"ended": row["id"], "version": row["version"]} for row in gone)

    def _declared(self, type_key: str) -> str:
        """The declared type in whose table a record of the type lies; a custom object's is that of all of them."""
        return type_key if type_key in self.changesets.tables.live else BASE_OBJECT

    def _rows(
        self, what: Any, table: Table, column: str, raw: Any, without: frozenset[str]
    ) -> Iterator[dict[str, Any]]:
        names = [c.name for c in table.columns if c.name not in without and c.name != "tenant_id"]

        def make() -> Any:
            wanted = (table.c["tenant_id"] == tenant_param(), table.c[column] == bindparam("changeset"))
            order = [table.c[name] for name in ("id", "version") if name in table.c]
            return select(*(table.c[name] for name in names)).where(*wanted).order_by(*order)

        for row in self._read(("rows", what), make, changeset=raw):
            yield {name: _plain(value) for name, value in zip(names, row, strict=True) if value is not None}

    def _seal(self, row: tuple[Any, ...]) -> Seal:
        seal, *parts = (row[2] or "").split(" ")
        named = (part.partition("=") for part in parts)
        return Seal(
            row[0], self.changesets.codec.id_out(row[1]), seal, tuple((key, digest) for key, _, digest in named)
        )

    @property
    def _table(self) -> Table:
        return self.changesets.tables.system.changeset

    def _read(self, what: Any, make: Any, **values: Any) -> list[tuple[Any, ...]]:
        statement = self.changesets.prepared(("seals", what), make)
        return self.unit.read(statement, {"tenant": self.changesets.tenant_id, **values})


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """Ids as hex, JSON as it means, whatever the driver makes of them."""
    if isinstance(value, UUID):
        return value.hex
    return value.hex() if isinstance(value, bytes) else value
