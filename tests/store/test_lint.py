"""Each rule that a sharded database asks of tables is proved by a table that breaks it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from crmkit.store import lint
from tests.store.samples import sample_tables


def tenant_id(**options: Any) -> Column[int]:
    return Column("tenant_id", BigInteger, nullable=False, autoincrement=False, **options)


def base(
    metadata: MetaData, name: str = "good", *more: Any, key: tuple[str, ...] = ("tenant_id", "id"), **options: Any
) -> Table:
    """A table that keeps every rule, and what a sample adds to it."""
    return Table(
        name,
        metadata,
        tenant_id(),
        Column("id", BigInteger, nullable=False),
        Column("name", Text),
        Column("parent", BigInteger),
        *more,
        PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        **{"info": {"scope": "tenant", "role": "live"}, **options},
    )


def reference(metadata: MetaData, *more: Any, **options: Any) -> Table:
    return Table(
        "currency",
        metadata,
        Column("code", Text, nullable=False),
        Column("tenant_id", BigInteger),
        Column("of", BigInteger),
        PrimaryKeyConstraint("code", name="pk_currency"),
        *more,
        **{"info": {"scope": "reference"}, **options},
    )


def to_good(*columns: str, target: str = "tenant_id id", **options: Any) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(columns, [f"good.{column}" for column in target.split()], **{"name": "fk_x", **options})


def pointing(key: ForeignKeyConstraint) -> Callable[[MetaData], object]:
    """A table with a foreign key to one that keeps every rule."""

    def define(metadata: MetaData) -> None:
        base(metadata)
        base(metadata, "bad", key)

    return define


def first_column(metadata: MetaData) -> None:
    Table(
        "bad",
        metadata,
        Column("id", BigInteger, nullable=False),
        tenant_id(),
        PrimaryKeyConstraint("tenant_id", "id", name="pk_bad"),
        info={"scope": "tenant"},
    )


def nullable_tenant(metadata: MetaData) -> None:
    Table("bad", metadata, Column("tenant_id", BigInteger), info={"scope": "tenant"})


def local_pointing(metadata: MetaData) -> None:
    reference(metadata)
    key = ForeignKeyConstraint(["code"], ["currency.code"], name="fk_x")
    Table("bad", metadata, Column("code", Text), key, info={"scope": "local"})


def reference_pointing(metadata: MetaData) -> None:
    base(metadata)
    reference(metadata, to_good("tenant_id", "of"))


def narrow_tenant(metadata: MetaData) -> None:
    Table(
        "bad",
        metadata,
        Column("tenant_id", Integer, nullable=False, autoincrement=False),
        Column("id", BigInteger, nullable=False),
        PrimaryKeyConstraint("tenant_id", "id", name="pk_bad"),
        info={"scope": "tenant", "role": "live"},
    )


def serial(metadata: MetaData) -> None:
    Table("bad", metadata, Column("n", Integer), PrimaryKeyConstraint("n", name="pk_bad"), info={"scope": "reference"})


def with_index(*columns: str, **options: Any) -> Callable[[MetaData], object]:
    def define(metadata: MetaData) -> None:
        table = base(metadata, "bad")
        Index(options.pop("name", "ix_bad"), *(table.c[column] for column in columns), **options)

    return define


def expression_index(metadata: MetaData) -> None:
    table = base(metadata, "bad")
    Index("uq_bad", func.lower(table.c.name), table.c.tenant_id, unique=True)


BAD: list[tuple[str, Callable[[MetaData], object], str]] = [
    ("S1", first_column, "not the first column"),
    ("S1", nullable_tenant, "may be NULL"),
    ("S1", lambda m: base(m, "bad", key=("id",)), "does not start with tenant_id"),
    ("S1", lambda m: base(m, "bad", key=("tenant_id", "id", "name")), "is not (tenant_id, id)"),
    ("S2", lambda m: base(m, "bad", UniqueConstraint("name", name="uq_bad")), "uq_bad"),
    ("S2", lambda m: base(m, "bad", UniqueConstraint("name", "tenant_id", name="uq_bad")), "uq_bad"),
    ("S2", with_index("name", unique=True), "ix_bad"),
    ("S2", expression_index, "uq_bad"),
    ("S3", pointing(to_good("parent", target="id")), "fk_x"),
    ("S3", pointing(to_good("parent", "tenant_id", target="id tenant_id")), "fk_x"),
    ("S3", pointing(to_good("tenant_id", "parent", target="id tenant_id")), "fk_x"),
    ("S4", pointing(to_good("tenant_id", "parent", ondelete="SET NULL")), "SET NULL"),
    ("S4", pointing(to_good("tenant_id", "parent", onupdate="set default")), "set default"),
    ("S5", narrow_tenant, "BigInteger"),
    ("S6", reference_pointing, "from a reference table to a tenant one"),
    ("S6", local_pointing, "from a local table to a reference one"),
    ("S7", serial, "numbers itself"),
    ("S7", lambda m: base(m, "bad", Column("n", BigInteger, Identity())), "sequence"),
    ("S7", lambda m: base(m, "bad", Column("n", BigInteger, Sequence("s"))), "sequence"),
    ("S8", lambda m: base(m, "bad", Column("at", Text, server_default="x")), "from the server"),
    ("S8", lambda m: base(m, "bad", Column("n", BigInteger, server_default=Sequence("s").next_value())), "server"),
    ("S8", lambda m: base(m, "bad", Column("n", BigInteger, Computed("id + 1"))), "from the server"),
    ("S8", pointing(to_good("tenant_id", "parent", deferrable=True)), "deferrable"),
    ("S8", pointing(to_good("tenant_id", "parent", initially="DEFERRED")), "deferrable"),
    ("S8", lambda m: base(m, "bad", ExcludeConstraint(("name", "="), name="ex_bad")), "EXCLUDE"),
    ("S8", lambda m: base(m, "bad", postgresql_inherits="good"), "inherits"),
    ("S9", lambda m: base(m, "bad", UniqueConstraint("tenant_id", "name")), "no explicit name"),
    ("S9", lambda m: base(m, "bad", CheckConstraint("1 = 1")), "no explicit name"),
    ("S9", lambda m: base(m, "b" * 55), "characters"),
    ("S9", with_index("tenant_id", name="ix_" + "b" * 48), "more than 50"),
    ("S10", with_index("tenant_id", name="ix_bad_123456"), "shard"),
    ("S10", lambda m: base(m, "bad_1234567"), "shard"),
    ("S11", with_index("name"), "ix_bad"),
    ("S12", lambda m: base(m, "bad", info={}), "no scope"),
    ("S12", lambda m: base(m, "bad", info={"scope": "global"}), "no scope"),
]


@pytest.mark.parametrize(("rule", "define", "words"), BAD, ids=[f"{rule}: {words}" for rule, _, words in BAD])
def test_a_table_that_breaks_a_rule_is_reported_by_its_number(
    rule: str, define: Callable[[MetaData], object], words: str
) -> None:
    metadata = MetaData()
    define(metadata)
    problems = [problem for problem in lint(metadata) if problem.startswith(f"{rule} ")]
    assert len(problems) >= 1
    assert words in problems[0]


def test_a_table_that_keeps_every_rule_is_not_reported() -> None:
    metadata = MetaData()
    base(metadata)
    base(metadata, "other", to_good("tenant_id", "parent", ondelete="CASCADE", onupdate="NO ACTION"))
    reference(metadata)
    base(
        metadata,
        "third",
        ForeignKeyConstraint(["name"], ["currency.code"], name="fk_third_currency"),
        Index("uq_third", "tenant_id", "name", unique=True),
        UniqueConstraint("tenant_id", "parent", name="uq_third_parent"),
    )
    Table("crmkit_version", metadata, Column("version_num", Text), info={"scope": "local"})
    assert lint(metadata) == []


def test_a_table_may_break_several_rules_at_once() -> None:
    metadata = MetaData()
    Table("bad", metadata, Column("id", Integer, primary_key=True), Column("tenant_id", Integer, unique=True))
    assert [problem.split()[0] for problem in lint(metadata)] == ["S5", "S7", "S9", "S9", "S12"]


def test_the_sample_and_the_systems_tables_keep_every_rule() -> None:
    assert lint(sample_tables().metadata) == []
