"""The four primitives of :class:`~crmkit.schema.Kind` as columns, and what the bare drivers make of them.

Statements on the hot path are run as plain driver SQL: SQLAlchemy compiles them once and converts no value. So there
are two ways to the same storage. :class:`IdType` and :class:`JsonType` serve a host that selects from crmkit's tables
with Core; :class:`Codec` is the same conversion without SQLAlchemy, for a whole block of rows.
"""

import json
from collections.abc import Callable
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Dialect, LargeBinary, Text, Uuid
from sqlalchemy.types import TypeDecorator, TypeEngine

from crmkit.query.terms import as_is
from crmkit.schema import Kind
from crmkit.values import uuid_from_bytes

__all__ = ["Codec", "IdType", "JsonType", "column_type", "text_type", "to_json"]


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _writer() -> Callable[[Any], str]:
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    chunks = make(None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(chunks(value, 0))


to_json: Callable[[Any], str] = _writer()
"""A value as compact JSON in its own script; NaN and infinities are refused with ValueError. JSONEncoder makes the same
encoder anew at each call, where Python has it in C: 3.1 µs for a person's name, 1.7 with one kept.
"""


class IdType(TypeDecorator[UUID]):
    """An id: 16 bytes in SQLite (ordered as the numbers are), native UUID in PostgreSQL, ``uuid.UUID`` in Python."""

    impl = LargeBinary(16)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type in the database."""
        return dialect.type_descriptor(Uuid() if _is_postgresql(dialect) else LargeBinary(16))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        """What the driver is given."""
        return value if value is None or _is_postgresql(dialect) else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        """What Core hands out."""
        return value if value is None or _is_postgresql(dialect) else UUID(bytes=value)


class JsonType(TypeDecorator[Any]):
    """A JSON document: TEXT in SQLite, JSONB in PostgreSQL; None is SQL's NULL, never JSON's."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type in the database."""
        if not _is_postgresql(dialect):
            return dialect.type_descriptor(Text())
        # On SQLite this dialect is never needed, and is a twentieth of what importing crmkit takes.
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """What the driver is given."""
        return value if value is None or _is_postgresql(dialect) else to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """What Core hands out."""
        return value if value is None or _is_postgresql(dialect) else json.loads(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """A path into the document is text, not a document."""
        return JSON().coerce_compared_value(op, value)


def _is_postgresql(dialect: Dialect) -> bool:
    return dialect.name == "postgresql"


def text_type() -> TypeEngine[Any]:
    """Text of any length that compares and sorts by code point on both databases."""
    return Text().with_variant(Text(collation="C"), "postgresql")


def column_type(kind: Kind) -> TypeEngine[Any]:
    """The SQLAlchemy type of a primitive."""
    match kind:
        case Kind.TEXT:
            return text_type()
        case Kind.INTEGER:
            return BigInteger()
        case Kind.ID:
            return IdType()
        case Kind.JSON:
            return JsonType()


class Codec:
    """Conversions between Python and what the bare driver of a dialect takes and gives; None must not be passed.

    ``id_in``   UUID to ``bytes`` (SQLite) or itself (PostgreSQL)
    ``id_out``  the reverse
    ``json_in`` a document to JSON text, which both databases take
    ``json_out`` text (SQLite) or the document psycopg has parsed (PostgreSQL) to the document
    """

    __slots__ = ("dialect", "id_in", "id_out", "json_in", "json_out")

    def __init__(self, dialect: str) -> None:
        native = dialect == "postgresql"
        self.dialect = dialect
        self.id_in: Callable[[UUID], Any] = as_is if native else attrgetter("bytes")
        self.id_out: Callable[[Any], UUID] = as_is if native else uuid_from_bytes
        self.json_in: Callable[[Any], str] = to_json
        self.json_out: Callable[[Any], Any] = as_is if native else json.loads
