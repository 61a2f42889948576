"""A name never reaches SQL: whatever stands where a name belongs ends in one typed error, and nothing has happened."""

from collections.abc import Callable
from functools import partial
from typing import Any

from crmkit import CRM, F, in_segment
from crmkit.errors import CrmkitError
from crmkit.schema.types import Text
from tests.integration.snapshots import digest
from tests.staff import ADMIN

HOSTILE = (
    "'; DROP TABLE crm_account; --",
    '"; DELETE FROM crm_tenant; --',
    "name) OR 1=1 --",
    "name\" FROM crm_account WHERE '1'='1",
    "custom->>'margin'",
    "$.custom.margin",
    "crm_account.name",
    "tenant_id",
    "object_key",
    "__class__",
    "__init__.__globals__",
    "name.__class__",
    "%(tenant)s",
    "?",
    ":tenant",
    "{0}",
    "\x00",
    "\ud800",
    "\u202ename",
    "ｎame",
    "na me",
    "",
    " ",
    "-",
    "a" * 5_000,
    "../../etc/passwd",
)

Use = Callable[[Any, str], Any]

NAMES: dict[str, Use] = {
    "filter by keyword": lambda me, bad: me.accounts.where(**{bad: 1}),
    "filter by path": lambda me, bad: me.accounts.where(F[bad] == 1),
    "filter by path beyond": lambda me, bad: me.accounts.where(F.parent[bad] == 1),
    "filter by relation": lambda me, bad: me.accounts.where(F[bad].count() > 1),
    "aggregate": lambda me, bad: me.accounts.where(F.deals[bad].max() == 1),
    "filter by text": lambda me, bad: me.accounts.where(bad),
    "filter by text in a path": lambda me, bad: me.accounts.where(f"parent.{bad} == 1"),
    "filter by quoted text": lambda me, bad: me.accounts.where(f'F["{bad}"] == 1'),
    "exists": lambda me, bad: me.accounts.exists(**{bad: 1}),
    "one": lambda me, bad: me.accounts.one(**{bad: 1}),
    "sort": lambda me, bad: list(me.accounts.order_by(bad)),
    "sort by path": lambda me, bad: list(me.accounts.order_by(-F.parent[bad])),
    "group": lambda me, bad: me.accounts.totals(by=bad),
    "sum": lambda me, bad: me.accounts.totals(sums=(F.headcount, bad)),
    "segment": lambda me, bad: me.accounts.where(in_segment(bad)),
    "segment of a path": lambda me, bad: me.accounts.where(F.parent.in_segment(bad)),
    "segment on": lambda me, bad: me.segments.create(name="n", on=bad, where="name == 'x'"),
    "segment where": lambda me, bad: me.segments.create(name="n", on="account", where=f"{bad} == 1"),
    "segment document": lambda me, bad: me.segments.create(name="n", on="account", where={bad: [bad]}),
    "record type": lambda me, bad: me.records(bad),
    "field to create": lambda me, bad: me.accounts.create({bad: 1, "name": "x"}),
    "field to update": lambda me, bad: me.users.update(me.users.one(email=ADMIN), {bad: 1}),
    "field of many": lambda me, bad: me.accounts.create_many([{bad: 1}], stop=True),
    "field of a query": lambda me, bad: me.accounts.where().update(**{bad: 1}),
    "upsert by": lambda me, bad: me.accounts.upsert(name="x", by=bad),
    "custom field": lambda me, bad: me.fields.add("account", bad, Text()),
    "custom field on": lambda me, bad: me.fields.add(bad, "key", Text()),
    "custom field type": lambda me, bad: me.fields.add("account", "key", bad),
    "custom field option": lambda me, bad: me.fields.add("account", "key", "text", options={bad: 1}),
    "custom field check": lambda me, bad: me.fields.add("account", "key", Text(), check=f"{bad} == 1"),
    "custom field language": lambda me, bad: me.fields.add("account", "key", Text(), label={bad: "x"}),
    "custom field by hand": lambda me, bad: _custom_field(me, key=bad),
    "custom field's column": lambda me, bad: _custom_field(me, column=bad),
    "custom field's slot": lambda me, bad: _custom_field(me, slot=bad),
    "custom field's type": lambda me, bad: _custom_field(me, type=bad),
    "field to change": lambda me, bad: me.fields.change("account", bad, label="x"),
    "field to remove": lambda me, bad: me.fields.remove("account", bad),
    "object": lambda me, bad: me.objects.add(bad, plural="things", label="x"),
    "plural": lambda me, bad: me.objects.add("thing", plural=bad, label="x"),
    "object by hand": lambda me, bad: me.records("custom_object").create(key=bad, plural="things", label="x"),
    "plural by hand": lambda me, bad: me.records("custom_object").create(key="thing", plural=bad, label="x"),
    "grant on": lambda me, bad: _grant(me, on=bad),
    "grant action": lambda me, bad: _grant(me, action=bad),
    "grant scope": lambda me, bad: _grant(me, scope=bad),
    "grant fields": lambda me, bad: _grant(me, fields=[bad]),
    "grant where": lambda me, bad: _grant(me, scope="where", where=F[bad] == 1),
    "grant effect": lambda me, bad: _grant(me, effect=bad),
    "required field of a stage": lambda me, bad: me.stages.update(next(iter(me.stages)), required_fields=[bad]),
    "action to explain": lambda me, bad: me.explain(me.users.one(email=ADMIN), bad),
    "action of who can": lambda me, bad: me.who_can(me.users.one(email=ADMIN), bad),
    "id": lambda me, bad: me.accounts.get(bad),
    "id to delete": lambda me, bad: me.accounts.delete(bad),
    "id of history": lambda me, bad: me.accounts.history(bad),
    "changeset": lambda me, bad: me.undo(bad),
    "changes of": lambda me, bad: me.changes_of(bad),
    "find": lambda me, bad: me.find(bad),
    "stage": lambda me, bad: me.deals.move(me.deals.create(name="d"), to=bad),
    "level of a share": lambda me, bad: me.accounts.share(_account(me), "x", user=me.actor.id, level=bad),
    "who it is shared with": lambda me, bad: me.accounts.share(_account(me), "x", user=bad),
}

HOLDS_ANY_TEXT: dict[str, Use] = {
    "tag": lambda me, bad: me.accounts.tag(_account(me), bad),
    "name of a record": lambda me, bad: me.accounts.create(name=bad),
    "value to find": lambda me, bad: me.accounts.where(name=bad).count(),
    "part of a value": lambda me, bad: me.accounts.where(F.name.contains(bad) | F.name.ends_with(bad)).count(),
    "beginning of a value": lambda me, bad: me.accounts.where(F.name.starts_with(bad)).count(),
    "tag to find": lambda me, bad: me.accounts.where(F.tags.has(bad)).count(),
    "name of a segment": lambda me, bad: me.segments.create(name=bad, on="account", where="name == 'x'"),
}
"""Here a text is a value: most of them are as good as any other, and those no database can hold are refused."""

UNSTORABLE = set(HOLDS_ANY_TEXT)
NAMELESS = {"tag", "name of a record", "name of a segment"}
REFUSED = {
    "\x00": UNSTORABLE,
    "\ud800": UNSTORABLE,
    "": NAMELESS | {"part of a value", "beginning of a value"},
    " ": NAMELESS,
    "a" * 5_000: NAMELESS,
}
"""Which texts are refused where, for other reasons than that they look like something else."""

GOOD_KEYS = {"tenant_id", "object_key"}
"""What lies in the JSON column cannot be taken for a column of the table."""
DEFINES = {name for name in NAMES if name.startswith(("custom field", "object", "plural"))}


def _account(me: Any) -> Any:
    return me.accounts.create(name="ACME")


def _custom_field(me: Any, **values: Any) -> Any:
    defaults = {"on": "account", "key": "key", "type": "text", "column": "key"}
    return me.records("custom_field").create({**defaults, **values})


def _grant(me: Any, **values: Any) -> Any:
    role = me.roles.one(name="rep")
    return me.records("grant").create(**{"role": role, "on": "account", "action": "read", **values})


def refusal(me: Any, use: Callable[[], Any]) -> CrmkitError | None:
    """The error, after which the session is as it was before."""
    try:
        with me.doing("attempt"):
            use()
    except CrmkitError as error:
        return error
    return None


def test_a_name_that_is_none_ends_in_one_typed_error_and_changes_nothing(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    taken = []
    for bad in HOSTILE:
        with crm.session(ADMIN) as me:
            for name, use in NAMES.items():
                if bad in GOOD_KEYS and name in DEFINES:
                    continue
                error = refusal(me, partial(use, me, bad))
                if error is None or not error.code or "SELECT" in str(error):
                    taken.append((name, bad, error))
            assert me.accounts.count() == 0
            assert me.changeset_id is None or taken
    assert taken == []
    assert digest(migrated_url) == before


def test_a_text_is_a_value_whatever_it_looks_like(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    for bad in HOSTILE:
        with crm.session(ADMIN, dry_run=True) as me:
            errors = {name: refusal(me, partial(use, me, bad)) for name, use in HOLDS_ANY_TEXT.items()}
            refused = {name for name, error in errors.items() if error is not None}
            assert refused == REFUSED.get(bad, set()), bad
    assert digest(migrated_url) == before


TAKEN_FIELDS = ("name", "id", "version", "tags", "custom", "deals", "and", "class", "none", "owner", "A", "1a", "a-b")
TAKEN_TYPES = ("account", "accounts", "object", "grant", "deals", "none")
TAKEN_PLURALS = (*TAKEN_TYPES, "changes", "reader", "commit", "unit")


def test_a_custom_field_or_object_may_not_take_the_name_of_anything_else(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        uses: dict[str, Callable[[], Any]] = {}
        by_hand = partial(me.records("custom_object").create, label="x")
        for key in TAKEN_FIELDS:
            uses[f"field {key}"] = partial(me.fields.add, "account", key, Text())
            uses[f"field {key} by hand"] = partial(_custom_field, me, key=key)
        for key in TAKEN_TYPES:
            uses[f"object {key}"] = partial(me.objects.add, key, plural="things", label="x")
            uses[f"object {key} by hand"] = partial(by_hand, key=key, plural="things")
        for key in TAKEN_PLURALS:
            uses[f"plural {key}"] = partial(me.objects.add, "thing", plural=key, label="x")
            uses[f"plural {key} by hand"] = partial(by_hand, key="thing", plural=key)
        assert [name for name, use in uses.items() if refusal(me, use) is None] == []
    assert digest(migrated_url) == before
