"""Versions from before a custom field was redefined: what they show, and what an undo makes of them."""

from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM
from crmkit.errors import InvalidRecord
from crmkit.kernel.undo.plan import UndoResult
from crmkit.schema.types import Choice, Integer, Reference, Text
from tests.staff import ADMIN, hire


def did(crm: CRM, what: Any) -> UUID:
    """Does something in a session of its own; the changeset."""
    with crm.session(ADMIN) as me:
        what(me)
        changeset = me.changeset_id
    assert changeset is not None
    return changeset


def undone(crm: CRM, changeset: UUID) -> UndoResult:
    with crm.session(ADMIN) as me:
        return me.undo(changeset)


def told(result: UndoResult) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: [(e.type_key, e.fields, e.reason) for e in getattr(result, name)]
        for name in ("reverted", "kept", "refused")
    }


def account(crm: CRM, **values: Any) -> UUID:
    with crm.session(ADMIN) as me:
        return me.accounts.create(**values).id


def field(crm: CRM, *args: Any, **options: Any) -> UUID:
    return did(crm, lambda me: me.fields.add("account", *args, **options))


def value(crm: CRM, record_id: UUID, key: str) -> Any:
    with crm.session(ADMIN) as me:
        return me.accounts.get(record_id)[key]


def past(crm: CRM, record_id: UUID, key: str, who: str = ADMIN) -> list[tuple[Any, Any]]:
    """What the field went through."""
    with crm.session(who) as me:
        return [(f.before, f.after) for v in me.accounts.history(record_id) for f in v.fields if f.key == key]


REDEFINED = {
    "one option more": {"type": Choice(["金", "银", "铜"])},
    "an index": {"indexed": True},
    "unique": {"unique": True},
    "another type": {"type": Text()},
}


@pytest.mark.parametrize("change", REDEFINED.values(), ids=REDEFINED)
def test_a_record_comes_back_with_values_from_before_its_field_was_redefined(crm: CRM, change: Any) -> None:
    field(crm, "tier", Choice(["金", "银"]))
    lost = account(crm, name="宝钢", tier="银")
    deletion = did(crm, lambda me: me.accounts.delete(lost))
    did(crm, lambda me: me.fields.change("account", "tier", **change))
    assert told(undone(crm, deletion)) == {"reverted": [("account", (), "brought back")], "kept": [], "refused": []}
    assert value(crm, lost, "tier") == "银"


def test_a_value_that_its_field_does_not_take_any_more_is_kept_and_a_required_one_gets_the_default(crm: CRM) -> None:
    field(crm, "tier", Choice(["金", "银"]))
    lost = account(crm, name="宝钢", tier="银")
    deletion = did(crm, lambda me: me.accounts.delete(lost))
    did(crm, lambda me: me.fields.change("account", "tier", Choice(["金"])))
    field(crm, "country", Text(), required=True, default="CN")
    result = told(undone(crm, deletion))
    assert result["reverted"] == [("account", (), "brought back")]
    assert result["kept"] == [("account", ("tier",), "tier: '银' is not an option")]
    assert (value(crm, lost, "tier"), value(crm, lost, "country")) == (None, "CN")


def test_a_record_without_a_value_that_is_required_now_does_not_come_back(crm: CRM) -> None:
    field(crm, "tier", Text())
    lost = account(crm, name="宝钢")
    deletion = did(crm, lambda me: me.accounts.delete(lost))
    did(crm, lambda me: me.fields.change("account", "tier", required=True))
    result = undone(crm, deletion)
    assert [(e.id, [(p.code, p.field) for p in e.problems]) for e in result.refused] == [(lost, [("required", "tier")])]
    with crm.session(ADMIN) as me:
        assert me.accounts.get_many([lost]) == {}


def test_values_of_a_removed_field_are_kept_and_said_to_be(crm: CRM) -> None:
    field(crm, "tier", Text())
    lost, changed = account(crm, name="宝钢", tier="金"), account(crm, name="鞍钢", tier="银")
    deletion = did(crm, lambda me: me.accounts.delete(lost))
    edit = did(crm, lambda me: me.accounts.update(changed, name="鞍山", tier="铜"))
    removal = did(crm, lambda me: me.fields.remove("account", "tier"))
    kept = [("account", ("tier",), "tier: the field was removed since")]
    assert told(undone(crm, edit)) == {"reverted": [("account", ("name",), "set back")], "kept": kept, "refused": []}
    assert told(undone(crm, deletion))["kept"] == kept
    undone(crm, removal)
    assert value(crm, changed, "tier") == "铜"


def in_a_slot_that_was_anothers(crm: CRM) -> tuple[UUID, UUID, UUID, UUID]:
    """Accounts with a sensitive value in a slot that another field has now; the changesets that changed and deleted
    them.
    """
    field(crm, "salary", Integer(), indexed=True, sensitive=True)
    lost, changed = account(crm, name="宝钢", salary=77), account(crm, name="鞍钢", salary=1)
    edit = did(crm, lambda me: me.accounts.update(changed, salary=5))
    deletion = did(crm, lambda me: me.accounts.delete(lost))
    did(crm, lambda me: me.fields.remove("account", "salary"))
    for n in range(3):
        field(crm, f"n{n}", Integer(), indexed=True)
        did(crm, lambda me, n=n: me.fields.remove("account", f"n{n}"))
    field(crm, "priority", Integer(minimum=0, maximum=10), indexed=True)
    did(crm, lambda me: me.accounts.update(changed, priority=5))
    with crm.session(ADMIN) as me:
        slots = {f.slot for f in me.history(trusted=True).versions.records("custom_field") if f.on == "account"}
        assert {f.slot for f in me.fields.list("account")} <= slots
    return lost, changed, edit, deletion


def test_an_undo_does_not_give_a_field_what_its_slot_held_for_another(crm: CRM) -> None:
    lost, changed, edit, deletion = in_a_slot_that_was_anothers(crm)
    kept = [("account", ("salary",), "salary: the field was removed since")]
    assert told(undone(crm, deletion)) == {"reverted": [("account", (), "brought back")], "kept": kept, "refused": []}
    assert told(undone(crm, edit)) == {"reverted": [], "kept": kept, "refused": []}
    assert (value(crm, lost, "priority"), value(crm, changed, "priority")) == (None, 5)


def test_history_does_not_show_what_a_slot_held_for_another_field(crm: CRM) -> None:
    _, changed, edit, _ = in_a_slot_that_was_anothers(crm)
    bo = "bo@acme.example"
    hire(crm, bo, account="read history")
    for who in (ADMIN, bo):
        assert past(crm, changed, "priority", who) == [(None, 5)]
        with crm.session(who) as me:
            assert [c.fields for c in me.changes_of(edit)] == [()]


def test_a_right_that_hangs_on_a_field_does_not_read_what_its_slot_held_for_another(crm: CRM) -> None:
    _, changed, _, _ = in_a_slot_that_was_anothers(crm)
    bo = "bo@acme.example"
    hire(crm, bo, account="read")
    with crm.session(ADMIN) as me:
        role, where = me.roles.one(name=f"role of {bo}"), "priority > 0"
        me.grants.create(role=role, on="account", action="history", scope="where", where=where)
    with crm.session(bo) as me:
        assert [v.record["priority"] for v in me.accounts.history(changed)] == [5]


@pytest.mark.parametrize("change", REDEFINED.values(), ids=REDEFINED)
def test_history_keeps_what_was_before_a_field_was_redefined(crm: CRM, change: Any) -> None:
    field(crm, "tier", Choice(["金", "银"]))
    held = account(crm, name="宝钢", tier="金")
    edit = did(crm, lambda me: me.accounts.update(held, tier="银"))
    redefinition = did(crm, lambda me: me.fields.change("account", "tier", **change))
    assert past(crm, held, "tier") == [(None, "金"), ("金", "银")]
    with crm.session(ADMIN) as me:
        assert [(f.before, f.after) for c in me.changes_of(edit) for f in c.fields] == [("金", "银")]
        assert [c.fields for c in me.changes_of(redefinition) if c.type_key == "account"] == [()]
    assert told(undone(crm, edit))["reverted"] == [("account", ("tier",), "set back")]
    assert value(crm, held, "tier") == "金"


def test_history_shows_values_of_another_type_as_they_were(crm: CRM) -> None:
    field(crm, "size", Text())
    held = account(crm, name="宝钢", size="013")
    did(crm, lambda me: me.fields.change("account", "size", Integer()))
    did(crm, lambda me: me.accounts.update(held, size=14))
    assert past(crm, held, "size") == [(None, "013"), ("013", 13), (13, 14)]


def test_an_undo_compares_values_as_the_type_of_today_has_them(crm: CRM) -> None:
    field(crm, "size", Text())
    held = account(crm, name="宝钢", size="13")
    edit = did(crm, lambda me: me.accounts.update(held, size="14"))
    did(crm, lambda me: me.fields.change("account", "size", Integer()))
    assert told(undone(crm, edit))["reverted"] == [("account", ("size",), "set back")]
    assert value(crm, held, "size") == 13


def test_a_value_set_back_that_its_field_does_not_take_any_more_is_kept(crm: CRM) -> None:
    field(crm, "size", Text())
    held = account(crm, name="宝钢", size="大")
    edit = did(crm, lambda me: me.accounts.update(held, name="鞍钢", size="14"))
    did(crm, lambda me: me.fields.change("account", "size", Integer()))
    result = told(undone(crm, edit))
    assert result["reverted"] == [("account", ("name",), "set back")]
    [(_, fields, reason)] = result["kept"]
    assert fields == ("size",)
    assert reason.startswith("size: ")
    assert value(crm, held, "size") == 14


# ------------------------------------------------------------------------------------------------- undoing definitions


def test_a_redefinition_that_nobody_built_on_is_taken_back_with_its_values(crm: CRM) -> None:
    field(crm, "size", Text())
    held = account(crm, name="宝钢", size="013")
    change = did(crm, lambda me: me.fields.change("account", "size", Integer(), indexed=True))
    result = undone(crm, change)
    assert (result.kept, result.refused) == ((), ())
    assert value(crm, held, "size") == "013"


@pytest.mark.parametrize("later", [99, None])
def test_a_redefinition_that_others_have_built_on_is_kept(crm: CRM, later: int | None) -> None:
    field(crm, "size", Text())
    held, other = account(crm, name="宝钢", size="13"), account(crm, name="鞍钢", size="14")
    change = did(crm, lambda me: me.fields.change("account", "size", Integer()))
    did(crm, lambda me: me.accounts.update(held, size=later))
    result = told(undone(crm, change))
    assert (result["reverted"], result["refused"]) == ([], [])
    assert [(key, why) for key, _, why in result["kept"]] == [("custom_field", "others have used it since")]
    assert (value(crm, held, "size"), value(crm, other, "size")) == (later, 14)


def test_a_redefinition_is_kept_when_a_new_record_has_a_value(crm: CRM) -> None:
    field(crm, "size", Text())
    change = did(crm, lambda me: me.fields.change("account", "size", Integer()))
    held = account(crm, name="宝钢", size=99)
    assert [e.reason for e in undone(crm, change).kept] == ["others have used it since"]
    assert value(crm, held, "size") == 99


def test_a_redefinition_that_was_redefined_since_is_kept_as_a_whole(crm: CRM) -> None:
    field(crm, "size", Text())
    held = account(crm, name="宝钢", size="13")
    change = did(crm, lambda me: me.fields.change("account", "size", Integer(), label="规模"))
    did(crm, lambda me: me.fields.change("account", "size", indexed=True))
    result = told(undone(crm, change))
    assert result["reverted"] == [("custom_field", ("labels",), "set back")]
    assert result["kept"] == [("custom_field", ("type", "column"), "edited since")]
    assert value(crm, held, "size") == 13


def test_a_field_that_others_have_filled_is_kept(crm: CRM) -> None:
    addition = field(crm, "tier", Text())
    held = account(crm, name="宝钢", tier="金")
    assert told(undone(crm, addition)) == {
        "reverted": [],
        "kept": [("custom_field", (), "others have used it since")],
        "refused": [],
    }
    assert value(crm, held, "tier") == "金"


def test_a_required_field_goes_with_the_values_it_brought(crm: CRM) -> None:
    held = account(crm, name="宝钢")
    addition = field(crm, "tier", Text(), required=True, default="金")
    assert value(crm, held, "tier") == "金"
    assert told(undone(crm, addition)) == {
        "reverted": [("custom_field", (), "deleted again")],
        "kept": [],
        "refused": [],
    }
    with crm.session(ADMIN) as me:
        assert me.fields.list("account") == ()


def test_a_required_field_can_be_redefined_and_removed(crm: CRM) -> None:
    held = account(crm, name="宝钢")
    field(crm, "tier", Text(), required=True, default="金")
    did(crm, lambda me: me.fields.change("account", "tier", indexed=True))
    assert value(crm, held, "tier") == "金"
    did(crm, lambda me: me.fields.remove("account", "tier"))
    with crm.session(ADMIN) as me:
        assert me.fields.list("account") == ()


def test_a_definition_that_another_one_needs_is_refused_and_the_rest_is_undone(crm: CRM) -> None:
    held = account(crm, name="宝钢")

    def both(me: Any) -> None:
        me.fields.add("account", "size", Integer())
        me.fields.add("account", "spare", Integer())
        me.accounts.update(held, name="鞍钢")

    changeset = did(crm, both)
    did(crm, lambda me: me.segments.create(name="large", on="account", where="size > 3"))
    result = undone(crm, changeset)
    assert [(e.type_key, e.reason) for e in result.reverted] == [
        ("account", "set back"),
        ("custom_field", "deleted again"),
    ]
    assert [[p.code for p in e.problems] for e in result.refused] == [["in_use"]]
    with crm.session(ADMIN) as me:
        assert [f.key for f in me.fields.list("account")] == ["size"]
        assert me.accounts.get(held).name == "宝钢"
        assert me.segments.one(name="large").on == "account"


def test_an_object_that_a_grant_speaks_of_is_refused(crm: CRM) -> None:
    addition = did(crm, lambda me: me.objects.add("boat", plural="boats", label="船"))
    did(crm, lambda me: me.grants.create(role=me.roles.one(name="rep"), on="boat", action="read"))
    assert [[p.code for p in e.problems] for e in undone(crm, addition).refused] == [["in_use"]]
    with crm.session(ADMIN) as me:
        assert list(me.records("boat")) == []


def test_an_object_with_records_or_fields_of_others_stays(crm: CRM) -> None:
    addition = did(crm, lambda me: me.objects.add("boat", plural="boats", label="船"))
    did(crm, lambda me: me.records("boat").create(name="长江"))
    assert [e.reason for e in undone(crm, addition).kept] == ["others have used it since"]
    with crm.session(ADMIN) as me:
        [boat] = me.records("boat")
        me.records("boat").delete(boat)
        me.fields.add("boat", "length", Integer())
    assert [[p.code for p in e.problems] for e in undone(crm, addition).refused] == [["in_use"]]


def test_an_object_goes_with_what_its_changeset_made_for_it(crm: CRM) -> None:
    def all_of_it(me: Any) -> None:
        me.objects.add("boat", plural="boats", label="船")
        me.fields.add("boat", "owner_account", Reference("account"))
        me.records("boat").create(name="长江")

    changeset = did(crm, all_of_it)
    result = undone(crm, changeset)
    assert (result.kept, result.refused) == ((), ())
    with crm.session(ADMIN) as me:
        assert "boat" not in me.schema.types
        me.objects.add("boat", plural="boats", label="船")
        assert list(me.records("boat")) == []


def test_a_redefinition_of_an_objects_field_is_taken_back_with_its_values(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        for key in ("boat", "car"):
            me.objects.add(key, plural=f"{key}s", label=key)
            me.fields.add(key, "length", Text())
        ids = [me.records(key).create(name="长江", length="09").id for key in ("boat", "car") * 2]

    def both(me: Any) -> None:
        for key in ("boat", "car"):
            me.fields.change(key, "length", Integer())

    result = undone(crm, did(crm, both))
    assert (result.kept, result.refused) == ((), ())
    with crm.session(ADMIN) as me:
        assert [me.records(key).get(i)["length"] for key, i in zip(("boat", "car") * 2, ids, strict=True)] == ["09"] * 4


def test_an_object_with_records_or_fields_is_not_deleted(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        boat = me.objects.add("boat", plural="boats", label="船")
        me.fields.add("boat", "length", Integer())
        held = me.records("boat").create(name="长江", length=9)
    with crm.session(ADMIN) as me:
        with pytest.raises(InvalidRecord) as refused:
            me.records("custom_object").delete(boat)
        assert [(p.code, p.field) for p in refused.value.problems] == [("in_use", "key")] * 2
        assert me.records("boat").get(held.id)["length"] == 9
        me.records("boat").delete(held)
        me.fields.remove("boat", "length")
        me.records("custom_object").delete(boat)
        assert "boat" not in me.schema.types


def test_an_undo_of_a_redefinition_is_undone_itself(crm: CRM) -> None:
    field(crm, "size", Text())
    held = account(crm, name="宝钢", size="013")
    change = did(crm, lambda me: me.fields.change("account", "size", Integer(), unique=True))
    first = undone(crm, change)
    assert value(crm, held, "size") == "013"
    assert first.changeset_id is not None
    again = undone(crm, first.changeset_id)
    assert (again.kept, again.refused) == ((), ())
    assert value(crm, held, "size") == 13
    assert past(crm, held, "size") == [(None, "013"), ("013", 13), (13, "013"), ("013", 13)]


def test_a_removal_is_undone_with_its_values_while_others_go_on(crm: CRM) -> None:
    field(crm, "size", Integer(), indexed=True)
    held = account(crm, name="宝钢", size=7)
    removal = did(crm, lambda me: me.fields.remove("account", "size"))
    did(crm, lambda me: me.accounts.update(held, name="鞍钢"))
    result = undone(crm, removal)
    assert (result.kept, result.refused) == ((), ())
    with crm.session(ADMIN) as me:
        assert (me.accounts.get(held).name, me.accounts.get(held)["size"]) == ("鞍钢", 7)


def test_a_field_that_gave_its_name_to_another_comes_back(crm: CRM) -> None:
    field(crm, "size", Text(), indexed=True)
    record = account(crm, name="上海宝钢", size="大")

    def replaced(me: Any) -> None:
        me.fields.remove("account", "size")
        me.fields.add("account", "size", Integer(), indexed=True)
        me.accounts.update(record, size=3)

    result = undone(crm, did(crm, replaced))
    assert (result.kept, result.refused) == ((), ())
    assert value(crm, record, "size") == "大"
    with crm.session(ADMIN) as me:
        assert [(f.key, f.type.name) for f in me.fields.list("account")] == [("size", "text")]


def test_an_object_that_gave_its_name_to_another_comes_back(crm: CRM) -> None:
    def made(me: Any) -> None:
        me.objects.add("vessel", plural="vessels", label="船")

    did(crm, made)

    def replaced(me: Any) -> None:
        me.records("custom_object").delete(me.records("custom_object").one(key="vessel"))
        me.objects.add("vessel", plural="vessels", label="Vessel")
        me.records("vessel").create(name="other")

    result = undone(crm, did(crm, replaced))
    assert (result.kept, result.refused) == ((), ())
    with crm.session(ADMIN) as me:
        assert me.type_of("vessel").label == "船"
        assert list(me.records("vessel")) == []
