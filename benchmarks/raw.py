"""The raw programs: what a careful programmer writes by hand against crmkit's own tables, for one work at a time.

They leave the same rows behind (tenant, UUIDv7, keys, slots, changeset, history) and check nothing.
"""

import csv
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import UUID

from benchmarks.world import ADMIN, NOW, Facts

__all__ = ["AT", "CHANGESET", "DAY", "RawPostgres", "RawSqlite", "raw_on"]

AT = int(NOW.timestamp()) * 1_000_000
DAY = 86_400_000_000

_CONTACT = (
    "tenant_id, id, version, changeset_id, created_at, created_by, recorded_at, name, name_key, email, email_key, "
    "phone, title, title_key, account, address, do_not_contact, owner, {tier}, {score}, {external_id}, custom"
)
CHANGESET = "tenant_id, id, actor_id, actor, recorded_at, command, origin"
_DEAL = (
    "tenant_id, id, version, changeset_id, created_at, created_by, recorded_at, name, name_key, account, contact, "
    "product, pipeline, stage, outcome, amount, amount_currency, probability, expected_close, closed_on, loss_reason, "
    "loss_reason_key, owner, {region}, custom"
)
_SHARED = (
    "SELECT record FROM crm_share WHERE tenant_id = ? AND (\"user\" = ? OR team = ?) AND level IN ('read', 'edit') "
    "AND (expires_at IS NULL OR expires_at > ?)"
)
_MINE = f"(owner = ? OR id IN ({_SHARED}))"


def _new_ids(count: int) -> list[bytes]:
    """UUIDs of version 7 in sixteen bytes."""
    head = (time_ns() // 1_000_000).to_bytes(6, "big")
    entropy = os.urandom(4 * count)
    return [
        head + (0x7000 | i >> 18 & 0xFFF).to_bytes(2, "big") + (1 << 31 | (i & 0x3FFFF)).to_bytes(4, "big")
        + entropy[4 * i : 4 * i + 4]
        for i in range(count)
    ]  # fmt: skip


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _address(part: str, foreign: str) -> str:
    """SQL that writes an address in one line, from the large to the small in Chinese."""
    street, city, code, country = map(part.format, ("street", "city", "postal_code", "country"))
    return (
        f"CASE WHEN {city} {foreign} THEN {code} || ' ' || {city} || {street} || ' ' || {country} "
        f"ELSE {street} || ', ' || {city} || ', ' || {code} || ', ' || {country} END"
    )


class RawSqlite:
    """By sqlite3."""

    mark = "?"

    def __init__(self, connection: Any, facts: Facts) -> None:
        self.connection = connection
        self.facts = facts
        self.contact = _CONTACT.format(**facts.slots)
        self.deal = _DEAL.format(**facts.slots)

    # What differs between the drivers.

    def sql(self, sql: str) -> str:
        return sql

    def id(self, value: UUID) -> Any:
        return value.bytes

    def new_ids(self, count: int) -> Sequence[Any]:
        return _new_ids(count)

    cast_id = "?"
    """A parameter that is an id, in a list of columns."""

    def new_id(self) -> str:
        """SQL that makes a new id for each row."""
        head = (time_ns() // 1_000_000).to_bytes(6, "big").hex()
        return f"CAST(x'{head}700080' || randomblob(7) AS BLOB)"

    def begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def insert(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns.split(",")))
        self.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def fetch(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(self.sql(sql), values).fetchall()  # type: ignore[no-any-return]

    def run(self, sql: str, values: Sequence[Any]) -> None:
        self.connection.execute(self.sql(sql), values)

    @contextmanager
    def building(self, tables: Sequence[str]) -> Iterator[None]:
        """A transaction that fills tables quickly, without their indexes, which are made again at the end; nobody minds
        if it is lost with the machine.
        """
        for pragma in ("foreign_keys = OFF", "journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.execute("BEGIN IMMEDIATE")
        with self._unindexed(tables):
            yield
        self.connection.execute("COMMIT")

    @contextmanager
    def _unindexed(self, tables: Sequence[str]) -> Iterator[None]:
        found = [row for table in tables for row in self.fetch(self.indexes_of, (table,))]
        for name, _ in found:
            self.run(f"DROP INDEX {name}", ())
        yield
        for _, sql in found:
            self.run(sql, ())

    indexes_of = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"

    # W1, W2

    def prepared(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows as this program takes them: an address is a dict already."""
        return [{**row, "address": row["address"].to_dict()} for row in rows]

    def create_contacts(self, rows: Sequence[dict[str, Any]], owner: UUID) -> None:
        ids, changeset, me = self.new_ids(len(rows)), self.new_ids(1)[0], self.id(owner)
        self.begin()
        tuples = [self._contact(i, row, changeset, me) for i, row in zip(ids, rows, strict=True)]
        self.insert("crm_contact", self.contact, tuples)
        self._changeset(changeset, me, "contact.create_many")
        self.connection.execute("COMMIT")

    def create_contact(self, row: dict[str, Any], owner: UUID) -> None:
        record, changeset = self.new_ids(2)
        me = self.id(owner)
        self.begin()
        marks = ", ".join("?" * len(self.contact.split(",")))
        sql = f"INSERT INTO crm_contact ({self.contact}) VALUES ({marks})"
        self.run(sql, self._contact(record, row, changeset, me))
        self._changeset(changeset, me, "contact.create")
        self.connection.execute("COMMIT")

    def _contact(self, record: Any, row: dict[str, Any], changeset: Any, me: Any) -> tuple[Any, ...]:
        full = row["name"]
        if full.isascii():
            given, _, family = full.partition(" ")
        else:
            cut = 2 if full.startswith("欧阳") else 1
            given, family = full[cut:], full[:cut]
        external = row["external_id"]
        key = _fold(external)
        return (
            self.facts.tenant, record, 1, changeset, AT, me, AT,
            _json({"given": given, "family": family}), _fold(full), row["email"], _fold(row["email"]), row["phone"],
            row["title"], _fold(row["title"]), self.id(row["account"]), _json(row["address"]),
            int(row["do_not_contact"]), me, row["tier"], row["score"], key,
            _json({"external_id": external, "external_id.key": key}),
        )  # fmt: skip

    def _changeset(self, changeset: Any, me: Any, command: str) -> None:
        marks = ", ".join("?" * 7)
        sql = f"INSERT INTO crm_changeset ({CHANGESET}) VALUES ({marks})"
        self.run(sql, (self.facts.tenant, changeset, me, ADMIN, AT, command, "interactive"))

    # W3, W4, W5, W9

    def page(self, owner: UUID) -> list[tuple[Any, ...]]:
        sql = (
            f"SELECT {self.deal} FROM crm_deal WHERE tenant_id = ? AND {_MINE} AND outcome = ? "
            f"AND {self.facts.slots['region']} = ? ORDER BY amount DESC {self.nulls_last}, id DESC LIMIT 50"
        )
        return self.fetch(sql, (self.facts.tenant, *self._mine(owner), "open", "emea"))

    nulls_last = ""
    """Without a word SQLite sorts NULL as the least."""

    def _mine(self, owner: UUID) -> tuple[Any, ...]:
        me = self.id(owner)
        return me, self.facts.tenant, me, me, AT

    def segment(self) -> int:
        sql = (
            f"SELECT count(*) FROM crm_contact AS c WHERE c.tenant_id = ? AND c.{self.facts.slots['tier']} = ? "
            "AND c.id IN (SELECT g.record FROM crm_tagging AS g WHERE g.tenant_id = ? AND g.tag = "
            "(SELECT t.id FROM crm_tag AS t WHERE t.tenant_id = ? AND t.name_key = ?)) "
            "AND NOT EXISTS (SELECT 1 FROM crm_activity AS a WHERE a.tenant_id = ? AND a.contact = c.id AND a.at > ?)"
        )
        tenant = self.facts.tenant
        return int(self.fetch(sql, (tenant, "gold", tenant, tenant, "vip", tenant, AT - 30 * DAY))[0][0])

    def funnel(self) -> dict[Any, tuple[int, dict[str, int]]]:
        sql = (
            "SELECT stage, amount_currency, count(*), sum(amount) FROM crm_deal WHERE tenant_id = ? "
            "GROUP BY stage, amount_currency"
        )
        found: dict[Any, tuple[int, dict[str, int]]] = {}
        for stage, currency, count, total in self.fetch(sql, (self.facts.tenant,)):
            before, totals = found.get(stage, (0, {}))
            found[stage] = (before + count, totals if currency is None else {**totals, currency: int(total)})
        return found

    def page_as_of(self, owner: UUID, at: int) -> list[tuple[Any, ...]]:
        where = f"tenant_id = ? AND owner = ? AND outcome = ? AND {self.facts.slots['region']} = ? AND recorded_at <= ?"
        sql = (
            f"SELECT * FROM (SELECT {self.deal} FROM crm_deal WHERE {where} UNION ALL SELECT {self.deal} "
            f"FROM crm_deal_history WHERE {where} AND superseded_at > ?) AS d "
            f"ORDER BY amount DESC {self.nulls_last}, id DESC LIMIT 50"
        )
        one = (self.facts.tenant, self.id(owner), "open", "emea", at)
        return self.fetch(sql, (*one, *one, at))

    # W6

    def export(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            cursor = self.connection.execute(self._export_sql(), (self.facts.tenant,))
            while rows := cursor.fetchmany(2_000):
                writer.writerows(rows)

    def _export_sql(self) -> str:
        slots = self.facts.slots
        name = "json_extract(name, '$.given')", "json_extract(name, '$.family')"
        address = _address("json_extract(address, '$.{}')", "GLOB '*[^ -~]*'")
        return (
            f"SELECT {self._uuid('id')}, CASE WHEN name_key GLOB '*[^ -~]*' THEN {name[1]} || {name[0]} "
            f"ELSE {name[0]} || ' ' || {name[1]} END, email, phone, title, {self._uuid('account')}, "
            f"{address}, "
            f"do_not_contact, {self._uuid('owner')}, json_extract(custom, '$.external_id'), {slots['tier']}, "
            f"{slots['score']} FROM crm_contact WHERE tenant_id = ?"
        )

    @staticmethod
    def _uuid(column: str) -> str:
        x = f"lower(hex({column}))"
        cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        return " || '-' || ".join(f"substr({x}, {start}, {length})" for start, length in cuts)

    # W7

    def change_owner(self, owner: UUID) -> None:
        changeset, me = self.new_ids(1)[0], self.id(self.facts.users[ADMIN])
        columns = [r[0] for r in self.fetch(self.columns_of, ("crm_deal",))]
        listed = ", ".join(f'"{c}"' for c in columns)
        self.begin()
        self.run(
            f"INSERT INTO crm_deal_history ({listed}, superseded_at, superseded_by) SELECT {listed}, ?, ? "
            "FROM crm_deal WHERE tenant_id = ? AND owner <> ?",
            (AT, changeset, self.facts.tenant, self.id(owner)),
        )
        self.run(
            "UPDATE crm_deal SET owner = ?, version = version + 1, changeset_id = ?, recorded_at = ? "
            "WHERE tenant_id = ? AND owner <> ?",
            (self.id(owner), changeset, AT, self.facts.tenant, self.id(owner)),
        )
        self._changeset(changeset, me, "deal.update_where")
        self.connection.execute("COMMIT")

    columns_of = "SELECT name FROM pragma_table_info(?)"


class RawPostgres(RawSqlite):
    """By psycopg."""

    mark = "%s"
    nulls_last = "NULLS LAST"

    def sql(self, sql: str) -> str:
        return sql.replace("%", "%%").replace("?", "%s")

    def id(self, value: UUID) -> Any:
        return value

    def new_ids(self, count: int) -> Sequence[Any]:
        return [UUID(bytes=raw) for raw in _new_ids(count)]

    cast_id = "CAST(? AS uuid)"

    def new_id(self) -> str:
        head = (time_ns() // 1_000_000).to_bytes(6, "big").hex()
        return f"CAST('{head}700080' || substr(replace(CAST(gen_random_uuid() AS text), '-', ''), 1, 14) AS uuid)"

    def begin(self) -> None:
        self.connection.execute("BEGIN")

    @contextmanager
    def building(self, tables: Sequence[str]) -> Iterator[None]:
        with self.connection.transaction():
            self.connection.execute("SET LOCAL session_replication_role = replica")
            with self._unindexed(tables):
                yield

    indexes_of = (
        "SELECT i.indexname, i.indexdef FROM pg_indexes AS i WHERE i.tablename = ? AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint AS c WHERE c.conname = i.indexname)"
    )

    def insert(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self.connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def export(self, path: Path) -> None:
        slots = self.facts.slots
        address = _address("(address ->> '{}')", "~ '[^ -~]'")
        sql = (
            "COPY (SELECT id, CASE WHEN name_key ~ '[^ -~]' THEN (name ->> 'family') || (name ->> 'given') "
            "ELSE (name ->> 'given') || ' ' || (name ->> 'family') END, email, phone, title, account, "
            f"{address}, do_not_contact, owner, custom ->> 'external_id', {slots['tier']}, "
            f"{slots['score']} FROM crm_contact WHERE tenant_id = {self.facts.tenant}) TO STDOUT WITH (FORMAT csv)"
        )
        with path.open("wb") as file, self.connection.cursor().copy(sql) as copy:
            for data in copy:
                file.write(data)

    columns_of = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position"


def raw_on(dialect: str, connection: Any, facts: Facts) -> RawSqlite:
    """The raw program of a dialect."""
    return (RawSqlite if dialect == "sqlite" else RawPostgres)(connection, facts)
