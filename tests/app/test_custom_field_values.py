"""Values of custom fields stay where they are when something else is written, and come when they are demanded."""

import pytest

from crmkit import CRM, F
from crmkit.errors import InvalidDefinition, InvalidRecord
from crmkit.schema.types import Integer, Text

ANA = "ana@acme.example"


def test_an_update_of_all_that_match_keeps_the_other_custom_fields(crm: CRM) -> None:
    """They share one JSON column, and one statement for all records would write it whole."""
    with crm.session(ANA) as me:
        me.fields.add("account", "tier", Text())
        me.fields.add("account", "score", Integer())
        for name in ("宝钢", "鞍钢"):
            me.accounts.create(name=name, tier=f"金 {name}", score=1)
        result = me.accounts.where(F.score == 1).update(score=5)
        assert result.counts == {"updated": 2}
        assert {(a.name, a["tier"], a["score"]) for a in me.accounts} == {
            ("宝钢", "金 宝钢", 5),
            ("鞍钢", "金 鞍钢", 5),
        }


def test_a_required_field_with_a_default_gives_it_to_the_records_there_are(crm: CRM) -> None:
    with crm.session(ANA) as me:
        made = me.accounts.create(name="宝钢")
        with pytest.raises(InvalidDefinition, match="without country"):
            me.fields.add("account", "country", Text(), required=True)
        assert me.fields.list("account") == ()
        me.fields.add("account", "country", Text(), required=True, default="CN")
        assert me.accounts.get(made.id)["country"] == "CN"
        assert me.accounts.where(F.country == "CN").count() == 1


def test_a_field_that_becomes_required_is_filled_where_it_has_no_value(crm: CRM) -> None:
    with crm.session(ANA) as me:
        me.fields.add("account", "seats", Integer())
        with_value, without = me.accounts.create(name="宝钢", seats=7), me.accounts.create(name="鞍钢")
        with pytest.raises(InvalidRecord, match="a value is required"):
            me.fields.change("account", "seats", required=True)
        assert me.accounts.get(without.id)["seats"] is None
        me.fields.change("account", "seats", required=True, default=1)
        assert (me.accounts.get(with_value.id)["seats"], me.accounts.get(without.id)["seats"]) == (7, 1)
