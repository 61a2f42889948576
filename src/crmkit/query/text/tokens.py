"""The words of the text form: what may stand in it at all, before Python's parser sees it.

So the parser meets no construct that is outside the language, gives no warning, and a wrong character is named.
"""

import re
from collections.abc import Iterator

import attrs

from crmkit.errors import InvalidQuery
from crmkit.values.text import shown

__all__ = ["MAX_LENGTH", "checked_source", "syntax_error"]

MAX_LENGTH = 20_000

_ESCAPE = r"""\\(?:["'\\nrtbf]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"""
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\r\n]+)
    | (?P<text>(?!\"\"\"|''')(?:"(?:[^"\\\r\n\0\ud800-\udfff]|{_ESCAPE})*"|'(?:[^'\\\r\n\0\ud800-\udfff]|{_ESCAPE})*'))
    | (?P<number>[0-9][0-9_]{{0,59}}(?:\.[0-9]{{1,60}})?(?![A-Za-z0-9_.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?!["']))
    | (?P<mark>[<>=!]=|[<>()\[\],.-])
    """,
    re.VERBOSE,
)
_MEANT = {
    "&": "write and",
    "|": "write or",
    "~": "write not",
    "!": "write not, or !=",
    "=": "write ==",
    "“": 'quote with "',
    "”": 'quote with "',
    "‘": 'quote with "',
    "’": 'quote with "',
    "，": "write an ASCII comma",
    "（": "write an ASCII parenthesis",
    "）": "write an ASCII parenthesis",
}


@attrs.frozen
class _Token:
    kind: str
    text: str
    at: int


def syntax_error(message: str, at: int | None, hint: str | None = None, code: str = "syntax") -> InvalidQuery:
    """The refusal of a text; ``at`` is the index of the character."""
    place = None if at is None else f"at character {at + 1}"
    return InvalidQuery(message, code=code, hint="; ".join(filter(None, (place, hint))) or None)


def checked_source(text: object) -> str:
    """The text on one line, if it consists of words of the language. Raises InvalidQuery."""
    if not isinstance(text, str):
        raise InvalidQuery(f"an expression is text, not {shown(text)}", code="not_text")
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(
            f"an expression of {len(text)} characters", code="too_large", hint=f"{MAX_LENGTH} characters at most"
        )
    last = None
    line = []
    for token in _tokens(text):
        if token.kind == "text" and last is not None and last.kind == "text":
            raise syntax_error("two texts side by side", token.at, "put a comma or an operator between them")
        if token.kind == "space":
            line.append(" " * len(token.text))
        else:
            line.append(token.text)
            last = token
    if last is None:
        raise InvalidQuery("the expression is empty", code="syntax", hint='such as name == "ACME"')
    return "".join(line)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unexpected(text, at)
        yield _Token(match.lastgroup or "", match.group(), at)
        at = match.end()


def _unexpected(text: str, at: int) -> InvalidQuery:
    character = text[at]
    if character in "\"'":
        return syntax_error(
            "a text that does not end, or holds what it may not",
            at,
            "texts stand in one line between \" or '; a backslash in it is written \\\\",
        )
    if character.isascii() and character.isalnum():
        word = re.match(r"[\w.]{1,20}", text[at:])
        return syntax_error(f"{shown(word.group() if word else character)} is not a word", at, "texts stand in quotes")
    return syntax_error(
        f"{shown(character)} has no meaning here",
        at,
        _MEANT.get(character, "field keys are ASCII, texts stand in quotes"),
    )
