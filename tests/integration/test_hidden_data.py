"""What a person may not read changes nothing that the person can observe.

Two databases differ in nothing but fields and records that the clerk may not read: other values, records that are there
in one only. With every public name, and every question one could ask about what is hidden, the clerk sees the same in
both: the same records, counts and sums, the same errors in the same words.
"""

import json
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM, F, Money, in_segment
from crmkit.errors import Duplicate, InvalidRecord, NotFound
from crmkit.query.nodes import TRUE, Within
from crmkit.schema.types import Integer, Text
from crmkit.testing import FakeClock
from crmkit.values import IdFactory
from tests.integration.public_api import TRUSTED, Caller, Use, seen, uses
from tests.integration.raw_rows import Row, rewrite
from tests.staff import ADMIN, employ, grant, hire

OpenCrm = Callable[..., CRM]
Names = dict[str, Any]

CLERK = "clerk@acme.example"
PUBLIC = F.industry == "public"
SEEN_OF_ALL = ["name", "industry", "owner", "parent"]


def furnish(crm: CRM) -> Names:
    """The clerk sees own accounts but for ``margin`` and ``code``, of public ones a few fields, of others nothing."""
    with crm.system() as me:
        me.fields.add("account", "margin", Integer(), sensitive=True)
        me.fields.add("account", "code", Text(), unique=True)
        me.fields.add("account", "rank", Integer(), indexed=True)
        me.fields.add("account", "memo", Text())
        role = me.roles.create(name="clerk")
        own = ["name", "industry", "owner", "parent", "headcount", "rank", "memo", "description", "annual_revenue"]
        grant(me, role, "account", "read create update", scope="own", fields=own)
        grant(me, role, "account", "delete assign history", scope="own")
        grant(me, role, "account", "read", scope="where", where=PUBLIC, fields=SEEN_OF_ALL)
        grant(me, role, "account", "history", scope="where", where=PUBLIC)
        for on in ("contact", "activity", "lead"):
            grant(me, role, on, "read create update delete history", scope="own")
        grant(me, role, "deal", "read create update", scope="own", fields=_deal_fields(me))
        grant(me, role, "deal", "history", scope="own")
        for on in ("user", "stage", "pipeline", "tag", "segment", "custom_field", "vessel"):
            if on in me.schema.types:
                grant(me, role, on, "read")
        clerk = employ(me, CLERK, role)
    return _records(crm, clerk)


def _deal_fields(me: Any) -> list[str]:
    return [f.key for f in me.type_of("deal").fields if f.key not in ("amount", "contact")]


def _records(crm: CRM, clerk: UUID) -> Names:
    with crm.session(ADMIN) as me:
        secret = me.accounts.create(
            name="secret", industry="private", headcount=900, margin=9, code="S", rank=9, memo="s"
        )
        parent = me.accounts.create(name="hidden parent", industry="private", headcount=800, parent=secret)
        account = me.accounts.create(
            name="account NORTH", industry="public", headcount=5, margin=1, code="A", owner=clerk, parent=parent, rank=1
        )
        public = me.accounts.create(name="public NORTH", industry="public", headcount=70, margin=7, code="P", rank=7)
        hidden = me.accounts.create(name="hidden child", industry="private", parent=account, headcount=3)
        spare = me.accounts.create(name="spare NORTH", owner=clerk, memo="mine", code="X")
        person = me.contacts.create(name="Hidden Person", email="hidden@acme.example", account=account)
        deal = me.deals.create(name="deal NORTH", owner=clerk, account=account, amount=Money(7, "EUR"), contact=person)
        other = me.deals.create(name="hidden deal", account=account, amount=Money(1_000, "EUR"))
        task = me.activities.create(kind="task", subject="task NORTH", deal=deal, account=account, owner=clerk)
        note = me.activities.create(kind="note", subject="hidden note", deal=deal, account=public)
        me.accounts.tag(account, "tag NORTH")
        me.accounts.tag(secret, "tag NORTH")
        me.segments.create(name="segment NORTH", on="account", where=F.name.contains("NORTH"))
        me.segments.create(name="rich", on="account", where=F.headcount > 50)
        me.segments.create(name="with hidden deals", on="account", where=F.deals.any(F.amount > Money(500, "EUR")))
        boss = me.users.one(email=ADMIN)
        first = me.changeset_id
    with crm.session(ADMIN) as me:
        me.accounts.update(account.id, margin=2, headcount=6)
        me.accounts.update(public.id, headcount=71, margin=8)
        me.accounts.update(secret.id, name="secret again")
        gone = me.leads.create(name="Gone Hidden")
        changeset = me.changeset_id
    with crm.session(ADMIN) as me:
        me.leads.delete(gone.id)
        me.deals.update(deal.id, amount=Money(8, "EUR"))
    made = {"secret": secret, "parent": parent, "account": account, "public": public, "hidden": hidden, "spare": spare}
    made |= {"person": person, "deal": deal, "other": other, "task": task, "note": note, "gone": gone, "ana": boss}
    ids = {name: record.id for name, record in made.items()}
    return ids | {"clerk": clerk, "first_changeset": first, "changeset": changeset, "vessel": ids["gone"]}


def conceal(names: Names) -> Callable[[str, Row], Row | None]:
    """What differs in the other database: hidden values, and hidden records that were never there."""
    absent = {names[name] for name in ("hidden", "parent", "person", "gone", "note")}
    changed = {names["secret"], names["other"]}

    def change(table: str, row: Row) -> Row | None:
        record_id = _uuid(row.get("id"))
        if record_id in absent or _uuid(row.get("record")) in absent:
            return None
        if table.startswith("crm_account") and "headcount" in row:
            mine = record_id in (names["account"], names["spare"])
            code = f"other {record_id}"
            row |= {"custom": _custom(row["custom"], mine, code), "unique_1": code}
            if not mine:
                row |= {"headcount": 44, "number_1": 4, "description": "other"}
        if table.startswith("crm_deal") and "amount" in row:
            row["amount"] = 123
        if record_id in changed and table.startswith(("crm_account", "crm_deal")):
            row |= {"name": "quite different", "name_key": "quite different"}
        return row

    return change


def _uuid(value: Any) -> UUID | None:
    return UUID(bytes=value) if isinstance(value, bytes) and len(value) == 16 else value


def _custom(value: Any, mine: bool, code: str) -> Any:
    """The JSON column with other hidden values; ``memo`` is hidden on records of others."""
    document = json.loads(value) if isinstance(value, str) else dict(value or {})
    document |= {"margin": 4_711, "code": code, "code.key": code} | ({} if mine else {"memo": "other"})
    return json.dumps(document) if isinstance(value, str) else document


@pytest.fixture
def worlds(migrated_database: Callable[[str], str], open_crm: OpenCrm) -> tuple[Caller, Caller]:
    """The clerk as the caller of each of the two databases."""
    ways = []
    for name in ("one", "other"):
        url = migrated_database(name)
        clock = FakeClock()
        crm = open_crm(url, clock=clock, ids=IdFactory(clock, random.Random(7).randbytes))
        names = furnish(crm)
        crm.dispose()
        if name == "other":
            assert rewrite(url, conceal(names)) > 12
        ways.append(Caller(open_crm(url), "default", names, CLERK))
    assert ways[0].names == ways[1].names
    return ways[0], ways[1]


HIDDEN = (F.margin, F.code, F.headcount, F.rank, F.memo, F.description, F.annual_revenue)
BEYOND = (F.parent.name, F.parent.headcount, F.parent.parent.name, F.owner.name)


def questions() -> dict[str, Use]:
    """What somebody might ask who wants to know what is hidden."""
    found: dict[str, Use] = {}
    for path in (*HIDDEN, *BEYOND):
        name = ".".join(path.names)
        found |= {
            f"sort by {name}": lambda me, w, p=path: [a.id for a in me.accounts.where().order_by(p)],
            f"sort down by {name}": lambda me, w, p=path: [a.id for a in me.accounts.where().order_by(-p)],
            f"group by {name}": lambda me, w, p=path: sorted(map(str, me.accounts.totals(by=p))),
            f"sum of {name}": lambda me, w, p=path: me.accounts.totals(sums=p),
            f"missing {name}": lambda me, w, p=path: me.accounts.where(p.is_null()).count(),
            f"there is {name}": lambda me, w, p=path: me.accounts.where(p.not_null()).count(),
            f"most of {name}": lambda me, w, p=path: me.accounts.where(p > "0").count(),
            f"{name} of deals": lambda me, w, p=path: me.deals.where(_through(F.account, p).not_null()).count(),
        }
    return found | FIELD_QUESTIONS | RECORD_QUESTIONS | WRITES


def _through(start: Any, path: Any) -> Any:
    for name in path.names:
        start = start[name]
    return start


FIELD_QUESTIONS: dict[str, Use] = {
    "margin by text": lambda me, w: me.accounts.where("margin > 3").count(),
    "headcount is": lambda me, w: [a.id for a in me.accounts.where(F.headcount > 43)],
    "headcount is not": lambda me, w: [a.id for a in me.accounts.where(~(F.headcount > 43))],
    "headcount between": lambda me, w: me.accounts.where(F.headcount.between(1, 10)).count(),
    "headcount in": lambda me, w: me.accounts.where(F.headcount.is_in([44, 71, 6])).count(),
    "memo contains": lambda me, w: me.accounts.where(F.memo.contains("o")).count(),
    "rank against headcount": lambda me, w: me.accounts.where(F.rank < F.headcount).count(),
    "amount": lambda me, w: me.deals.where(F.amount > Money(1, "EUR")).count(),
    "amount of deals": lambda me, w: me.accounts.where(F.deals.amount.sum() > Money(1, "EUR")).count(),
    "amount in totals": lambda me, w: me.deals.totals(by=F.stage, sums=F.amount),
    "amount sorted": lambda me, w: [d.id for d in me.deals.order_by("-amount")],
    "amount as it was": lambda me, w: me.deals.history(w.deal),
    "contact of deal": lambda me, w: me.deals.where(F.contact.not_null()).count(),
    "back along contact": lambda me, w: me.contacts.where(F.deals.count() > 0).count(),
    "in a segment by headcount": lambda me, w: [a.id for a in me.accounts.where(in_segment("rich"))],
    "explained": lambda me, w: me.accounts.where(F.headcount > 43).explain(w.public),
    "explained segment": lambda me, w: me.accounts.where(in_segment("rich")).explain(w.public),
    "upsert by code": lambda me, w: me.accounts.upsert(name="x", code="P", by="code"),
    "upsert by headcount": lambda me, w: me.accounts.upsert(name="x", headcount=44, by="headcount"),
    "first of all": lambda me, w: me.accounts.where().order_by(-F.headcount, F.rank).first(),
    "in blocks": lambda me, w: sorted(a.id for block in me.accounts.where().blocks() for a in block),
}

RECORD_QUESTIONS: dict[str, Use] = {
    **{f"get {n}": lambda me, w, n=n: me.accounts.get(w.names[n]) for n in ("secret", "hidden", "parent", "gone")},
    **{f"find {n}": lambda me, w, n=n: me.find(w.names[n]).key for n in ("secret", "hidden", "gone", "note")},
    **{f"history {n}": lambda me, w, n=n: me.accounts.history(w.names[n]) for n in ("secret", "hidden", "public")},
    **{f"explain {n}": lambda me, w, n=n: me.accounts.where().explain(w.names[n]) for n in ("secret", "hidden")},
    "changes": lambda me, w: [list(me.changes_of(w.names[n])) for n in ("first_changeset", "changeset")],
    "log": lambda me, w: me.log(),
    "children": lambda me, w: me.accounts.where(F.subsidiaries.count() > 0).count(),
    "no children": lambda me, w: me.accounts.where(F.subsidiaries.none(TRUE)).count(),
    "all deals": lambda me, w: me.accounts.where(F.deals.all(F.name == "deal NORTH")).count(),
    "latest": lambda me, w: me.accounts.where(F.activities.created_at.latest().not_null()).count(),
    "deals in segment": lambda me, w: me.accounts.where(in_segment("with hidden deals")).count(),
    "parent there": lambda me, w: me.accounts.where(Within(F.parent, TRUE)).count(),
    "parent is": lambda me, w: me.accounts.where(F.parent == w.parent).count(),
    "parent's children": lambda me, w: me.accounts.where(F.parent.subsidiaries.count() > 0).count(),
    "deal's contact": lambda me, w: me.deals.where(F.contact.name.contains("Hidden")).count(),
    "tagged": lambda me, w: me.accounts.where(F.tags.has("tag NORTH")).count(),
    "parent tagged": lambda me, w: me.accounts.where(F.parent.tags.has("tag NORTH")).count(),
    "taggings": lambda me, w: [list(me.records("tagging")), me.tags.where(F.taggings.count() > 0).count()],
    "links": lambda me, w: [list(me.records(n)) for n in ("share", "account_contact", "grant", "role_member")],
    "counts": lambda me, w: [me.records(key).count() for key in sorted(me.schema.types)],
    "who can": lambda me, w: [me.who_can(a, action) for a in me.accounts for action in ("read", "update")],
    "in the past": lambda me, w: _past(w, lambda past: [list(past.accounts), list(past.deals), list(past.leads)]),
    "past sums": lambda me, w: _past(w, lambda past: past.accounts.totals(by=F.parent.name, sums=F.headcount)),
}

WRITES: dict[str, Use] = {
    **{f"refer to {n}": lambda me, w, n=n: me.deals.create(name="x", account=w.names[n]) for n in ("secret", "hidden")},
    **{
        f"move below {n}": lambda me, w, n=n: me.accounts.update(w.spare, parent=w.names[n]) for n in ("secret", "gone")
    },
    **{f"delete {n}": lambda me, w, n=n: me.accounts.delete(w.names[n]) for n in ("secret", "hidden")},
    **{f"update {n}": lambda me, w, n=n: me.accounts.update(w.names[n], name="x") for n in ("secret", "hidden")},
    **{f"tag {n}": lambda me, w, n=n: me.accounts.tag(w.names[n], "x") for n in ("secret", "hidden")},
    **{f"share {n}": lambda me, w, n=n: me.accounts.share(w.names[n], "x", user=w.ana) for n in ("secret", "hidden")},
    "tag by hand": lambda me, w: me.records("tagging").create(tag=w.spare, record_type="account", record=w.hidden),
    "set code": lambda me, w: me.accounts.create(name="x", code="P"),
    "set margin": lambda me, w: me.accounts.update(w.account, margin=4_711),
    "set headcount of public": lambda me, w: me.accounts.update(w.public, headcount=44),
    "set by query": lambda me, w: me.accounts.where(F.headcount < 50).update(description="found"),
    "undo others' work": lambda me, w: me.undo(w.changeset),
    "stale edit": lambda me, w: [me.accounts.update(v.record, name="y") for v in me.accounts.history(w.account)[:1]],
    "unread contact": lambda me, w: me.deals.update(w.deal, contact=w.person),
    "many": lambda me, w: me.deals.create_many(
        [{"name": n, "account": w.names[n]} for n in ("spare", "hidden", "gone")]
    ),
}


def _past(caller: Caller, look: Callable[[Any], Any]) -> Any:
    with caller.crm.session(CLERK, as_of=FakeClock().now().replace(month=2)) as past:
        return look(past)


def test_what_is_hidden_changes_nothing_that_can_be_observed(worlds: tuple[Caller, Caller]) -> None:
    one, other = worlds
    known = [value for value in one.names.values() if isinstance(value, UUID)]
    tried: list[tuple[str, Use]] = [(name, used) for name, used in uses() if name not in TRUSTED]
    for name, used in [*questions().items(), *tried]:
        assert seen(used, one, known) == seen(used, other, known), name


def test_the_questions_are_answered_where_something_may_be_read(worlds: tuple[Caller, Caller]) -> None:
    """Otherwise the test above would compare refusals only."""
    one, _ = worlds
    with one.crm.session(CLERK) as me:
        assert {a.name: (a.headcount, a.rank, a.memo, a.margin, a.code) for a in me.accounts} == {
            "account NORTH": (6, 1, None, None, None),
            "public NORTH": (None, None, None, None, None),
            "spare NORTH": (None, None, "mine", None, None),
        }
        assert [d.amount for d in me.deals] == [None]
        assert me.accounts.where(F.headcount > 5).count() == 1
        assert me.accounts.where(F.memo == "mine").count() == 1
        assert len(me.accounts.history(one.names["account"])) == 2
    with one.crm.session(ADMIN) as me:
        assert me.accounts.where(F.headcount > 5).count() == 4
        assert me.accounts.where(in_segment("rich")).count() == 3


def test_a_taken_value_says_nothing_about_who_has_it(crm: CRM) -> None:
    """That it is taken cannot be kept secret; by whom can."""
    with crm.session(ADMIN) as me:
        me.fields.add("account", "code", Text(), unique=True)
        me.accounts.create(name="secret", code="hidden")
    bo = hire(crm, "bo@acme.example", account="create")
    with crm.system() as me:
        role = me.roles.create(name="own")
        grant(me, role, "account", "read update", scope="own")
        me.records("role_member").create(role=role, user=bo)
    refusals = []
    with crm.session("bo@acme.example") as me:
        me.accounts.create(name="mine", code="seen")
        for code in ("hidden", "seen"):
            with pytest.raises(Duplicate) as refused:
                me.accounts.create(name="x", code=code)
            refusals.append(str(refused.value))
        with pytest.raises(NotFound):
            me.accounts.one(code="hidden")
        assert me.accounts.upsert(name="mine too", code="seen", by="code").name == "mine too"
    assert refusals[0] == refusals[1]


@pytest.fixture
def bo(crm: CRM) -> CRM:
    """Bo reads and changes names of accounts, whose hidden field and past Bo may not see."""
    hire(crm, "bo@acme.example", account="create update", segment="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of bo@acme.example")
        me.records("grant").create(role=role, on="account", action="read", scope="all", fields=["name"])
        me.fields.add("account", "takeover", Text(), default="no", label="Hostile takeover target")
    return crm


def test_no_hint_and_no_list_names_a_hidden_field(bo: CRM) -> None:
    with bo.session("bo@acme.example") as me:
        [outcome] = me.accounts.create_many([{"name": "q", "nosuch": 1, "takeovr": "x"}]).refused
        assert outcome.problems
        assert not any("takeover" in (problem.hint or "") + problem.message for problem in outcome.problems)
        with pytest.raises(InvalidRecord) as refused:
            me.accounts.where().update(nosuch=1)
        assert "takeover" not in str(refused.value)
        assert me.fields.list("account") == ()
    with bo.session(ADMIN) as me:
        [outcome] = me.accounts.create_many([{"name": "q", "takeovr": "x"}]).refused
        assert outcome.problems[0].hint == "did you mean 'takeover'?"
        assert [f.key for f in me.fields.list("account")] == ["takeover"]


def test_a_changeset_is_known_to_who_may_see_something_it_did(bo: CRM) -> None:
    with bo.session(ADMIN, reason="board: buy ACME") as me:
        me.contacts.create(name="王芳")
    with bo.session("bo@acme.example") as other:
        with pytest.raises(NotFound) as refused:
            other.changeset(me.changeset_id)
        assert refused.value.code == "unknown_changeset"
        account = other.accounts.create(name="own")
    with bo.session("bo@acme.example") as other:
        assert other.changeset(account.changeset_id).command == "account.create"


def test_an_undo_is_no_way_round_the_right_to_history(crm: CRM) -> None:
    hire(crm, "bo@acme.example", account="read create update delete")
    with crm.session(ADMIN) as me:
        account = me.accounts.create(name="X", description="SECRET PAST")
    with crm.session(ADMIN) as me:
        me.accounts.update(account, description="clean")
    with crm.session("bo@acme.example") as other:
        result = other.undo(me.changeset_id)
        assert (result.reverted, result.kept, result.refused) == ((), (), ())
        assert other.accounts.get(account.id).description == "clean"
        made = other.accounts.create(name="Y")
    with crm.session("bo@acme.example") as other:
        assert [entry.id for entry in other.undo(made.changeset_id).reverted] == [made.id]
