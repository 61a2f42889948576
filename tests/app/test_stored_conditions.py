"""Conditions that are stored (segments, gates, checks, grants): they mean something when they are written, and go on
to.
"""

from typing import Any

import pytest

from crmkit import CRM, F
from crmkit.errors import CrmkitError, InvalidRecord
from crmkit.schema.types import Integer, Text
from tests.nerves.snapshots import digest
from tests.staff import ADMIN


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
