"""The published contract of the JSON form: JSON Schema 2020-12, and the patterns that reading it uses as well."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from crmkit.query.lift import MAX_STEPS, MAX_VALUES
from crmkit.query.nodes import AGGREGATES, COMPARISONS, MAX_DAYS, QUANTIFIERS
from crmkit.schema.types.numbers import MAX_INTEGER

__all__ = ["JSON_FORM_SCHEMA", "PATTERNS"]

_TEXT = r"[^\u0000\ud800-\udfff]*"

PATTERNS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        key: re.compile(pattern)
        for key, pattern in {
            "name": r"[A-Za-z][A-Za-z0-9_]{0,99}",
            "text": _TEXT,
            "amount": r"-?[0-9]{1,15}(\.[0-9]{1,4})?",
            "currency": r"[A-Z]{3}",
            "$decimal": r"-?[0-9]{1,60}(\.[0-9]{1,60})?",
            "$date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "$datetime": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})",
            "$duration": r"-?P[0-9]{1,9}DT[0-9]{1,9}(\.[0-9]{1,6})?S",
            "$id": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
            "$actors": r"me|my_team|my_team_and_below",
        }.items()
    }
)
"""What the texts in the form look like, by what they are."""


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _text(name: str) -> dict[str, Any]:
    # In Python $ stands before a last line feed as well.
    return {"type": "string", "pattern": rf"^({PATTERNS[name].pattern})$(?!\n)"}


def _object(needed: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**needed, **(optional or {})},
        "required": list(needed),
        "additionalProperties": False,
    }


def _tuple(*items: Any) -> dict[str, Any]:
    return {"type": "array", "prefixItems": list(items), "minItems": len(items), "items": False}


def _one_of_keys(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _condition() -> dict[str, Any]:
    expr, term, value = _ref("condition"), _ref("term"), _ref("value")
    some = {"type": "array", "items": expr, "minItems": 1}
    related = _object({"relation": _ref("path")}, {"where": expr})
    pair = _tuple(term, {"anyOf": [value, term, _ref("actors")]})
    listed = {"type": "array", "items": value, "maxItems": MAX_VALUES}
    return _one_of_keys(
        {
            **dict.fromkeys(COMPARISONS, pair),
            "in": _tuple(term, {"anyOf": [listed, _ref("actors")]}),
            "between": _tuple(term, value, value),
            "and": some,
            "or": some,
            "not": expr,
            "constant": {"type": "boolean"},
            "null": term,
            **dict.fromkeys(QUANTIFIERS, related),
            "all": _object({"relation": _ref("path"), "where": expr}),
            "within": _object({"path": {**_path(), "minItems": 0}, "where": expr}),
            "tag": _text("text"),
            "segment": _text("text"),
        }
    )


def _term() -> dict[str, Any]:
    expr = _ref("condition")
    over = _object({"relation": _ref("path"), "field": _text("name")}, {"where": expr})
    return _one_of_keys(
        {
            "path": _ref("path"),
            **dict.fromkeys(AGGREGATES, over),
            "count": _object({"relation": _ref("path")}, {"where": expr}),
        }
    )


def _path() -> dict[str, Any]:
    return {"type": "array", "items": _text("name"), "minItems": 1, "maxItems": MAX_STEPS}


def _value() -> dict[str, Any]:
    texts = ("$decimal", "$date", "$datetime", "$duration", "$id")
    days = {"type": "integer", "minimum": -MAX_DAYS, "maximum": MAX_DAYS}
    return {
        "anyOf": [
            {"type": "boolean"},
            {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER},
            _text("text"),
            *(_object({key: _text(key)}) for key in texts),
            _object({"$money": _tuple(_text("amount"), _text("currency"))}),
            _object({"$time": {"enum": ["now", "today"]}, "days": days}),
        ]
    }


JSON_FORM_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "crmkit condition",
    "description": "A condition on a record: true, false or unknown.",
    "$ref": "#/$defs/condition",
    "$defs": {
        "condition": _condition(),
        "term": _term(),
        "path": _path(),
        "value": _value(),
        "actors": _object({"$actors": _text("$actors")}),
    },
}
"""The form as JSON Schema. What it cannot say, reading refuses as well: days of the calendar, ranges, depth."""
