"""Money as a field: an exact amount and its currency."""

import re
from typing import Any, ClassVar

import attrs

from crmkit.errors import InvalidValue
from crmkit.schema.field_type import ORDER, FieldType, Parts
from crmkit.schema.parts import Kind, Part, Slot
from crmkit.values import Money as MoneyValue
from crmkit.values import minor_digits
from crmkit.values.text import shown

__all__ = ["Money"]

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
_HINT = '{"amount": "12000.00", "currency": "EUR"}'


@attrs.frozen
class Money(FieldType):
    """An amount in a currency, stored in ten-thousandths; unlike currencies never compare as anything but unknown."""

    name: ClassVar[str] = "money"
    parts: ClassVar[tuple[Part, ...]] = (Part("", Kind.INTEGER), Part("currency", Kind.TEXT, 3))
    unit: ClassVar[int | None] = 1
    operators: ClassVar[frozenset[str]] = ORDER
    slot: ClassVar[Slot | None] = Slot.NUMBER

    def parse(self, value: Any) -> MoneyValue:
        if not isinstance(value, MoneyValue):
            raise InvalidValue(f"{shown(value)} has no currency", code="not_money", hint='give Money("12000", "EUR")')
        return value

    def parse_text(self, text: str) -> MoneyValue:
        return MoneyValue.parse(text)

    def dump(self, value: MoneyValue) -> dict[str, str]:
        return {"amount": f"{value.amount:f}", "currency": value.currency}

    def load(self, document: Any) -> MoneyValue:
        if not isinstance(document, dict) or set(document) != {"amount", "currency"}:
            raise InvalidValue(f"{shown(document)} is not money", code="not_money", hint=_HINT)
        amount = document["amount"]
        if not isinstance(amount, str) or _AMOUNT.fullmatch(amount) is None:
            raise InvalidValue(f"{shown(amount)} is not the amount of money", code="not_a_number", hint=_HINT)
        return MoneyValue(amount, document["currency"])

    def to_text(self, value: MoneyValue) -> str:
        # Three decimals may be read as thousands; four may not.
        thousands = value.amount.as_tuple().exponent == -3 and minor_digits(value.currency) < 3
        return f"{value.amount:f}0 {value.currency}" if thousands else str(value)

    def to_parts(self, value: MoneyValue) -> Parts:
        return value.units, value.currency

    def from_parts(self, *parts: Any) -> MoneyValue:
        return MoneyValue.from_units(parts[0], parts[1])

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "amount": {"type": "string", "pattern": f"^{_AMOUNT.pattern}$"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
            "required": ["amount", "currency"],
            "additionalProperties": False,
        }
