"""The table of field types in docs/fields.md, made from the types themselves."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from crmkit.schema import FieldType, types
from crmkit.schema.field_type import EQUALITY, ORDER, TEXTUAL
from crmkit.schema.types import BUILTIN_FIELD_TYPES
from crmkit.values import Address, Money, PersonName

HEADER = (
    "| type | in Python | as text | options | comparisons | index |",
    "|---|---|---|---|---|---|",
)

SAMPLES: Mapping[str, tuple[FieldType, Any]] = {
    "address": (types.Address(), Address(street="人民路 1", city="上海", country="CN")),
    "boolean": (types.Boolean(), True),
    "choice": (types.Choice(["gold", "silver"]), "gold"),
    "date": (types.Date(), date(2026, 5, 1)),
    "datetime": (types.DateTime(), datetime(2026, 5, 1, 8, 30, tzinfo=UTC)),
    "decimal": (types.Decimal(), Decimal("12.5")),
    "duration": (types.Duration(), timedelta(days=1, hours=2)),
    "email": (types.Email(), "li@宝钢.example"),
    "integer": (types.Integer(), 1200),
    "json": (types.Json(), {"a": [1, 2]}),
    "long_text": (types.LongText(), "many lines"),
    "money": (types.Money(), Money("1234.50", "EUR")),
    "multi_choice": (types.MultiChoice(["red", "green"]), ("red", "green")),
    "percent": (types.Percent(), Decimal("12.5")),
    "person_name": (types.PersonName(), PersonName(given="Ada", family="Lovelace")),
    "phone": (types.Phone(), "+862112345678"),
    "reference": (types.Reference("account"), UUID("01890a5d-ac96-774b-bcce-b302099a8057")),
    "text": (types.Text(), "one line"),
    "url": (types.Url(), "https://acme.example/"),
}
"""A type and a value of each built-in name."""

_COMPARISONS = {
    TEXTUAL: "text",
    ORDER: "order",
    EQUALITY: "equality",
    frozenset({"has"}): "has",
    frozenset(): "none",
    EQUALITY | {"contains", "starts_with", "ends_with"}: "equality, parts",
}
_PYTHON = {"MultiChoice": "tuple of str", "Json": "JSON value"}


def rows() -> Iterator[str]:
    """One row of the table for each built-in type."""
    for kind in BUILTIN_FIELD_TYPES:
        field_type, sample = SAMPLES[kind.name]
        value = field_type.parse(sample)
        python = _PYTHON.get(kind.__name__, type(value).__name__)
        options = ", ".join(f"`{a.name}`" for a in attrs.fields(kind)) or "–"
        text = field_type.to_text(value)
        shown = f"`{text}`" if len(text) < 30 else f"`{text[:8]}…`"
        slot = "–" if kind.slot is None else kind.slot.value
        yield f"| `{kind.__name__}` | {python} | {shown} | {options} | {_COMPARISONS[kind.operators]} | {slot} |"


def table() -> str:
    """The whole table as Markdown."""
    return "\n".join((*HEADER, *rows()))
