"""Conditions that are stored (segments, gates, checks, grants): they mean something when they are written, and go on
to.
"""

from typing import Any

import pytest

from crmkit import CRM, F
from crmkit.errors import CrmkitError, InvalidRecord
from crmkit.schema.types import Integer, Text
from tests.integration.snapshots import digest
from tests.staff import ADMIN, grant, hire


def refused(call: Any) -> tuple[str, str | None]:
    with pytest.raises(CrmkitError) as error:
        call()
    return error.value.problems[0].code, error.value.problems[0].field


# ------------------------------------------------------------------------------------------------------------ constants


def test_a_definition_whose_constants_do_not_fit_is_refused(crm: CRM, migrated_url: str) -> None:
    """It would refuse every record of the type, or every move to the stage, when it is too late."""
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        segments, gates, won = me.segments, me.records("stage_gate"), me.stages.one(name="won")
        wrong = "headcount > 'many'"
        add, size = me.fields.add, Integer()
        assert refused(lambda: segments.create(name="坏", on="account", where=wrong)) == ("not_an_integer", "headcount")
        assert refused(lambda: gates.create(to_stage=won, where="amount > 5")) == ("not_money", "amount")
        assert refused(lambda: add("account", "size", size, check=wrong)) == ("not_an_integer", "headcount")
        assert refused(lambda: add("account", "size", size, check="size < 'z'")) == ("not_an_integer", "size")
        assert refused(lambda: add("account", "size", size, check="colour == 'red'")) == ("unknown_field", "colour")
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        me.fields.add("account", "size", Integer(), check="size < 100")
        assert refused(lambda: me.fields.change("account", "size", check=wrong)) == ("not_an_integer", "headcount")
        assert me.fields.list("account")[0].check == "size < 100"
        assert me.accounts.create(name="宝钢", headcount=5, size=99)["size"] == 99


def test_a_field_whose_type_conditions_rely_on_keeps_it(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("deal", "score", Integer())
        deal = me.deals.create(name="大单", score=5)
        me.segments.create(name="好", on="deal", where=F.score > 3)
        me.records("stage_gate").create(to_stage=me.stages.one(name="won"), label="scored", where="score > 3")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        with pytest.raises(InvalidRecord) as error:
            me.fields.change("deal", "score", Text())
        assert error.value.code == "in_use"
        assert ["好" in str(p) or "scored" in str(p) for p in error.value.problems] == [True, True]
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        me.fields.change("deal", "score", Integer(minimum=1), label="Score")
        assert me.segments.size("好") == 1
        assert me.deals.move(deal.id, to="won").outcome == "won"


# --------------------------------------------------------------------------------------------------- check and default


def test_a_check_and_a_default_can_be_taken_away(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "size", Integer(), default=7, check="size < 10")
        assert me.accounts.create(name="宝钢")["size"] == 7
        me.fields.change("account", "size", label="Size")
        assert refused(lambda: me.accounts.create(name="鞍钢", size=10)) == ("check_failed", "size")
        me.fields.change("account", "size", check=None)
        assert me.accounts.create(name="鞍钢", size=10)["size"] == 10
        assert me.accounts.create(name="武钢")["size"] == 7
        me.fields.change("account", "size", default=None)
        assert me.accounts.create(name="首钢")["size"] is None


# ----------------------------------------------------------------------------------------------------------------- tags


def test_a_tag_that_a_condition_names_keeps_its_name(crm: CRM, migrated_url: str) -> None:
    """A segment would be empty, and a deny would deny nothing."""
    hire(crm, "bo@acme.example")
    with crm.session(ADMIN) as me:
        role = me.roles.create(name="board")
        grant(me, role, "account", "read", scope="where", where=F.tags.has("机密"), effect="deny")
        account = me.accounts.create(name="宝钢")
        for name in ("机密", "vip", "gated", "checked", "free"):
            me.accounts.tag(account, name)
        me.segments.create(name="vips", on="contact", where="name is not None and 'VIP' in account.tags")
        me.records("stage_gate").create(to_stage=me.stages.one(name="won"), where='not ("gated" in tags)')
        me.fields.add("account", "size", Integer(), check='"checked" in tags or size < 5')
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        for name in ("机密", "vip", "gated", "checked"):
            tag = me.tags.one(name=name)
            for attempt in (
                lambda tag=tag: me.tags.update(tag, name="other"),
                lambda tag=tag: me.tags.delete(tag),
            ):
                assert refused(attempt) == ("in_use", "name")
        assert me.tags.where(name="vip").update(name="other").refused
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        assert me.tags.update(me.tags.one(name="vip"), name="VIP", group="grade").name == "VIP"
        me.tags.update(me.tags.one(name="free"), name="freed")
        me.tags.delete(me.tags.one(name="freed"))


def test_the_list_of_a_segment_is_nothing_a_verb_touches(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.create_many([{"name": name} for name in ("宝钢", "鞍钢")], stop=True)
        snapshot = me.segments.snapshot("now", of=me.accounts.where())
        made = me.changeset_id
        word = me.tags.create(name="word")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        listed, taggings = snapshot.roll, me.records("tagging")
        for attempt in (
            lambda: me.tags.update(listed, name="zz"),
            lambda: me.tags.update(listed, listed=False),
            lambda: me.tags.update(word, listed=True),
            lambda: me.tags.create(name="another", listed=True),
            lambda: me.tags.delete(listed),
        ):
            assert refused(attempt)[0] == "listed_tag"
        assert len(taggings.where(tag=listed).delete().refused) == 2
        assert me.tags.where(listed=True).update(listed=False).refused
        assert me.segments.size("now") == 2
    assert digest(migrated_url) == before
    assert made is not None
    with crm.session(ADMIN) as me:
        assert not me.undo(made).refused
        assert me.accounts.count() == 0
        assert me.tags.where(listed=True).count() == 0


# ------------------------------------------------------------------------------------------------------------ pipelines


@pytest.mark.parametrize("reasons", [[1, 2], "price", [""], {"a": 1}, [None], 5])
def test_loss_reasons_are_a_list_of_texts(crm: CRM, reasons: Any) -> None:
    with crm.session(ADMIN) as me:
        sales = me.pipelines.one(name="Sales")
        for attempt in (
            lambda: me.pipelines.update(sales, loss_reasons=reasons),
            lambda: me.pipelines.create(name="别的", loss_reasons=reasons),
        ):
            assert refused(attempt) == ("not_a_list_of_texts", "loss_reasons")
        assert me.pipelines.where(name="Sales").update(loss_reasons=reasons).refused
        deal = me.deals.create(name="大单")
        assert me.deals.move(deal, to="lost", loss_reason="价格").loss_reason == "价格"


def test_a_stage_stays_in_its_pipeline_once_a_deal_was_there(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        other = me.pipelines.create(name="别的")
        me.deals.move(me.deals.create(name="大单"), to="qualified")
        for name in ("new", "qualified"):
            stage = me.stages.one(name=name)
            assert refused(lambda stage=stage: me.stages.update(stage, pipeline=other)) == ("in_use", "pipeline")
        assert me.stages.where(name="qualified").update(pipeline=other).refused
        assert me.stages.where(name="qualified").update(kind="won").refused
        assert me.stages.update(me.stages.one(name="proposal"), pipeline=other).pipeline == other.id
        assert me.stages.one(name="qualified").kind == "open"
