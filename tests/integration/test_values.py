"""Hard values through the whole API: SQLite and PostgreSQL give the same answers, and refuse the same."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

import pytest

from crmkit import F, Money
from crmkit.errors import CrmkitError, InvalidQuery
from crmkit.schema import types
from crmkit.schema.field_type import FieldType
from crmkit.values import fold
from tests.integration.both_databases import (
    GOOD,
    HOMES,
    MOST,
    TEXTS,
    Ask,
    Both,
    both_at,
    define,
    exactly,
    refused,
)
from tests.staff import ADMIN


@pytest.fixture
def both(migrated_sqlite: Callable[[str], str], migrated_postgres: Callable[[str], str]) -> Iterator[Both]:
    with both_at(migrated_sqlite("crm"), migrated_postgres("crm")) as made:
        yield made


def fill(me: Any, home: str, key: str) -> list[Any]:
    return [me.records(home).create({"name": f"{key} {n}", key: value}).id for n, value in enumerate(GOOD[key][2])]


def roads(me: Any, home: str, key: str, made: list[Any]) -> dict[str, list[Any]]:
    """The values as they come by each road there is, in the order in which they were given."""
    collection = me.records(home)
    there = collection.where(~F[key].is_null())

    def of(records: Any) -> list[Any]:
        by_id = {record.id: record[key] for record in records}
        assert set(by_id) == set(made)
        return [by_id[i] for i in made]

    histories = [collection.history(i) for i in made]
    changes = {c.id: c for changeset in {h[-1].changeset.id for h in histories} for c in me.changes_of(changeset)}
    return {
        "get": [collection.get(i)[key] for i in made],
        "get_many": of(collection.get_many(made).values()),
        "where": of(there),
        "blocks": of(record for block in there.blocks(7) for record in block),
        "history": [h[-1].record[key] for h in histories],
        "fields of history": [next(f.after for f in h[-1].fields if f.key == key) for h in histories],
        "changes": [changes[i].after[key] for i in made],
    }


@pytest.mark.parametrize("home", HOMES)
def test_a_value_comes_back_the_same_by_every_road(both: Both, home: str) -> None:
    both.do(define)
    for key, (field_type, _, values) in GOOD.items():
        made = both.ask(partial(fill, home=home, key=key))
        expected = [field_type.parse(value) for value in values]
        for road, found in both.ask(partial(roads, home=home, key=key, made=made)).items():
            assert found == expected, (key, road)
            assert exactly(found) == exactly(expected), (key, road)
        both.do(lambda me, key=key, made=made: me.records(home).delete_many(made, stop=True))


@pytest.mark.parametrize("home", HOMES)
def test_a_value_comes_back_the_same_from_the_past(both: Both, home: str) -> None:
    """When it still stands, and when it is history."""
    both.do(define)
    for key, (field_type, _, values) in GOOD.items():
        made = both.ask(partial(fill, home=home, key=key))
        (then,) = {crm.clock.now() for crm in both.crms}
        expected = [field_type.parse(value) for value in values]

        def ask(me: Any, key: str = key, made: Any = made) -> list[list[Any]]:
            there = me.records(home).where(~F[key].is_null())
            blocks = {record.id: record[key] for block in there.blocks() for record in block}
            return [[me.records(home).get(i)[key] for i in made], [blocks[i] for i in made]]

        standing = both.ask(ask, as_of=then)
        both.do(lambda me, made=made: me.records(home).delete_many(made, stop=True))
        assert standing == both.ask(ask, as_of=then) == [expected, expected], key
        assert exactly(standing) == exactly([expected, expected]), key


def test_a_value_that_was_exported_as_text_is_imported_the_same(both: Both) -> None:
    """But for white space at the ends, which cells do not keep."""
    both.do(define)
    kept = ("person", "place", "span")  # read again as well as one line lets them; see the laws of field types
    for key, (field_type, _, values) in GOOD.items():
        if key in kept:
            continue
        parsed = [field_type.parse(value) for value in values]
        wanted = [v for v in parsed if not isinstance(v, str) or key == "document" or v == v.strip()]
        cells = [{"name": "x", key: field_type.to_text(value)} for value in wanted]

        def import_and_read(me: Any, key: str = key, cells: Any = cells) -> list[Any]:
            made = me.accounts.create_many(cells, form="text", stop=True).ids
            return [me.accounts.get(i)[key] for i in made]

        assert both.ask(import_and_read) == wanted, key


@pytest.mark.parametrize("home", HOMES)
def test_values_are_found_sorted_and_grouped_the_same(both: Both, home: str) -> None:
    """With each value as a constant, in the list and in the count; and equal values are those with one key."""
    both.do(define)
    for key, (field_type, _, values) in GOOD.items():
        if "eq" not in field_type.operators:
            continue
        both.ask(partial(fill, home=home, key=key))
        parsed = [field_type.parse(value) for value in values]

        def ask(me: Any, key: str = key, values: Any = values, ft: Any = field_type) -> dict[str, Any]:
            everything = me.records(home)
            found: dict[str, Any] = {}
            for n, value in enumerate(values):
                tests = {"eq": F[key] == value, "ne": F[key] != value, "in": F[key].is_in([value])}
                if "lt" in ft.operators:
                    tests |= {"lt": F[key] < value, "ge": F[key] >= value}
                for name, test in tests.items():
                    names = sorted(record.name for record in everything.where(test))
                    assert len(names) == everything.where(test).count()
                    found[f"{name} {n}"] = names
            if ft.sortable:
                ordered = everything.where(~F[key].is_null())
                found["up"] = [record[key] for record in ordered.order_by(key)]
                found["down"] = [record[key] for record in ordered.order_by(-F[key])]
            found["groups"] = sorted(repr((group.key, group.count)) for group in everything.totals(by=F[key]))
            return found

        found = both.ask(ask)
        same = {
            n: sorted(f"{key} {m}" for m, p in enumerate(parsed) if like(ft, p, parsed[n]))
            for ft in [field_type]
            for n in range(len(parsed))
        }
        for n, names in same.items():
            assert found[f"eq {n}"] == found[f"in {n}"] == names, (key, parsed[n])
            if key not in ("money_indexed", "money_plain"):
                rest = {f"{key} {m}" for m in range(len(parsed))} - set(names)
                assert set(found[f"ne {n}"]) == rest, (key, parsed[n])
        both.do(lambda me, key=key: me.records(home).where(~F[key].is_null()).delete(stop=True))


def like(field_type: FieldType, one: Any, other: Any) -> bool:
    """Whether two values count as the same."""
    keyed = isinstance(field_type, types.Text | types.LongText | types.PersonName)
    return field_type.key(one) == field_type.key(other) if keyed else bool(one == other)


def test_texts_are_compared_sorted_and_unique_by_one_folded_key(both: Both) -> None:
    """NFKC and full case folding, then code points; the same in memory."""
    both.do(lambda me: me.fields.add("account", "code", types.Text(), unique=True))
    both.do(lambda me: [me.accounts.create(name=text) for text in TEXTS])

    def ask(me: Any) -> dict[str, list[str]]:
        names = [account.name for account in me.accounts.order_by("name")]
        found = {"order": [fold(name) for name in names]}
        for text in TEXTS:
            for verb in ("contains", "starts_with", "ends_with"):
                query = me.accounts.where(getattr(F.name, verb)(text))
                found[f"{verb} {text}"] = sorted(account.name for account in query)
        for query in (me.accounts.where(F.name.contains("s")), me.accounts.where(F.name >= "İ")):
            assert {a.id for a in me.accounts if query.explain(a).held} == {a.id for a in query}
        return found

    found = both.ask(ask)
    assert found["order"] == sorted(map(fold, TEXTS))
    for name, names in found.items():
        verb, _, text = name.partition(" ")
        if verb != "order":
            test = {"contains": str.__contains__, "starts_with": str.startswith, "ends_with": str.endswith}[verb]
            assert names == sorted(other for other in TEXTS if test(fold(other), fold(text))), name

    def fill_unique(me: Any) -> list[str]:
        result = me.accounts.create_many([{"name": "x", "code": text} for text in TEXTS])
        return [outcome.status for outcome in result.outcomes]

    keys: set[str] = set()
    for text, status in zip(TEXTS, both.ask(fill_unique), strict=True):
        assert status == ("refused" if fold(text) in keys else "created"), text
        keys.add(fold(text))


def test_a_strange_text_finds_itself_and_what_is_like_it(both: Both) -> None:
    both.do(lambda me: [me.accounts.create(name=text) for text in TEXTS])
    for text in TEXTS:
        found = both.ask(lambda me, text=text: [(a.name, a.version) for a in me.accounts.where(name=text)])
        assert sorted(map(itemgetter(0), found)) == sorted(t for t in TEXTS if fold(t) == fold(text))


def test_names_of_tags_stages_roles_and_segments_may_be_of_any_script(both: Both) -> None:
    def make(me: Any) -> Any:
        account = me.accounts.create(name="宝钢")
        for tag in ("重要客户", "ＶＩＰ", "vip", "Straße", "STRASSE", "👩‍👧"):
            me.accounts.tag(account, tag)
        me.segments.create(name="大客户", on="account", where=F.tags.has("重要客户"))
        me.stages.create(pipeline=me.pipelines.one(name="Sales"), name="谈判", position=9)
        deal = me.deals.move(me.deals.create(name="d"), to="谈判")
        return account.id, deal.stage, sorted(tag.name for tag in me.tags)

    account, _, tags = both.ask(make)
    assert tags == sorted(["重要客户", "ＶＩＰ", "Straße", "👩‍👧"])
    for condition in (F.tags.has("strasse"), F.tags.has("Vip"), "'重要客户' in tags", "in_segment('大客户')"):
        assert both.ask(lambda me, c=condition: [a.id for a in me.accounts.where(c)]) == [account]


# ----------------------------------------------------------------------------------------------------- days


def test_a_date_is_not_a_midnight_and_an_instant_is_not_a_date(both: Both) -> None:
    """In no field and in no comparison; a day stays the day it is whatever the tenant's zone."""
    day, midnight = date(2024, 5, 1), datetime(2024, 5, 1, tzinfo=UTC)
    for crm in both.crms:
        crm.tenants.create("shanghai", zone_name="Asia/Shanghai")
        crm.tenants.admit("shanghai", ADMIN)
    uses: dict[str, Ask] = {
        "instant for a date": lambda me: me.deals.create(name="d", expected_close=midnight),
        "date for an instant": lambda me: me.activities.create(kind="call", subject="x", at=day),
        "date compared with an instant": lambda me: me.deals.where(F.expected_close == midnight),
        "instant compared with a date": lambda me: me.activities.where(F.at >= day),
        "naive": lambda me: me.activities.create(kind="call", subject="x", at=datetime(2024, 5, 1)),
        "naive compared": lambda me: me.activities.where(F.at == datetime(2024, 5, 1)),
    }
    found = refused(both, uses, tenant="shanghai")
    assert {name: (p.code, p.field) for name, (p,) in found.items()} == {
        "instant for a date": ("not_a_date", "expected_close"),
        "date for an instant": ("not_an_instant", "at"),
        "date compared with an instant": ("not_a_date", "expected_close"),
        "instant compared with a date": ("not_an_instant", "at"),
        "naive": ("naive_datetime", "at"),
        "naive compared": ("naive_datetime", "at"),
    }
    late = datetime(2024, 5, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    both.do(lambda me: me.deals.create(name="d", expected_close=day), tenant="shanghai")
    both.do(lambda me: me.activities.create(kind="call", subject="x", at=late), tenant="shanghai")
    (deal,) = both.ask(lambda me: list(me.deals.where(expected_close=day)), tenant="shanghai")
    assert deal.expected_close == day
    (call,) = both.ask(lambda me: list(me.activities.where(F.at == late)), tenant="shanghai")
    assert (call.at, call.at.tzinfo) == (datetime(2024, 5, 2, 4, 30, tzinfo=UTC), UTC)


def test_a_naive_instant_is_refused_where_the_past_is_asked_for(both: Both) -> None:
    for crm in both.crms:
        with pytest.raises(CrmkitError) as refusal:
            crm.session(ADMIN, as_of=datetime(2024, 5, 1))
        assert refusal.value.code == "naive_datetime"


def test_what_is_to_come_is_not_read(both: Both) -> None:
    for crm in both.crms:
        now = crm.clock.now()
        with pytest.raises(CrmkitError) as refusal:
            crm.session(ADMIN, as_of=now + timedelta(days=1))
        assert (refusal.value.code, refusal.value.fields) == ("in_the_future", ("as_of",))
        with crm.session(ADMIN, as_of=now) as me:
            assert me.deals.count() == 0


# ------------------------------------------------------------------------------------------------------------ sums


def test_half_cents_add_up_exactly(both: Both) -> None:
    def make(me: Any) -> Any:
        me.fields.add("deal", "rate", types.Decimal(scale=4))
        for _ in range(3):
            me.deals.create(name="d", amount=Money("0.005", "EUR"), rate=Decimal("0.0001"))
        (group,) = me.deals.totals(sums=(F.amount, F.rate))
        return group.sums

    assert both.ask(make) == ((Money("0.015", "EUR"),), Decimal("0.0003"))
    uses: dict[str, Ask] = {
        "money": lambda me: me.deals.create(name="d", amount=Money("0.00005", "EUR")),
        "decimal": lambda me: me.deals.create(name="d", rate=Decimal("0.00005")),
        "decimal in a query": lambda me: me.deals.where(F.rate > Decimal("0.00005")),
    }
    found = refused(both, uses)
    assert {name: problem.code for name, (problem,) in found.items()} == dict.fromkeys(uses, "too_precise")


BIG: dict[str, tuple[FieldType, bool, Any]] = {
    "whole": (types.Integer(), False, MOST),
    "whole_indexed": (types.Integer(), True, MOST),
    "exact": (types.Decimal(scale=2), False, Decimal(MOST).scaleb(-2)),
    "cash": (types.Money(), False, Money("922337203685477.5807", "EUR")),
}


@pytest.mark.parametrize("key", BIG)
def test_a_sum_past_64_bits_is_refused_and_not_rounded(both: Both, key: str) -> None:
    """Over related records in SQL and in memory, and over groups."""
    field_type, indexed, most = BIG[key]
    least = field_type.from_parts(1, "EUR") if key == "cash" else field_type.from_parts(1)

    def make(me: Any) -> Any:
        me.fields.add("deal", key, field_type, indexed=indexed)
        account, other = me.accounts.create(name="A"), me.accounts.create(name="B")
        deals = [me.deals.create({"name": "d", "account": account, key: value}) for value in (most, least)]
        me.deals.create({"name": "d", "account": other, key: most})
        return account.id, other.id, deals[1].id

    account, other, small = both.ask(make)
    total = F.deals[key].sum()
    uses: dict[str, Ask] = {
        "list": lambda me: list(me.accounts.where(total >= least)),
        "count": lambda me: me.accounts.where(total >= least).count(),
        "in memory": lambda me: me.accounts.where(total >= least).explain(account),
        "group": lambda me: me.deals.totals(by=F.account, sums=F[key]),
        "all": lambda me: me.deals.totals(sums=F[key]),
    }
    found = refused(both, uses, of=InvalidQuery)
    assert {name: problems[0].code for name, problems in found.items()} == dict.fromkeys(uses, "overflow")
    assert both.ask(lambda me: me.accounts.where(total >= least).explain(other).held) is True
    both.do(lambda me: me.deals.update(small, {key: None}))
    assert both.ask(lambda me: {a.id for a in me.accounts.where(total == most)}) == {account, other}
    sums = both.ask(lambda me: sorted((g.sums[0] for g in me.deals.totals(by=F.account, sums=F[key])), key=repr))
    assert sums == [(most,)] * 2 if key == "cash" else sums == [most] * 2
