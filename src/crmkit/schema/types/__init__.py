"""The built-in field types, one class each; plugins add more through the sdk."""

from crmkit.schema.types.choices import Choice, MultiChoice
from crmkit.schema.types.contact import Email, Phone, Url
from crmkit.schema.types.money import Money
from crmkit.schema.types.numbers import Boolean, Decimal, Integer, Percent
from crmkit.schema.types.reference import Reference
from crmkit.schema.types.registry import BUILTIN_FIELD_TYPES, field_types
from crmkit.schema.types.structured import Address, Json, PersonName
from crmkit.schema.types.text import LongText, Text
from crmkit.schema.types.times import Date, DateTime, Duration

__all__ = [
    "BUILTIN_FIELD_TYPES",
    "Address",
    "Boolean",
    "Choice",
    "Date",
    "DateTime",
    "Decimal",
    "Duration",
    "Email",
    "Integer",
    "Json",
    "LongText",
    "Money",
    "MultiChoice",
    "Percent",
    "PersonName",
    "Phone",
    "Reference",
    "Text",
    "Url",
    "field_types",
]
