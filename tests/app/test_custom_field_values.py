"""Values of custom fields stay where they are when something else is written, and come when they are demanded."""

import random

import pytest

from crmkit import CRM, F
from crmkit.errors import CrmkitError, InvalidDefinition, InvalidRecord
from crmkit.schema.types import Integer, Text
from crmkit.values import PersonName

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


# ----------------------------------------------------------------------------------------------------- room in an index


def chinese(length: int, first: int = 0x4E00) -> str:
    """A text that nothing makes shorter."""
    letters = random.Random(length)
    return "".join(chr(first + letters.randrange(20_000)) for _ in range(length))


@pytest.mark.parametrize("kind", ["indexed", "unique"])
def test_a_text_an_index_has_no_room_for_is_refused_by_row_and_field(crm: CRM, kind: str) -> None:
    """One of the two databases would refuse the whole bulk, the other would take it."""
    with crm.session(ANA) as me:
        me.fields.add("contact", "memo", Text(max_length=2_000), **{kind: True})
        rows = [{"name": "李娜", "memo": memo} for memo in ("short", chinese(1_500), chinese(400), chinese(401))]
        result = me.contacts.create_many(rows)
        assert [(o.row, p.field, p.code) for o in result.refused for p in o.problems] == [
            (1, "memo", "too_long"),
            (3, "memo", "too_long"),
        ]
        assert me.contacts.count() == 2
        kept = me.contacts.one(memo=chinese(400))
        with pytest.raises(InvalidRecord, match="1,200 bytes"):
            me.contacts.update(kept, memo=chinese(1_500))
        me.contacts.update(kept, memo=chinese(399))
    with crm.session(ANA) as me:
        assert {contact["memo"] for contact in me.contacts} == {"short", chinese(399)}


def test_the_longest_texts_there_is_room_for_lie_in_one_entry_together(crm: CRM) -> None:
    """The text of the field and that by which records are sorted, each of which a database must compare in full."""
    longest = chinese(255, 0x20000)
    with crm.session(ANA) as me:
        me.fields.add("account", "memo", Text(max_length=2_000), indexed=True, unique=True)
        account = me.accounts.create(name=longest, memo=chinese(400))
        me.accounts.update(account, industry="钢铁")
        assert me.accounts.where(F.memo == chinese(400)).order_by("name").first() == me.accounts.get(account)
        with pytest.raises(InvalidRecord) as refused:
            me.contacts.create(name=PersonName(*(chinese(200, 0x20000 + part) for part in range(2))))
        assert [(p.field, p.code) for p in refused.value.problems] == [("name", "too_long")]


def test_folding_makes_texts_longer_and_the_folded_one_is_counted(crm: CRM) -> None:
    with crm.session(ANA) as me, pytest.raises(InvalidRecord) as refused:
        me.accounts.create(name="\ufdfa" * 255)  # a whole sentence each
    assert [(p.field, p.code) for p in refused.value.problems] == [("name", "too_long")]


def test_a_field_is_not_indexed_while_values_have_no_room_in_one(crm: CRM) -> None:
    with crm.session(ANA) as me:
        me.fields.add("account", "memo", Text(max_length=2_000))
        me.accounts.create(name="宝钢", memo=chinese(1_500))
    with crm.session(ANA) as me:
        with pytest.raises(InvalidRecord) as refused:
            me.fields.change("account", "memo", indexed=True)
        assert [(p.field, p.code) for p in refused.value.problems] == [("memo", "too_long")]
        for use, key in ((me.fields.add, "other"), (me.fields.change, "memo")):
            with pytest.raises(CrmkitError) as refused_default:
                use("account", key, Text(max_length=2_000), indexed=True, default=chinese(1_500))
            assert refused_default.value.code == "too_long"
        assert [f.indexed for f in me.fields.list("account")] == [False]


def test_a_number_in_an_index_may_have_a_default(crm: CRM) -> None:
    with crm.session(ANA) as me:
        me.fields.add("account", "rank", Integer(), indexed=True, default=3)
        assert me.accounts.create(name="上海宝钢").rank == 3
