"""Web addresses that are safe to store and to show as a link."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.provisional import urls

from crmkit.errors import InvalidValue
from crmkit.values.url import normalise_url


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://example.com/", "https://example.com/"),
        ("HTTPS://Example.COM", "https://example.com/"),
        ("http://example.com:80/a", "http://example.com/a"),
        ("https://example.com:443?q=1", "https://example.com/?q=1"),
        ("https://example.com:0443", "https://example.com/"),
        ("https://example.com:80", "https://example.com:80/"),
        ("https://example.com:", "https://example.com/"),
        ("https://example.com#top", "https://example.com/#top"),
        ("https://Example.com/Path?Q=A|B&c={d}#Frag", "https://example.com/Path?Q=A|B&c={d}#Frag"),
        ("https://example.com/a/../b//c/%2e", "https://example.com/a/../b//c/%2e"),
        ("https://example.com/@ana", "https://example.com/@ana"),
        ("https://例子.中国/路径?问=答", "https://例子.中国/路径?问=答"),
        ("https://xn--fsqu00a.xn--fiqs8s/", "https://例子.中国/"),
        ("http://localhost:8000/hook", "http://localhost:8000/hook"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://[2001:DB8:0::1]:8080", "http://[2001:db8::1]:8080/"),
        ("http://[::ffff:102:304]/", "http://[::ffff:1.2.3.4]/"),
    ],
)
def test_one_address_has_one_spelling(written: str, kept: str) -> None:
    assert normalise_url(written) == kept
    assert normalise_url(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com",
        "javascript:alert(1)",
        "JaVaScRiPt://example.com/%0aalert(1)",
        "data:text/html,x",
        "ftp://example.com",
        "mailto:ana@acme.example",
        "http:example.com",
        "http:/example.com",
        "https://",
        "https:///path",
        "https://:80/",
        "https://?q",
        "https://user@example.com",
        "https://user:pw@example.com",
        "https://@example.com",
        "https://good.example\\@evil.example",
        "https://good.example\\.evil.example",
        "https://exa mple.com",
        " https://example.com",
        "https://example.com\n",
        "https://example.com/a b",
        "https://example.com/a\tb",
        "https://example.com/\u00a0",
        "https://example.com/\u202e",
        "java\nscript:alert(1)",
        "https://exa\u00admple.com",
        "https://example.com/<script>",
        'https://example.com/"onclick=',
        "https://example.com/`",
        "https://example.com/\x00",
        "https://example.com/\ud800",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:8 0",
        "https://example.com:８０",
        "https://example.com:80:80",
        "https://%65xample.com",
        "https://ｅxample.com",
        "https://example.com.",
        "https://exa_mple.com",
        "https://-example.com",
        "https://127.1",
        "https://256",
        "https://0x7f000001",
        "https://1.2.3.256",
        "https://01.2.3.4",
        "https://[::1",
        "https://[::1]x",
        "https://[::g]",
        "https://[::1%25eth0]",
        "https://[127.0.0.1]",
        "https://example.com/" + "a" * 2048,
        None,
        7,
        b"https://example.com",
    ],
    ids=lambda text: str(text)[:40].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_no_safe_web_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        normalise_url(text)
    assert refused.value.code == "bad_url"
    assert refused.value.problems[0].hint
    assert len(str(refused.value)) < 1000


@given(urls())
@pytest.mark.law
def test_any_web_address_is_kept_stable_or_refused_for_its_host(text: str) -> None:
    try:
        kept = normalise_url(text)
    except InvalidValue as refused:
        assert "host" in str(refused) or "port" in str(refused)  # noqa: PT017 - a law speaks of both outcomes
        return
    assert normalise_url(kept) == kept
    assert kept.partition("://")[2].partition("/")[2] in text


@given(st.text(alphabet="htps:/?#[]@.aA09-%\\ 例\u0301é\ud800", max_size=25).map(lambda text: f"https://{text}"))
@pytest.mark.law
def test_any_text_gives_a_stable_address_or_one_typed_error(text: str) -> None:
    try:
        kept = normalise_url(text)
    except InvalidValue:
        return
    assert normalise_url(kept) == kept
