"""Text as every database and every memory can hold it, and the one key by which text is compared.

Nothing here strips or rewrites what a person typed: :func:`clean_text` accepts or refuses, :func:`fold` makes a key
that is stored beside the text, never instead of it.
"""

import re
import unicodedata

from crmkit.errors import InvalidValue

__all__ = ["clean_text", "fold", "hides_digits", "is_blank", "shown"]

_SHOWN = 40
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""The general categories of characters that leave no mark: controls, formats, separators."""
_UNSEEN_TOO = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000))))
"""Others of no such category: what Unicode calls Default_Ignorable_Code_Point (fillers, selectors), and the Braille
cell without dots.
"""


def clean_text(value: object, *, max_length: int | None = None, multiline: bool = False) -> str:
    """The text itself when it can be stored; it is neither stripped nor changed.

    ``max_length`` counts code points, not bytes. With ``multiline=False`` line feed and carriage return are refused.
    Every other character is kept, tabs and control characters included.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``not_text`` (not a ``str``), ``too_long``,
    ``nul_character``, ``lone_surrogate`` or ``line_break``.
    """
    # No NUL, surrogate or line break is printable, so this one C loop settles nearly every value (0.09 µs).
    if type(value) is str and value.isprintable() and (max_length is None or len(value) <= max_length):
        return value
    return _clean_slowly(value, max_length, multiline)


def _clean_slowly(value: object, max_length: int | None, multiline: bool) -> str:
    if not isinstance(value, str):
        raise InvalidValue(
            f"text is needed, not {shown(value)}", code="not_text", hint="convert it to a str before passing it"
        )
    text = str.__str__(value)
    if max_length is not None and len(text) > max_length:
        raise InvalidValue(
            f"the text has {len(text)} characters, at most {max_length} are allowed",
            code="too_long",
            hint="shorten it, or keep it in a field that allows more",
        )
    if "\x00" in text:
        raise InvalidValue(
            f"the text has a NUL character at position {text.index(chr(0))}",
            code="nul_character",
            hint="remove it; databases cannot store it",
        )
    surrogate = _SURROGATE.search(text)
    if surrogate is not None:
        raise InvalidValue(
            f"the text has half of a surrogate pair at position {surrogate.start()}",
            code="lone_surrogate",
            hint="decode the source with its real encoding; such text has no UTF-8 form",
        )
    if not multiline and ("\n" in text or "\r" in text):
        raise InvalidValue(
            "the text has a line break where one line is needed",
            code="line_break",
            hint="join the lines, or keep it in a field for long text",
        )
    return text


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: it is empty, or has spaces, controls and invisible characters only."""
    return text.isspace() or all(unicodedata.category(c) in _UNSEEN or c in _UNSEEN_TOO for c in text)


def hides_digits(text: str) -> bool:
    """Whether NFKC would make digits of something that is none where it stands: 10² is not 102, nor ① a 1."""
    return any(
        not character.isdecimal() and any(map(str.isdecimal, unicodedata.normalize("NFKC", character)))
        for character in text
        if not character.isascii()
    )


def fold(value: str) -> str:
    """The key under which two texts count as the same: NFKC, full case folding, NFKC again.

    Stable (``fold(fold(x)) == fold(x)``) and the same in memory and in every database, because the databases store
    the key and compare its code points. Folding can make a text longer (``"ß"`` becomes ``"ss"``, ``"ﷺ"`` eighteen
    characters), so a length limit belongs on the text and not on its key. The tables are those of the running
    Python's Unicode version: a character assigned later may fold differently in a later Python.

    Source: Unicode Standard 3.13, compatibility caseless matching (D146), with the composed form.
    """
    if value.isascii():
        return value.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())


def shown(value: object) -> str:
    """A short picture of any value for an error message: long texts cut, what is unprintable escaped."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 80 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        text = str.__str__(value)
        return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
    if isinstance(value, float):
        return float.__repr__(value)
    return f"a value of type {type(value).__name__}"
