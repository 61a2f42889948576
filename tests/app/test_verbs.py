"""What the verbs of one record promise: whole or not at all, and an answer the actor may see."""

from uuid import uuid4

import pytest

from crmkit import CRM, F, Money
from crmkit.errors import (
    Conflict,
    Denied,
    Duplicate,
    InvalidDefinition,
    InvalidQuery,
    InvalidRecord,
    InvalidValue,
    NotFound,
    UsageError,
)
from crmkit.records import Account, Contact
from crmkit.schema.types import Integer, Text
from crmkit.store.read.groups import Group
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN, grant, hire


def test_a_record_that_was_given_away_is_handed_back_once_more(crm: CRM) -> None:
    """Whoever assigns a record may lose sight of it by that; it is done nevertheless."""
    hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        grant(me, me.roles.one(name="rep"), "deal", "assign", scope="own")
        ana = me.users.one(email=ADMIN)
    with crm.session("bo@acme.example") as me:
        mine = me.deals.create(name="Rollout")
        given = me.deals.assign(mine, ana.id)
        assert (given.id, given.version, given.name, given.owner) == (mine.id, 2, "Rollout", ana.id)
        with pytest.raises(NotFound):
            me.deals.get(mine.id)
    with crm.session(ADMIN) as me:
        assert me.deals.get(mine.id).owner == ana.id


def test_whoever_may_only_create_gets_a_record_with_nothing_to_read_in_it(crm: CRM) -> None:
    hire(crm, "form@acme.example", lead="create")
    with crm.session("form@acme.example") as me:
        made = me.leads.create(name="Max Muster", email="max@example.org")
        assert (made.name, made.email, made.owner) == (None, None, None)
        assert me.leads.count() == 0
    with crm.session(ADMIN) as me:
        assert me.leads.get(made.id).name.full == "Max Muster"


def test_a_draft_takes_the_same_rights_as_the_values_in_it(crm: CRM, migrated_url: str) -> None:
    """Otherwise a draft would be a way round rights on single fields."""
    hire(crm, "bo@acme.example")
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text())
        role = me.roles.create(name="clerk")
        grant(me, role, "account", "create read", fields=["name", "industry"])
        me.records("role_member").create(role=role, user=me.users.one(email="bo@acme.example"))
    before = digest(migrated_url)
    for draft in (Account(name="A", headcount=5), Account(name="A", custom={"code": "x"})):
        with crm.session("bo@acme.example") as me, pytest.raises(Denied) as refused:
            me.accounts.create(draft)
        assert refused.value.code == "field_denied"
    assert digest(migrated_url) == before
    with crm.session("bo@acme.example") as me:
        assert me.accounts.create(Account(name="A", industry="steel")).industry == "steel"


def test_a_keyword_counts_whatever_the_draft_or_the_mapping_says(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), default="none")
        for given in (
            Account(name="宝钢", industry="coal", headcount=5, custom={"code": "x"}),
            {"name": "宝钢", "industry": "coal", "headcount": 5, "code": "x"},
        ):
            made = me.accounts.create(given, industry="steel", code=None)
            assert (made.name, made.industry, made.headcount, made.code) == ("宝钢", "steel", 5, None)
            assert made.owner == me.actor.id
        before = me.accounts.count()
        for wrong, code in (
            (lambda: me.accounts.create(Account(name="D"), industry="x", nonsense=7), "unknown_field"),
            (lambda: me.accounts.create(Contact(name="D"), industry="x"), "wrong_type"),
            (lambda: me.accounts.create(made, industry="x"), "read_only"),
        ):
            with pytest.raises(InvalidRecord) as refused:
                wrong()
            assert refused.value.code == code
        assert me.accounts.count() == before


def test_an_edit_of_an_older_version_names_what_has_changed_since(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        read = me.accounts.create(name="ACME", headcount=5)
        me.accounts.update(read, name="ACME AG")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        for edit in (lambda: me.accounts.update(read, industry="x"), lambda: me.accounts.delete(read)):
            with pytest.raises(Conflict) as refused:
                edit()
            assert refused.value.fields == ("name",)
        assert me.accounts.tag(read, "vip") is None  # a tag is no edit of the record
    with crm.session(ADMIN) as me:
        me.accounts.untag(read, "vip")
    assert before != digest(migrated_url)


def test_a_conflict_names_no_field_the_editor_may_not_read(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "margin", Integer(), sensitive=True)
        account = me.accounts.create(name="ACME", margin=1)
    hire(crm, "bo@acme.example", account="read update")
    with crm.session("bo@acme.example") as me:
        read = me.accounts.get(account.id)
    with crm.session(ADMIN) as me:
        me.accounts.update(account.id, margin=2)
    with crm.session("bo@acme.example") as me, pytest.raises(Conflict) as refused:
        me.accounts.update(read, name="x")
    assert refused.value.fields == ()
    assert "margin" not in str(refused.value).lower()
    with crm.session(ADMIN) as me:
        me.accounts.update(account.id, margin=3, industry="steel")
    with crm.session("bo@acme.example") as me, pytest.raises(Conflict) as refused:
        me.accounts.update(read, name="x")
    assert refused.value.fields == ("industry",)


def test_one_record_may_be_named_twice_in_a_bulk_verb_and_the_rows_follow_each_other(
    crm: CRM, migrated_url: str
) -> None:
    with crm.session(ADMIN) as me:
        account, other = me.accounts.create(name="A"), me.accounts.create(name="B")
    with crm.session(ADMIN) as me:
        rows = [(account.id, {"name": "C"}), (other.id, {"name": "D"}), (account.id, {"industry": "steel"})]
        assert me.accounts.update_many(rows).counts == {"updated": 3}
        read = me.accounts.get(account.id)
        assert (read.name, read.industry, read.version) == ("C", "steel", 3)
        stale = me.accounts.update_many([(read, {"name": "E"}), (read, {"name": "F"})])
        assert [(o.status, [p.code for p in o.problems]) for o in stale.outcomes] == [
            ("updated", []),
            ("refused", ["conflict"]),
        ]
    with crm.session(ADMIN) as me:
        gone = me.accounts.delete_many([account.id, other.id, account.id])
        assert [o.status for o in gone.outcomes] == ["deleted", "deleted", "refused"]
    assert broken(snapshot(migrated_url)) == []


def test_a_family_is_deleted_together_in_any_order(crm: CRM, migrated_url: str) -> None:
    for turn in (1, -1):
        with crm.session(ADMIN) as me:
            parent = me.accounts.create(name="parent")
            child = me.accounts.create(name="child", parent=parent)
            me.accounts.update(parent.id, parent=child)
        with crm.session(ADMIN) as me:
            assert me.accounts.delete_many([parent.id, child.id][::turn]).counts == {"deleted": 2}
            assert me.accounts.count() == 0
    assert broken(snapshot(migrated_url)) == []


def test_who_stays_keeps_what_it_refers_to(crm: CRM) -> None:
    """A deal keeps the child, and the child then keeps its parent, though both were to go."""
    with crm.session(ADMIN) as me:
        parent = me.accounts.create(name="parent")
        child = me.accounts.create(name="child", parent=parent)
        me.deals.create(name="Rollout", account=child)
    with crm.session(ADMIN) as me:
        result = me.accounts.delete_many([parent.id, child.id])
        assert [o.status for o in result.outcomes] == ["refused", "refused"]
        assert [p.message for o in result.outcomes for p in o.problems] == [
            "accounts refer to it by parent",
            "deals refer to it by account",
        ]
        assert me.accounts.count() == 2


def test_a_delete_that_is_refused_takes_no_links_away(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        account, free = me.accounts.create(name="ACME"), me.accounts.create(name="free")
        me.accounts.tag(account, "vip")
        me.accounts.tag(free, "vip")
        me.accounts.share(account, "holiday", user=me.users.one(email=ADMIN))
        me.deals.create(name="Rollout", account=account)
    with crm.session(ADMIN) as me:
        result = me.accounts.delete_many([account.id, free.id])
        assert [o.status for o in result.outcomes] == ["refused", "deleted"]
    with crm.session(ADMIN) as me:
        assert [a.name for a in me.accounts.where(F.tags.has("vip"))] == ["ACME"]
        assert [t.record for t in me.records("tagging")] == [account.id]
        assert [s.record for s in me.records("share")] == [account.id]


def test_what_refers_to_a_record_is_not_told_to_who_may_not_see_it(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        account = me.accounts.create(name="ACME")
        me.deals.create(name="secret", account=account)
    hire(crm, "bo@acme.example", account="read delete")
    with crm.session("bo@acme.example") as me, pytest.raises(InvalidRecord) as refused:
        me.accounts.delete(account.id)
    assert (refused.value.code, refused.value.fields) == ("referenced", ())
    assert "deal" not in str(refused.value)


def test_five_euros_and_five_dollars_are_two_groups(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        for money in ("EUR", "USD", "EUR"):
            me.deals.create(name=money, amount=Money(5, money))
        groups = {group.key[0]: group.count for group in me.deals.totals(by=F.amount)}
    assert groups == {Money(5, "EUR"): 2, Money(5, "USD"): 1}


def test_totals_without_groups_are_one_group_of_all_records(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        assert me.deals.totals() == [Group((), 0, ())]
        assert me.deals.totals(sums=(F.amount, F.probability)) == [Group((), 0, ((), None))]
        for amount in (Money(5, "EUR"), Money(7, "EUR"), None, Money(1, "USD")):
            me.deals.create(name="华为", amount=amount)
        assert me.deals.totals() == [Group((), 4, ())]
        assert me.deals.where(name="none").totals() == [Group((), 0, ())]
        assert me.deals.where(name="none").totals(by=F.name) == []
        assert me.deals.totals(sums=F.amount) == [Group((), 4, ((Money(12, "EUR"), Money(1, "USD")),))]


@pytest.mark.parametrize("blank", [None, "", "  ", "\t", "\u200b", "\ufeff \u00ad", "\u3164\ufe0f", "\u2800"])
def test_rows_without_a_key_are_not_one_record(crm: CRM, blank: str | None) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "ext", Text())
        me.accounts.create(name="There before", ext=blank)
        rows = [{"name": "A", "ext": blank}, {"name": "B", "ext": "7"}, {"name": "C", "ext": blank}]
        result = me.accounts.upsert_many(rows, by="ext")
        assert [outcome.status for outcome in result.outcomes] == ["refused", "created", "refused"]
        assert {(p.code, p.field, p.row) for o in result.refused for p in o.problems} == {
            ("blank_key", "ext", 0),
            ("blank_key", "ext", 2),
        }
        with pytest.raises(InvalidRecord) as refused:
            me.accounts.upsert(name="D", ext=blank, by=("name", "ext"))
        problem = refused.value.problems[0]
        assert (problem.code, problem.field) == ("blank_key", "ext")
        assert problem.hint is not None
        assert sorted(account.name for account in me.accounts) == ["B", "There before"]


def test_a_duplicate_of_a_custom_field_is_named_by_its_key_however_it_is_found(crm: CRM) -> None:
    """Two units of work find out from the index, which knows only the slot."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        me.accounts.create(name="A", code="7")
    with crm.session(ADMIN) as me, pytest.raises(Duplicate) as refused:
        me.accounts.create(name="B", code="7")
    assert refused.value.fields == ("code",)


def test_upsert_takes_the_fields_it_looks_by_seriously(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        made = me.users.upsert(email="bo@acme.example", name="Bo", by="email")
        again = me.users.upsert({"email": "BO@acme.example", "name": "Bo!"}, by="email")
        assert (again.id, again.name) == (made.id, "Bo!")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        for by in ((), 5, None, [5], "", ("email", 5)):
            with pytest.raises((InvalidQuery, InvalidRecord)):
                me.users.upsert(name="x", by=by)  # type: ignore[arg-type]
        with pytest.raises(InvalidRecord):
            me.users.upsert(email="x@acme.example", name="x", by="nothing")
        with pytest.raises(InvalidRecord):
            me.users.upsert(name="x", by="email")
    assert digest(migrated_url) == before


def test_what_is_no_command_no_form_and_no_block_is_refused(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        for command in (5, None, "deal.move", Account(name="x")):
            with pytest.raises(UsageError):
                me.do(command)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            me.accounts.create_many([{"name": "x"}], form="xml")  # type: ignore[arg-type]
        for size in (0, -1, 1.5, "x", True, 2**63, 10**5000):
            with pytest.raises(InvalidQuery):
                me.accounts.where().blocks(size)  # type: ignore[arg-type]
        for limit in (-1, 1.5, "x", None):
            with pytest.raises(InvalidQuery):
                me.log(limit)  # type: ignore[arg-type]
        for rows in (None, 5):
            for verb in (me.accounts.create_many, me.accounts.update_many, me.accounts.delete_many):
                with pytest.raises(UsageError) as refused:
                    verb(rows)  # type: ignore[operator]
                assert refused.value.code == "not_rows"
            with pytest.raises(UsageError):
                me.accounts.upsert_many(rows, by="name")  # type: ignore[arg-type]
        for key in (5, [], 10**5000):
            with pytest.raises(InvalidQuery):
                me.accounts.order_by(key)  # type: ignore[arg-type]
            with pytest.raises(InvalidQuery):
                me.accounts.totals(by=(key,))
            with pytest.raises(NotFound):
                me.fields.remove("account", key)  # type: ignore[arg-type]
            for ask in (me.explain, me.who_can):
                with pytest.raises(InvalidDefinition):
                    ask(me.roles.one(name="rep"), key)  # type: ignore[arg-type]
        with pytest.raises(InvalidDefinition) as extended:
            me.fields.add("custom_field", "more", Text())
        assert extended.value.code == "not_extensible"
        for given in (5, "name", [("name", "x")]):
            with pytest.raises(InvalidRecord):
                me.accounts.create(given)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue):
            me.undo("no id")  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            me.undo(uuid4())
        with pytest.raises(NotFound):
            me.records([])  # type: ignore[arg-type]
    assert digest(migrated_url) == before


def test_a_definition_in_use_is_not_pulled_away_from_under_it(crm: CRM, migrated_url: str) -> None:
    """A grant, segment or check that names a field would mean nothing without it, and stop everybody it concerns."""
    hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        me.fields.add("account", "region", Text())
        me.fields.add("account", "code", Text())
        role = me.roles.one(name="rep")
        me.records("grant").create(role=role, on="account", action="read", scope="where", where=F.region == "north")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        with pytest.raises(InvalidRecord) as refused:
            me.fields.remove("account", "region")
        assert "rep" in str(refused.value)
        me.fields.remove("account", "code")
        assert [f.key for f in me.fields.list("account")] == ["region"]
    assert digest(migrated_url) != before
    with crm.session("bo@acme.example") as me:
        assert me.accounts.count() == 0


def test_what_stored_values_hang_on_is_not_changed_by_hand(crm: CRM, migrated_url: str) -> None:
    """Another type would read amounts as texts; another key of an object would leave its records behind."""
    with crm.session(ADMIN) as me:
        field = me.fields.add("account", "size", Integer())
        thing = me.objects.add("thing", plural="things", label="Thing")
        me.accounts.create(name="ACME", size=7)
        me.records("thing").create(name="one")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        slot = {"indexed": True, "slot": "number_3"}
        for values in (
            {"type": "text"},
            {"options": {"minimum": 100}},
            {"on": "deal"},
            {"required": True},
            {"column": "other"},
            slot,
            {"unique": True},
            {"unique": True, "unique_slot": "unique_3"},
        ):
            with pytest.raises(InvalidDefinition) as refused:
                me.records("custom_field").update(field, values)
            assert {problem.code for problem in refused.value.problems} == {"fixed"}
            [outcome] = me.records("custom_field").where(key="size").update(**values).refused
            assert {(problem.code, problem.field) for problem in outcome.problems} == {("fixed", key) for key in values}
        with pytest.raises(InvalidDefinition) as refused:
            me.records("custom_field").create(on="account", key="other", type="text", column="size")
        assert refused.value.code == "fixed"
        with pytest.raises(InvalidDefinition):
            me.records("custom_object").update(thing, key="other")
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        assert me.records("custom_object").update(thing, label="Ding").label == "Ding"
        assert me.records("custom_field").update(field, labels={"zh": "人数"}).labels == {"zh": "人数"}
        assert [r.name for r in me.records("thing")] == ["one"]
        me.fields.change("account", "size", Text())
        assert [a["size"] for a in me.accounts] == ["7"]
