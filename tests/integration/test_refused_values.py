"""Values no database can hold are refused wherever they are given: with one typed error, and nothing has happened."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from crmkit import Address, F, PersonName
from crmkit.schema import types
from tests.integration.both_databases import (
    HOMES,
    Ask,
    Both,
    both_at,
    define,
    refused,
)


@pytest.fixture
def both(migrated_sqlite: Callable[[str], str], migrated_postgres: Callable[[str], str]) -> Iterator[Both]:
    with both_at(migrated_sqlite("crm"), migrated_postgres("crm")) as made:
        yield made


BAD_TEXTS = {"nul_character": "上\x00海", "lone_surrogate": "上\ud800海"}
BAD_NUMBERS: dict[str, tuple[str, Any]] = {
    "2 to the 63": ("out_of_range", 2**63),
    "minus 2 to the 63": ("out_of_range", -(2**63)),
    "10 to the 400": ("out_of_range", 10**400),
    "NaN": ("not_a_number", float("nan")),
    "infinity": ("not_a_number", float("inf")),
    "Decimal NaN": ("not_a_number", Decimal("NaN")),
    "Decimal infinity": ("not_a_number", Decimal("-Infinity")),
    "a huge exponent": ("out_of_range", Decimal("1E+999999")),
}
ROW = 3
"""The row in which the bad value stands."""


def rows_with(bad: Any, key: str) -> list[Any]:
    return [*({"name": f"好 {n}"} for n in range(ROW)), {"name": "坏", key: bad}]


def create_one(home: str, key: str) -> Callable[[Any, Any], Any]:
    return lambda me, bad: me.records(home).create({"name": "x", key: bad})


def create_some(home: str, key: str) -> Callable[[Any, Any], Any]:
    return lambda me, bad: me.records(home).create_many(rows_with(bad, key), stop=True)


def update_one(home: str, key: str) -> Callable[[Any, Any], Any]:
    return lambda me, bad: me.records(home).update(me.records(home).one(name="there"), {key: bad})


def update_all(home: str, key: str) -> Callable[[Any, Any], Any]:
    return lambda me, bad: me.records(home).where(name="there").update(**{key: bad}, stop=True)


def find(home: str, key: str) -> Callable[[Any, Any], Any]:
    return lambda me, bad: me.records(home).where(F[key] == bad)


def find_among(home: str, key: str) -> Callable[[Any, Any], Any]:
    return lambda me, bad: me.records(home).where(F[key].is_in([bad]))


VERBS = {"create": create_one, "create_many": create_some, "update": update_one, "update where": update_all}
QUESTIONS = {"where": find, "where in": find_among}
TEXT_FIELDS = {"account": ("name", "industry", "description", "text_indexed", "text_plain", "long")}
TEXT_FIELDS["vessel"] = ("name", "text_indexed", "text_plain", "long")
NUMBER_FIELDS = {"account": ("headcount", "whole_indexed", "whole_plain", "exact_0", "exact_12", "percent")}
NUMBER_FIELDS["vessel"] = ("whole_indexed", "whole_plain", "exact_0", "exact_12", "percent")


def prepare(me: Any) -> None:
    define(me)
    for home in HOMES:
        me.records(home).create(name="there")


def test_texts_no_database_can_hold_are_refused_wherever_a_text_belongs(both: Both) -> None:
    both.do(prepare)
    uses: dict[str, Ask] = {}
    expected: dict[str, tuple[str, str, int | None]] = {}
    for code, bad in BAD_TEXTS.items():
        for home, keys in TEXT_FIELDS.items():
            for key in keys:
                for verb, make in {**VERBS, **QUESTIONS}.items():
                    name = f"{verb} {home}.{key} {code}"
                    uses[name] = partial(lambda me, use, bad: use(me, bad), use=make(home, key), bad=bad)
                    expected[name] = code, key, row_of(verb)
    found = refused(both, uses)
    assert {name: (p.code, p.field, p.row) for name, (p,) in found.items()} == expected
    assert [name for name, (p,) in found.items() if not p.hint] == []


def row_of(verb: str) -> int | None:
    """The row that is named; one record alone is no row among others."""
    return ROW if verb == "create_many" else None


def test_numbers_no_database_can_hold_are_refused_wherever_a_number_belongs(both: Both) -> None:
    both.do(prepare)
    uses: dict[str, Ask] = {}
    expected: dict[str, tuple[str, str, int | None]] = {}
    for what, (code, bad) in BAD_NUMBERS.items():
        for home, keys in NUMBER_FIELDS.items():
            for key in keys:
                whole = key in ("headcount", "whole_indexed", "whole_plain")
                for verb, make in {**VERBS, **QUESTIONS}.items():
                    name = f"{verb} {home}.{key} {what}"
                    uses[name] = partial(lambda me, use, bad: use(me, bad), use=make(home, key), bad=bad)
                    expected[name] = "not_an_integer" if whole and type(bad) is not int else code, key, row_of(verb)
    found = refused(both, uses)
    assert {name: (p.code, p.field, p.row) for name, (p,) in found.items()} == expected
    assert [name for name, (p,) in found.items() if not p.hint] == []


DOCUMENT_CODES: dict[str, tuple[str, Any]] = {
    "key with NUL": ("nul_character", {"a\x00": 1}),
    "key with half a pair": ("lone_surrogate", {"ok": [{"\udfff": 1}]}),
    "text with NUL": ("nul_character", ["a\x00"]),
    "text with half a pair": ("lone_surrogate", {"a": ["\ud800"]}),
    "a pair in two halves": ("lone_surrogate", ["\ud83d\ude00"]),
    "NaN": ("not_a_number", {"a": float("nan")}),
    "infinity": ("not_a_number", [[float("-inf")]]),
    "2 to the 63": ("out_of_range", {"a": [2**63]}),
    "a large float": ("out_of_range", {"a": 1e300}),
    "key that is no text": ("not_json", {1: 2}),
    "a Decimal": ("not_json", [Decimal(1)]),
}


def test_documents_no_database_can_hold_are_refused_however_deep_it_lies(both: Both) -> None:
    both.do(prepare)
    uses: dict[str, Ask] = {}
    expected: dict[str, tuple[str, str, int | None]] = {}
    for what, (code, bad) in DOCUMENT_CODES.items():
        for home in HOMES:
            for verb, make in VERBS.items():
                name = f"{verb} {home} {what}"
                uses[name] = partial(lambda me, use, bad: use(me, bad), use=make(home, "document"), bad=bad)
                expected[name] = code, "document", row_of(verb)
    found = refused(both, uses)
    assert {name: (p.code, p.field, p.row) for name, (p,) in found.items()} == expected
    assert [name for name, (p,) in found.items() if not p.hint] == []


def elsewhere(bad: str) -> dict[str, Ask]:
    """Texts that are no value of a field, or only on a way round."""
    there = partial(lambda me: me.accounts.one(name="there"))
    return {
        "tag": lambda me: me.accounts.tag(there(me), bad),
        "untag": lambda me: me.accounts.untag(there(me), bad),
        "has tag": lambda me: me.accounts.where(F.tags.has(bad)),
        "contains": lambda me: me.accounts.where(F.name.contains(bad)),
        "related": lambda me: me.accounts.where(F.deals.any(F.name == bad)),
        "text of a query": lambda me: me.accounts.where(f"name == '{bad}'"),
        "part of a name": lambda me: me.contacts.create(name=PersonName(family=bad)),
        "name": lambda me: me.contacts.create(name=bad),
        "part of an address": lambda me: me.accounts.create(name="x", address=Address(city=bad)),
        "reason of a share": lambda me: me.accounts.share(there(me), bad, user=me.actor.id),
        "label of a field": lambda me: me.fields.add("account", "other", types.Text(), label={"zh": bad}),
        "default of a field": lambda me: me.fields.add("account", "other", types.Text(), default=bad),
        "option of a choice": lambda me: me.fields.add("account", "other", types.Choice([bad])),
        "label of an object": lambda me: me.objects.add("thing", plural="things", label=bad),
        "name of a segment": lambda me: me.segments.create(name=bad, on="account", where=F.name == "x"),
        "condition of a segment": lambda me: me.segments.create(name="x", on="account", where=F.name == bad),
        "document of a segment": lambda me: me.segments.create(name="x", on="account", where={bad: 1}),
        "field of a grant": lambda me: me.records("grant").create(
            role=me.roles.one(name="rep"), on="account", action="read", fields=[bad]
        ),
        "id": lambda me: me.accounts.get(bad),
        "ids": lambda me: me.accounts.get_many([bad]),
        "id in a query": lambda me: me.accounts.where(id=bad),
        "id of a reference": lambda me: me.deals.create(name="d", account=bad),
        "reference in a query": lambda me: me.deals.where(account=bad),
        "id to update": lambda me: me.accounts.update_many([(bad, {"name": "x"})], stop=True),
        "loss reason": lambda me: me.deals.move(me.deals.create(name="d"), to="lost", loss_reason=bad),
        "upsert": lambda me: me.accounts.upsert(name=bad, by="name"),
        "totals": lambda me: me.accounts.where(name=bad).totals(),
    }


def test_a_text_no_database_can_hold_is_refused_wherever_else_it_is_given(both: Both) -> None:
    both.do(prepare)
    for bad in BAD_TEXTS.values():
        found = refused(both, elsewhere(bad))
        for name, problems in found.items():
            for problem in problems:
                # Each can be printed, logged and sent on.
                str(problem).encode()
                assert "\x00" not in str(problem), name
