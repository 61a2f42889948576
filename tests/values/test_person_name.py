"""Names of people in several scripts and orders."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.person_name import PersonName

PARTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=10)
NAMES = st.builds(
    PersonName,
    given=PARTS.filter(bool),
    family=PARTS,
    middle=PARTS,
    prefix=PARTS,
    suffix=PARTS,
    family_first=st.sampled_from([None, True, False]),
)


@pytest.mark.parametrize(
    ("text", "parts", "full"),
    [
        ("John Doe", {"given": "John", "family": "Doe"}, "John Doe"),
        ("John Q. Doe", {"given": "John", "family": "Doe", "middle": "Q."}, "John Q. Doe"),
        ("Doe, John", {"given": "John", "family": "Doe"}, "John Doe"),
        ("Doe, John Q., Jr.", {"given": "John", "family": "Doe", "middle": "Q.", "suffix": "Jr."}, "John Q. Doe Jr."),
        ("John Doe, Jr.", {"given": "John", "family": "Doe", "suffix": "Jr."}, "John Doe Jr."),
        ("John Doe III", {"given": "John", "family": "Doe", "suffix": "III"}, "John Doe III"),
        ("Cher", {"given": "Cher"}, "Cher"),
        ("Cher Jr.", {"given": "Cher", "suffix": "Jr."}, "Cher Jr."),
        ("Dr. Smith", {"family": "Smith", "prefix": "Dr."}, "Dr. Smith"),
        ("Smith, Dr. Ann", {"given": "Ann", "family": "Smith", "prefix": "Dr."}, "Dr. Ann Smith"),
        ("Dr", {"given": "Dr"}, "Dr"),
        ("  Ada \t Lovelace ", {"given": "Ada", "family": "Lovelace"}, "Ada Lovelace"),
        ("Ludwig van Beethoven", {"given": "Ludwig", "family": "van Beethoven"}, "Ludwig van Beethoven"),
        (
            "Prof. Dr. Hans von der Leyen",
            {"given": "Hans", "family": "von der Leyen", "prefix": "Prof. Dr."},
            "Prof. Dr. Hans von der Leyen",
        ),
        ("Van Morrison", {"given": "Van", "family": "Morrison"}, "Van Morrison"),
        ("O'Brien, Pat", {"given": "Pat", "family": "O'Brien"}, "Pat O'Brien"),
        ("Doe,", {"family": "Doe"}, "Doe"),
        ("张三", {"given": "三", "family": "张"}, "张三"),
        ("张 三", {"given": "三", "family": "张"}, "张三"),
        ("张三丰", {"given": "三丰", "family": "张"}, "张三丰"),
        ("欧阳修", {"given": "修", "family": "欧阳"}, "欧阳修"),
        ("欧阳娜娜", {"given": "娜娜", "family": "欧阳"}, "欧阳娜娜"),
        ("司馬相如", {"given": "相如", "family": "司馬"}, "司馬相如"),
        ("王", {"given": "王"}, "王"),
        ("约翰·史密斯", {"given": "约翰", "family": "史密斯", "family_first": False}, "约翰·史密斯"),
        ("ジョン・スミス", {"given": "ジョン", "family": "スミス", "family_first": False}, "ジョン・スミス"),
        ("山田太郎", {"given": "太郎", "family": "山田"}, "山田太郎"),
        ("山田 太郎", {"given": "太郎", "family": "山田"}, "山田太郎"),
        ("さくら", {"given": "さくら"}, "さくら"),
        ("김민수", {"given": "민수", "family": "김"}, "김민수"),
        ("남궁민", {"given": "민", "family": "남궁"}, "남궁민"),
        ("中华人民共和国", {"given": "中华人民共和国"}, "中华人民共和国"),
    ],
)
def test_a_name_in_one_field_is_taken_apart_and_written_whole(text: str, parts: dict[str, object], full: str) -> None:
    name = PersonName.parse(text)
    assert name.to_dict() == parts
    assert name.full == full


def test_who_says_the_order_is_believed() -> None:
    assert PersonName(given="Văn An", family="Nguyễn", family_first=True).full == "Nguyễn Văn An"
    assert PersonName(given="János", family="Nagy", family_first=True).full == "Nagy János"
    assert PersonName(given="三", family="张", family_first=False).full == "三·张"
    assert PersonName(given="John", family="张").full == "John 张"
    assert PersonName(given="三", family="张", suffix="先生").full == "张三 先生"


@given(st.text(max_size=30))
@pytest.mark.law
def test_any_text_gives_a_name_that_loses_no_letter_or_a_typed_error(text: str) -> None:
    try:
        name = PersonName.parse(text)
    except InvalidValue:
        return
    separators = "".join([" ,，·•‧・"])

    def letters(words: str) -> list[str]:
        return sorted(character for character in words if not character.isspace() and character not in separators)

    assert letters(name.full) == letters(text)


@given(NAMES)
@pytest.mark.law
def test_a_name_comes_back_from_its_json_form(name: PersonName) -> None:
    stored = json.dumps(name.to_dict(), ensure_ascii=False)
    assert PersonName.from_dict(json.loads(stored)) == name
    assert "" not in name.to_dict().values()


def test_the_json_form_has_a_fixed_order() -> None:
    assert list(PersonName(suffix="Jr.", family="Doe", given="John").to_dict()) == ["given", "family", "suffix"]


@pytest.mark.parametrize("text", ["", "   ", ",", " , , "])
def test_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        PersonName.parse(text)
    assert refused.value.code == "empty_name"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "empty_name"),
        ({"middle": "Q."}, "empty_name"),
        ({"given": "  "}, "empty_name"),
        ({"given": "A", "nick": "B"}, "unknown_part"),
        ({"given": "A", 7: "B"}, "unknown_part"),
        ({"given": 7}, "not_text"),
        ({"given": None}, "not_text"),
        ({"given": "A\x00"}, "nul_character"),
        ({"given": "\ud800"}, "lone_surrogate"),
        ({"given": "A\nB"}, "line_break"),
        ({"given": "A" * 201}, "too_long"),
        ({"given": "A", "family_first": 1}, "not_a_boolean"),
        ({"given": "A", "family_first": "yes"}, "not_a_boolean"),
        ("张三", "not_an_object"),
        ([("given", "A")], "not_an_object"),
        (None, "not_an_object"),
    ],
)
def test_what_is_no_json_form_of_a_name_is_refused(data: object, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        PersonName.from_dict(data)  # type: ignore[arg-type]
    assert refused.value.code == code
