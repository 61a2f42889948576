"""The JSON form of expressions: what is stored in segments, grants and rules, and what an API takes.

Each node is an object of one key. Left of a comparison stands a term, right of it a value or a term::

    {"and": [{"gt": [{"path": ["amount"]}, {"$money": ["10000.00", "EUR"]}]},
             {"within": {"path": ["account"], "where": {"tag": "vip"}}},
             {"lt": [{"max": {"relation": ["activities"], "field": "at"}}, {"$time": "now", "days": -30}]}]}

Values that JSON does not know are objects of one key with a dollar sign. ``JSON_FORM_SCHEMA`` is the whole of it.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InvalidQuery, InvalidValue
from crmkit.query import nodes
from crmkit.query.json_schema import JSON_FORM_SCHEMA, PATTERNS
from crmkit.query.lift import MAX_DEPTH, MAX_STEPS, MAX_VALUES, constant, lift, too_large
from crmkit.query.nodes import AGGREGATES, COMPARISONS, QUANTIFIERS, TRUE, Expr, Path, Value, days_from_now, joined
from crmkit.schema import types
from crmkit.schema.types.numbers import MAX_INTEGER
from crmkit.values import Money
from crmkit.values.text import shown

__all__ = ["JSON_FORM_SCHEMA", "from_json", "to_json"]

_PAIRS = frozenset(COMPARISONS) - {"in", "between"}


def to_json(expr: Expr) -> dict[str, Any]:
    """The JSON form: ``lift(from_json(to_json(expr))) == lift(expr)``, values included; equal for equal shapes.

    Raises InvalidQuery: ``no_json_form`` for constants of types only a plugin knows, or what ``lift`` raises.
    """
    lift(expr)
    return _node(expr)


def _node(expr: Expr) -> dict[str, Any]:
    match expr:
        case nodes.And() | nodes.Or():
            whole = joined(expr)
            if not isinstance(whole, nodes.And | nodes.Or):
                return _node(whole)
            return {"and" if isinstance(whole, nodes.And) else "or": [_node(item) for item in whole.items]}
        case nodes.Not(item):
            return {"not": _node(item)}
        case nodes.Constant(value):
            return {"constant": value}
        case nodes.Compare(operator, left, right):
            return {operator: _comparison(operator, left, right)}
        case nodes.IsNull(left):
            return {"null": _term(left)}
        case nodes.Quantifier(kind, relation, where):
            always = kind == "all"
            return {kind: {"relation": _names(relation), **_where(where, always)}}
        case nodes.Within(path, where):
            return {"within": {"path": _names(path), "where": _node(where)}}
        case nodes.HasTag(tag):
            return {"tag": _value(tag)}
        case nodes.InSegment(name):
            return {"segment": _value(name)}
    raise InvalidQuery(f"{expr!r:.80} is not a condition", code="not_a_condition")


def _where(where: Expr, always: bool = False) -> dict[str, Any]:
    document = _node(where)
    return {} if document == {"constant": True} and not always else {"where": document}


def _comparison(operator: str, left: Value, right: Any) -> list[Any]:
    term = _term(left)
    if operator == "in" and (isinstance(right, tuple | nodes.Actors)):
        return [term, [_value(item) for item in right] if isinstance(right, tuple) else _value(right)]
    if operator == "between" and isinstance(right, tuple) and len(right) == 2:
        return [term, *map(_value, right)]
    if operator in _PAIRS and not isinstance(right, tuple):
        return [term, _term(right) if isinstance(right, Value) else _value(right)]
    raise InvalidQuery(f"{shown(operator)} does not fit its values", code="bad_operand")


def _term(value: Value) -> dict[str, Any]:
    match value:
        case Path():
            return {"path": _names(value)}
        case nodes.Aggregate("count", relation, _, where):
            return {"count": {"relation": _names(relation), **_where(where)}}
        case nodes.Aggregate(function, relation, str(field), where):
            return {function: {"relation": _names(relation), "field": _name(field), **_where(where)}}
    raise InvalidQuery(f"{value!r:.80} is not a field", code="not_a_field")


def _names(path: Path) -> list[str]:
    return [_name(name) for name in path.names]


def _name(name: str) -> str:
    if PATTERNS["name"].fullmatch(name) is None:
        raise InvalidQuery(f"{shown(name)} is not the key of a field", code="bad_name")
    return name


def _value(value: object) -> Any:
    value = constant(value)
    try:
        match value:
            case bool():
                return value
            case str():
                return _text(str.__str__(value))
            case int():
                return _integer(int(value))
            case nodes.RelativeTime(unit, days):
                return {"$time": unit, "days": days}
            case nodes.Actors(who):
                return {"$actors": who}
        return _tagged(value)
    except InvalidValue as error:
        raise InvalidQuery(error.problems) from None


def _tagged(value: object) -> dict[str, Any]:
    match value:
        case Money():
            return {"$money": [f"{value.amount:f}", value.currency]}
        case UUID():
            return {"$id": str(value)}
        case Decimal():
            return {"$decimal": _decimal(value)}
        case datetime():
            return {"$datetime": types.DateTime().dump(types.DateTime().parse(value))}
        case date():
            return {"$date": value.isoformat()}
        case timedelta():
            return {"$duration": types.Duration().dump(types.Duration().parse(value))}
    hint = "a float is not exact, a Decimal is" if isinstance(value, float) else None
    raise InvalidQuery(f"{shown(value)} has no JSON form", code="no_json_form", hint=hint)


def _text(text: str) -> str:
    if PATTERNS["text"].fullmatch(text) is None:
        raise InvalidQuery("the text has a NUL or half a surrogate pair", code="bad_text")
    return text


def _integer(number: int) -> int:
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise InvalidQuery("the number needs more than 64 bits", code="out_of_range")
    return number


def _decimal(number: Decimal) -> str:
    if not number.is_finite() or abs(number.adjusted()) > 60 or not PATTERNS["$decimal"].fullmatch(f"{number:f}"):
        raise InvalidQuery(f"{number!s:.40} is not a number to compare with", code="out_of_range")
    return f"{number:f}"


def from_json(document: object) -> Expr:
    """The expression a document states, strictly: an unknown key or a wrong shape is an error that says where.

    Raises InvalidQuery, code ``bad_form`` unless there is a more exact one (``too_large``, ``out_of_range``,
    ``not_a_date``, ...).
    """
    return _Reader().expr(document, "$")


def _bad(message: str, at: str) -> InvalidQuery:
    return InvalidQuery(message, code="bad_form", hint=f"at {at}")


_VALUES: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "$decimal": Decimal,
        "$date": types.Date().load,
        "$datetime": types.DateTime().load,
        "$duration": types.Duration().load,
        "$id": types.Reference("*").load,
        "$actors": nodes.Actors,
    }
)
"""Values of one text, by key; PATTERNS says what the text looks like."""


@attrs.define
class _Reader:
    depth: int = 0

    def expr(self, document: object, at: str) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_large()
        try:
            key, content = self.single(document, at)
            return self._expr(key, content, f"{at}.{key}")
        finally:
            self.depth -= 1

    def _expr(self, key: str, content: Any, at: str) -> Expr:
        match key:
            case "and" | "or":
                items = tuple(self.expr(item, f"{at}[{i}]") for i, item in enumerate(self.array(content, at, least=1)))
                return nodes.And(items) if key == "and" else nodes.Or(items)
            case "not":
                return nodes.Not(self.expr(content, at))
            case "constant" if isinstance(content, bool):
                return nodes.Constant(content)
            case "null":
                return nodes.IsNull(self.term(content, at))
            case "within":
                path, where = self.fields(content, at, ("path", "where"))
                return nodes.Within(self.path(path, at, least=0), self.expr(where, f"{at}.where"))
            case "tag":
                return nodes.HasTag(self.text(content, at))
            case "segment":
                return nodes.InSegment(self.text(content, at))
        if key in QUANTIFIERS:
            return self.quantifier(key, content, at)
        if key in COMPARISONS:
            return self.comparison(key, content, at)
        raise _bad(f"there is no condition {shown(key)} of {shown(content)}", at)

    def quantifier(self, kind: str, content: Any, at: str) -> Expr:
        if kind == "all":
            relation, where = self.fields(content, at, ("relation", "where"))
            return nodes.Quantifier(kind, self.path(relation, at), self.expr(where, f"{at}.where"))
        relation, where = self.fields(content, at, ("relation",), ("where",))
        return nodes.Quantifier(kind, self.path(relation, at), self.where(where, at))

    def where(self, document: Any, at: str) -> Expr:
        return TRUE if document is None else self.expr(document, f"{at}.where")

    def comparison(self, operator: str, content: Any, at: str) -> Expr:
        length = 3 if operator == "between" else 2
        operands = self.array(content, at, least=length, most=length)
        left = self.term(operands[0], f"{at}[0]")
        if operator == "between":
            return nodes.Compare(operator, left, tuple(self.value(item, at) for item in operands[1:]))
        right = operands[1]
        if operator == "in" and isinstance(right, list):
            items = self.array(right, f"{at}[1]", most=MAX_VALUES)
            return nodes.Compare(operator, left, tuple(self.value(item, f"{at}[1]") for item in items))
        if operator == "in" and not (isinstance(right, dict) and "$actors" in right):
            raise _bad("'in' needs a list of values", at)
        if isinstance(right, dict) and not any(key[:1] == "$" for key in right if isinstance(key, str)):
            return nodes.Compare(operator, left, self.term(right, f"{at}[1]"))
        return nodes.Compare(operator, left, self.value(right, f"{at}[1]", actors=True))

    def term(self, document: Any, at: str) -> Value:
        key, content = self.single(document, at)
        at = f"{at}.{key}"
        if key == "path":
            return self.path(content, at)
        if key == "count":
            relation, where = self.fields(content, at, ("relation",), ("where",))
            return nodes.Aggregate(key, self.path(relation, at), None, self.where(where, at))
        if key in AGGREGATES:
            relation, field, where = self.fields(content, at, ("relation", "field"), ("where",))
            return nodes.Aggregate(key, self.path(relation, at), self.name(field, at), self.where(where, at))
        raise _bad(f"there is no term {shown(key)}", at)

    def value(self, document: Any, at: str, actors: bool = False) -> Any:
        match document:
            case bool():
                return document
            case int():
                return _integer(document)
            # JSON has one kind of number: 5.0 is the integer 5.
            case float() if document.is_integer():
                return _integer(int(document))
            case str():
                return self.text(document, at)
            case {"$money": _}:
                return self.money(self.fields(document, at, ("$money",))[0], at)
            case {"$time": _}:
                return self.time(self.fields(document, at, ("$time", "days")), at)
        key, text = self.single(document, at) if isinstance(document, dict) else ("", None)
        if key in _VALUES and isinstance(text, str) and PATTERNS[key].fullmatch(text) and (actors or key != "$actors"):
            return self.loaded(_VALUES[key], text, at)
        raise _bad(f"{shown(document)} is not a value", at)

    def money(self, pair: Any, at: str) -> Money:
        amount, currency = self.array(pair, at, least=2, most=2)
        fits = isinstance(amount, str) and isinstance(currency, str)
        if not fits or not PATTERNS["amount"].fullmatch(amount) or not PATTERNS["currency"].fullmatch(currency):
            raise _bad("money is an amount and a currency, both as text", at)
        return self.loaded(lambda text: Money(text, currency), amount, at)  # type: ignore[no-any-return]

    def time(self, content: tuple[Any, ...], at: str) -> nodes.RelativeTime:
        unit, days = content
        if unit not in ("now", "today"):
            raise _bad(f"{shown(unit)} is neither now nor today", at)
        whole: Any = int(days) if isinstance(days, float) and days.is_integer() else days
        return nodes.RelativeTime(unit, days_from_now(whole).days)

    def loaded(self, load: Callable[[Any], Any], text: str, at: str) -> Any:
        try:
            return load(text)
        except InvalidValue as error:
            problem = error.problems[0]
            raise InvalidQuery(problem.message, code=problem.code, hint=f"at {at}") from None

    def path(self, document: Any, at: str, least: int = 1) -> Path:
        return Path(tuple(self.name(name, at) for name in self.array(document, at, least=least, most=MAX_STEPS)))

    def name(self, document: Any, at: str) -> str:
        if not isinstance(document, str) or PATTERNS["name"].fullmatch(document) is None:
            raise _bad(f"{shown(document)} is not the key of a field", at)
        return document

    def text(self, document: Any, at: str) -> str:
        if not isinstance(document, str) or PATTERNS["text"].fullmatch(document) is None:
            raise _bad(f"{shown(document)} is not a text that can be stored", at)
        return document

    def single(self, document: Any, at: str) -> tuple[str, Any]:
        if not isinstance(document, dict) or len(document) != 1:
            raise _bad(f"an object of one key is needed, not {shown(document)}", at)
        ((key, content),) = document.items()
        if not isinstance(key, str):
            raise _bad(f"{shown(key)} is not a key", at)
        return key, content

    def array(self, document: Any, at: str, least: int = 0, most: int | None = None) -> list[Any]:
        if not isinstance(document, list):
            raise _bad(f"an array is needed, not {shown(document)}", at)
        if len(document) < least or (most is not None and len(document) > most):
            raise _bad(f"an array of {len(document)} elements", at)
        return document

    def fields(
        self, document: Any, at: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> tuple[Any, ...]:
        """The values of an object's keys, in order; None for an optional one that is not there."""
        if not isinstance(document, dict):
            raise _bad(f"an object is needed, not {shown(document)}", at)
        for key in needed:
            if key not in document:
                raise _bad(f"{key} is missing", at)
        for key in document:
            if key not in needed and key not in optional:
                raise _bad(f"there is no {shown(key)} here", at)
            if key in optional and document[key] is None:
                raise _bad(f"{key} is null", at)
        return tuple(document.get(key) for key in (*needed, *optional))
