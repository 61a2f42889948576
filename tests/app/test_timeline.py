"""The timeline of a record says who made each version, and who deleted it."""

import pytest

from crmkit import CRM
from crmkit.errors import NotFound
from crmkit.testing import FakeClock


def test_a_deletion_and_a_return_stand_in_the_timeline(crm: CRM):
    with crm.system() as me:
        acme = me.accounts.create(name="北京 ACME")
    with crm.system(reason="wound up") as me:
        me.accounts.delete(acme)
        gone = me.changeset_id
    with crm.system() as me:
        assert [(v.record.version, v.deleted) for v in me.accounts.history(acme)] == [(1, False), (1, True)]
        assert me.accounts.history(acme)[-1].changeset.reason == "wound up"
        me.undo(gone)
    with crm.system() as me:
        me.accounts.update(acme.id, industry="saas")
        timeline = me.accounts.history(acme)
    assert [(v.record.version, v.deleted) for v in timeline] == [(1, False), (1, True), (2, False), (3, False)]
    assert [f.key for f in timeline[-1].fields] == ["industry"]


def test_what_is_under_way_stands_in_the_timeline_without_its_changeset(crm: CRM):
    with crm.system() as me:
        acme = me.accounts.create(name="ACME")
        me.accounts.tag(acme, "vip")
        me.commit()
        made = me.accounts.history(acme)[0].changeset
        me.accounts.untag(acme, "vip")
        assert [event.what for event in me.accounts.tag_history(acme)] == ["put on", "taken off"]
        me.accounts.delete(acme)
        assert [(v.changeset, v.deleted) for v in me.accounts.history(acme)] == [(made, False), (None, True)]


def test_a_session_of_the_past_tells_no_history_of_what_came_after(crm: CRM, clock: FakeClock):
    with crm.system() as me:
        acme = me.accounts.create(name="北京 ACME")
        me.tags.create(name="vip")
        me.accounts.tag(acme, "vip")
        known = me.log()
    clock.move(days=1)
    then = clock.now()
    clock.move(days=1)
    with crm.system() as me:
        me.accounts.update(acme, name="上海 ACME")
        me.accounts.untag(acme, "vip")
        renamed = me.changeset_id
    clock.move(days=1)
    with crm.system() as me:
        me.accounts.delete(acme.id)
        late = me.accounts.create(name="late")
    with crm.system(as_of=then) as me:
        assert [(v.record.name, v.deleted) for v in me.accounts.history(acme)] == [("北京 ACME", False)]
        assert me.accounts.history(late) == []
        assert [event.what for event in me.accounts.tag_history(acme)] == ["put on"]
        assert {c.command for c in me.log()} - {c.command for c in known} == {"account.create, tag.create, account.tag"}
        for ask in (me.changeset, me.changes_of):
            with pytest.raises(NotFound) as refused:
                ask(renamed)
            assert refused.value.code == "unknown_changeset"
    with crm.system(as_of=clock.now()) as me:
        assert [v.deleted for v in me.accounts.history(acme)] == [False, False, True]
