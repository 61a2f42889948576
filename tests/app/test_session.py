"""A session keeps what it did as one changeset, once; what it failed to do, or only tried, leaves nothing."""

import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as OrmSession

from crmkit import CRM, SYSTEM, F, now, today
from crmkit.errors import CrmkitError, Duplicate, InvalidRecord, InvalidValue, NotFound, UnknownActor, UsageError
from crmkit.schema.types import Integer, Text
from crmkit.sdk import hookimpl
from crmkit.store.migrations.migrate import include_name
from crmkit.testing import FakeClock
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN


def test_leaving_the_block_keeps_the_changes_and_an_exception_keeps_nothing(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.create(name="上海宝钢")
    before = digest(migrated_url)

    def fail() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="gone")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        assert [a.name for a in me.accounts] == ["上海宝钢"]


def test_a_session_that_changes_nothing_leaves_no_changeset(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        account = me.accounts.create(name="ACME")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        assert me.accounts.update(account, name="ACME").version == 1
        assert me.changeset_id is None
        assert me.changes == []
    assert digest(migrated_url) == before


def test_a_commit_in_the_middle_ends_one_changeset_and_begins_another(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        account = me.accounts.create(name="one")
        me.commit()
        first = me.changeset_id
        me.commit()
        assert me.changeset_id == first
        me.accounts.update(account, name="two")
        second = me.changeset_id
    assert second != first
    with crm.session(ADMIN) as me:
        versions = me.accounts.history(account.id)
        assert [v.changeset.id for v in versions if v.changeset] == [first, second]
        assert [v.changeset.command for v in versions if v.changeset] == ["account.create", "account.update"]
    assert broken(snapshot(migrated_url)) == []


def test_now_is_one_moment_of_a_unit_of_work_and_another_after_each_commit(crm: CRM, clock: FakeClock) -> None:
    """A session that stays open for days is not left behind by what others write, nor by what expires."""
    with crm.session(ADMIN) as me:
        bo = me.users.create(email="bo@acme.example", name="Bo")
        role = me.roles.create(name="guest")
        me.grants.create(role=role, on="account", action="read", scope="own")
        me.records("role_member").create(role=role, user=bo)
        shared = me.accounts.create(name="宝钢")
        me.accounts.share(shared, "for a day", user=bo, expires_at=clock.now() + timedelta(days=1))

    def seen(me: Any) -> tuple[datetime, date, list[str], int]:
        names = [a.name for a in me.accounts.where(F.created_at <= now).order_by("name")]
        return me.now, me.today, names, me.accounts.where(F.created_at >= today).count()

    with crm.session("bo@acme.example") as guest, crm.session(ADMIN) as me:
        began = me.now
        assert seen(me) == (began, began.date(), ["宝钢"], 1)
        assert guest.accounts.count() == 1
        clock.move(days=3)
        with crm.session(ADMIN) as other:
            other.accounts.create(name="new")
        assert seen(me) == (began, began.date(), ["宝钢"], 2)
        assert (guest.accounts.count(), guest.accounts.get(shared.id).name) == (1, "宝钢")
        me.commit()
        guest.commit()
        clock.move(days=2)
        later = me.now
        assert later - began > timedelta(days=5)
        assert seen(me) == (later, began.date() + timedelta(days=5), ["new", "宝钢"], 0)
        assert guest.accounts.count() == 0
        with pytest.raises(NotFound):
            guest.accounts.get(shared.id)


def test_a_session_inside_another_changes_what_the_other_changes_and_each_is_told_its_part(crm: CRM) -> None:
    """Both joined to one connection: what the outer one made is still known for its own, and an undo keeps the rest."""
    with crm.session(ADMIN) as me:
        old, lost = me.accounts.create(name="old"), me.accounts.create(name="lost")
    with crm.database.engine.begin() as host, crm.session(ADMIN, on=host) as me:
        made = me.accounts.create(name="宝钢")
        me.accounts.update(old.id, description="outer")
        outer = me.changeset_id
        with crm.session(ADMIN, on=host) as inner:
            for record in (made, old, lost):
                inner.accounts.update(record.id, industry="steel")
            between = inner.changeset_id
        for record in (made, old):
            me.accounts.update(record.id, website="https://acme.example")
        me.accounts.delete(lost.id)
    assert outer is not None
    assert between is not None

    def told(me: Any, changeset: UUID) -> list[tuple[str, str, list[str]]]:
        names = {made.id: "made", old.id: "old", lost.id: "lost"}
        changes = ((c.kind, names[c.id], [f.key for f in c.fields]) for c in me.changes_of(changeset))
        return sorted((name, kind, keys) for kind, name, keys in changes)

    with crm.session(ADMIN) as me:
        assert told(me, outer) == [
            ("lost", "delete", ["name", "industry", "lifecycle", "owner"]),
            ("made", "create", ["name", "lifecycle", "owner"]),
            ("made", "update", ["website"]),
            ("old", "update", ["description"]),
            ("old", "update", ["website"]),
        ]
        assert told(me, between) == [(name, "update", ["industry"]) for name in ("lost", "made", "old")]
        result = me.undo(outer)
        website = ("website",)
        assert sorted((e.id, e.fields, e.reason) for e in result.reverted) == sorted(
            [
                (made.id, website, "set back"),
                (old.id, website, "set back"),
                (old.id, ("description",), "set back"),
                (lost.id, (), "brought back"),
            ]
        )
        assert [(e.id, e.fields, e.reason) for e in result.kept] == [(made.id, ("industry",), "edited since")]
        assert result.refused == ()
        left = {a.id: (a.industry, a.website, a.description) for a in me.accounts}
        assert left == {record.id: ("steel", None, None) for record in (made, old, lost)}


@pytest.mark.parametrize("ending", ["commit", "close", "leave"])
@pytest.mark.parametrize("where", ["rows", "progress", "hook"])
def test_a_session_does_not_end_in_the_middle_of_a_verb(
    open_crm: Callable[..., CRM], migrated_url: str, where: str, ending: str
) -> None:
    """Half of a verb would be kept, even of one that is tried only, and the rest would have nothing to be undone by."""
    told: list[str] = []

    def end(me: Any) -> None:
        told.append(ending)
        with pytest.raises(UsageError) as refused:
            me.__exit__(None, None, None) if ending == "leave" else getattr(me, ending)()
        assert refused.value.code == "verb_under_way"

    class Committing:
        name = "committing"
        listens_to = ("account",)

        @hookimpl
        def crmkit_before_change(self, session: Any, changes: Any) -> None:
            if where == "hook":
                end(session)

    crm = open_crm(migrated_url, plugins=[Committing()])
    before = digest(migrated_url)

    def rows(me: Any) -> Iterator[dict[str, str]]:
        yield {"name": "one"}
        if where == "rows":
            end(me)
        yield {"name": "two"}

    def progress(me: Any) -> None:
        if where == "progress":
            end(me)

    with crm.session(ADMIN) as me:
        assert me.accounts.create_many(rows(me), dry_run=True, progress=lambda _: progress(me)).counts["created"] == 2
        assert me.accounts.count() == 0
    assert told == [ending]
    assert digest(migrated_url) == before
    with crm.session(ADMIN) as me:
        me.accounts.create_many(rows(me), progress=lambda _: progress(me))
    with crm.session(ADMIN) as me:
        assert [account.name for account in me.accounts] == ["one", "two"]
    assert broken(snapshot(migrated_url)) == []


@pytest.mark.parametrize("orm", [False, True])
def test_a_host_that_commits_in_the_middle_is_stopped_and_nothing_is_kept(
    open_crm: Callable[..., CRM], migrated_url: str, orm: bool
) -> None:
    """Its records would be there, and no changeset would tell who wrote them."""
    engine = create_engine(migrated_url)
    crm = open_crm(engine)

    def too_early(host: Any) -> None:
        with crm.session(ADMIN, on=host) as me:
            me.accounts.create(name="宝钢")
            host.commit()

    before = digest(migrated_url)
    with OrmSession(engine) if orm else engine.connect() as host:
        with pytest.raises(UsageError) as refused:
            too_early(host)
        assert refused.value.code == "unit_under_way"
        host.rollback()
        assert digest(migrated_url) == before
        with crm.session(ADMIN, on=host) as me:
            me.accounts.create(name="宝钢")
        host.commit()
        with crm.session(ADMIN, on=host) as me:
            assert me.log(1)[0].command == "account.create"
        host.rollback()


def test_nothing_after_a_commit_is_kept_when_the_block_fails(crm: CRM, migrated_url: str) -> None:
    def fail() -> None:
        with crm.session(ADMIN) as me:
            me.accounts.create(name="kept")
            me.commit()
            me.accounts.create(name="lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with crm.session(ADMIN) as me:
        assert [a.name for a in me.accounts] == ["kept"]
    assert broken(snapshot(migrated_url)) == []


def test_a_dry_run_shows_its_changes_and_cannot_be_committed(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with crm.session(ADMIN, dry_run=True) as me:
        me.accounts.create(name="ACME")
        assert [(c.kind, c.after.name) for c in me.changes if c.after] == [("create", "ACME")]
        with pytest.raises(UsageError) as refused:
            me.commit()
    assert refused.value.code == "dry_run"
    assert digest(migrated_url) == before


def test_a_bulk_dry_run_in_a_real_session_leaves_no_trace(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        result = me.deals.create_many([{"name": "a"}, {"name": "b"}], dry_run=True)
        assert (result.counts["created"], result.changeset_id, me.changeset_id) == (2, None, None)
        assert me.deals.count() == 0
    assert digest(migrated_url) == before


def test_a_verb_that_fails_leaves_the_session_as_it_was(crm: CRM, migrated_url: str) -> None:
    """The field is written before its check is found to mean nothing: schema and changeset must forget it."""
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        with pytest.raises(CrmkitError):
            me.fields.add("account", "bad", Integer(), check="nothing > 5")
        assert "bad" not in me.type_of("account").by_key
        assert me.changeset_id is None
        with pytest.raises(InvalidRecord):
            me.accounts.create(name="ACME", bad=1)
    assert digest(migrated_url) == before


def test_a_role_that_could_not_be_made_gives_no_rights(crm: CRM) -> None:
    """Rights are taken back with the verb that gave them, though the session goes on."""
    with crm.session(SYSTEM) as me:
        role = me.roles.create(name="nobody")
        user = me.users.create(email="bo@acme.example", name="Bo")
        me.records("role_member").create(role=role, user=user)
        me.records("grant").create(role=role, on="grant", action="create")
        me.records("grant").create(role=role, on="role", action="read")
    with crm.session("bo@acme.example") as me:
        rows = [{"role": role.id, "on": "account", "action": "read"}, {"role": role.id, "on": "x", "action": "read"}]
        with pytest.raises(CrmkitError):
            me.records("grant").create_many(rows, stop=True)
        assert not me.policy.may("account", "read")


def test_definitions_that_were_rolled_back_are_not_mistaken_for_later_ones(crm: CRM) -> None:
    """Both changes make version 2 of the same field: what was prepared for the first must not serve the second."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text())
    with crm.session(ADMIN, dry_run=True) as me:
        me.fields.change("account", "code", required=True, default="none")
        with pytest.raises(InvalidRecord):
            me.accounts.create(name="ACME", code=None)
    with crm.session(ADMIN) as me:
        me.fields.change("account", "code", label="Code")
    with crm.session(ADMIN) as me:
        assert me.accounts.create(name="ACME", code=None).code is None


def test_a_closed_session_does_nothing_more(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        pass
    before = digest(migrated_url)
    for use in (lambda: me.accounts.create(name="x"), lambda: me.accounts.count(), me.commit, lambda: list(me.deals)):
        with pytest.raises(UsageError) as refused:
            use()
        assert refused.value.code == "closed"
    assert digest(migrated_url) == before


def test_who_is_not_known_does_not_get_in(crm: CRM) -> None:
    strangers: list[Any] = ["nobody@acme.example", "no address", "\x00", "\ud800", "", 5, None, [], b"ana"]
    for who in strangers:
        with pytest.raises(UnknownActor):
            crm.session(who)


def test_a_tenant_that_is_not_there_is_not_found(crm: CRM) -> None:
    keys: list[Any] = ["nowhere", "no key", "\x00", "\ud800", "", "x" * 5_000, 5, None, [], "Default"]
    for key in keys:
        with pytest.raises(NotFound) as refused:
            crm.session(ADMIN, tenant=key)
        assert refused.value.code == "unknown_tenant"


def test_reason_and_origin_are_texts_the_database_can_hold(crm: CRM) -> None:
    """They are written with the changeset, when it would be too late to say so."""
    texts: list[Any] = ["\x00", "\ud800", "x" * 3_000, 5]
    for text in texts:
        for options in ({"reason": text}, {"origin": text}):
            with pytest.raises(InvalidValue):
                crm.session(ADMIN, **options)


def test_what_a_verb_was_asked_for_is_what_the_changeset_remembers(crm: CRM) -> None:
    with crm.session(ADMIN, reason="年终清理\nzweite Zeile", origin="import") as me:
        account = me.accounts.create(name="ACME")
        me.accounts.tag(account, "vip")
    with crm.session(ADMIN) as me:
        (made,) = me.changesets.latest(me.unit, 1)
    assert (made.actor, made.reason, made.origin) == (ADMIN, "年终清理\nzweite Zeile", "import")
    assert made.command == "account.create, account.tag"


def test_a_new_tenant_is_there_with_its_roles_or_not_at_all(
    migrated_database: Callable[[str], str], open_crm: Callable[..., CRM]
) -> None:
    url = migrated_database("crm")

    class PowerCut(BaseException):
        pass

    def stop_at(number: int) -> Callable[[str, object], None]:
        sent = 0

        def audit(_sql: str, _clause: object) -> None:
            nonlocal sent
            sent += 1
            if sent == number:
                raise PowerCut

        return audit

    before = digest(url)
    for number in (3, 5, 8, 20):
        with pytest.raises(PowerCut):
            open_crm(url, audit=stop_at(number)).tenants.create("north")
        assert digest(url) == before
    crm = open_crm(url)
    crm.tenants.create("north")
    with crm.system(tenant="north") as me:
        assert {role.name for role in me.roles} >= {"admin", "rep"}


def test_two_tenants_of_one_key_are_refused(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with pytest.raises(Duplicate):
        crm.tenants.create("default")
    assert digest(migrated_url) == before


def test_a_tenant_that_could_not_be_used_is_not_made(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    choices: list[Any] = [{"zone_name": "No/Where"}, {"currency": "\ud800"}, {"currency": "euro"}, {"name": "\x00"}]
    for options in choices:
        with pytest.raises(InvalidValue):
            crm.tenants.create("north", **options)
    assert digest(migrated_url) == before


def test_the_tables_are_those_a_host_is_told_to_leave_alone(migrated_url: str) -> None:
    assert not any(include_name(name, "table", {}) for name in snapshot(migrated_url))


# ------------------------------------------------------------------------------------------------------------ migrating


def test_two_processes_may_migrate_at_the_same_time(open_crm: Callable[..., CRM], database_url: str) -> None:
    """Each finds what the other made meanwhile."""
    crms = [open_crm(database_url) for _ in range(2)]
    errors: list[Exception] = []
    both = threading.Barrier(2)

    def migrate(crm: CRM) -> None:
        both.wait()
        try:
            crm.migrate(admin=ADMIN)
        except CrmkitError as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate, args=(crm,)) for crm in crms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with crms[0].session(ADMIN) as me:
        assert [user.email for user in me.users] == [ADMIN]
        assert me.records("role_member").count() == 1


def test_a_tenant_that_is_made_by_another_process_meanwhile_is_there(
    crm: CRM, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(migrated_url)
    answers = iter([False, True])
    monkeypatch.setattr(type(crm.tenants), "exists", lambda _self, _key: next(answers))
    crm.migrate(admin=ADMIN)
    assert next(answers, None) is None
    assert digest(migrated_url) == before


def test_an_administrator_without_an_address_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    crm = CRM(f"sqlite:///{tmp_path / 'crm.db'}")
    for bad in ("no address", "", 5):
        with pytest.raises(InvalidValue):
            crm.migrate(admin=bad)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
