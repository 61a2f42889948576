"""A name never reaches SQL: whatever stands where a name belongs ends in one typed error, and nothing has happened."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crmkit import CRM, F, in_segment
from crmkit.errors import CrmkitError
from crmkit.schema.types import Text
from tests.nerves.snapshots import digest
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

WORKS = {"": {"sort", "group", "sum"}, "-": set[str]()}


def _account(me: Any) -> Any:
    return me.accounts.create(name="ACME")


def _custom_field(me: Any, **values: Any) -> Any:
    return me.records("custom_field").create(**{"on": "account", "key": "key", "type": "text", "column": "key", **values})


def _grant(me: Any, **values: Any) -> Any:
    role = me.roles.one(name="rep")
    return me.records("grant").create(**{"role": role, "on": "account", "action": "read", **values})


def attempts(bad: str) -> Iterator[tuple[str, Use]]:
    known = {"tenant_id", "object_key"} if False else set()
    yield from ((name, use) for name, use in NAMES.items() if bad not in known)


def test_a_name_that_is_none_ends_in_one_typed_error_and_changes_nothing(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    for bad in HOSTILE:
        with crm.session(ADMIN) as me:
            for name, use in attempts(bad):
                with pytest.raises(CrmkitError) as refused, me.doing("attempt"):
                    use(me, bad)
                assert refused.value.problems[0].code, (name, bad)
                assert "SELECT" not in str(refused.value), (name, bad)
            assert me.accounts.count() == 0
    assert digest(migrated_url) == before


def test_a_text_is_a_value_whatever_it_looks_like(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    for bad in HOSTILE:
        with crm.session(ADMIN, dry_run=True) as me:
            for use in HOLDS_ANY_TEXT.values():
                try:
                    use(me, bad)
                except CrmkitError as error:
                    assert bad.strip() in ("", "\x00", "\ud800") or len(bad) > 200 or error.code == "empty"
            assert me.accounts.count() >= 1
    assert digest(migrated_url) == before


def test_a_custom_field_may_not_take_the_name_of_anything_else(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        for taken in ("name", "id", "version", "tags", "custom", "deals", "and", "class", "none", "owner", "A", "1a", "a-b"):
            with pytest.raises(CrmkitError):
                me.fields.add("account", taken, Text())
        for taken in ("account", "accounts", "object", "grant", "deals", "none"):
            with pytest.raises(CrmkitError):
                me.objects.add(taken, plural=f"{taken}_more", label="x")
            with pytest.raises(CrmkitError):
                me.records("custom_object").create(key=taken, plural=f"{taken}_more", label="x")
            with pytest.raises(CrmkitError):
                me.objects.add("thing", plural=taken, label="x")
    assert digest(migrated_url) == before
