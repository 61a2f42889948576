"""Tables of the first release.

Foreign keys stand in CREATE TABLE and not in a revision of their own: SQLite cannot add one later. The tables come in
an order in which each follows those it refers to. Made by crmkit.store.migrations.generate.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ID = sa.LargeBinary(16).with_variant(postgresql.UUID(), "postgresql")
_JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
_INTEGER = sa.BigInteger()
_TYPES: dict[str, Any] = {"": _TEXT, "id": _ID, "json": _JSON, "integer": _INTEGER}

_FRAME = (
    "tenant_id:integer! id:id! version:integer! changeset_id:id! created_at:integer! created_by:id recorded_at:integer!"
)
_SLOTS = (
    "text_1 text_2 text_3 text_4 text_5 number_1:integer number_2:integer number_3:integer number_4:integer "
    "time_1:integer time_2:integer time_3:integer unique_1 unique_2"
)
_SUPERSEDED = "superseded_at:integer! superseded_by:id!"

_SYSTEM = (
    ("crm_tenant", "tenant_id:integer! key! name! created_at:integer!", "tenant_id"),
    (
        "crm_changeset",
        (
            "tenant_id:integer! id:id! actor_id:id actor! recorded_at:integer! command! reason origin! "
            "causation_id:id undoes_id:id position:integer seal types!"
        ),
        "tenant_id id",
    ),
    (
        "crm_job",
        (
            "tenant_id:integer! id:id! kind! name! subject:id payload:json key order_key due_at:integer! lease:id "
            "attempts:integer! error"
        ),
        "tenant_id id",
    ),
    ("crm_upsert_key", "tenant_id:integer! key! used_at:integer!", "tenant_id key"),
)
"""Table, columns, primary key."""

_RECORDS: tuple[tuple[str, str, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "crm_custom_field",
        "crm_custom_field_history",
        (
            "on! on_key key! key_key type! type_key options:json labels:json required:integer! default:json "
            "unique:integer! indexed:integer! sensitive:integer! check check_key column! column_key slot slot_key "
            "unique_slot unique_slot_key"
        ),
        (),
    ),
    ("crm_custom_object", "crm_custom_object_history", ("key! key_key plural! plural_key label! label_key"), ()),
    ("crm_pipeline", "crm_pipeline_history", ("name! name_key loss_reasons:json strict:integer! SLOTS"), ()),
    (
        "crm_product",
        "crm_product_history",
        ("name! name_key family family_key price:integer price_currency active:integer! SLOTS"),
        (),
    ),
    ("crm_role", "crm_role_history", ("name! name_key description description_key SLOTS"), ()),
    ("crm_tag", "crm_tag_history", ("name! name_key group group_key listed:integer! SLOTS"), ()),
    (
        "crm_team",
        "crm_team_history",
        ("name! name_key parent:id SLOTS"),
        (("fk_crm_team_parent", "parent", "crm_team"),),
    ),
    ("crm_user", "crm_user_history", ("email! email_key name! name_key active:integer! SLOTS"), ()),
    (
        "crm_account",
        "crm_account_history",
        (
            "name! name_key industry industry_key website website_key phone address:json parent:id "
            "annual_revenue:integer annual_revenue_currency headcount:integer description description_key "
            "lifecycle! lifecycle_reason lifecycle_reason_key owner:id SLOTS"
        ),
        (("fk_crm_account_owner", "owner", "crm_user"), ("fk_crm_account_parent", "parent", "crm_account")),
    ),
    (
        "crm_grant",
        "crm_grant_history",
        ("role:id! on! on_key action! action_key scope! where:json fields:json effect!"),
        (("fk_crm_grant_role", "role", "crm_role"),),
    ),
    (
        "crm_lead",
        "crm_lead_history",
        (
            "name:json! name_key company company_key title title_key email email_key phone source source_key "
            "status! notes notes_key owner:id SLOTS"
        ),
        (("fk_crm_lead_owner", "owner", "crm_user"),),
    ),
    (
        "crm_object",
        "crm_object_history",
        ("object_key! name! name_key owner:id SLOTS"),
        (("fk_crm_object_owner", "owner", "crm_user"),),
    ),
    (
        "crm_role_member",
        "crm_role_member_history",
        ("role:id! user:id!"),
        (("fk_crm_role_member_role", "role", "crm_role"), ("fk_crm_role_member_user", "user", "crm_user")),
    ),
    (
        "crm_segment",
        "crm_segment_history",
        (
            "name! name_key on! on_key where:json! kind! watched:integer! roll:id basis:json task_on_enter "
            "task_on_enter_key owner:id SLOTS"
        ),
        (("fk_crm_segment_owner", "owner", "crm_user"), ("fk_crm_segment_roll", "roll", "crm_tag")),
    ),
    (
        "crm_share",
        "crm_share_history",
        ("record_type! record_type_key record:id! user:id team:id level! reason! reason_key expires_at:integer"),
        (("fk_crm_share_team", "team", "crm_team"), ("fk_crm_share_user", "user", "crm_user")),
    ),
    (
        "crm_stage",
        "crm_stage_history",
        (
            "pipeline:id! name! name_key position:integer! kind! probability:integer forecast_category "
            "idle_days:integer required_fields:json active:integer! SLOTS"
        ),
        (("fk_crm_stage_pipeline", "pipeline", "crm_pipeline"),),
    ),
    (
        "crm_tagging",
        "crm_tagging_history",
        ("tag:id! record_type! record_type_key record:id! origin! expires_at:integer"),
        (("fk_crm_tagging_tag", "tag", "crm_tag"),),
    ),
    (
        "crm_team_member",
        "crm_team_member_history",
        ("team:id! user:id!"),
        (("fk_crm_team_member_team", "team", "crm_team"), ("fk_crm_team_member_user", "user", "crm_user")),
    ),
    (
        "crm_contact",
        "crm_contact_history",
        (
            "name:json! name_key email email_key phone title title_key account:id address:json "
            "do_not_contact:integer! owner:id SLOTS"
        ),
        (("fk_crm_contact_account", "account", "crm_account"), ("fk_crm_contact_owner", "owner", "crm_user")),
    ),
    (
        "crm_stage_gate",
        "crm_stage_gate_history",
        ("label label_key from_stage:id to_stage:id! where:json action action_key"),
        (
            ("fk_crm_stage_gate_from_stage", "from_stage", "crm_stage"),
            ("fk_crm_stage_gate_to_stage", "to_stage", "crm_stage"),
        ),
    ),
    (
        "crm_account_contact",
        "crm_account_contact_history",
        ("account:id! contact:id! label label_key since:integer until:integer"),
        (
            ("fk_crm_account_contact_account", "account", "crm_account"),
            ("fk_crm_account_contact_contact", "contact", "crm_contact"),
        ),
    ),
    (
        "crm_deal",
        "crm_deal_history",
        (
            "name! name_key account:id contact:id product:id pipeline:id stage:id stage_since:integer outcome! "
            "amount:integer amount_currency probability:integer manual_probability:integer forecast_category "
            "manual_category expected_close:integer closed_on:integer loss_reason loss_reason_key owner:id "
            "credited_to:id SLOTS"
        ),
        (
            ("fk_crm_deal_account", "account", "crm_account"),
            ("fk_crm_deal_contact", "contact", "crm_contact"),
            ("fk_crm_deal_credited_to", "credited_to", "crm_user"),
            ("fk_crm_deal_owner", "owner", "crm_user"),
            ("fk_crm_deal_pipeline", "pipeline", "crm_pipeline"),
            ("fk_crm_deal_product", "product", "crm_product"),
            ("fk_crm_deal_stage", "stage", "crm_stage"),
        ),
    ),
    (
        "crm_activity",
        "crm_activity_history",
        (
            "kind! subject! subject_key at:integer due_at:integer done_at:integer body body_key direction "
            "automatic:integer! account:id contact:id deal:id lead:id owner:id SLOTS"
        ),
        (
            ("fk_crm_activity_account", "account", "crm_account"),
            ("fk_crm_activity_contact", "contact", "crm_contact"),
            ("fk_crm_activity_deal", "deal", "crm_deal"),
            ("fk_crm_activity_lead", "lead", "crm_lead"),
            ("fk_crm_activity_owner", "owner", "crm_user"),
        ),
    ),
    (
        "crm_deal_split",
        "crm_deal_split_history",
        ("deal:id! user:id! share:integer!"),
        (("fk_crm_deal_split_deal", "deal", "crm_deal"), ("fk_crm_deal_split_user", "user", "crm_user")),
    ),
    (
        "crm_stage_interval",
        "crm_stage_interval_history",
        (
            "deal:id! stage:id! position:integer! kind! entered:integer! left:integer amount:integer "
            "amount_currency by:id"
        ),
        (
            ("fk_crm_stage_interval_by", "by", "crm_user"),
            ("fk_crm_stage_interval_deal", "deal", "crm_deal"),
            ("fk_crm_stage_interval_stage", "stage", "crm_stage"),
        ),
    ),
)
"""Live table, history table, the columns of the type itself, foreign keys (name, column, target)."""


def _columns(words: str) -> Iterator[sa.Column[object]]:
    for word in words.replace("SLOTS", _SLOTS).split():
        name, _, kind = word.rstrip("!").partition(":")
        yield sa.Column(name, _TYPES[kind], nullable=not word.endswith("!"), autoincrement=False)


def _create(op: Operations, table: str, words: str, key: str, *constraints: sa.Constraint) -> None:
    primary = sa.PrimaryKeyConstraint(*key.split(), name=f"pk_{table}")
    op.create_table(table, *_columns(words), primary, *constraints)


def _reference(name: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id", column], [f"{target}.tenant_id", f"{target}.id"], name=name)


def upgrade(op: Operations) -> None:
    """Creates them."""
    for table, words, key in _SYSTEM:
        _create(op, table, words, key)
    to_tenant = sa.ForeignKeyConstraint(["tenant_id"], ["crm_tenant.tenant_id"], name="fk_crm_tenant_state_tenant")
    words = "tenant_id:integer! schema_version:integer! policy_version:integer! zone! currency!"
    _create(op, "crm_tenant_state", words, "tenant_id", to_tenant)
    for live, history, fields, references in _RECORDS:
        words = f"{_FRAME} {fields} custom:json"
        _create(op, live, words, "tenant_id id", *(_reference(*reference) for reference in references))
        _create(op, history, f"{words} {_SUPERSEDED}", "tenant_id id version")
