"""Host names of e-mail addresses and web addresses: one spelling for each.

The canonical spelling is lower-case Unicode in NFC; a label that comes as ``xn--...`` is decoded, so that both
spellings of one name are equal. Lengths are those of the ASCII spelling, which is what the name system carries.

Sources: RFC 1123 section 2.1 (letters, digits, hyphens), RFC 1035 section 2.3.4 (63 octets a label, 253 a name),
RFC 5891 section 4.2 (what a Unicode label may not contain), RFC 3492 (Punycode).
"""

import re
import unicodedata

from crmkit.values.text import shown

__all__ = ["BadDomain", "ascii_length", "normalise_domain"]

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A last label that is a number makes some readers take the whole for an IPv4 address (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_LABEL = 63
_MAX_NAME = 253
# Outside letters, marks and digits RFC 5892 appendix A allows these, in words that need them.
_MIDDLE_DOTS = "\u00b7\u30fb"


class BadDomain(ValueError):
    """Why a text is no host name; the caller says what it was meant to be part of."""


def normalise_domain(text: str) -> str:
    """The canonical spelling of a host name of one or more labels, without a root dot.

    Raises :class:`BadDomain`, whose text is the reason.
    """
    name = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    labels = [_label(label) for label in name.split(".")]
    if _NUMBER.fullmatch(labels[-1]):
        raise BadDomain("the last part of a domain is never a number")
    joined = ".".join(labels)
    if ascii_length(joined) > _MAX_NAME:
        raise BadDomain(f"a domain has at most {_MAX_NAME} octets")
    return joined


def ascii_length(domain: str) -> int:
    """The length in octets of a canonical domain in its ASCII spelling."""
    if domain.isascii():
        return len(domain)
    return sum(_label_length(label) for label in domain.split(".")) + domain.count(".")


def _label(label: str) -> str:
    if not label:
        raise BadDomain("a domain has a name before, between and after its dots")
    if label.startswith("xn--"):
        return _decoded(label)
    if not label.isascii():
        _check_unicode(label)
    elif not _LABEL.fullmatch(label):
        raise BadDomain(
            f"{shown(label)} is no part of a domain: at most 63 letters, digits and hyphens, no hyphen at either end"
        )
    return label


def _decoded(label: str) -> str:
    broken = BadDomain(f"{shown(label)} is not valid Punycode")
    if not _LABEL.fullmatch(label):
        raise broken
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError, ValueError):
        raise broken from None
    if decoded.isascii() or decoded != unicodedata.normalize("NFC", decoded.lower()):
        raise broken
    _check_unicode(decoded)
    # Several encodings can decode to one name; only the one that encoding gives back is the name's.
    if "xn--" + decoded.encode("punycode").decode("ascii") != label:
        raise broken
    return decoded


def _check_unicode(label: str) -> None:
    if unicodedata.normalize("NFKC", label) != label:
        raise BadDomain(f"{shown(label)} has characters that are only another form of ordinary ones")
    if label.startswith("-") or label.endswith("-") or label[2:4] == "--":
        raise BadDomain(f"{shown(label)} has a hyphen where none may stand")
    if unicodedata.category(label[0]).startswith("M"):
        raise BadDomain(f"{shown(label)} begins with a combining mark")
    if not all(map(_may_stand, label)):
        raise BadDomain(f"{shown(label)} has a character that no domain has")
    if _label_length(label) > _MAX_LABEL:
        raise BadDomain(f"{shown(label)} is longer than {_MAX_LABEL} octets in its ASCII spelling")


def _may_stand(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd" or character == "-" or character in _MIDDLE_DOTS


def _label_length(label: str) -> int:
    return len(label) if label.isascii() else len("xn--") + len(label.encode("punycode"))
