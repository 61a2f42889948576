"""E-mail addresses of people and mailboxes as a CRM keeps them: one strict behaviour, one spelling.

What is accepted: ``local@domain`` with a dot-atom local part of at most 64 octets and a domain name of at least two
labels, together at most 254 octets (RFC 5321 section 4.5.3.1, RFC 3696 erratum 1690), both also in Unicode (RFC 6531).

What RFC 5321 and 5322 allow by the letter and this module refuses, because mail systems, forms and exports disagree
about it and two spellings would name one mailbox: quoted local parts, comments and folding white space, address
literals such as ``[127.0.0.1]``, source routes and obsolete forms, domains of a single label (``test@io``,
``root@localhost``), and a last label that is a number. Nothing is stripped: white space around an address is for the
reader of the input to remove. No name server is asked.
"""

import re
import unicodedata

from crmkit.errors import InvalidValue
from crmkit.values.domain import BadDomain, ascii_length, normalise_domain
from crmkit.values.text import shown

__all__ = ["normalise_email"]

_MAX_LOCAL = 64
_MAX_TOTAL = 254
# RFC 5322 section 3.2.3 (atext), widened by RFC 6531 section 3.3 to everything beyond ASCII.
_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_PLAIN = re.compile(
    r"[a-zA-Z0-9_+-]+(?:\.[a-zA-Z0-9_+-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def normalise_email(text: str) -> str:
    """The one spelling of an address: the domain lower-case and in Unicode, the local part as written, both NFC.

    The case of the local part is kept, because only the receiving host may say whether it matters; to compare
    addresses use :func:`~crmkit.values.text.fold` on the result. The function is stable: its result gives itself.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_email``.
    """
    if not isinstance(text, str):
        raise _bad(text, "it is not text")
    # Most addresses are plain, short and lower-case already: one match settles them (0.5 µs against 2).
    if len(text) <= _MAX_LOCAL and "--" not in text and _PLAIN.fullmatch(text):
        return text
    if len(text) > _MAX_TOTAL:
        raise _bad(text, f"it is longer than {_MAX_TOTAL} characters")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise _bad(text, "it needs a name, an @ and a domain")
    local = _local_part(text, local)
    try:
        domain = normalise_domain(domain)
    except BadDomain as reason:
        raise _bad(text, str(reason)) from None
    if "." not in domain:
        raise _bad(text, "its domain has only one part")
    if len(local.encode()) + 1 + ascii_length(domain) > _MAX_TOTAL:
        raise _bad(text, f"it is longer than {_MAX_TOTAL} octets")
    return f"{local}@{domain}"


def _local_part(text: str, local: str) -> str:
    if not local.isascii():
        if any(unicodedata.category(character)[0] in "CZ" for character in local):
            raise _bad(text, "the part before the @ has a character that cannot be seen")
        local = unicodedata.normalize("NFC", local)
    if not _DOT_ATOM.fullmatch(local):
        raise _bad(text, "the part before the @ may have letters, digits, !#$%&'*+/=?^_`{|}~- and single dots inside")
    if len(local.encode()) > _MAX_LOCAL:
        raise _bad(text, f"the part before the @ is longer than {_MAX_LOCAL} octets")
    return local


def _bad(text: object, reason: str) -> InvalidValue:
    return InvalidValue(
        f"{shown(text)} is not an e-mail address: {reason}",
        code="bad_email",
        hint="write it as name@example.com, without quotes, comments or spaces",
    )
