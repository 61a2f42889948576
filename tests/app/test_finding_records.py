"""What asks for records without knowing their type or the changeset: find, get_many, log, readable_fields."""

from collections.abc import Callable
from uuid import UUID

import pytest

from crmkit import CRM, F, Money, Session
from crmkit.errors import InvalidDefinition, InvalidValue, NotFound
from tests.staff import ADMIN, hire
from tests.statements import Watch

ANA = "ana@acme.example"
BO = "bo@acme.example"
NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@pytest.fixture
def bo(crm: CRM) -> UUID:
    """A rep, who sees own records."""
    with crm.session(ANA) as me:
        user = me.users.create(name="Bo Li", email=BO)
        me.records("role_member").create(role=me.roles.one(name="rep"), user=user)
    return user.id


def account(me: Session, name: str, owner: object = None) -> UUID:
    return me.accounts.create(name=name, owner=owner or me.actor.id).id


def test_a_record_is_found_by_its_id_whatever_its_type(crm: CRM) -> None:
    with crm.session(ANA) as me:
        made = account(me, "宝钢")
        me.objects.add("vessel", plural="vessels", label="Vessel")
        vessel = me.records("vessel").create(name="远洋号").id
        assert me.find(made).key == "account"
        assert me.find(str(vessel)).key == "vessel"


def test_a_deleted_record_is_found_by_its_history(crm: CRM) -> None:
    with crm.session(ANA) as me:
        made = account(me, "宝钢")
        me.accounts.delete(made)
    with crm.session(ANA) as me:
        assert me.find(made).key == "account"


def test_a_record_out_of_sight_is_not_found_and_neither_is_one_that_never_was(crm: CRM, bo: UUID) -> None:
    with crm.session(ANA) as me:
        hidden, own = account(me, "宝钢"), account(me, "鞍钢", bo)
    with crm.session(BO) as me:
        assert me.find(own).key == "account"
        for lost in (hidden, NOBODY):
            with pytest.raises(NotFound):
                me.find(lost)


def test_many_records_come_by_id_without_those_out_of_sight(crm: CRM, bo: UUID) -> None:
    with crm.session(ANA) as me:
        hidden, own, gone = account(me, "宝钢"), account(me, "鞍钢", bo), account(me, "马钢", bo)
        me.accounts.delete(gone)
    with crm.session(BO) as me:
        found = me.accounts.get_many([own, str(own), hidden, gone, NOBODY])
        assert {key: record.name for key, record in found.items()} == {own: "鞍钢"}
        assert me.accounts.get_many([]) == {}
        with pytest.raises(InvalidValue):
            me.accounts.get_many(["鞍钢"])


def test_the_log_shows_the_latest_changesets_first_and_no_more_than_asked_for(crm: CRM) -> None:
    made = []
    for name in ("一", "二", "三"):
        with crm.session(ANA, reason=name) as me:
            account(me, name)
        made.append(me.changeset_id)
    with crm.session(ANA) as me:
        assert [changeset.id for changeset in me.log(2)] == [made[2], made[1]]
        assert [changeset.id for changeset in me.log()][:3] == made[::-1]


def test_the_log_leaves_out_changesets_of_which_nothing_may_be_seen(crm: CRM, bo: UUID) -> None:
    with crm.session(ANA, reason="secret") as me:
        account(me, "宝钢")
    with crm.session(ANA, reason="open") as me:
        account(me, "鞍钢", bo)
    with crm.session(BO) as me:
        assert [changeset.reason for changeset in me.log(1)] == ["open"]
        assert "secret" not in [changeset.reason for changeset in me.log()]


def test_fields_that_may_be_read_are_listed_with_the_id_first(crm: CRM, bo: UUID) -> None:
    with crm.session(ANA) as me:
        every = [f.key for f in me.readable_fields("account")]
        denied = {"role": me.roles.one(name="rep"), "on": "account", "action": "read", "effect": "deny"}
        me.records("grant").create(denied, fields=["annual_revenue"])
        assert sorted(every) == sorted(me.type_of("account").by_key)
    with crm.session(BO) as me:
        assert [f.key for f in me.readable_fields("accounts")] == [key for key in every if key != "annual_revenue"]
        assert every[:2] == ["id", "name"]
        assert me.readable_fields("grant") == []


def test_an_action_that_is_none_is_not_explained_away(crm: CRM) -> None:
    with crm.session(ANA) as me:
        made = me.accounts.create(name="宝钢")
        assert me.explain(made, "update").allowed
        with pytest.raises(InvalidDefinition, match="did you mean 'update'"):
            me.explain(made, "updat")


def test_a_command_of_every_noun_is_remembered_with_the_noun(crm: CRM, bo: UUID) -> None:
    with crm.session(ANA) as me:
        made = account(me, "宝钢")
    with crm.session(ANA) as me:
        me.accounts.assign(made, bo)
        me.accounts.tag(made, "vip")
    with crm.session(ANA) as me:
        assert me.log(1)[0].command == "account.assign, account.tag"


@pytest.mark.parametrize(("origin", "notes"), [("import", 0), ("interactive", 1)])
def test_a_deal_that_is_won_gets_a_note_unless_it_was_imported_won(
    migrated_sqlite: Callable[[str], str], open_crm: Callable[..., CRM], origin: str, notes: int
) -> None:
    crm = open_crm(migrated_sqlite("won"))
    with crm.session(ANA, origin=origin) as me:
        me.deals.create(name="展会", stage=me.stages.one(name="won"))
    with crm.session(ANA) as me:
        assert me.activities.count() == notes
        assert crm.undelivered() == []


@pytest.mark.parametrize(
    "mask",
    [
        "owner.name == parent.name",
        "any(deals, outcome == 'won')",
        "count(deals) > 0",
        "parent.owner.name == owner.name",
    ],
)
def test_fields_compare_also_where_a_right_to_one_of_them_looks_elsewhere(crm: CRM, mask: str) -> None:
    """The owner of an account may be read only where the condition holds; elsewhere the comparison is unknown."""
    bo = hire(crm, "bo@acme.example", activity="read", user="read", deal="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of bo@acme.example")
        fields = [f.key for f in me.type_of("account").fields if f.key != "owner"]
        me.records("grant").create(role=role, on="account", action="read", scope="all", fields=fields)
        me.records("grant").create(role=role, on="account", action="read", scope="where", where=mask, fields=["owner"])
        parent = me.accounts.create(name="bo", owner=bo)
        shown = me.accounts.create(name="shown", owner=bo, parent=parent)
        hidden = me.accounts.create(name="hidden", owner=me.actor.id)
        me.deals.move(me.deals.create(name="d", account=shown), to="won")
        for account in (shown, hidden):
            me.activities.create(kind="note", subject=account.name, account=account, owner=account.owner)
    with crm.session("bo@acme.example") as me:
        for condition in (
            "owner == account.owner",
            "account.owner == owner",
            "account.owner.active == account.owner.active",
        ):
            assert [a.subject for a in me.activities.where(condition, deal=None)] == ["shown"]


def test_an_explanation_agrees_with_the_filter_where_a_right_hangs_on_what_may_not_be_read(crm: CRM) -> None:
    """The amount may be read of deals that are won; whether one is won may not."""
    hire(crm, "eve@acme.example", stage="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of eve@acme.example")
        me.records("grant").create(role=role, on="deal", action="read", scope="all", fields=["name"])
        won = {"scope": "where", "where": "outcome == 'won'", "fields": ["amount"]}
        me.records("grant").create(role=role, on="deal", action="read", **won)
        shown = me.deals.move(me.deals.create(name="shown", amount=Money(9, "EUR")), to="won")
        hidden = me.deals.create(name="hidden", amount=Money(9, "EUR"))
    with crm.session("eve@acme.example") as me:
        query = me.deals.where("amount > money('1', 'EUR')")
        assert [deal.name for deal in query] == ["shown"]
        assert query.explain(shown.id).held is True
        assert query.explain(hidden.id).held is None


MANY = 1_200
"""More than a page, and more than a block."""


@pytest.fixture
def crowded(crm: CRM) -> CRM:
    with crm.session(ADMIN) as me:
        me.deals.create_many({"name": f"d{i}", "amount": Money(100 + i, "EUR")} for i in range(MANY))
    return crm


def test_a_loop_that_changes_what_it_goes_by_meets_each_record_once(crowded: CRM) -> None:
    with crowded.session(ADMIN) as me:
        met = []
        for deal in me.deals.order_by("amount"):
            met.append(deal.id)
            me.deals.update(deal, amount=Money(deal.amount.amount + 300, "EUR"))
        assert len(met) == len(set(met)) == MANY


def test_a_bulk_verb_may_be_fed_from_what_it_writes(crowded: CRM) -> None:
    with crowded.session(ADMIN) as me:
        assert me.deals.create_many({"name": f"copy of {d.name}"} for d in me.deals).counts["created"] == MANY
        renamed = me.deals.update_many((d.id, {"name": f"z{d.name}"}) for d in me.deals.order_by("name"))
        assert renamed.counts["updated"] == 2 * MANY
        copied = ({"name": "again"} for block in me.deals.where().blocks(500) for _ in block)
        assert me.deals.create_many(copied).counts["created"] == 2 * MANY


def test_what_is_deleted_meanwhile_does_not_come_any_more(crowded: CRM) -> None:
    with crowded.session(ADMIN) as me:
        loop = iter(me.deals.order_by("name"))
        first = next(loop)
        me.deals.where(F.id != first.id).delete()
        assert list(loop) == []


@pytest.mark.parametrize(("every", "of"), [(1, 20), (2, 20), (7, 60), (400, MANY)])
def test_a_loop_meets_each_record_as_it_is_by_then_and_none_that_is_gone(crowded: CRM, every: int, of: int) -> None:
    """Whatever is written at every so many passes, to what comes next and to what comes last."""
    with crowded.session(ADMIN) as me:
        listed = me.deals.order_by("amount").limit(of)
        left = [deal.id for deal in listed]
        expected, met = [], []
        for i, deal in enumerate(listed):
            assert deal == me.deals.get(deal.id)
            expected.append(left.pop(0))
            met.append(deal.id)
            if i % every == 0:
                me.deals.update(deal, name="met")
                if len(left) > 2:
                    me.deals.update(left[0], name=f"before pass {i + 1}")
                    me.deals.update(left[-1], name=f"after pass {i}")
                    me.deals.delete(left.pop(1))
        assert met == expected
        assert len(met) < of


def test_a_loop_that_goes_on_without_writing_reads_many_records_at_a_time(crowded: CRM, watch: Watch) -> None:
    with crowded.session(ADMIN) as me:
        loop = iter(me.deals.order_by("amount"))
        me.deals.update(next(loop), name="met")
        before = watch.sent
        assert sum(1 for _ in loop) == MANY - 1
        assert watch.sent - before < 20


def test_what_is_gone_is_in_no_block(crowded: CRM) -> None:
    with crowded.session(ADMIN) as me:
        loop = me.deals.where().blocks(500)
        met = [deal.id for deal in next(loop)]
        assert me.deals.where(~F.id.is_in(met[:500])).delete().counts == {"deleted": MANY - 500}
        assert list(loop) == []
