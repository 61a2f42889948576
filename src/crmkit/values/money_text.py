"""How people write money, read with rules that never guess by a factor of a thousand.

**Currency.** A three-letter code in any case, or a sign, before or after the number. A sign that several currencies
share means ``default_currency`` when that is one of them; otherwise ``$`` is USD, and ``¥`` and ``kr`` are refused,
because a yuan is about twenty yen. A code beside a shared sign decides (``$5 CAD``). Without code and sign the
default is taken; without a default the text is refused.

**Number.** Spaces and apostrophes only group. Of comma and dot:

1. both: the last one is the decimal mark, the other groups (``1,234.50``, ``1.234,50``);
2. one of them more than once: it groups (``1,234,567``, ``12,34,567``);
3. once, with spaces or apostrophes grouping: it is the decimal mark;
4. a comma before exactly three digits groups (``1,234`` is 1234), unless the number begins with 0 or more than three
   digits stand before it;
5. a dot before exactly three digits, in a number that point 4 would take as grouped, is refused unless the currency
   has three decimals or more: ``1.234`` means 1234 to some and 1.234 to others;
6. otherwise it is the decimal mark (``12,5``, ``0.125``, ``1234.567``).

Groups have three digits, or two before the last three as in India. A minus sign or parentheses make the amount
negative. Digits and signs of any width, and decimal digits of every script, are read.
"""

import re
import unicodedata

from crmkit.errors import InvalidValue
from crmkit.values.currency import minor_digits
from crmkit.values.text import hides_digits, shown

__all__ = ["read_money"]

_MAX_LENGTH = 64
_NUMBER = re.compile(r"(?P<head>[^0-9]*?)(?P<number>[.,]?[0-9](?:[0-9.,' ]*[0-9])?)(?P<tail>[^0-9]*)")
_GROUPED = re.compile(r"[0-9]{1,3}(?:_[0-9]{3})+|[0-9]{1,2}(?:_[0-9]{2})+_[0-9]{3}|[0-9]*")
_CODE = re.compile(r"[A-Z]{3}")
_MARK = re.compile(r"[^\W\d_]+|.")
_MINUS = dict.fromkeys("\u2212\u2010\u2012\u2013\ufe63", "-")
_SPACES_AND_QUOTES = {"\u2019": "'", "\u00b4": "'", "`": "'", "\u066c": "'", "\u066b": "."}
# The dollars, and the pesos written with the same sign.
_DOLLAR_SIGNED = frozenset({
    "ARS", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP", "CUP", "FJD", "GYD", "HKD", "JMD", "KYD",
    "LRD", "MXN", "NAD", "NZD", "SBD", "SGD", "SRD", "TTD", "TWD", "USD", "UYU", "XCD",
})  # fmt: skip
_SHARED = {
    "$": _DOLLAR_SIGNED,
    "¥": frozenset({"CNY", "JPY"}),
    "KR": frozenset({"DKK", "ISK", "NOK", "SEK"}),
    "£": frozenset({"GBP", "EGP", "FKP", "GIP", "SHP", "LBP", "SYP"}),
}
_USUAL = {"$": "USD", "£": "GBP"}
_SIGNS = {
    "€": "EUR", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₫": "VND", "₪": "ILS", "₴": "UAH", "₦": "NGN",
    "฿": "THB", "₱": "PHP", "₸": "KZT", "₡": "CRC", "₲": "PYG", "₼": "AZN", "₾": "GEL", "ZŁ": "PLN", "KČ": "CZK",
    "FT": "HUF", "元": "CNY", "圆": "CNY", "人民币": "CNY", "RMB": "CNY", "円": "JPY", "日元": "JPY", "美元": "USD",
    "欧元": "EUR", "港元": "HKD", "英镑": "GBP", "원": "KRW", "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD",
    "CA$": "CAD", "HK$": "HKD", "NT$": "TWD", "NZ$": "NZD", "S$": "SGD", "R$": "BRL", "MX$": "MXN", "CN¥": "CNY",
    "JP¥": "JPY",
}  # fmt: skip


def read_money(text: str, default_currency: str | None = None) -> tuple[str, str]:
    """The amount, as a plain number, and the currency that a text names, by the rules above.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``not_an_amount``, ``ambiguous_amount``,
    ``ambiguous_currency``, ``no_currency`` or ``bad_currency``. Money itself says whether it can be as large or exact.
    """
    if default_currency is not None:
        minor_digits(default_currency)
    if not isinstance(text, str):
        raise _not_an_amount(text)
    if len(text) > _MAX_LENGTH:
        raise _not_an_amount(text)
    parts = _NUMBER.fullmatch(_plain(text))
    if parts is None:
        raise _not_an_amount(text)
    negative, marks = _signs(text, parts["head"].strip(), parts["tail"].strip())
    currency = _currency(text, marks, default_currency)
    number = _number(text, parts["number"], currency)
    return f"-{number}" if negative else number, currency


def _plain(text: str) -> str:
    """The text with one kind of space, quote, minus and digit. Raises InvalidValue (``not_an_amount``)."""
    if hides_digits(text):
        raise _not_an_amount(text)
    compatible = unicodedata.normalize("NFKC", text).strip()
    return "".join(map(_plain_character, compatible))


def _plain_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "Zs":
        return " "
    return _MINUS.get(character) or _SPACES_AND_QUOTES.get(character) or character


def _signs(text: str, head: str, tail: str) -> tuple[bool, list[str]]:
    """Whether the amount is below zero, and the currency marks before and after the number."""
    negative = False
    if "(" in head and tail.count(")") == head.count("(") == 1:
        head, tail, negative = head.replace("(", " "), tail.replace(")", " "), True
    if head.count("-") + head.count("+") + (1 if negative else 0) > 1:
        raise _not_an_amount(text)
    negative = negative or "-" in head
    head = head.replace("-", " ").replace("+", " ")
    return negative, [*_marks(head), *_marks(tail)]


def _marks(beside: str) -> list[str]:
    """The currency marks on one side of the number: one, or a code and a sign (``CAD $``)."""
    whole = beside.replace(" ", "").upper()
    if not whole or whole in _SIGNS:
        return [whole] if whole else []
    return _MARK.findall(whole) or [whole]


def _currency(text: str, marks: list[str], default: str | None) -> str:
    if not marks:
        if default is None:
            raise InvalidValue(
                f"{shown(text)} names no currency", code="no_currency", hint="write it as 12.50 EUR, or give a default"
            )
        return default
    if len(marks) > len(set(marks)):
        raise _not_an_amount(text)
    meant = [_meanings(text, mark) for mark in marks]
    common = frozenset.intersection(*meant)
    if len(common) == 1:
        return next(iter(common))
    if default in common:
        return str(default)
    usual = _USUAL.get(marks[0])
    if usual is None or usual not in common:
        raise InvalidValue(
            f"{shown(text)} does not say which currency it means",
            code="ambiguous_currency",
            hint="write the code, for example 1200 CNY or 1200 JPY",
        )
    return usual


def _meanings(text: str, mark: str) -> frozenset[str]:
    if mark in _SIGNS:
        return frozenset({_SIGNS[mark]})
    if mark in _SHARED:
        return _SHARED[mark]
    if _CODE.fullmatch(mark):
        return frozenset({mark})
    raise _not_an_amount(text)


def _number(text: str, written: str, currency: str) -> str:
    """The number as Money takes it: digits, at most one dot."""
    spaced = " " in written or "'" in written
    mark = _decimal_mark(text, written.replace(" ", "_").replace("'", "_"), spaced, currency)
    whole, _, fraction = written.rpartition(mark) if mark else (written, "", "")
    groups = re.sub(r"[.,' ]", "_", whole)
    if not _GROUPED.fullmatch(groups) or (fraction and not fraction.isdigit()) or _mixed(whole):
        raise _not_an_amount(text)
    return f"{groups.replace('_', '') or '0'}.{fraction or '0'}"


def _decimal_mark(text: str, written: str, spaced: bool, currency: str) -> str | None:
    used = [mark for mark in ",." if mark in written]
    if len(used) == 2:
        return max(used, key=written.rindex)
    if not used or written.count(used[0]) > 1:
        return None
    mark = used[0]
    before, _, after = written.partition(mark)
    grouped = len(after) == 3 and 1 <= len(before) <= 3 and not before.startswith("0") and not spaced
    if not grouped:
        return mark
    if mark == ",":
        return None
    if minor_digits(currency) >= 3:
        return mark
    raise InvalidValue(
        f"{shown(text)} can mean thousands or decimals",
        code="ambiguous_amount",
        hint="write 1234 or 1,234 for thousands, 1.2340 for decimals",
    )


def _mixed(whole: str) -> bool:
    """Whether the whole part is grouped by more than one kind of mark."""
    return len({character for character in whole if not character.isdigit()}) > 1


def _not_an_amount(text: object) -> InvalidValue:
    return InvalidValue(
        f"{shown(text)} is not an amount of money",
        code="not_an_amount",
        hint="write it as 1,234.50 EUR",
    )
