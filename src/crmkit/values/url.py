"""Web addresses that are safe to store and to show as a link: http and https, one spelling.

The parts are told apart as RFC 3986 appendix B says. Whatever browsers and that RFC read differently (backslashes,
white space, control characters, a host in disguise) is refused rather than guessed at.
"""

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from crmkit.errors import InvalidValue
from crmkit.values.domain import BadDomain, normalise_domain
from crmkit.values.text import shown

__all__ = ["normalise_url"]

_MAX_LENGTH = 2048
_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<place>[^/?#]*))?(?P<rest>.*)", re.DOTALL)
_PLACE = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?")
_DEFAULT_PORT = {"http": 80, "https": 443}
_REFUSED = frozenset('\\"<>`')


def normalise_url(text: str) -> str:
    r"""The address with scheme and host in lower case, the host in Unicode, no default port, and at least ``/``.

    Path, query and fragment are kept to the letter. The function is stable: its result gives itself.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_url``: not text, longer than 2,048 characters, any
    scheme but http and https, no host or a wrong one, a user name or password, a wrong port, white space,
    control characters, or one of ``\\``, ``"``, ``<``, ``>`` and the backquote anywhere.
    """
    if not isinstance(text, str):
        raise _bad(text, "it is not text")
    if len(text) > _MAX_LENGTH:
        raise _bad(text, f"it is longer than {_MAX_LENGTH} characters")
    if any(character in _REFUSED or unicodedata.category(character)[0] in "CZ" for character in text):
        raise _bad(text, "it has white space, a control character, a backslash or another character no address has")
    parts = _PARTS.fullmatch(text)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in _DEFAULT_PORT:
        raise _bad(text, "it does not begin with http:// or https://")
    place: str = parts["place"] or ""
    if "@" in place:
        raise _bad(text, "it carries a user name or a password")
    rest: str = parts["rest"]
    if not rest.startswith("/"):
        rest = f"/{rest}"
    return f"{scheme}://{_place(text, scheme, place)}{rest}"


def _place(text: str, scheme: str, place: str) -> str:
    parts = _PLACE.fullmatch(place)
    if parts is None or not parts["host"]:
        raise _bad(text, "it names no host, or more than a host and a port")
    host = _host(text, parts["host"])
    port = int(parts["port"] or _DEFAULT_PORT[scheme])
    if not 1 <= port <= 65_535:
        raise _bad(text, "its port is not between 1 and 65535")
    return host if port == _DEFAULT_PORT[scheme] else f"{host}:{port}"


def _host(text: str, host: str) -> str:
    try:
        if host.startswith("["):
            if "%" in host:
                raise _bad(text, "its host names a network interface")
            return f"[{_ipv6(IPv6Address(host[1:-1]))}]"
        if host.isascii() and host.replace(".", "").isdigit():
            return str(IPv4Address(host))
        return normalise_domain(host)
    except (AddressValueError, BadDomain) as reason:
        raise _bad(text, f"its host is wrong: {reason}") from None


def _ipv6(address: IPv6Address) -> str:
    # RFC 5952 section 5; releases of Python differ about it.
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


def _bad(text: object, reason: str) -> InvalidValue:
    return InvalidValue(
        f"{shown(text)} is not a web address: {reason}",
        code="bad_url",
        hint="write it as https://example.com/path",
    )
