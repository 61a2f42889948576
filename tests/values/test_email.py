"""E-mail addresses, judged against a published suite of 164."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.domain import normalise_domain
from crmkit.values.email import normalise_email

SUITE = Path(__file__).parents[1] / "data" / "isemail" / "tests.xml"
FINE = ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN")


def published() -> dict[str, list[str]]:
    """The addresses of the suite by category; pictures of control characters stand for the characters."""
    found: dict[str, list[str]] = {}
    pictures = {0x2400 + code: code for code in range(0x21)}
    for test in ElementTree.parse(SUITE).getroot().iter("test"):
        address = (test.findtext("address") or "").translate(pictures)
        found.setdefault(test.findtext("category") or "", []).append(address)
    return found


def accepted(address: str) -> bool:
    try:
        normalise_email(address)
    except InvalidValue:
        return False
    return True


def test_the_published_suite_is_decided_as_this_library_decided_once() -> None:
    suite = published()
    assert {category: (sum(map(accepted, addresses)), len(addresses)) for category, addresses in suite.items()} == {
        "ISEMAIL_VALID_CATEGORY": (13, 14),
        "ISEMAIL_DNSWARN": (8, 8),
        "ISEMAIL_ERR": (0, 66),
        "ISEMAIL_RFC5321": (0, 16),
        "ISEMAIL_RFC5322": (0, 30),
        "ISEMAIL_DEPREC": (0, 20),
        "ISEMAIL_CFWS": (0, 10),
    }
    assert [address for category in FINE for address in suite[category] if not accepted(address)] == ["test@io"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("ana@acme.example", "ana@acme.example"),
        ("Ana.B+crm@ACME.Example", "Ana.B+crm@acme.example"),
        ("o'brien@example.co.uk", "o'brien@example.co.uk"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("user@MÜNCHEN.example", "user@münchen.example"),
        ("user@mu\u0308nchen.example", "user@münchen.example"),
        ("user@xn--mnchen-3ya.example", "user@münchen.example"),
        ("user@XN--FIQ228C.com", "user@中文.com"),
        ("jose\u0301@example.com", "josé@example.com"),
        ("test@faß.de", "test@faß.de"),
    ],
)
def test_one_mailbox_has_one_spelling(written: str, kept: str) -> None:
    assert normalise_email(written) == kept
    assert normalise_email(kept) == kept


@pytest.mark.parametrize(
    "address",
    [
        " ana@acme.example",
        "ana@acme.example ",
        "ana@acme.example\n",
        "Ana <ana@acme.example>",
        "mailto:ana@acme.example?x",
        "a@b@acme.example",
        "ana@localhost",
        "ana@127.0.0.1",
        "ana@acme.0x7f",
        "ana@acme_corp.example",
        "ana@acme..example",
        "ana@" + "a" * 64 + ".example",
        "a" * 65 + "@acme.example",
        "用" * 22 + "@acme.example",
        "a@" + "例" * 60 + ".example",
        "ana@acme.example\x00",
        "an\u200ba@acme.example",
        "an\u00a0a@acme.example",
        "an\u202ea@acme.example",
        "ana@ac\u00adme.example",
        "ana@ａcme.example",
        "ana@例子。广告",
        "ana@\u0301a.example",
        "ana@ex☃mple.com",
        "ana@-例.example",
        "ana@例子--中.example",
        "ana@xn--a.example",
        "ana@xn--.example",
        "ana@xn--MNCHEN-3YA-.example",
        "ana@xn--99999999.example",
        "ana@" + "xn--" + "9" * 59 + ".example",
        "\ud800@acme.example",
        "ana@\ud800.example",
        "a" * 10**6 + "@acme.example",
        None,
        7,
        b"ana@acme.example",
    ],
    ids=lambda address: str(address)[:30].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_no_mailbox_is_refused(address: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        normalise_email(address)
    assert refused.value.code == "bad_email"
    assert refused.value.problems[0].hint
    assert len(str(refused.value)) < 1000


def test_an_address_has_at_most_254_octets() -> None:
    domain = ".".join(["a" * 63] * 3) + ".ab"
    longest = "x" * (254 - 1 - len(domain)) + "@" + domain
    assert normalise_email(longest) == longest
    with pytest.raises(InvalidValue) as refused:
        normalise_email("x" + longest)
    assert refused.value.code == "bad_email"


@given(st.emails())
@pytest.mark.law
def test_every_ordinary_address_is_kept_but_for_the_case_of_its_domain(address: str) -> None:
    local, _, domain = address.rpartition("@")
    last = domain.rpartition(".")[2]
    if last.isdigit() or "xn--" in domain.lower() or domain.lower().rpartition(".")[2].startswith("0x"):
        return
    assert normalise_email(address) == f"{local}@{domain.lower()}"


@given(st.text(st.sampled_from('aZ9.-_@+é例ßİσς\u0301ａ。"( \\\ud800'), max_size=20).map(lambda text: f"{text}@b.例"))
@pytest.mark.law
def test_any_text_gives_a_stable_address_or_one_typed_error(text: str) -> None:
    try:
        kept = normalise_email(text)
    except InvalidValue:
        return
    assert normalise_email(kept) == kept


@given(st.text(st.characters(categories=["Ll", "Lo", "Mn", "Nd"]), min_size=1, max_size=15))
@pytest.mark.law
def test_the_ascii_spelling_of_a_domain_gives_its_unicode_spelling(label: str) -> None:
    try:
        domain = normalise_domain(f"{label}.example")
    except ValueError:
        return
    first = domain.partition(".")[0]
    if not first.isascii():
        spelt = "xn--" + first.encode("punycode").decode("ascii")
        assert normalise_domain(f"{spelt}.example") == domain
