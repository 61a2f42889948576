"""The timeline of a record says who made each version, and who deleted it."""

from crmkit import CRM


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
