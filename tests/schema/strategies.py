"""Every built-in field type with values it takes, and values nobody should take."""

import decimal
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import attrs
from hypothesis import strategies as st

from crmkit.schema import FieldType
from crmkit.schema.types import (
    Address,
    Boolean,
    Choice,
    Date,
    DateTime,
    Decimal,
    Duration,
    Email,
    Integer,
    Json,
    LongText,
    Money,
    MultiChoice,
    Percent,
    PersonName,
    Phone,
    Reference,
    Text,
    Url,
)
from crmkit.values import Address as AddressValue
from crmkit.values import Money as MoneyValue
from crmkit.values import PersonName as PersonNameValue

MAX_INTEGER = 2**63 - 1

# Letters of many scripts, combining and directional marks, emoji, and forms that fold into something else.
INTERESTING = (
    "aZ09 -_.,;|'\"\\/<>&%$é\u0301ßİıﬁǅΣςşŁ张伟北京，；山田한국עבשלום\u202eabc"
    "😀👩\u200d👩\u200d👧\u0345ﷺ①Ａ\t\u00a0\u2028"
)

any_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n") | st.sampled_from(INTERESTING)
)
many_lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00") | st.sampled_from(INTERESTING))
stripped_text = any_text.map(str.strip).filter(bool)
integers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.sampled_from([0, 1, -1, MAX_INTEGER, -MAX_INTEGER])
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones | st.just(UTC))
durations = st.integers(-MAX_INTEGER, MAX_INTEGER).map(lambda micros: timedelta(microseconds=micros))
currencies = st.sampled_from(["EUR", "JPY", "CNY", "KWD", "CLF", "USD"])
amounts = st.builds(MoneyValue.from_units, integers, currencies)
names = st.builds(
    PersonNameValue,
    given=stripped_text.map(lambda text: text[:200].strip()),
    family=any_text.map(lambda text: text[:200]),
    middle=st.sampled_from(["", "Q.", "van der", "中"]),
    prefix=st.sampled_from(["", "Dr.", "Frau"]),
    family_first=st.none() | st.booleans(),
)
addresses = st.builds(
    AddressValue,
    street=many_lines.map(lambda text: text[:500]),
    city=stripped_text.map(lambda text: text[:500].strip()),
    region=st.sampled_from(["", "IL", "北京市", "서울"]),
    postal_code=st.sampled_from(["", "62701", "100020"]),
    country=st.sampled_from(["", "US", "CN", "DE"]),
)
json_numbers = integers | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) < 2**62)
json_values = st.recursive(
    st.booleans() | json_numbers | many_lines,
    lambda inner: st.lists(st.none() | inner, max_size=4) | st.dictionaries(many_lines, st.none() | inner, max_size=4),
    max_leaves=12,
)
CHOICES = {"hot": "Hot", "cold": "Eis, kalt", "温": "温的", "a, b": "Comma", "ß": "Sharp s"}


def decimals_of(scale: int, low: int = -MAX_INTEGER, high: int = MAX_INTEGER) -> st.SearchStrategy[decimal.Decimal]:
    exact = decimal.Context(prec=40)
    return st.integers(low, high).map(lambda units: decimal.Decimal(units).scaleb(-scale, exact))


@attrs.frozen
class Case:
    """A field type, values it takes, and whether its text holds all of a value."""

    type: FieldType
    values: st.SearchStrategy[Any]
    lossless: Callable[[Any], bool] = lambda value: True

    @property
    def label(self) -> str:
        """For test ids: the type's name and its options."""
        return f"{self.type.name}-{'-'.join(map(str, self.type.options()))}".rstrip("-")


CASES = (
    Case(Text(), any_text, lambda text: text == text.strip()),
    Case(Text(max_length=5), any_text.map(lambda text: text[:5]), lambda text: text == text.strip()),
    Case(LongText(), many_lines),
    Case(Integer(), integers),
    Case(Integer(minimum=-3, maximum=3), st.integers(-3, 3)),
    Case(Decimal(), decimals_of(4)),
    Case(Decimal(scale=0), decimals_of(0)),
    Case(Decimal(scale=12, minimum=0), decimals_of(12, low=0)),
    Case(Percent(), decimals_of(2, 0, 10_000)),
    Case(Percent(scale=6, minimum=None, maximum=None), decimals_of(6)),
    Case(Money(), amounts),
    Case(Boolean(), st.booleans()),
    Case(Date(), st.dates()),
    Case(DateTime(), instants),
    Case(Duration(), durations),
    Case(Choice(CHOICES), st.sampled_from(list(CHOICES))),
    Case(MultiChoice(CHOICES), st.lists(st.sampled_from(list(CHOICES)), min_size=1)),
    Case(Email(), st.sampled_from(["ada@example.com", "Ada.L+crm@EXAMPLE.com", "用户@例子.广告", "ß@bücher.example"])),
    Case(Phone(), st.sampled_from(["+862112345678", "+49 30 1234567", "+1 (202) 555-0143"])),
    Case(Phone(region="CN"), st.sampled_from(["021 1234 5678", "13812345678", "+49301234567"])),
    Case(Url(), st.sampled_from(["https://example.com", "HTTP://Bücher.example:80/Weg?a=b#c", "https://例子.广告/路径"])),
    Case(Reference("account"), st.uuids()),
    Case(PersonName(), names | st.sampled_from(["张三", "Dr. Ada Lovelace", "山田太郎"]), lambda name: False),
    Case(Address(), addresses, lambda address: False),
    Case(Json(), json_values),
    Case(Json(schema={"type": "array", "items": {"type": "integer"}}), st.lists(integers)),
)  # fmt: skip

ORDERED = tuple(
    case
    for case in CASES
    if isinstance(case.type, Integer | Decimal | Date | DateTime | Duration) and not isinstance(case.type, Percent)
)

a_uuid = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
deep_list: Any = []
for _ in range(40):
    deep_list = [deep_list]
bottomless: Any = []
for _ in range(100_000):
    bottomless = [bottomless]


class Unprintable:
    """Its picture cannot be drawn."""

    def __repr__(self) -> str:
        raise RuntimeError("no picture")


HOSTILE: dict[str, Any] = {
    "nothing like a value": object(),
    "no picture": Unprintable(),
    "a class": int,
    "NUL": "a\x00b",
    "half a surrogate pair": "a\ud800b",
    "a million characters": "张" * 1_000_000,
    "blank": "   ",
    "empty text": "",
    "line break": "a\nb",
    "right to left": "\u202eabc",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "half a cent": 0.005,
    "2 to the 63": 2**63,
    "10 to the 400": 10**400,
    "10 to the 5000": 10**5000,
    "Decimal NaN": decimal.Decimal("NaN"),
    "signalling NaN": decimal.Decimal("sNaN"),
    "Decimal infinity": decimal.Decimal("-Infinity"),
    "a huge exponent": decimal.Decimal("1E+999999999"),
    "a tiny exponent": decimal.Decimal("1E-999999999"),
    "true": True,
    "one": 1,
    "naive datetime": datetime(2026, 1, 1),
    "before the first year": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    "after the last year": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14))),
    "the last date": date.max,
    "the longest duration": timedelta.max,
    "the shortest duration": timedelta.min,
    "bytes": b"abc",
    "deep list": deep_list,
    "bottomless list": bottomless,
    "object with a number for a key": {1: 2},
    "object with half a surrogate pair": {"a\udfff": 1},
    "object with a huge integer": {"a": [10**5000]},
    "set": {1, 2},
    "list with a strange item": [object()],
    "list with a list": [["hot"]],
    "complex": 1j,
}
