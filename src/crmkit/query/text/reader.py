"""From text to tree: Python's own parser builds the syntax tree, and nothing in it is ever run."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from crmkit.errors import InputError, InvalidQuery, InvalidValue
from crmkit.query.lift import MAX_DEPTH, too_large
from crmkit.query.nodes import (
    AGGREGATES,
    FALSE,
    QUANTIFIERS,
    TRUE,
    Actors,
    And,
    Compare,
    Expr,
    F,
    IsNull,
    Not,
    Or,
    Path,
    RelativeTime,
    Value,
    Within,
    days_ago,
    days_from_now,
    in_segment,
    me,
    my_team,
    my_team_and_below,
    now,
    today,
)
from crmkit.query.text.tokens import checked_source, syntax_error
from crmkit.schema import types
from crmkit.values import Money, clean_text
from crmkit.values.text import shown

__all__ = ["NUMBER", "WORDS", "read"]

WORDS: Mapping[str, Any] = MappingProxyType(
    {
        "F": F,
        "me": me,
        "my_team": my_team,
        "my_team_and_below": my_team_and_below,
        "now": now,
        "today": today,
        "true": True,
        "false": False,
        "none": None,
    }
)
"""Names that are no fields; a field of such a name is written ``F["today"]``."""

_COMPARISONS: Mapping[type[ast.cmpop], str] = MappingProxyType(
    {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
)
_FLIPPED = MappingProxyType({"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"})
_METHODS = frozenset(
    {"contains", "starts_with", "ends_with", "has", "is_null", "not_null", "between", "is_in", "not_in"}
)
_RELATION_METHODS = frozenset({*QUANTIFIERS, *AGGREGATES})


NUMBER = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,60})?")
"""A number as it may be written."""


def _decimal(text: str) -> Decimal:
    if NUMBER.fullmatch(text) is None:
        raise InvalidValue(f"{shown(text)} is not a decimal number", code="not_a_number", hint='such as "1234.5"')
    return Decimal(text)


def _today(days: int) -> RelativeTime:
    return RelativeTime("today", days_from_now(days).days)


_MAKERS: Mapping[str, tuple[Callable[..., Any], tuple[Any, ...]]] = MappingProxyType(
    {
        "money": (Money, ((str, int, Decimal), str)),
        "Money": (Money, ((str, int, Decimal), str)),
        "decimal": (_decimal, (str,)),
        "date": (types.Date().parse_text, (str,)),
        "datetime": (types.DateTime().parse_text, (str,)),
        "duration": (types.Duration().parse_text, (str,)),
        "id": (types.Reference("*").parse_text, (str,)),
        "days_ago": (days_ago, (int,)),
        "days_from_now": (days_from_now, (int,)),
        "today": (_today, (int,)),
    }
)
"""Functions that make a constant, and the types of their arguments."""

_Operand: TypeAlias = Any
"""A Value, a constant, a tuple of constants, something dynamic, or None."""


def read(text: str) -> Expr:
    """The expression of a text. Raises InvalidQuery."""
    source = checked_source(text)
    start = len(source) - len(source.lstrip())
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        # What is missing is missing at the end, which the parser says with a place that does not exist.
        at = error.offset if error.offset and error.lineno == 1 else len(source.rstrip()) - start + 1
        raise syntax_error("this is not an expression", start + at - 1) from None
    except (MemoryError, RecursionError, ValueError):
        raise too_large() from None
    return _Reader(source.strip().encode(), start).expr(tree.body)


@attrs.define
class _Reader:
    source: bytes
    start: int
    depth: int = 0

    def expr(self, node: ast.expr) -> Expr:
        """A condition."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_large()
        try:
            return self._expr(node)
        finally:
            self.depth -= 1

    def _expr(self, node: ast.expr) -> Expr:
        match node:
            case ast.BoolOp(ast.And(), values):
                return And(tuple(map(self.expr, values)))
            case ast.BoolOp(ast.Or(), values):
                return Or(tuple(map(self.expr, values)))
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.expr(operand))
            case ast.Compare():
                return self.comparisons(node)
            case ast.Constant(True) | ast.Name("true"):
                return TRUE
            case ast.Constant(False) | ast.Name("false"):
                return FALSE
            case ast.Call():
                found = self.call(node)
                if isinstance(found, Expr):
                    return found
        raise self.error(node, "this is not a condition", "compare it with something, as in active == true")

    def comparisons(self, node: ast.Compare) -> Expr:
        """``a < b < c`` is ``a < b and b < c``."""
        operands = [self.operand(operand) for operand in (node.left, *node.comparators)]
        pairs = zip(node.ops, operands, operands[1:], strict=False)
        found = [self.comparison(node, operator, left, right) for operator, left, right in pairs]
        return found[0] if len(found) == 1 else And(tuple(found))

    def comparison(self, node: ast.expr, operator: ast.cmpop, left: _Operand, right: _Operand) -> Expr:
        match operator:
            case ast.In():
                return self.membership(node, left, right)
            case ast.NotIn():
                return Not(self.membership(node, left, right))
            case ast.Is() | ast.IsNot():
                if right is not None or not isinstance(left, Value):
                    raise self.error(node, "'is' only asks whether there is a value", "write is None, or ==")
                return IsNull(left) if isinstance(operator, ast.Is) else Not(IsNull(left))
        name = _COMPARISONS[type(operator)]
        if not isinstance(left, Value):
            left, right, name = right, left, _FLIPPED[name]
        if not isinstance(left, Value):
            raise self.error(node, "two constants are compared", "a field stands on one side")
        if right is None:
            return self.null(node, name, left)
        if isinstance(right, tuple):
            raise self.error(node, "a value is compared with a list", "write in", code="bad_operand")
        return Compare(name, left, right)

    def null(self, node: ast.expr, name: str, left: Value) -> Expr:
        if name not in ("eq", "ne"):
            raise self.error(node, "nothing is less or greater than null", "write is None", code="null_operand")
        return IsNull(left) if name == "eq" else Not(IsNull(left))

    def membership(self, node: ast.expr, left: _Operand, right: _Operand) -> Expr:
        if isinstance(left, Value) and isinstance(right, tuple | Actors):
            return Compare("in", left, right)
        if isinstance(right, Path) and not isinstance(left, Value | tuple) and left is not None:
            return right.has(left)
        raise self.error(
            node, "'in' needs a list of values on the right, or a constant on the left", 'stage in ["a"], "vip" in tags'
        )

    def operand(self, node: ast.expr) -> _Operand:
        """What may stand beside a comparison."""
        match node:
            case ast.Attribute() | ast.Subscript():
                return self.path(node)
            case ast.Name(name):
                return WORDS[name] if name in WORDS else Path((self.plain(node, name),))
            case ast.Call():
                found = self.call(node)
                if isinstance(found, Expr):
                    raise self.error(node, "a condition is compared", "combine conditions with and, or, not")
                return found
            case ast.List(items) | ast.Tuple(items):
                return tuple(self.constant(item) for item in items)
        return self.constant(node)

    def path(self, node: ast.expr) -> Path:
        names: list[str] = []
        while not isinstance(node, ast.Name):
            match node:
                case ast.Attribute(value, name):
                    names.append(self.plain(node, name))
                    node = value
                case ast.Subscript(value, ast.Constant(str(name))):
                    names.append(self.clean(node, name))
                    node = value
                case _:
                    raise self.error(node, "this is not a field", "such as account.industry")
        if node.id != "F":
            if node.id in WORDS:
                raise self.error(node, f"{node.id} has no fields", f'a field of this name is written F["{node.id}"]')
            names.append(self.plain(node, node.id))
        return Path(tuple(reversed(names)))

    def constant(self, node: ast.expr) -> _Operand:
        match node:
            case ast.Constant(str(value)):
                return self.clean(node, value)
            case ast.Constant(None | bool() | int()):
                return node.value
            case ast.Constant(float()):
                return Decimal(self.source[node.col_offset : node.end_col_offset].decode())
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)) if not isinstance(number, bool):
                value = self.constant(node.operand)
                return value.copy_negate() if isinstance(value, Decimal) else -value
            case ast.Name(name) if name in WORDS and not isinstance(WORDS[name], Path):
                return WORDS[name]
            case ast.Call():
                found = self.call(node)
                if not isinstance(found, Expr | Value):
                    return found
        raise self.error(node, "this is not a value", "texts stand in quotes")

    def call(self, node: ast.Call) -> Any:
        self.depth += 1
        if self.depth > 2 * MAX_DEPTH:
            raise too_large()
        if node.keywords:
            raise self.error(node, "arguments have no names")
        try:
            match node.func:
                case ast.Name(name):
                    return self.function(node, name)
                case ast.Attribute(value, name):
                    return self.method(node, self.operand(value), name)
        finally:
            self.depth -= 1
        raise self.error(node, "this is not a function")

    def function(self, node: ast.Call, name: str) -> Any:
        arguments = node.args
        if name in _MAKERS:
            make, expected = _MAKERS[name]
            return self.made(node, make, [self.constant(argument) for argument in arguments], expected)
        if name in _RELATION_METHODS:
            least = 2 if name == "all" else 1
            self.count(node, arguments, least, 2)
            return self.related(node, self.relation(arguments[0]), name, arguments[1:])
        if name == "in_segment":
            self.count(node, arguments, 1, 2)
            path = self.relation(arguments[1]) if len(arguments) == 2 else F
            return path.in_segment(self.text(arguments[0])) if path.names else in_segment(self.text(arguments[0]))
        if name == "within":
            self.count(node, arguments, 2, 2)
            return Within(self.relation(arguments[0]), self.expr(arguments[1]))
        if name == "holds":
            self.count(node, arguments, 1, 1)
            return Within(F, self.expr(arguments[0]))
        raise self.error(node, f"there is no function {name:.40}", code="unknown_function")

    def method(self, node: ast.Call, left: _Operand, name: str) -> Any:
        """What can be asked of a field; the Python spelling of the same is understood as well."""
        arguments = node.args
        if isinstance(left, Value) and name in _METHODS:
            return self.asked(node, left, name, arguments)
        if isinstance(left, Path) and name in _RELATION_METHODS:
            self.count(node, arguments, 1 if name == "all" else 0, 1)
            return self.related(node, left, name, arguments)
        if isinstance(left, Path) and name == "in_segment":
            self.count(node, arguments, 1, 1)
            return left.in_segment(self.text(arguments[0]))
        raise self.error(node, f"there is no method {name:.40}", code="unknown_function")

    def asked(self, node: ast.Call, left: Value, name: str, arguments: list[ast.expr]) -> Expr:
        wanted = {"is_null": 0, "not_null": 0, "between": 2}.get(name, 1)
        self.count(node, arguments, wanted, wanted)
        given = [self.operand(argument) for argument in arguments]
        match name:
            case "is_null":
                return IsNull(left)
            case "not_null":
                return Not(IsNull(left))
            case "is_in" | "not_in":
                if not isinstance(given[0], tuple | Actors):
                    raise self.error(node, f"{name} needs a list", "such as [1, 2]")
                return Compare("in", left, given[0]) if name == "is_in" else Not(Compare("in", left, given[0]))
        if any(value is None or isinstance(value, Value | tuple) for value in given):
            raise self.error(node, f"{name} needs a constant")
        if name == "between":
            return Compare("between", left, tuple(given))
        return left.has(given[0]) if name == "has" and isinstance(left, Path) else Compare(name, left, given[0])

    def related(self, node: ast.expr, path: Path, name: str, arguments: Sequence[ast.expr]) -> Any:
        """A quantifier or an aggregate; without a condition it means all related records."""
        where = self.expr(arguments[0]) if arguments else TRUE
        try:
            return getattr(Path, name)(path, where)
        except InvalidQuery as error:
            raise self.placed(node, error) from None

    def relation(self, node: ast.expr) -> Path:
        found = self.operand(node)
        if not isinstance(found, Path):
            raise self.error(node, "a path is needed", "such as deals, or deals.amount")
        return found

    def text(self, node: ast.expr) -> str:
        found = self.constant(node)
        if not isinstance(found, str):
            raise self.error(node, "a text is needed", 'such as "hot"')
        return found

    def clean(self, node: ast.expr, text: str) -> str:
        try:
            return clean_text(text, multiline=True)
        except InvalidValue as error:
            raise self.placed(node, error) from None

    def plain(self, node: ast.expr, name: str) -> str:
        if name.startswith("_"):
            raise self.error(node, f"{name:.40} is not the key of a field", code="bad_name")
        return name

    def made(self, node: ast.expr, make: Callable[..., Any], given: list[Any], expected: tuple[Any, ...]) -> Any:
        fits = len(given) == len(expected) and all(
            isinstance(value, kind) and not isinstance(value, bool) for value, kind in zip(given, expected, strict=True)
        )
        if not fits:
            raise self.error(node, "these are not the arguments of that function")
        try:
            return make(*given)
        except InputError as error:
            raise self.placed(node, error) from None

    def count(self, node: ast.Call, arguments: Sequence[ast.expr], least: int, most: int) -> None:
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} or {most}"
            raise self.error(node, f"{len(arguments)} arguments, {wanted} are needed")

    def placed(self, node: ast.expr, error: InputError) -> InvalidQuery:
        problem = error.problems[0]
        return self.error(node, problem.message, problem.hint, code=problem.code)

    def error(self, node: ast.expr, message: str, hint: str | None = None, code: str = "syntax") -> InvalidQuery:
        at = len(self.source[: node.col_offset].decode(errors="replace"))
        return syntax_error(message, self.start + at, hint, code)
