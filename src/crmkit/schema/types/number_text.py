"""How people write numbers, read with rules that never guess by a factor of a thousand.

A number as programs write it (``-1234.5``, ``1.5e3``) is what it says. Otherwise spaces and apostrophes only group; of
comma and dot, if both stand, the last is the decimal mark and the other groups (``1,234.5``, ``1.234,5``); one that
stands more than once groups (``1,234,567``); a single comma groups before exactly three digits (``1,234``) unless the
number begins with 0, and is the decimal mark otherwise (``12,5``). Groups have three digits. Digits of any width and
script, and every kind of minus sign, are read.
"""

import re
import unicodedata
from decimal import Decimal

from crmkit.errors import InvalidValue
from crmkit.values.text import shown

__all__ = ["read_number"]

_LONGEST = 64
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_GROUPS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,3}(?:[ '][0-9]{3})+|[0-9]+")
_SINGLE_GROUP = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_MINUS = dict.fromkeys(map(ord, "\u2212\u2010\u2012\u2013"), "-")
_QUOTES = dict.fromkeys(map(ord, "\u2019\u00b4`\u066c"), "'")
_SIGNS = {**_MINUS, **_QUOTES, 0x066B: "."}


def read_number(text: str) -> Decimal:
    """The finite number a text says, exact. Raises InvalidValue (``not_a_number``)."""
    plain = text.strip()
    if len(plain) <= _LONGEST:
        if not plain.isascii():
            plain = _ascii(plain)
        if _PLAIN.fullmatch(plain):
            return Decimal(plain)
        number = _grouped(plain)
        if number is not None:
            return number
    raise InvalidValue(f"{shown(text)} is not a number", code="not_a_number", hint="write it as 1234.5")


def _ascii(text: str) -> str:
    return "".join(map(_ascii_character, text.translate(_SIGNS))).strip()


def _ascii_character(character: str) -> str:
    """Not by compatibility forms, which would make 10² a hundred and two."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    return " " if unicodedata.category(character) == "Zs" else character


def _grouped(text: str) -> Decimal | None:
    """The number of a text with group separators or a decimal comma, None if it is none."""
    mark = _decimal_mark(text)
    whole, _, fraction = text.rpartition(mark) if mark else (text, "", "")
    sign = whole[:1] if whole[:1] in ("+", "-") else ""
    whole = whole.removeprefix(sign).strip() if sign else whole
    if _GROUPS.fullmatch(whole) is None or (mark and (mark in whole or not _digits(fraction))):
        return None
    return Decimal(f"{sign}{re.sub('[^0-9]', '', whole)}.{fraction or '0'}")


def _decimal_mark(text: str) -> str | None:
    used = [mark for mark in ",." if mark in text]
    if len(used) == 2:
        return max(used, key=text.rindex)
    if not used or text.count(used[0]) > 1 or _SINGLE_GROUP.fullmatch(text):
        return None
    return used[0]


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
