"""Postal addresses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.address import Address

PARTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
ADDRESSES = st.builds(
    Address, street=PARTS, city=PARTS, region=PARTS, postal_code=PARTS, country=st.sampled_from(["", "CN", "DE", "US"])
)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (Address("1 Main St", "Springfield", "IL", "62701", "US"), "1 Main St, Springfield, IL 62701, US"),
        (Address("Hof 2\n Haus 3 ", "Berlin", postal_code="10115", country="DE"), "Hof 2, Haus 3, Berlin, 10115, DE"),
        (Address("建国路1号", "北京市", "", "100020", "CN"), "100020 北京市建国路1号 CN"),
        (Address("人民大道200号", "上海市", "黄浦区"), "黄浦区上海市人民大道200号"),
        (Address("테헤란로 1", "강남구", "서울특별시", "06134", "KR"), "06134 서울특별시 강남구 테헤란로 1 KR"),
        (Address(city="Kathmandu"), "Kathmandu"),
        (Address(), ""),
    ],
)
def test_an_address_is_written_in_one_line(address: Address, line: str) -> None:
    assert address.one_line == line


@given(ADDRESSES)
@pytest.mark.law
def test_an_address_comes_back_from_its_json_form(address: Address) -> None:
    stored = json.dumps(address.to_dict(), ensure_ascii=False)
    assert Address.from_dict(json.loads(stored)) == address
    assert "" not in address.to_dict().values()
    assert list(address.to_dict()) == [
        part for part in ("street", "city", "region", "postal_code", "country") if getattr(address, part)
    ]


@given(ADDRESSES)
@pytest.mark.law
def test_the_line_has_every_part_and_one_line_only(address: Address) -> None:
    assert all(part in address.one_line for part in address.to_dict().values())
    assert "\n" not in address.one_line


def test_line_breaks_of_every_system_are_one() -> None:
    assert Address("a\r\nb\rc\n\n d ") == Address("a\nb\nc\nd")


@pytest.mark.parametrize("country", ["UK", "ZZ", "de", "DEU", "Germany", "中国", "D", "ＤＥ"])
def test_a_country_is_an_assigned_code_of_two_capital_letters(country: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Address(country=country)
    assert refused.value.code == "bad_country"
    assert refused.value.problems[0].hint


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"zip": "62701"}, "unknown_part"),
        ({7: "x"}, "unknown_part"),
        ({"city": 7}, "not_text"),
        ({"city": None}, "not_text"),
        ({"city": "a\nb"}, "line_break"),
        ({"street": "a\x00b"}, "nul_character"),
        ({"region": "\ud800"}, "lone_surrogate"),
        ({"street": "x" * 501}, "too_long"),
        ("1 Main St", "not_an_object"),
        (None, "not_an_object"),
    ],
)
def test_what_is_no_json_form_of_an_address_is_refused(data: object, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Address.from_dict(data)  # type: ignore[arg-type]
    assert refused.value.code == code
