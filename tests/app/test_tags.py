"""Tags: until when they count, who put them on, which exclude each other, on one record and on all that match."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import pytest

from crmkit import CRM, F
from crmkit.errors import BulkStopped, CrmkitError, Denied, InputError, InvalidRecord, NotFound, Vetoed
from crmkit.schema.types import Text
from crmkit.sdk import Veto, hookimpl
from crmkit.testing import FakeClock
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN, grant, hire


def names(query: Any) -> list[str]:
    return sorted(record.name for record in query)


def accounts(crm: CRM, *made: str) -> None:
    with crm.session(ADMIN) as me:
        me.accounts.create_many([{"name": name} for name in made], stop=True)


class Listener:
    """Has an opinion about taggings: no plugin may be passed over."""

    name = "listener"
    listens_to = ("tagging",)

    def __init__(self) -> None:
        self.asked = 0

    @hookimpl
    def crmkit_before_change(self, session: Any, changes: Any) -> Any:
        self.asked += len(changes)
        refused = {a.id for a in session.system_reader.records("account") if a.name == "refused"}
        return [Veto(c.row, "not this one", code="not_this_one") for c in changes if c.values.get("record") in refused]


# --------------------------------------------------------------------------------------------------------------- expiry


def test_a_tag_counts_until_it_expires_and_can_be_put_on_again(crm: CRM, clock: FakeClock) -> None:
    accounts(crm, "客户", "other")
    ends = clock.now() + timedelta(days=7)
    with crm.session(ADMIN) as me:
        me.accounts.tag(me.accounts.one(name="客户"), "试用", expires_at=ends)
    with crm.session(ADMIN) as me:
        assert names(me.accounts.where('"试用" in tags')) == ["客户"]
        assert names(me.accounts.where(~F.tags.has("试用"))) == ["other"]
        trial = me.accounts.where(F.tags.has("试用")).explain(me.accounts.one(name="客户"))
        assert trial.held is True
    clock.move(days=7)
    with crm.session(ADMIN) as me:
        customer = me.accounts.one(name="客户")
        assert me.accounts.where('"试用" in tags').count() == 0
        assert names(me.accounts.where(~F.tags.has("试用"))) == ["other", "客户"]
        assert me.accounts.where(F.tags.has("试用")).explain(customer).held is False
        me.accounts.tag(customer, "试用")
        assert names(me.accounts.where('"试用" in tags')) == ["客户"]
    with crm.session(ADMIN, as_of=ends - timedelta(seconds=1)) as then:
        assert names(then.accounts.where('"试用" in tags')) == ["客户"]
    with crm.session(ADMIN, as_of=ends + timedelta(seconds=1) - timedelta(seconds=1)) as then:
        assert then.accounts.where('"试用" in tags').count() == 0


@pytest.mark.parametrize(
    ("name", "expires_at", "code"),
    [
        ("vip", datetime(2020, 1, 1), "naive_datetime"),
        ("vip", "tomorrow", "not_an_instant"),
        ("vip", "past", "expired"),
        (None, None, "required"),
        ("", None, "required"),
        ("x" * 101, None, "too_long"),
    ],
)
def test_a_tag_that_cannot_be_is_refused_and_nothing_happens(
    crm: CRM, clock: FakeClock, migrated_url: str, name: Any, expires_at: Any, code: str
) -> None:
    accounts(crm, "ACME")
    before = digest(migrated_url)
    given = clock.now() - timedelta(days=1) if expires_at == "past" else expires_at
    with crm.session(ADMIN) as me:
        account = me.accounts.one(name="ACME")
        codes = set()
        for attempt in (
            lambda: me.accounts.tag(account, name, expires_at=given),
            lambda: me.accounts.where().tag(name, expires_at=given),
        ):
            with pytest.raises(InputError) as refused:
                attempt()
            codes.add(refused.value.code)
        assert codes == {code}
    assert digest(migrated_url) == before


def test_another_expiry_replaces_the_one_before(crm: CRM, clock: FakeClock) -> None:
    accounts(crm, "ACME")
    soon, late = clock.now() + timedelta(days=1), clock.now() + timedelta(days=9)
    with crm.session(ADMIN) as me:
        account = me.accounts.one(name="ACME")
        for ends in (soon, soon, late):
            me.accounts.tag(account, "vip", expires_at=ends)
        (tagging,) = me.records("tagging")
        assert (tagging.expires_at, tagging.version) == (late, 2)
        assert dict(me.accounts.where().tag("vip").counts) == {"updated": 1}
        (tagging,) = me.records("tagging")
        assert (tagging.expires_at, tagging.version) == (None, 3)


# --------------------------------------------------------------------------------------------------------------- origin


def test_a_tag_says_whether_a_person_a_rule_or_an_import_put_it_on(crm: CRM) -> None:
    accounts(crm, "ACME")
    for who, origin, name in ((ADMIN, "interactive", "a"), (ADMIN, "import", "b")):
        with crm.session(who, origin=origin) as me:
            me.accounts.tag(me.accounts.one(name="ACME"), name)
    with crm.system() as me:
        me.accounts.where().tag("c")
        tags = {tag.id: tag.name for tag in me.tags}
        origins = {tags[t.tag]: t.origin for t in me.records("tagging")}
        assert origins == {"a": "person", "b": "import", "c": "rule"}


# --------------------------------------------------------------------------------------------------------------- groups


def test_two_who_use_a_new_tag_at_once_both_put_it_on(crm: CRM) -> None:
    accounts(crm, "a", "乙")

    def tag(name: str) -> None:
        with crm.session(ADMIN) as me:
            me.accounts.tag(me.accounts.one(name=name), "新")

    with ThreadPoolExecutor(1) as pool:
        with crm.session(ADMIN) as me:
            me.accounts.tag(me.accounts.one(name="a"), "新")
            other = pool.submit(tag, "乙")
            assert not wait([other], timeout=0.3).done
        other.result()
    with crm.session(ADMIN) as me:
        assert (names(me.accounts.where(F.tags.has("新"))), me.tags.count()) == (["a", "乙"], 1)


def test_tags_of_one_group_exclude_each_other(crm: CRM) -> None:
    accounts(crm, "ACME", "Bolt", "Core")
    with crm.session(ADMIN) as me:
        for grade in ("A", "B", "C"):
            me.tags.create(name=grade, group="意向")
        acme = me.accounts.one(name="ACME")
        me.accounts.tag(acme, "B")
        me.accounts.tag(acme, "vip")
    with crm.session(ADMIN) as me:
        me.accounts.tag(acme, "a")
        moved = me.changeset_id
        assert [names(me.accounts.where(F.tags.has(t))) for t in ("A", "B", "vip")] == [["ACME"], [], ["ACME"]]
        assert len(me.changes) == 2
    assert moved is not None
    with crm.session(ADMIN) as me:
        assert dict(me.accounts.where().tag("C").counts) == {"updated": 3}
        assert [me.accounts.where(F.tags.has(t)).count() for t in "ABC"] == [0, 0, 3]
        result = me.changeset_id
    assert result is not None
    with crm.session(ADMIN) as me:
        me.undo(result)
    with crm.session(ADMIN) as me:
        assert [names(me.accounts.where(F.tags.has(t))) for t in ("A", "C")] == [["ACME"], []]


def test_a_tagging_is_written_by_its_verbs_alone(crm: CRM) -> None:
    """By hand it would go past the group, and past what a segment keeps."""
    accounts(crm, "宝钢")
    with crm.session(ADMIN) as me:
        account, other = me.accounts.one(name="宝钢"), me.tags.create(name="B", group="意向")
        me.tags.create(name="A", group="意向")
        me.accounts.tag(account, "A")
        taggings = me.records("tagging")
        for by_hand in (
            lambda: taggings.create(tag=other, record_type="account", record=account.id),
            lambda: taggings.update(next(iter(taggings)), tag=other),
            lambda: taggings.delete(next(iter(taggings))),
        ):
            with pytest.raises(InvalidRecord) as refused:
                by_hand()
            assert refused.value.code == "not_by_hand"
        assert taggings.where().update(tag=other).refused
        assert taggings.where().delete().refused
        assert [me.accounts.where(F.tags.has(name)).count() for name in "AB"] == [1, 0]
        me.fields.add("tagging", "note", Text())
        assert taggings.update(next(iter(taggings)), note="说")["note"] == "说"


# -------------------------------------------------------------------------------------------------------------- history


def test_the_history_of_tags_tells_who_did_what_when(crm: CRM, clock: FakeClock) -> None:
    accounts(crm, "ACME")
    ends = clock.now() + timedelta(days=2)
    with crm.session(ADMIN, origin="import") as me:
        account = me.accounts.one(name="ACME")
        me.accounts.tag(account, "新", expires_at=ends)
        me.accounts.tag(account, "vip")
    clock.move(days=1)
    with crm.system() as me:
        me.accounts.untag(account, "vip")
    clock.move(days=3)
    with crm.session(ADMIN) as me:
        me.accounts.tag(account, "新")
    with crm.session(ADMIN) as me:
        told = me.accounts.tag_history(account)
        assert [(e.tag, e.what, e.origin) for e in told] == [
            ("新", "put on", "import"),
            ("vip", "put on", "import"),
            ("vip", "taken off", "import"),
            ("新", "expired", "import"),
            ("新", "put on", "person"),
        ]
        assert told[3].at == ends
        assert [e.by for e in told] == [told[0].by, told[0].by, "system", None, told[0].by]
        assert told[0].changeset_id is not None
    with crm.session(ADMIN) as me:
        me.tags.delete(me.tags.one(name="vip"))
        me.accounts.delete(account.id)
    with crm.session(ADMIN) as me:
        assert [e.tag for e in me.accounts.tag_history(account.id)] == ["新", "vip", "vip", "新", "新", "新"]


def test_the_history_of_tags_takes_the_right_to_see_the_record_and_its_past(crm: CRM) -> None:
    accounts(crm, "ACME")
    hire(crm, "blind@acme.example", deal="read")
    hire(crm, "present@acme.example", account="read")
    hire(crm, "past@acme.example", account="read history")
    with crm.session(ADMIN) as me:
        account = me.accounts.one(name="ACME")
        me.accounts.tag(account, "vip")
    with crm.session("blind@acme.example") as me, pytest.raises(NotFound):
        me.accounts.tag_history(account.id)
    with crm.session("present@acme.example") as me, pytest.raises(Denied):
        me.accounts.tag_history(account.id)
    with crm.session("past@acme.example") as me:
        assert [e.what for e in me.accounts.tag_history(account.id)] == ["put on"]


# ----------------------------------------------------------------------------------------------------------------- bulk


def test_all_that_match_are_tagged_in_a_handful_of_statements(crm: CRM, clock: FakeClock) -> None:
    """As many for two thousand as for two."""
    with crm.session(ADMIN) as me:
        me.tags.create(name="A", group="g")
        me.tags.create(name="vip", group="g")
        me.accounts.create_many([{"name": f"客户 {n}", "headcount": n} for n in range(1_100)], stop=True)
        me.accounts.where(F.headcount >= 1_090).tag("A")
        me.accounts.where(F.headcount < 5).tag("vip", expires_at=clock.now() + timedelta(days=1))
    with crm.session(ADMIN) as me:
        sent = me.unit.sent
        result = me.accounts.where(F.headcount >= 1).tag("vip")
        assert me.unit.sent - sent < 20
        assert dict(result.counts) == {"updated": 1_099}
        assert me.accounts.where(F.tags.has("vip")).count() == 1_100
        assert me.accounts.where(F.tags.has("A")).count() == 0
    with crm.session(ADMIN) as me:
        again = me.accounts.where(F.headcount >= 1).tag("VIP")
        assert (dict(again.counts), again.changeset_id) == ({"unchanged": 1_099}, None)
        sent = me.unit.sent
        assert dict(me.accounts.where().untag("vip").counts) == {"updated": 1_100}
        assert me.unit.sent - sent < 12
        assert me.records("tagging").count() == 0
        assert dict(me.accounts.where(F.headcount < 3).untag("vip").counts) == {"unchanged": 3}
        assert dict(me.accounts.where(F.headcount < 3).untag("no such tag").counts) == {"unchanged": 3}
        taken = me.changeset_id
    assert taken is not None
    with crm.session(ADMIN) as me:
        me.undo(taken)
        assert me.accounts.where(F.tags.has("vip")).count() == 1_100
    with crm.session(ADMIN) as me:
        assert result.changeset_id is not None
        me.undo(result.changeset_id)
        assert me.accounts.where(F.tags.has("A")).count() == 10


def test_bulk_tags_keep_to_a_limit_and_to_a_dry_run(crm: CRM, migrated_url: str) -> None:
    accounts(crm, "a", "b", "c")
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        result = me.accounts.where().tag("vip", dry_run=True)
        assert (dict(result.counts), result.changeset_id) == ({"updated": 3}, None)
    assert digest(migrated_url) == before
    told: list[int] = []
    with crm.session(ADMIN) as me:
        assert len(me.accounts.order_by("-name").limit(2).tag("vip", progress=told.append)) == 2
        assert names(me.accounts.where(F.tags.has("vip"))) == ["b", "c"]
        assert len(me.accounts.where(name="nobody").tag("new")) == 0
        assert not me.tags.exists(name="new")
    assert told == [2]
    assert broken(snapshot(migrated_url)) == []


def test_bulk_tags_respect_the_right_to_update(crm: CRM, migrated_url: str) -> None:
    accounts(crm, "theirs")
    bo = hire(crm, "bo@acme.example", account="read")
    with crm.session(ADMIN) as me:
        grant(me, me.roles.one(name="role of bo@acme.example"), "account", "update", scope="own")
        mine = me.accounts.create(name="mine", owner=bo)
        hidden = me.accounts.create(name="hidden")
        grant(me, me.roles.one(name="role of bo@acme.example"), "account", "read", effect="deny", scope="where",
              where=F.name == "hidden")  # fmt: skip
    with crm.session("bo@acme.example") as me:
        result = me.accounts.where().tag("vip")
        assert sorted((o.status, [p.code for p in o.problems]) for o in result.outcomes) == [
            ("refused", ["denied"]),
            ("updated", []),
        ]
        assert result.ids == (mine.id,)
    with crm.session(ADMIN) as me:
        assert [t.record for t in me.records("tagging")] == [mine.id]
        me.accounts.tag(hidden, "vip")
    before = digest(migrated_url)
    with crm.session("bo@acme.example") as me:
        with pytest.raises(BulkStopped):
            me.accounts.where().untag("vip", stop=True)
        assert dict(me.accounts.where(name="theirs").untag("vip").counts) == {"refused": 1}
    assert digest(migrated_url) == before


def test_where_a_plugin_listens_each_record_is_asked_about(open_crm: Callable[..., CRM], migrated_url: str) -> None:
    listener = Listener()
    crm = open_crm(migrated_url, plugins=[listener])
    accounts(crm, "a", "refused", "b")
    with crm.session(ADMIN) as me:
        for name in ("A", "B"):
            me.tags.create(name=name, group="g")
        result = me.accounts.order_by("name").tag("A")
        assert [o.status for o in result.outcomes] == ["updated", "updated", "refused"]
        assert result.refused[0].problems[0].code == "not_this_one"
        assert listener.asked == 3
        assert names(me.accounts.where(F.tags.has("A"))) == ["a", "b"]
        assert dict(me.accounts.where(F.tags.has("A")).tag("B").counts) == {"updated": 2}
        assert me.accounts.where(F.tags.has("A")).count() == 0
        assert dict(me.accounts.order_by("name").untag("B").counts) == {"updated": 2, "unchanged": 1}
        with pytest.raises(Vetoed):
            me.accounts.tag(me.accounts.one(name="refused"), "A")
    assert broken(snapshot(migrated_url)) == []


def test_a_verb_on_a_segments_list_is_refused(crm: CRM, migrated_url: str) -> None:
    accounts(crm, "a")
    with crm.session(ADMIN) as me:
        snapshot = me.segments.snapshot("now", of=me.accounts.where())
        listed = me.tags.get(snapshot.roll).name.upper()
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        account = me.accounts.one(name="a")
        verbs: tuple[Callable[[], Any], ...] = (
            lambda: me.accounts.tag(account, listed),
            lambda: me.accounts.untag(account, listed),
            lambda: me.accounts.where().tag(listed),
            lambda: me.accounts.where().untag(listed),
        )
        for verb in verbs:
            with pytest.raises(InvalidRecord) as refused:
                verb()
            assert refused.value.code == "listed_tag"
        with pytest.raises(CrmkitError):
            me.accounts.tag("no id", "vip")
    assert digest(migrated_url) == before
