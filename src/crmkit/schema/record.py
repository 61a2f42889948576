"""The frozen record every noun is, and how one is declared once.

::

    @record_type("deal", plural="deals", title="name", sort="amount")
    class Deal(Record):
        name: str = field(Text(max_length=200))
        amount: Money | None = field(types.Money(), default=None)

A field without a default is required; one with another default than None is never None. From the declaration come the
table, the history table, JSON Schema, query and permission fields; nothing about a noun is written down twice.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform
from uuid import UUID

import attrs

from crmkit.errors import InvalidDefinition, InvalidValue
from crmkit.schema.field import Field, checked_key
from crmkit.schema.field_type import FieldType
from crmkit.schema.record_type import SYSTEM_FIELDS, RecordType

__all__ = ["Record", "field", "record_type"]

_SPEC = "crmkit.field"
_ABSENT = object()
_NO_CUSTOM: Mapping[str, Any] = MappingProxyType({})

R = TypeVar("R", bound="Record")


def field(
    type: FieldType,
    *,
    default: Any = attrs.NOTHING,
    label: str | Mapping[str, str] = "",
    unique: bool = False,
    indexed: bool = False,
    sensitive: bool = False,
    check: str | None = None,
) -> Any:
    """A field of a declared record type; without ``default`` it is required.

    One with a default may be left out, but only where that is None may it be None: its annotation says so as well.
    ``label`` is English, or a mapping of languages to labels. ``unique`` holds within the tenant, by the type's
    compare part. ``sensitive`` fields need the action ``see_sensitive``. ``check`` is a condition in text form that
    every record must meet when it is written; one that is unknown for want of a value passes.
    """
    labels = {"en": label} if isinstance(label, str) and label else (label or {})
    options = {"labels": labels, "unique": unique, "indexed": indexed, "sensitive": sensitive, "check": check}
    return attrs.field(default=default, metadata={_SPEC: (type, options)})


def _read_only(custom: Mapping[str, Any]) -> Mapping[str, Any]:
    # A proxy is taken as it is, so that a reader that makes one pays for no copy.
    return custom if type(custom) is MappingProxyType else MappingProxyType(dict(custom))


def _frozen(cls: type[R]) -> type[R]:
    return attrs.frozen(kw_only=True, repr=False, eq=False)(cls)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field, attrs.field))
class _Declared:
    """Tells type checkers that what is declared below is an argument; it must be above Record for ``custom`` to be."""

    __slots__ = ()
    if TYPE_CHECKING:
        __attrs_attrs__: ClassVar[Any]


@_frozen
class Record(_Declared):
    """What all records have. A record read from a store has every system field; one you construct is a draft to hand
    to ``create`` and has none yet. Frozen: a change is a new version, made by a verb.
    """

    id: UUID = attrs.field(init=False)
    version: int = attrs.field(init=False)
    changeset_id: UUID = attrs.field(init=False)
    created_at: datetime = attrs.field(init=False)
    created_by: UUID | None = attrs.field(init=False)
    recorded_at: datetime = attrs.field(init=False)
    custom: Mapping[str, Any] = attrs.field(default=_NO_CUSTOM, converter=_read_only)
    """Values of custom fields by key; a field without a value is absent or None."""

    def __getitem__(self, key: str) -> Any:
        """The value of any field, declared or custom. Raises KeyError, also for a system field of a draft."""
        value = self.custom.get(key, _ABSENT)
        if value is not _ABSENT:
            return value
        if key in type(self).__record_type__.by_key:  # type: ignore[attr-defined]
            try:
                return object.__getattribute__(self, key)
            except AttributeError:
                pass
        raise KeyError(key)

    if not TYPE_CHECKING:
        # Custom fields read like attributes; type checkers do not see this, so a misspelt declared field still shows.
        def __getattr__(self, name):
            if not name.startswith("_"):
                try:
                    return object.__getattribute__(self, "custom")[name]
                except (AttributeError, KeyError):
                    pass
                if name in SYSTEM_FIELDS:
                    raise AttributeError(f"a draft of {type(self).__name__} has no {name!r} until it is created")
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        try:
            return hash(object.__getattribute__(self, "id"))
        except AttributeError:
            raise TypeError(f"a draft of {type(self).__name__} has no id to be hashed by") from None

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in _values(self).items() if v is not None and k not in _QUIET)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), _attributes(self), dict(self.custom))


_QUIET = frozenset({"changeset_id", "created_at", "created_by", "recorded_at"})


def _attributes(record: Record) -> dict[str, Any]:
    """Every attribute a record has but ``custom``, system fields of a draft left out."""
    values: dict[str, Any] = {}
    for attribute in attrs.fields(type(record)):
        if attribute.name == "custom":
            continue
        try:
            values[attribute.name] = object.__getattribute__(record, attribute.name)
        except AttributeError:
            continue
    return values


def _values(record: Record) -> dict[str, Any]:
    return {**_attributes(record), **record.custom}


def _rebuilt(cls: type[R], attributes: dict[str, Any], custom: dict[str, Any]) -> R:
    """Undoes pickling and copying, which a read-only mapping would forbid."""
    record = object.__new__(cls)
    for name, value in {**attributes, "custom": MappingProxyType(custom)}.items():
        object.__setattr__(record, name, value)
    return record


def _declared_field(attribute: "attrs.Attribute[Any]") -> Field:
    if _SPEC not in attribute.metadata:
        raise InvalidDefinition(
            f"{attribute.name} has a type for Python and none for crmkit",
            code="not_a_field",
            field=attribute.name,
            hint="declare it with field(...)",
        )
    key = checked_key(attribute.name)
    type_, options = attribute.metadata[_SPEC]
    default = None if attribute.default is attrs.NOTHING else attribute.default
    if default is not None:
        try:
            default = type_.parse(default)
        except InvalidValue as error:
            raise InvalidDefinition(
                f"the default of {attribute.name}: {error}", code="bad_default", field=attribute.name
            ) from error
    # Only what may be None by itself may be made None: its annotation says so.
    required = attribute.default is not None
    return Field(key, type_, required=required, default=default, **options)


def record_type(
    key: str,
    *,
    plural: str,
    title: str,
    label: str = "",
    sort: str | None = None,
    indexes: tuple[tuple[str, ...], ...] = (),
    unique: tuple[tuple[str, ...], ...] = (),
    link: bool = False,
    table: str | None = None,
    together: tuple[str, ...] = (),
    adds_up: tuple[str, int] | None = None,
    exclusive: tuple[str, str] | None = None,
    tracks: str | None = None,
    managed_by: str | None = None,
    cached: bool = False,
) -> Callable[[type[R]], type[R]]:
    """Declare a record class as a record type.

    ``title`` is the field people know a record by, ``sort`` the one lists are usually sorted by (it completes the
    indexes). ``indexes`` and ``unique`` name further field tuples; the tenant leads them all. A ``link`` joins two
    records, has no slots for custom fields and no noun of its own in the CLI. The declaration is found again as
    ``record_type_of(cls)``.

    ``together`` names fields that an undo takes back together or not at all. A part (see ``Reference(part_of=True)``)
    may say what holds of all parts of one whole: ``adds_up=("share", 100)``, ``exclusive=("tag", "group")`` (of the
    records that ``tag`` leads to no two have the same ``group``), or ``tracks="stage"`` (they tell which values the
    whole's ``stage`` had, and are taken back with it). ``managed_by`` tells which verbs write the records: no
    others do. ``cached`` is for small types that are needed with many writes, such as stages: a session keeps their
    records (``session.configuration(key)``). Raises InvalidDefinition.
    """

    def declare(cls: type[R]) -> type[R]:
        if not issubclass(cls, Record):
            raise InvalidDefinition(f"{cls.__name__} is not a Record", code="not_a_record")
        declared = _frozen(cls)
        every = {"custom", *SYSTEM_FIELDS}
        declared.__record_type__ = RecordType(  # type: ignore[attr-defined]
            key=key,
            plural=plural,
            label=label or key.replace("_", " ").capitalize(),
            title=title,
            sort=sort or title,
            record=declared,
            fields=tuple(_declared_field(a) for a in attrs.fields(declared) if a.name not in every),
            indexes=indexes,
            unique=unique,
            link=link,
            table=table or f"crm_{key}",
            together=together,
            adds_up=adds_up,
            exclusive=exclusive,
            tracks=tracks,
            managed_by=managed_by,
            cached=cached,
        )
        return declared

    return declare
