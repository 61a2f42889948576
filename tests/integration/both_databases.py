"""The same work on SQLite and on PostgreSQL, and one answer; and values that are hard to keep."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from crmkit import CRM, Address, Money, PersonName
from crmkit.errors import CrmkitError
from crmkit.schema import types
from crmkit.schema.field_type import FieldType
from tests.integration.snapshots import digest
from tests.integration.units_of_work import repeatable
from tests.staff import ADMIN

Ask = Callable[[Any], Any]


@attrs.frozen
class Both:
    """One CRM on SQLite and one on PostgreSQL, which get the same ids at the same instants."""

    urls: tuple[str, ...]
    crms: tuple[CRM, ...]

    def do(self, work: Ask, **options: Any) -> list[Any]:
        """Does the same on both, each in a session of its own; gives both answers."""
        answers = []
        for crm in self.crms:
            with crm.session(ADMIN, **options) as me:
                answers.append(work(me))
        return answers

    def ask(self, ask: Ask, **options: Any) -> Any:
        """The one answer that both give."""
        one, other = self.do(ask, **options)
        assert exactly(one) == exactly(other)
        return one

    def digests(self) -> list[str]:
        return [digest(url) for url in self.urls]


@contextmanager
def both_at(*urls: str) -> Iterator[Both]:
    """CRMs over these databases, closed at the end."""
    made = Both(urls, tuple(map(repeatable, urls)))
    try:
        yield made
    finally:
        for crm in made.crms:
            crm.dispose()


def exactly(answer: Any) -> Any:
    """An answer in a form in which 1, 1.0 and True are three; the order of keys, which no database keeps, is left."""
    if isinstance(answer, dict):
        return "dict", sorted((exactly(key), exactly(value)) for key, value in answer.items())
    if isinstance(answer, list | tuple):
        return type(answer).__name__, [exactly(value) for value in answer]
    if isinstance(answer, set):
        return "set", sorted(map(exactly, answer))
    return type(answer).__name__, repr(answer)


MOST = 2**63 - 1
BERLIN = ZoneInfo("Europe/Berlin")

TEXTS = [
    "上海", "北京", "张三", "張三", "さくら", "サクラ", "ｻｸﾗ", "한국", "한국", "𠀀骨", "\U0010ffff", "\uffff",
    "\ue000", "résumé", "re\u0301sume\u0301", "RÉSUMÉ", "Straße", "STRASSE", "strasse", "ﬁn",
    "fin", "ΣΑΣ", "σας", "İstanbul", "ıstanbul", "istanbul", "ＡＢＣ", "abc", "Ⅷ", "viii", "①",
    "1", "👩‍👩‍👧‍👦", "👩", "🇩🇪", "שלום", "\u202eabc", "مرحبا", "ﷺ", "ǅ", "a\tb", "a b",
    "a\u00a0b", "a\u200db", "\ufeffa", "\x01", "\x7f", "a\x85b", "%", "_", "\\", "a%", "'",
    '"', "{0}", "~", "Z", "z", "é", "e\u0301\u0323", "e\u0323\u0301",
]  # fmt: skip

INSTANTS = [
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2024, 2, 29, 20, tzinfo=timezone(timedelta(hours=8))),
    datetime(2024, 2, 29, 17, 45, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(2024, 2, 29, 12, 0, 30, 1, tzinfo=timezone(timedelta(seconds=30))),
    datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-12))),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=14))),
]
DATES = [date(2024, 2, 29), date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31), date(2024, 10, 27)]
MONEYS = [
    Money("0.005", "EUR"), Money("-0.005", "EUR"), Money("0.0001", "EUR"), Money("1.5", "EUR"), Money("1.50", "EUR"),
    Money("922337203685477.5807", "EUR"), Money("-922337203685477.5807", "EUR"), Money(0, "EUR"), Money(1, "JPY"),
    Money("1.005", "KWD"), Money("1.5", "USD"),
]  # fmt: skip
DOCUMENTS = [
    {"客户": {"编号": "１", "ключ": ["é", "e\u0301", "👩‍👧"]}, "": "", " ": "\t\n", "a.b": {"$": 1}, "%s": "%(x)s"},
    [MOST, -MOST, 0.1, 1e-7, 5e-324, 1.5, -0.0, 123456789.125, 0.30000000000000004],
    [True, False, None, 0, 1, "1", "true", "null", [], {}],
    "上海", "\u2028", "\\u0000", 0, False,
]  # fmt: skip
COLOURS = ["红", "绿", "Grün"]

GOOD: dict[str, tuple[FieldType, bool, list[Any]]] = {
    "text_indexed": (types.Text(), True, TEXTS),
    "text_plain": (types.Text(), False, TEXTS),
    "long": (types.LongText(), False, [*TEXTS, "第一行\r\n第二行\n", "界" * 5_000]),
    "whole_indexed": (types.Integer(), True, [MOST, -MOST, MOST - 1, 0, -1, 10**15]),
    "whole_plain": (types.Integer(), False, [MOST, -MOST, MOST - 1, 0, -1, 2**53 + 1]),
    "exact_0": (types.Decimal(scale=0), True, [Decimal(MOST), Decimal(-MOST), Decimal("-0"), Decimal("1E+3")]),
    "exact_12": (
        types.Decimal(scale=12),
        False,
        [Decimal(MOST).scaleb(-12), Decimal(-MOST).scaleb(-12), Decimal("1E-12"), Decimal("0.1"), Decimal("1.10")],
    ),
    "percent": (types.Percent(), False, [Decimal("0.01"), Decimal(100), Decimal("33.33")]),
    "money_indexed": (types.Money(), True, MONEYS),
    "money_plain": (types.Money(), False, MONEYS),
    "day_indexed": (types.Date(), True, DATES),
    "day_plain": (types.Date(), False, DATES),
    "instant_indexed": (types.DateTime(), True, INSTANTS),
    "instant_plain": (types.DateTime(), False, INSTANTS),
    "span": (types.Duration(), False, [timedelta(microseconds=MOST), -timedelta(microseconds=MOST), timedelta(0)]),
    "flag": (types.Boolean(), False, [True, False]),
    "colour": (types.Choice(COLOURS), False, COLOURS),
    "colours": (types.MultiChoice(COLOURS), False, [["红"], ["红", "Grün"], COLOURS]),
    "person": (types.PersonName(), False, [PersonName("三", "张"), PersonName(family="ß"), PersonName("Ｊ", "Ö")]),
    "place": (types.Address(), False, [Address(street="南京路 1", city="上海", country="CN"), Address(city="Ｘ")]),
    "document": (types.Json(), False, DOCUMENTS),
}
"""The fields, whether they have a slot of their own, and values that are hard to keep."""

HOMES = ("account", "vessel")
"""A built-in record type and a custom object."""


def define(me: Any) -> None:
    me.objects.add("vessel", plural="vessels", label="船 \u202e ﬁ")
    for home in HOMES:
        for key, (field_type, indexed, _) in GOOD.items():
            me.fields.add(home, key, field_type, indexed=indexed, label={"zh": f"字段 {key}", "de": "Größe"})


def refused(both: Both, uses: dict[str, Ask], of: type[CrmkitError] = CrmkitError, **options: Any) -> dict[str, Any]:
    """The problems of each use, the same on both databases, which are as they were afterwards; each has a hint."""
    before = both.digests()

    def ask(me: Any) -> dict[str, Any]:
        found = {}
        for name, use in uses.items():
            try:
                with me.doing("attempt"):
                    use(me)
            except of as error:
                found[name] = error.problems
        return found

    found = both.ask(ask, **options)
    assert [name for name in uses if name not in found] == []
    assert [name for name, problems in found.items() if not all(p.code and p.message for p in problems)] == []
    assert both.digests() == before
    return found  # type: ignore[no-any-return]
