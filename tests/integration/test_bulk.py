"""Bulk verbs take rows as they come, in constant memory, and say of each what became of it."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import pytest

from crmkit import CRM, F
from crmkit.errors import BulkStopped, InvalidRecord
from crmkit.kernel.writes.batching import BLOCK
from crmkit.schema.types import Integer, Text
from tests.integration.snapshots import broken, digest, snapshot
from tests.staff import ADMIN, hire

HELD = 2 * BLOCK + 1
"""Rows that may be held at a time: the block that is written, and the one that is gathered."""
OUTCOME = 300
"""Bytes that may stay of each row: what became of it."""
WORDS = "上海宝钢集团有限公司 " * 100


class Row(dict[str, Any]):
    """A row that knows how many of its kind there are."""

    live = most = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        Row.live += 1
        Row.most = max(Row.most, Row.live)

    def __del__(self) -> None:
        Row.live -= 1


@pytest.fixture(autouse=True)
def nobody_holds_a_row() -> Iterator[None]:
    Row.live = Row.most = 0
    yield
    assert Row.live == 0


class Source:
    """Rows given one by one, and how many were taken."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows, self.taken = rows, 0

    def __iter__(self) -> Iterator[Any]:
        for row in self.rows:
            self.taken += 1
            yield row


def many(url: str) -> int:
    return 50_000 if url.startswith("sqlite") else 5_000


def rows_of(count: int) -> Iterator[Row]:
    return (Row(name=f"客户 {n}", headcount=n) for n in range(count))


def test_many_rows_are_streamed_into_one_changeset(crm: CRM, migrated_url: str) -> None:
    count = many(migrated_url)
    source = Source(rows_of(count))
    seen: list[tuple[int, int, int]] = []
    with crm.session(ADMIN) as me:

        def progress(rows: int) -> None:
            seen.append((rows, source.taken, me.accounts.count()))

        result = me.accounts.create_many(source, progress=progress)
    written = list(accumulate(rows for rows, _, _ in seen))
    assert written == [*range(BLOCK, count + 1, BLOCK)]
    # Not one row is taken before it is needed, and what was taken is written.
    assert [(taken, there) for _, taken, there in seen] == [(n, n) for n in written]
    assert Row.most <= HELD
    assert (len(result), dict(result.counts)) == (count, {"created": count})
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == me.accounts.where(F.changeset_id == result.changeset_id).count() == count
        assert len(set(result.ids)) == count
        for place in (0, BLOCK - 1, BLOCK, count - 1):
            assert me.accounts.get(result.ids[place]).headcount == place
        (changeset,) = me.log(1)
    assert (changeset.id, changeset.command) == (result.changeset_id, "account.create_many")


VERBS: Mapping[str, Callable[[Any, list[Any], Any], Any]] = {
    "create_many": lambda me, ids, progress: me.accounts.create_many(rows_of(len(ids)), progress=progress),
    "create_many from text": lambda me, ids, progress: me.accounts.create_many(
        (Row(name=f"客户 {n}", headcount=str(n)) for n in range(len(ids))), form="text", progress=progress
    ),
    "update_many": lambda me, ids, progress: me.accounts.update_many(
        ((i, Row(industry="steel")) for i in ids), progress=progress
    ),
    "update where": lambda me, ids, progress: me.accounts.where().update(industry="steel", progress=progress),
    "update where, one by one": lambda me, ids, progress: me.accounts.where().update(code="1", progress=progress),
    "upsert_many": lambda me, ids, progress: me.accounts.upsert_many(
        (Row(name=f"客户 {n}", industry="steel") for n in range(len(ids))), by="name", progress=progress
    ),
    "delete_many": lambda me, ids, progress: me.accounts.delete_many(iter(ids), progress=progress),
    "delete where": lambda me, ids, progress: me.accounts.where().delete(progress=progress),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_bulk_verb_streams_tells_its_progress_and_makes_one_changeset(crm: CRM, verb: str) -> None:
    count = 2 * BLOCK + 500
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text())
        ids = list(me.accounts.create_many(rows_of(count)).ids)
    Row.most = 0
    told: list[int] = []
    with crm.session(ADMIN) as me:
        result = VERBS[verb](me, ids, told.append)
    assert min(told) > 0
    assert sum(told) == len(result) == count
    assert Row.most <= HELD
    assert [outcome.row for outcome in result.outcomes] == [*range(count)]
    with crm.session(ADMIN) as me:
        assert len(list(me.changes_of(result.changeset_id))) == count


@pytest.mark.long
def test_memory_does_not_grow_with_the_rows(crm: CRM, migrated_url: str) -> None:
    """But for a few bytes of each row: what became of it."""
    large = many(migrated_url)
    small = large // 5

    def peak(count: int) -> int:
        rows = ({"name": f"客户 {n}", "description": WORDS} for n in range(count))
        with crm.session(ADMIN) as me:
            tracemalloc.start()
            try:
                assert len(me.accounts.create_many(rows)) == count
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    peak(BLOCK)  # what is prepared once
    assert peak(large) <= 1.5 * peak(small) + OUTCOME * (large - small)


def flawed(count: int) -> Iterator[Any]:
    """Rows of which every fiftieth is wrong, each in its own way."""
    wrong: list[Any] = [
        {"name": "a\x00b"},
        {"name": "x", "headcount": 2**63},
        {"name": "x", "headcount": -1, "industry": 5},
        {},
        {"name": "x", "nothing": 1},
        {"name": "x", "code": "7"},
        None,
        ["name"],
    ]
    for n in range(count):
        yield {"name": f"客户 {n}", "code": str(n)} if n % 50 != 49 else wrong[n // 50 % len(wrong)]


CODES = [
    ["nul_character"],
    ["out_of_range"],
    ["not_text", "too_small"],
    ["required"],
    ["unknown_field"],
    ["duplicate"],
    ["not_a_mapping"],
    ["not_a_mapping"],
]


def test_refused_rows_are_told_in_order_and_the_others_are_written(crm: CRM, migrated_url: str) -> None:
    count = 2_600
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
    with crm.session(ADMIN) as me:
        result = me.accounts.create_many(flawed(count))
    assert [outcome.row for outcome in result.refused] == [*range(49, count, 50)]
    for place, outcome in enumerate(result.refused):
        assert sorted(problem.code for problem in outcome.problems) == CODES[place % len(CODES)]
        assert {problem.row for problem in outcome.problems} == {outcome.row}
        if place % len(CODES) in (1, 2, 4, 5):
            assert all(problem.field in ("headcount", "industry", "nothing", "code") for problem in outcome.problems)
    assert result.counts == {"created": count - count // 50, "refused": count // 50}
    assert [o.row for o in result.outcomes] == [*range(count)]
    assert [o.id is None for o in result.outcomes] == [n % 50 == 49 for n in range(count)]
    with crm.session(ADMIN) as me:
        assert {account.code for account in me.accounts} == {str(n) for n in range(count) if n % 50 != 49}
    assert broken(snapshot(migrated_url)) == []


def test_a_unique_value_is_met_again_however_far_apart_the_rows_are(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        me.accounts.create(name="there", code="ß0")
    with crm.session(ADMIN) as me:
        rows = [{"name": "x", "code": f"SS{n % 1_100}"} for n in range(2_200)]
        result = me.accounts.create_many(rows)
        assert [outcome.row for outcome in result.refused] == [0, *range(1_100, 2_200)]
        assert {problem.field for outcome in result.refused for problem in outcome.problems} == {"code"}


def test_told_to_stop_it_stops_at_the_first_refusal_and_leaves_nothing(crm: CRM, migrated_url: str) -> None:
    with crm.session(ADMIN) as me:
        me.fields.add("account", "score", Integer())
    before = digest(migrated_url)
    source = Source({"name": f"客户 {n}", "score": "x" if n in (2_345, 2_346) else n} for n in range(10_000))
    told: list[int] = []
    with crm.session(ADMIN) as me:
        with pytest.raises(BulkStopped) as stopped:
            me.accounts.create_many(source, stop=True, progress=told.append)
        assert me.accounts.count() == 0
        assert (me.changes, me.changeset_id) == ([], None)
    assert [(p.row, p.field, p.code) for p in stopped.value.problems] == [(2_345, "score", "not_an_integer")]
    assert (sum(told), source.taken) == (2_000, 3_000)
    assert digest(migrated_url) == before


@pytest.mark.parametrize("at", ["in the rows", "in progress"])
def test_an_error_outside_ends_the_verb_as_a_whole_and_the_session_goes_on(
    crm: CRM, migrated_url: str, at: str
) -> None:
    def rows() -> Iterator[Mapping[str, Any]]:
        yield from ({"name": f"客户 {n}"} for n in range(1_500))
        if at == "in the rows":
            raise UnicodeError("line 1501 is not UTF-8")
        yield {"name": "last"}

    def progress(count: int) -> None:
        if at == "in progress" and count < BLOCK:
            raise UnicodeError("cannot draw the bar")

    with crm.session(ADMIN) as me:
        with pytest.raises(UnicodeError):
            me.accounts.create_many(rows(), progress=progress)
        assert me.accounts.count() == 0
        kept = me.accounts.create(name="kept")
    with crm.session(ADMIN) as me:
        assert [account.id for account in me.accounts] == [kept.id]
        assert [change.id for change in me.changes_of(kept.changeset_id)] == [kept.id]
    assert broken(snapshot(migrated_url)) == []


def test_rows_may_come_from_the_records_that_are_read_meanwhile(crm: CRM) -> None:
    """A copy of every account, made while they are listed: the new ones are not listed again without end."""
    with crm.session(ADMIN) as me:
        me.accounts.create_many(rows_of(2_500))
    with crm.session(ADMIN) as me:
        listed = me.accounts.where(F.headcount >= 0).order_by("name")
        result = me.accounts.create_many({"name": f"{a.name} (copy)", "industry": "copy"} for a in listed)
        assert result.counts == {"created": 2_500}
        updated = me.accounts.update_many((a, {"headcount": 1}) for a in me.accounts.where(industry="copy"))
        assert updated.counts == {"updated": 2_500}
        assert me.accounts.where(F.headcount == 1, industry="copy").count() == 2_500
    with crm.session(ADMIN) as me:
        assert me.accounts.count() == 5_000


def test_a_bulk_of_nothing_changes_nothing(crm: CRM, migrated_url: str) -> None:
    before = digest(migrated_url)
    with crm.session(ADMIN) as me:
        for result in (
            me.accounts.create_many([]),
            me.accounts.update_many(iter(())),
            me.accounts.delete_many(()),
            me.accounts.upsert_many([], by="name"),
            me.accounts.where(name="nobody").update(industry="x"),
            me.accounts.where(name="nobody").delete(),
        ):
            assert (len(result), result.changeset_id, result.refused) == (0, None, ())
        assert me.changeset_id is None
    assert digest(migrated_url) == before


def test_one_undo_takes_a_bulk_back(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        result = me.accounts.create_many(rows_of(1_500))
    with crm.session(ADMIN) as me:
        undone = me.undo(result.changeset_id)
        assert ({entry.id for entry in undone.reverted}, undone.kept, undone.refused) == (set(result.ids), (), ())
        assert me.accounts.count() == 0


# ------------------------------------------------------------------------------------------ the same values for all

SPELLINGS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "case": ("accounts", {"industry": "saas"}, {"industry": "SaaS"}),
    "the path of an address": ("accounts", {"website": "https://x.example/A"}, {"website": "https://x.example/a"}),
    "whom an e-mail goes to": ("contacts", {"email": "Li.Na@x.example"}, {"email": "li.na@x.example"}),
    "a person's name": ("contacts", {"name": "li na"}, {"name": "Li Na"}),
    "one of two": ("accounts", {"industry": "鋼鐵 ab", "headcount": 5}, {"industry": "鋼鐵 AB", "headcount": 5}),
    "several": ("accounts", {"website": "https://x.example/A"}, {"website": "https://x.example/b", "headcount": 7}),
    "none before": ("accounts", {"industry": None}, {"industry": "SaaS"}),
    "none after": ("accounts", {"industry": "SaaS"}, {"industry": None}),
}
ROADS: Mapping[str, Callable[[Any], Any]] = {"all at once": lambda found: found, "one by one": lambda f: f.limit(9)}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_value_spelt_otherwise_is_written_though_a_condition_takes_both_for_equal(
    crm: CRM, spelling: str, road: str
) -> None:
    plural, before, after = SPELLINGS[spelling]
    with crm.session(ADMIN) as me:
        records = getattr(me, plural)
        made = records.create({"name": "宝钢", **before})
        found = ROADS[road](records.where(id=made.id))
        first, second = found.update(**after), found.update(**after)
        assert [(o.status, o.id) for o in first.outcomes] == [("updated", made.id)]
        assert [(o.status, o.id) for o in second.outcomes] == [("unchanged", made.id)]
        now = records.get(made.id)
        assert now.version == 2
        assert {key: now.name.full if key == "name" else now[key] for key in after} == after


GIVEN: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "a text": lambda me: {"title": "CEO"},
    "an owner": lambda me: {"title": "CEO", "owner": None},
    "the owner they have": lambda me: {"title": "CEO", "owner": me.actor.id},
    "nobody there": lambda me: {"account": me.actor.id},
}
ENDS: Mapping[str, list[str]] = {
    "a text": ["updated", "unchanged", "refused", "updated"],
    "an owner": ["updated", "updated", "refused", "refused"],
    "the owner they have": ["updated", "unchanged", "refused", "refused"],
    "nobody there": ["refused"] * 4,
}


@pytest.mark.parametrize("given", GIVEN)
def test_all_at_once_or_one_by_one_the_outcomes_are_the_same(crm: CRM, given: str) -> None:
    """Of those that may not be changed as well, each with the id of its record."""
    bo = hire(crm, "bo@acme.example", contact="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of bo@acme.example")
        me.grants.create(role=role, on="contact", action="update", scope="own")
        me.grants.create(role=role, on="contact", action="assign", scope="own")
        me.grants.create(
            role=role, on="contact", action="assign", scope="where", where='title == "boss"', effect="deny"
        )
        ids = [
            me.contacts.create(name=n, owner=o, title=t).id
            for n, o, t in (
                ("own", bo, None),
                ("own already", bo, "CEO"),
                ("no one's", None, "CEO"),
                ("own boss", bo, "boss"),
            )
        ]
    results = []
    for road in ROADS.values():
        with crm.session("bo@acme.example", dry_run=True) as me:
            result = road(me.contacts.where()).update(**GIVEN[given](me))
            assert [o.id for o in result.outcomes] == ids
            assert result.ids == tuple(o.id for o in result.outcomes if o.status != "refused")
            assert {o.id for o in result.refused} == set(ids) - set(result.ids)
            written = [(c.title, c.owner, c.version) for c in me.contacts.get_many(ids).values()]
            results.append((list(result.outcomes), sorted(written, key=str)))
        with crm.session("bo@acme.example") as me, pytest.raises(BulkStopped):
            road(me.contacts.where()).update(**GIVEN[given](me), stop=True)
    assert results[0] == results[1]
    assert [o.status for o in results[0][0]] == ENDS[given]
    with crm.session(ADMIN) as me:
        assert {me.contacts.get(i).version for i in ids} == {1}


def test_who_is_refused_is_known_by_id_where_there_is_a_record(crm: CRM) -> None:
    hire(crm, "bo@acme.example", account="read", contact="read")
    with crm.session(ADMIN) as me:
        acme = me.accounts.create(name="ACME")
    with crm.session("bo@acme.example") as me:
        there, accounts = acme.id, me.accounts
        for result, known in (
            (accounts.where().delete(), [there]),
            (accounts.where().tag("vip"), [there]),
            (accounts.where().untag("vip"), [there]),
            (accounts.delete_many([acme, str(there), "ACME"]), [there, there, None]),
            (accounts.update_many([(there, {"name": "x"}), (None, {})]), [there, None]),
            (accounts.create_many([{"name": "x"}]), [None]),
        ):
            assert [(o.status, o.id) for o in result.outcomes] == [("refused", i) for i in known]
            assert ([o.id for o in result.refused], result.ids) == (known, ())


@pytest.mark.parametrize("road", ROADS)
def test_no_values_change_nothing(crm: CRM, road: str) -> None:
    with crm.session(ADMIN) as me:
        made = me.accounts.create(name="ACME")
    with crm.session(ADMIN) as me:
        result = ROADS[road](me.accounts.where()).update()
        assert [(o.status, o.id) for o in result.outcomes] == [("unchanged", made.id)]
        assert (result.changeset_id, me.changeset_id) == (None, None)


def test_values_that_no_record_could_take_are_refused_before_any_record_is(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        made = me.accounts.create(name="ACME")
        for road in ROADS.values():
            with pytest.raises(InvalidRecord) as refused:
                road(me.accounts.where()).update(headcount="many", nosuch=1)
            assert [(p.code, p.row) for p in refused.value.problems] == [
                ("not_an_integer", None),
                ("unknown_field", None),
            ]
        assert me.accounts.get(made.id) == made
