"""The tables that are no nouns: tenants, their state, changesets, jobs and the keys of upserts.

The registry of tenants is the one reference table: few rows, rarely written, the same on every node of a sharded
database. It is never the target of a foreign key from a table that daily work writes, because PostgreSQL takes a
shared lock on the target row for each such write, and all of a tenant's transactions would meet on one row.
"""

import attrs
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, MetaData, PrimaryKeyConstraint, Table

from crmkit.schema import Kind
from crmkit.store.tables.columns import column_type
from crmkit.store.tables.names import named

__all__ = ["SystemTables", "add_partial_indexes", "define_system_tables"]


@attrs.frozen(eq=False)
class SystemTables:
    """``tenant``: the registry. ``tenant_state``: what a tenant's other records depend on, a version each for schema
    and policy. ``changeset``: one row for each unit of work that changed something. ``job``: what is to be done after
    the commit. ``upsert_key``: the keys by which records are upserted, so that two who use the same one take turns.
    """

    tenant: Table
    tenant_state: Table
    changeset: Table
    job: Table
    upsert_key: Table


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, column_type(Kind.TEXT), nullable=null)


def _integer(name: str) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, autoincrement=False)


def _id(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, column_type(Kind.ID), nullable=null)


def _key(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint(*columns, name=named("pk", table))


def _tenant(metadata: MetaData) -> Table:
    return Table(
        "crm_tenant",
        metadata,
        _integer("tenant_id"),
        _text("key"),
        _text("name"),
        _integer("created_at"),
        _key("crm_tenant", "tenant_id"),
        Index(named("uq", "crm_tenant", ["key"]), "key", unique=True),
        info={"scope": "reference", "role": "tenant"},
    )


def _tenant_state(metadata: MetaData) -> Table:
    return Table(
        "crm_tenant_state",
        metadata,
        _integer("tenant_id"),
        _integer("schema_version"),
        _integer("policy_version"),
        _text("zone"),
        _text("currency"),
        _key("crm_tenant_state", "tenant_id"),
        ForeignKeyConstraint(["tenant_id"], ["crm_tenant.tenant_id"], name=named("fk", "crm_tenant_state", ["tenant"])),
        info={"scope": "tenant", "role": "tenant_state"},
    )


def _changeset(metadata: MetaData) -> Table:
    return Table(
        "crm_changeset",
        metadata,
        _integer("tenant_id"),
        _id("id"),
        _id("actor_id", null=True),
        _text("actor"),
        _integer("recorded_at"),
        _text("command"),
        _text("reason", null=True),
        _text("origin"),
        _id("causation_id", null=True),
        _id("undoes_id", null=True),
        Column("position", BigInteger(), nullable=True, autoincrement=False),
        _text("seal", null=True),
        _text("types"),
        _key("crm_changeset", "tenant_id", "id"),
        Index(named("ix", "crm_changeset", ["recorded_at", "id"]), "tenant_id", "recorded_at", "id"),
        info={"scope": "tenant", "role": "changeset"},
    )


def _job(metadata: MetaData) -> Table:
    return Table(
        "crm_job",
        metadata,
        _integer("tenant_id"),
        _id("id"),
        _text("kind"),
        _text("name"),
        _id("subject", null=True),
        Column("payload", column_type(Kind.JSON), nullable=True),
        _text("key", null=True),
        _text("order_key", null=True),
        _integer("due_at"),
        _id("lease", null=True),
        _integer("attempts"),
        _text("error", null=True),
        _key("crm_job", "tenant_id", "id"),
        Index(named("ix", "crm_job", ["due_at"]), "tenant_id", "due_at"),
        info={"scope": "tenant", "role": "job"},
    )


def _upsert_key(metadata: MetaData) -> Table:
    return Table(
        "crm_upsert_key",
        metadata,
        _integer("tenant_id"),
        _text("key"),
        _integer("used_at"),
        _key("crm_upsert_key", "tenant_id", "key"),
        info={"scope": "tenant", "role": "upsert_key"},
    )


def define_system_tables(metadata: MetaData) -> SystemTables:
    """Adds the system tables to ``metadata``, without the indexes of :func:`add_partial_indexes`."""
    return SystemTables(
        _tenant(metadata), _tenant_state(metadata), _changeset(metadata), _job(metadata), _upsert_key(metadata)
    )


def add_partial_indexes(tables: SystemTables) -> None:
    """Adds the indexes that hold some of the rows only.

    To be asked for one, SQLAlchemy loads the dialects of both databases with all their drivers.
    """
    table = tables.changeset
    sealed = table.c.position.is_not(None)
    place = named("uq", "crm_changeset", ["position"])
    Index(place, table.c.tenant_id, table.c.position, unique=True, sqlite_where=sealed, postgresql_where=sealed)
