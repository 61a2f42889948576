"""Text that may be stored, and the key by which it is compared."""

import enum
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.text import clean_text, fold, shown

STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n")
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
# Marks that move, compose and turn into letters when folded.
TROUBLE = st.text(st.sampled_from("aAαΑιΙ\u0345\u0301\u0308\u0342\u1fb3\u1fbc\u0390ßẞİıſKﬁﷺ\u03c2Ǆǅ가\u1100\u1161ⅷ①"))


@given(st.text(STORABLE))
@pytest.mark.law
def test_storable_text_is_given_back_to_the_letter(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize("text", ["", " ", "  Acme  ", "上海宝钢", "a\tb", "\x01\x7f\u200b\u202e", "👩‍👩‍👧", "e\u0301"])
def test_nothing_is_stripped_or_composed(text: str) -> None:
    assert clean_text(text, max_length=len(text)) == text


def test_long_text_may_have_line_breaks_where_one_line_may_not() -> None:
    for text in ("a\nb", "a\r\nb", "a\rb"):
        assert clean_text(text, multiline=True) == text
        with pytest.raises(InvalidValue) as refused:
            clean_text(text)
        assert refused.value.code == "line_break"
        assert refused.value.problems[0].hint


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a\x00b", "nul_character"),
        ("上海\ud800", "lone_surrogate"),
        ("\udfff", "lone_surrogate"),
        ("\ud83d\ude00", "lone_surrogate"),
        (b"text", "not_text"),
        (None, "not_text"),
        (7, "not_text"),
        (["a"], "not_text"),
    ],
)
@pytest.mark.parametrize("multiline", [False, True])
def test_what_no_database_keeps_is_refused(value: object, code: str, multiline: bool) -> None:
    with pytest.raises(InvalidValue) as refused:
        clean_text(value, multiline=multiline)
    assert refused.value.code == code
    assert refused.value.problems[0].hint
    assert refused.value.fields == ()


@given(ANY_TEXT)
@pytest.mark.law
def test_text_is_accepted_exactly_when_it_has_a_form_in_utf_8_without_nul_and_line_breaks(text: str) -> None:
    try:
        storable = b"\x00" not in text.encode() and "\n" not in text and "\r" not in text
    except UnicodeEncodeError:
        storable = False
    if storable:
        assert clean_text(text) == text
    else:
        with pytest.raises(InvalidValue):
            clean_text(text)


@pytest.mark.parametrize("text", ["abcd", "上海宝钢", "a\tbc", "𠮷𠮷𠮷𠮷"])
def test_length_counts_characters_and_not_bytes(text: str) -> None:
    assert clean_text(text, max_length=4) == text
    with pytest.raises(InvalidValue, match="4 characters, at most 3") as refused:
        clean_text(text, max_length=3)
    assert refused.value.code == "too_long"


def test_a_kind_of_str_becomes_a_plain_str() -> None:
    class Grade(enum.StrEnum):
        GOOD = "good"

    cleaned = clean_text(Grade.GOOD)
    assert type(cleaned) is str
    assert cleaned == "good"


@given(ANY_TEXT | TROUBLE)
@example("\u1fb3\u0301")
@example("ﷺ")
@pytest.mark.law
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_folding_is_stable_for_every_single_character() -> None:
    assert [hex(code) for code in range(0x110000) if fold(fold(chr(code))) != fold(chr(code))] == []


@given(ANY_TEXT | TROUBLE)
@pytest.mark.law
def test_the_forms_of_one_text_fold_alike(text: str) -> None:
    keys = {fold(unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert keys == {fold(text)}


@given(st.text(st.characters(max_codepoint=127)))
@pytest.mark.law
def test_the_short_way_for_ascii_gives_what_the_long_way_gives(text: str) -> None:
    assert fold(text) == unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ACME", "acme"),
        ("Straße", "STRASSE"),
        ("ＡＣＭＥ　１２", "acme 12"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("é", "e\u0301"),
        ("ｶﾞ", "ガ"),
        ("①", "1"),
    ],
)
def test_what_people_take_for_the_same_folds_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_chinese_text_is_its_own_key() -> None:
    assert fold("上海宝钢集团") == "上海宝钢集团"
    assert fold("上海") != fold("上饶")


def test_folding_may_make_a_text_longer() -> None:
    assert fold("ß") == "ss"
    assert len(fold("ﷺ")) == 18


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(10**6000, id="huge"),
        pytest.param("x" * 10**6, id="long"),
        "\ud800",
        "\x1b[2J",
        object(),
        float("nan"),
        True,
        None,
        pytest.param(b"\x00" * 10**6, id="long bytes"),
    ],
)
def test_any_value_can_be_shown_in_an_error(value: object) -> None:
    picture = shown(value)
    assert len(picture) < 80
    assert picture.isprintable()
    picture.encode()
