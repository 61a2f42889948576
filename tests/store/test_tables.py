"""Tables follow from the schema: columns, keys, indexes and names, for every record type by one road."""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from crmkit.errors import InvalidDefinition
from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import Kind, Record, Schema, field, record_type, record_type_of
from crmkit.schema.custom import ObjectDefinition, object_type
from crmkit.schema.types import Integer, Json, Reference, Text
from crmkit.store import Tables, lint
from crmkit.store.tables.columns import column_type
from crmkit.store.tables.names import LONGEST, SHARD_SUFFIX, named, shortened
from tests.store.samples import sample_schema, sample_tables

SYSTEM = ["tenant_id", "id", "version", "changeset_id", "created_at", "created_by", "recorded_at"]
SLOTS = [
    *("text_1", "text_2", "text_3", "text_4", "text_5"),
    *("number_1", "number_2", "number_3", "number_4"),
    *("time_1", "time_2", "time_3"),
    *("unique_1", "unique_2"),
]


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def indexes(table: Table) -> dict[str, str]:
    """Columns by name, ``!`` marking a unique index and ``?slot`` one that holds only rows with a value there."""
    found = {}
    for index in table.indexes:
        where: Any = index.dialect_options["sqlite"]["where"]
        assert str(where) == str(index.dialect_options["postgresql"]["where"])
        columns = " ".join(column.name for column in index.columns)
        found[str(index.name)] = (
            ("!" if index.unique else "") + columns + ("" if where is None else f" ?{where.left.name}")
        )
    return found


def without_slots(table: Table) -> set[str]:
    return {columns for columns in indexes(table).values() if "?" not in columns}


def test_a_live_table_has_the_systems_columns_then_the_fields_parts_then_slots_then_the_rest() -> None:
    table = sample_tables().live["company"]
    fields = ["name", "name_key", "size", "notes", "parent", "owner"]
    assert names(table) == [*SYSTEM, *fields, *SLOTS, "custom"]
    assert [c.name for c in table.primary_key.columns] == ["tenant_id", "id"]
    assert {c.name for c in table.columns if not c.nullable} == {*SYSTEM, "name"} - {"created_by"}


def test_a_history_table_has_the_same_columns_and_when_and_by_what_a_row_was_superseded() -> None:
    tables = sample_tables()
    for key, history in tables.history.items():
        live = tables.live[key]
        assert names(history) == [*names(live), "superseded_at", "superseded_by"]
        assert [c.name for c in history.primary_key.columns] == ["tenant_id", "id", "version"]
        assert {c.name: c.nullable for c in live.columns}.items() <= {
            c.name: c.nullable for c in history.columns
        }.items()
        assert not history.foreign_keys
        assert not any(index.unique for index in history.indexes)


def test_a_link_has_no_slots_but_custom_fields() -> None:
    assert names(sample_tables().live["membership"]) == [*SYSTEM, "company", "subject", "custom"]


def test_custom_objects_share_the_table_of_their_base_and_are_told_apart_there() -> None:
    tables = sample_tables()
    base = sample_schema().types["object"]
    vessel = object_type(ObjectDefinition("vessel", "vessels", "Vessel"), base)
    assert tables.live_of(vessel) is tables.live_of(base) is tables.live["object"]
    assert tables.history_of(vessel) is tables.history["object"]
    assert names(tables.live["object"])[7] == "object_key"
    assert not tables.live["object"].columns["object_key"].nullable
    for columns in indexes(tables.live["object"]).values():
        assert columns.lstrip("!").startswith(("tenant_id object_key", "tenant_id owner", "tenant_id changeset_id"))


def test_every_table_says_whose_it_is_and_what_for() -> None:
    tables = sample_tables()
    assert tables.live["person"].info == {"scope": "tenant", "type": "person", "role": "live"}
    assert tables.history["person"].info == {"scope": "tenant", "type": "person", "role": "history"}
    scopes = {table.name: table.info["scope"] for table in tables.metadata.tables.values()}
    assert {name for name, scope in scopes.items() if scope != "tenant"} == {"crm_tenant"}


def test_references_to_a_declared_type_are_foreign_keys_within_the_tenant_and_take_no_action() -> None:
    tables = sample_tables()
    found = {
        (key, str(constraint.name)): [(e.parent.name, e.target_fullname) for e in constraint.elements]
        for key, table in tables.live.items()
        for constraint in table.foreign_key_constraints
    }
    assert found == {
        ("company", f"fk_crm_company_{column}"): [("tenant_id", f"{to}.tenant_id"), (column, f"{to}.id")]
        for column, to in (("parent", "crm_company"), ("owner", "crm_user"))
    } | {
        ("person", "fk_crm_person_company"): [("tenant_id", "crm_company.tenant_id"), ("company", "crm_company.id")],
        ("membership", "fk_crm_membership_company"): [
            ("tenant_id", "crm_company.tenant_id"),
            ("company", "crm_company.id"),
        ],
        ("object", "fk_crm_object_owner"): [("tenant_id", "crm_user.tenant_id"), ("owner", "crm_user.id")],
    }
    actions = {(c.ondelete, c.onupdate) for t in tables.live.values() for c in t.foreign_key_constraints}
    assert actions == {(None, None)}


def test_lists_are_served_by_an_index_on_the_filter_the_usual_order_and_the_id() -> None:
    tables = sample_tables()
    assert without_slots(tables.live["company"]) == {
        "tenant_id name_key id",
        "tenant_id owner name_key id",
        "tenant_id size name_key id",
        "tenant_id parent",
        "tenant_id changeset_id",
    }
    assert without_slots(tables.history["company"]) == {
        *without_slots(tables.live["company"]),
        "tenant_id superseded_by",
    }


def test_a_sort_by_money_or_a_persons_name_uses_the_part_that_compares() -> None:
    tables = sample_tables()
    assert without_slots(tables.live["person"]) == {
        "tenant_id income id",
        "tenant_id company",
        "tenant_id changeset_id",
    }


def test_unique_fields_are_unique_by_their_compare_part_within_the_tenant() -> None:
    tables = sample_tables()
    assert "!tenant_id email_key" in indexes(tables.live["user"]).values()
    assert "!tenant_id company subject" in indexes(tables.live["membership"]).values()
    assert "!tenant_id object_key unique_1 ?unique_1" in indexes(tables.live["object"]).values()
    assert "tenant_id email_key" in indexes(tables.history["user"]).values()


def test_an_index_that_another_one_serves_is_left_out() -> None:
    """The reference ``company`` of a membership is the start of its unique index, ``id`` is the primary key."""
    assert without_slots(sample_tables().live["membership"]) == {
        "!tenant_id company subject",
        "tenant_id subject",
        "tenant_id changeset_id",
    }


def test_an_unused_slot_costs_no_index_entry() -> None:
    tables = sample_tables()
    for table in (tables.live["company"], tables.history["company"]):
        partial = {columns for columns in indexes(table).values() if "?" in columns}
        mark = "!" if table is tables.live["company"] else ""
        assert partial == {
            f"tenant_id {slot} name_key id ?{slot}" for slot in SLOTS if not slot.startswith("unique")
        } | {f"{mark}tenant_id {slot} ?{slot}" for slot in ("unique_1", "unique_2")}


def test_no_index_leads_sqlite_to_recorded_at() -> None:
    for table in sample_tables().metadata.tables.values():
        if table.info["role"] in ("live", "history"):
            assert not any("recorded_at" in columns for columns in indexes(table).values())


def test_the_builtin_records_keep_every_rule_of_a_sharded_database() -> None:
    tables = Tables(Schema.of(map(record_type_of, BUILTIN_RECORDS)))
    assert lint(tables.metadata) == []
    assert set(tables.live) == {record_type_of(record).key for record in BUILTIN_RECORDS}


# ---------------------------------------------------------------------------------------------------------------- names


def test_names_are_the_same_in_every_run() -> None:
    assert [indexes(t) for t in sample_tables().live.values()] == [indexes(t) for t in sample_tables().live.values()]
    assert named("ix", "crm_deal", ["tenant_id", "owner", "amount", "id"]) == "ix_crm_deal_owner_amount_id"
    long = "ix_crm_object_history_object_key_number_1_name_key_id"
    assert shortened(long) == "ix_crm_object_history_object_key_number__h1286bb95"


@pytest.mark.parametrize("length", [49, 50, 51, 200])
def test_a_name_is_shortened_only_when_it_is_too_long(length: int) -> None:
    name = "x" * length
    assert (shortened(name) == name) is (length <= LONGEST)
    assert len(shortened(name)) <= LONGEST


def test_a_shortened_name_never_ends_like_the_number_of_a_shard() -> None:
    for number in range(2000):
        assert SHARD_SUFFIX.search(shortened("x" * 50 + str(number))) is None


def test_two_tables_whose_index_names_read_the_same_get_different_ones() -> None:
    @record_type("team", plural="teams", title="id", link=True, indexes=(("member_role",),))
    class Team(Record):
        member_role: str = field(Integer())

    @record_type("team_member", plural="team_members", title="id", link=True, indexes=(("role",),))
    class TeamMember(Record):
        role: str = field(Integer())

    tables = Tables(Schema.of(map(record_type_of, (Team, TeamMember))))
    found = [name for table in tables.metadata.tables.values() for name in indexes(table)]
    assert len(found) == len(set(found))
    assert indexes(tables.live["team"])["ix_crm_team_member_role_id"] == "tenant_id member_role id"
    assert "tenant_id role id" in indexes(tables.live["team_member"]).values()


# ------------------------------------------------------------------------------------------------------------- refusals


def test_two_types_that_need_one_table_are_refused() -> None:
    @record_type("other", plural="others", title="id", table="crm_user")
    class Other(Record):
        note: Any = field(Json())

    @record_type("another", plural="anothers", title="id", table="crm_changeset")
    class Another(Record):
        note: Any = field(Json())

    for record in (Other, Another):
        with pytest.raises(InvalidDefinition) as refused:
            sample_tables(record)
        assert refused.value.code == "table_taken"


# ---------------------------------------------------------------------------------------------------------- when asked


def test_a_table_asked_for_by_itself_is_the_one_among_all_of_them() -> None:
    tables, whole = sample_tables(), sample_tables()
    company = tables.schema.types["company"]
    live, history = tables.live_of(company), tables.history_of(company)
    assert not live.indexes | history.indexes
    assert (tables.live["company"], tables.history["company"]) == (live, history)
    assert tables.metadata.tables["crm_company"] is live
    assert [*tables.live] == [*tables.history] == [*whole.live]
    for role in ("live", "history"):
        one, other = getattr(tables, role), getattr(whole, role)
        assert [indexes(table) for table in one.values()] == [indexes(table) for table in other.values()]
    assert indexes(tables.system.changeset) == indexes(whole.metadata.tables["crm_changeset"])


def test_threads_that_ask_for_a_table_at_once_get_the_same_one() -> None:
    for _ in range(20):
        tables = sample_tables()
        types = [t for t in tables.schema.types.values() for _ in range(4)]
        asks = [*(partial(tables.live_of, t) for t in types), partial(getattr, tables, "metadata")]
        with ThreadPoolExecutor(len(asks)) as pool:
            made = [future.result() for future in [pool.submit(ask) for ask in asks]]
        assert made == [*(tables.live[t.key] for t in types), tables.metadata]
        assert len(indexes(tables.live["user"])) == len(tables.live["user"].indexes)


# ------------------------------------------------------------------------------------------------------- for the errors


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("uq_crm_user_email_key", ("user", ("email",))),
        (["crm_user.tenant_id", "crm_user.email_key"], ("user", ("email",))),
        ("uq_crm_membership_company_subject", ("membership", ("company", "subject"))),
        (["crm_company.tenant_id", "crm_company.unique_2"], ("company", ("unique_2",))),
        (["crm_object.tenant_id", "crm_object.object_key", "crm_object.unique_1"], ("object", ("unique_1",))),
        ("pk_crm_user", ("user", ("id",))),
        (
            ["crm_user_history.tenant_id", "crm_user_history.id", "crm_user_history.version"],
            ("user", ("id", "version")),
        ),
        ("uq_crm_tenant_key", ("tenant", ("key",))),
        (["crm_tenant.key"], ("tenant", ("key",))),
        ("uq_crm_user_name", None),
        (["crm_user.name"], None),
        ([], None),
    ],
)
def test_what_the_database_calls_a_unique_constraint_leads_back_to_fields(what: Any, found: Any) -> None:
    assert sample_tables().unique_fields(what) == found


def test_columns_and_foreign_keys_lead_back_to_fields() -> None:
    tables = sample_tables()
    assert tables.column_field("crm_user", "email_key") == ("user", "email")
    assert tables.column_field("crm_user_history", "email") == ("user", "email")
    assert tables.column_field("crm_user", "version") is None
    assert tables.reference_field("fk_crm_company_parent") == ("company", "parent")
    assert tables.reference_field("fk_elsewhere") is None


# ---------------------------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("kind", "on_sqlite", "on_postgresql"),
    [
        (Kind.TEXT, "TEXT", 'TEXT COLLATE "C"'),
        (Kind.INTEGER, "BIGINT", "BIGINT"),
        (Kind.ID, "BLOB", "UUID"),
        (Kind.JSON, "TEXT", "JSONB"),
    ],
)
def test_each_primitive_has_the_type_that_both_databases_agree_on(
    kind: Kind, on_sqlite: str, on_postgresql: str
) -> None:
    assert column_type(kind).compile(sqlite.dialect()) == on_sqlite
    assert column_type(kind).compile(postgresql.dialect()) == on_postgresql


def test_slots_hold_text_or_integers() -> None:
    live = sample_tables().live["company"]
    for slot, kind in {
        "text_1": Kind.TEXT,
        "unique_2": Kind.TEXT,
        "number_4": Kind.INTEGER,
        "time_3": Kind.INTEGER,
    }.items():
        assert type(live.c[slot].type) is type(column_type(kind))


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_no_column_numbers_itself_and_no_value_comes_from_the_server(dialect: Any) -> None:
    for table in sample_tables().metadata.tables.values():
        ddl = str(CreateTable(table).compile(dialect=dialect))
        assert re.search("SERIAL|IDENTITY|AUTOINCREMENT|DEFAULT", ddl) is None
        for index in table.indexes:
            assert (" WHERE " in str(CreateIndex(index).compile(dialect=dialect))) is (
                "?" in indexes(table)[str(index.name)]
            )


def test_a_plugins_record_type_gets_its_tables_by_the_same_road() -> None:
    @record_type("vessel", plural="vessels", title="imo", indexes=(("flag",),))
    class Vessel(Record):
        imo: str = field(Text(), unique=True)
        flag: str | None = field(Text(), default=None)
        company: UUID | None = field(Reference("company"), default=None)

    tables = sample_tables(Vessel)
    assert lint(tables.metadata) == []
    assert without_slots(tables.live["vessel"]) == {
        "!tenant_id imo_key",
        "tenant_id imo_key id",
        "tenant_id flag_key id",
        "tenant_id company",
        "tenant_id changeset_id",
    }
