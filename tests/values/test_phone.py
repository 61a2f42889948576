"""Telephone numbers, judged against an example of every kind in every region."""

import csv
import sys
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.phone import normalise_phone

EXAMPLES = Path(__file__).parents[1] / "data" / "phone-examples" / "examples.csv"


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)


def examples() -> list[dict[str, str]]:
    with EXAMPLES.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_example_of_every_region_is_read_in_each_of_its_spellings() -> None:
    rows = examples()
    assert len(rows) == 1374
    wrong = [
        (row["region"], spelling)
        for row in rows
        for spelling in (row["national"], row["international"], row["e164"])
        if normalise_phone(spelling, row["region"]) != row["e164"]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+86 21 1234 5678", None, "+862112345678"),
        ("021-1234 5678", "CN", "+862112345678"),
        ("（０２１）１２３４－５６７８", "CN", "+862112345678"),
        ("138 0013 8000", "CN", "+8613800138000"),
        ("+1 (202) 555-0100", "DE", "+12025550100"),
        ("030/901820", "DE", "+4930901820"),
        ("+49.30.901820", None, "+4930901820"),
        ("0049 30 901820", "FR", "+4930901820"),
        ("tel:+49-30-901820", None, "+4930901820"),
        ("  +49 30\u2011901820\u00a0", None, "+4930901820"),
        ("+٤٩ ٣٠ ٩٠١٨٢٠", None, "+4930901820"),
    ],
)
def test_what_people_dial_is_read(text: str, region: str | None, number: str) -> None:
    assert normalise_phone(text, region) == number
    assert normalise_phone(number) == number


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("", None),
        ("+", None),
        ("hello", "CN"),
        ("+49 30 90182²", None),
        ("021 1234 5678", None),
        ("12", "CN"),
        ("+86 21 1234 5678 9012 345", None),
        ("+999 123456789", None),
        ("+1 202 555 0100 ext. 5", None),
        ("+1 202 555 0100;ext=5", None),
        ("1-800-FLOWERS", "US"),
        ("call +1 202 555 0100", None),
        ("+1 202 555 0100\x00", None),
        ("\ud800", "CN"),
        ("+1 202 555 0100", "us"),
        ("+1 202 555 0100", "XX"),
        ("+1 202 555 0100", ""),
        ("1" * 10**6, "CN"),
        (None, None),
        (12025550100, "US"),
    ],
    ids=lambda text: str(text)[:30].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_no_number_is_refused(text: str, region: str | None) -> None:
    with pytest.raises(InvalidValue) as refused:
        normalise_phone(text, region)
    assert refused.value.code == "bad_phone"
    assert refused.value.problems[0].hint
    assert len(str(refused.value)) < 1000


@pytest.mark.usefixtures("without_library")
def test_without_the_library_international_spellings_still_work() -> None:
    assert normalise_phone("+86 (21) 1234-5678") == "+862112345678"
    assert normalise_phone("＋８６ ２１ １２３４ ５６７８", "CN") == "+862112345678"
    read = [row["e164"] for row in examples() if len(row["e164"]) > 8]
    assert [number for number in read if normalise_phone(number) != number] == []


@pytest.mark.usefixtures("without_library")
@pytest.mark.parametrize("text", ["021 1234 5678", "+1234567", "+1234567890123456", "+0123456789", "49 30 901820"])
def test_without_the_library_other_spellings_are_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        normalise_phone(text, "CN")
    assert refused.value.code == "bad_phone"
    assert "pip install crmkit[phone]" in str(refused.value)


@given(st.text(alphabet="+0123456789 ()-./*x\u0663\uff11", max_size=20), st.sampled_from([None, "CN", "US", "IT"]))
@pytest.mark.law
def test_any_text_gives_a_stable_number_or_one_typed_error(text: str, region: str | None) -> None:
    try:
        number = normalise_phone(text, region)
    except InvalidValue:
        return
    assert normalise_phone(number) == number
    assert phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.E164) == number
