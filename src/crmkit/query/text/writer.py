"""From tree to text: the one way in which each expression is written."""

import json
import keyword
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from crmkit.errors import InvalidQuery, InvalidValue
from crmkit.query.lift import constant
from crmkit.query.nodes import (
    Actors,
    Aggregate,
    And,
    Compare,
    Constant,
    Expr,
    HasTag,
    InSegment,
    IsNull,
    Node,
    Not,
    Or,
    Path,
    Quantifier,
    RelativeTime,
    Value,
    Within,
    joined,
)
from crmkit.query.text.reader import NUMBER, WORDS
from crmkit.schema import types
from crmkit.values import Money, clean_text
from crmkit.values.text import shown

__all__ = ["path_text", "write"]

_SYMBOLS = MappingProxyType({"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="})
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LONGEST_NUMBER = 60


def write(expr: Expr) -> str:
    """The text of an expression that lifts. Raises InvalidQuery."""
    match expr:
        case And() | Or():
            return _junction(expr)
        case Not(item):
            return _negation(item)
        case Constant(value):
            return "true" if value else "false"
        case Compare():
            return _comparison(expr)
        case IsNull(left):
            return f"{_value(left)} is None"
        case Quantifier(kind, relation, where):
            return f"{kind}({_with(path_text(relation.names), where, always=kind == 'all')})"
        case Within(path, where):
            return _within(path.names, where)
        case HasTag(tag):
            return f"{_literal(tag)} in tags"
        case InSegment(name):
            return f"in_segment({_literal(name)})"
    raise _no_form(expr)


def _no_form(part: object) -> InvalidQuery:
    what = type(part).__name__ if isinstance(part, Node) else shown(part)
    return InvalidQuery(f"{what} has no text form", code="no_text_form")


def _junction(expr: And | Or) -> str:
    whole = joined(expr)
    if not isinstance(whole, And | Or):
        return write(whole)
    word = " and " if isinstance(whole, And) else " or "
    return word.join(_closed(item) if isinstance(item, And | Or) else write(item) for item in whole.items)


def _closed(expr: Expr) -> str:
    return f"({write(expr)})"


def _negation(item: Expr) -> str:
    if isinstance(item, And | Or):
        item = joined(item)
    match item:
        case IsNull(left):
            return f"{_value(left)} is not None"
        case Compare("in", left, right):
            return _member(left, right, "not in")
        case Compare("has", Path(names), right):
            return _has(names, right, "not in")
        case HasTag(tag):
            return f"{_literal(tag)} not in tags"
        case Within(Path(names), HasTag(tag)) if names:
            return f"{_literal(tag)} not in {path_text((*names, 'tags'))}"
        case (
            Quantifier()
            | Within()
            | InSegment()
            | Constant()
            | Compare("between" | "contains" | "starts_with" | "ends_with")
        ):
            return f"not {write(item)}"
    return f"not {_closed(item)}"


def _within(names: tuple[str, ...], where: Expr) -> str:
    match where:
        case HasTag(tag) if names:
            return f"{_literal(tag)} in {path_text((*names, 'tags'))}"
        case InSegment(name) if names:
            return f"in_segment({_literal(name)}, {path_text(names)})"
    return f"within({path_text(names)}, {write(where)})" if names else f"holds({write(where)})"


def _comparison(expr: Compare) -> str:
    operator, left, right = expr.operator, expr.left, expr.right
    if operator in _SYMBOLS:
        return f"{_value(left)} {_SYMBOLS[operator]} {_value(right) if isinstance(right, Value) else _literal(right)}"
    match operator, right:
        case "in", _:
            return _member(left, right, "in")
        case "between", (low, high):
            return f"{_value(left)}.between({_literal(low)}, {_literal(high)})"
        case "has", _ if isinstance(left, Path):
            return _has(left.names, right, "in")
        case (("contains" | "starts_with" | "ends_with" | "has"), _):
            return f"{_value(left)}.{operator}({_literal(right)})"
    raise InvalidQuery(f"{shown(operator)} does not fit its values", code="bad_operand")


def _has(names: tuple[str, ...], right: Any, word: str) -> str:
    if names[-1:] == ("tags",):
        raise InvalidQuery("tags are asked for by HasTag", code="bad_operand")
    return f"{_literal(right)} {word} {path_text(names)}"


def _member(left: Value, right: Any, word: str) -> str:
    if isinstance(right, Actors):
        return f"{_value(left)} {word} {right.who}"
    if not isinstance(right, tuple):
        raise InvalidQuery("'in' needs a list of values", code="bad_operand")
    return f"{_value(left)} {word} [{', '.join(map(_literal, right))}]"


def _value(value: Value) -> str:
    match value:
        case Path(names):
            return path_text(names)
        case Aggregate("count", relation, _, where):
            return f"count({_with(path_text(relation.names), where)})"
        case Aggregate(function, relation, str(field), where):
            return f"{function}({_with(path_text((*relation.names, field)), where)})"
    raise _no_form(value)


def _with(path: str, where: Expr, always: bool = False) -> str:
    whole = joined(where) if isinstance(where, And | Or) else where
    if isinstance(whole, Constant) and whole.value and not always:
        return path
    return f"{path}, {write(whole)}"


def path_text(names: tuple[str, ...]) -> str:
    """A path, with names that are no plain words in brackets."""
    text = ""
    for name in names:
        plain = _PLAIN.fullmatch(name) is not None and not keyword.iskeyword(name)
        if plain and (text or name not in WORDS):
            text = f"{text}.{name}" if text else name
        else:
            text = f"{text or 'F'}[{_literal(name)}]"
    return text or "F"


def _literal(value: object) -> str:
    """A constant. ``parse`` gives an equal one of the same type."""
    value = constant(value)
    try:
        match value:
            case bool():
                return "true" if value else "false"
            case str():
                return json.dumps(clean_text(value, multiline=True), ensure_ascii=False)
            case int():
                return _integer(int(value))
            case Decimal():
                return _decimal(value)
            case Money():
                return f'money("{value.amount:f}", "{value.currency}")'
            case RelativeTime():
                return _moment(value)
            case Actors(who):
                return who
            case UUID():
                return f'id("{value}")'
        return _time(value)
    except InvalidValue as error:
        raise InvalidQuery(error.problems) from None


def _time(value: object) -> str:
    match value:
        case datetime():
            instant = types.DateTime()
            return f'datetime("{instant.dump(instant.parse(value))}")'
        case date():
            return f'date("{value.isoformat()}")'
        case timedelta():
            return f'duration("{types.Duration().dump(types.Duration().parse(value))}")'
    raise _no_form(value)


def _moment(value: RelativeTime) -> str:
    if value.unit == "today":
        return f"today({value.days})" if value.days else "today"
    if not value.days:
        return "now"
    return f"days_ago({-value.days})" if value.days < 0 else f"days_from_now({value.days})"


def _integer(value: int) -> str:
    # Python writes no integers of thousands of digits.
    if value.bit_length() > 4 * _LONGEST_NUMBER:
        raise InvalidQuery(f"a number of {value.bit_length()} bits", code="out_of_range")
    return _checked(str(value))


def _decimal(value: Decimal) -> str:
    # The magnitude is looked at first: 1E+999999999 written out would fill the memory.
    if not value.is_finite() or abs(value.adjusted()) > _LONGEST_NUMBER:
        raise InvalidQuery(f"{value!s:.40} is not a number to compare with", code="out_of_range")
    text = _checked(f"{value:f}")
    return text if "." in text else f'decimal("{text}")'


def _checked(number: str) -> str:
    if NUMBER.fullmatch(number) is None:
        raise InvalidQuery(f"a number of {len(number)} digits", code="out_of_range")
    return number
