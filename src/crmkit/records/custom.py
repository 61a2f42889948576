"""What a tenant adds at run time, kept as records like everything else, and the record custom objects are made of."""

from typing import Any
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Boolean, Json, LongText, Reference, Text

__all__ = ["BASE_OBJECT", "CustomField", "CustomObject", "CustomRecord"]

BASE_OBJECT = "object"
"""The declared type all custom objects are made from; they share its table, told apart by ``object_key``."""


@record_type("custom_object", plural="custom_objects", title="key", link=True, unique=(("key",), ("plural",)))
class CustomObject(Record):
    """A record type the tenant made."""

    key: str = field(Text(max_length=48))
    plural: str = field(Text(max_length=48))
    label: str = field(Text(max_length=100))


@record_type(
    "custom_field",
    plural="custom_fields",
    title="key",
    link=True,
    unique=(("on", "key"), ("on", "column"), ("on", "slot"), ("on", "unique_slot")),
    # Where its values lie and what they are: one moves with all.
    together=("type", "options", "column", "slot", "unique_slot", "indexed", "unique"),
)
class CustomField(Record):
    """A field the tenant added to the record type ``on``; ``column``, ``slot`` and ``unique_slot`` say where it
    lies.
    """

    on: str = field(Text(max_length=48))
    key: str = field(Text(max_length=48))
    type: str = field(Text(max_length=48))
    options: Any = field(Json(), default=None)
    labels: Any = field(Json(), default=None)
    required: bool = field(Boolean(), default=False)
    default: Any = field(Json(), default=None)
    unique: bool = field(Boolean(), default=False)
    indexed: bool = field(Boolean(), default=False)
    sensitive: bool = field(Boolean(), default=False)
    check: str | None = field(LongText(), default=None)
    column: str = field(Text(max_length=60))
    slot: str | None = field(Text(max_length=20), default=None)
    unique_slot: str | None = field(Text(max_length=20), default=None)


@record_type(BASE_OBJECT, plural="objects", title="name", table="crm_object")
class CustomRecord(Record):
    """A record of a custom object: a name, an owner, and the fields the tenant gave it."""

    name: str = field(Text())
    owner: UUID | None = field(Reference("user"), default=None)
