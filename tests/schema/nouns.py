"""Small record types for tests of the schema."""

from datetime import date
from decimal import Decimal as PyDecimal
from typing import Any
from uuid import UUID

from crmkit.schema import Record, Schema, field, record_type, record_type_of
from crmkit.schema.types import (
    Boolean,
    Choice,
    Date,
    Email,
    Integer,
    Json,
    LongText,
    Percent,
    PersonName,
    Phone,
    Reference,
    Text,
)
from crmkit.schema.types import Money as MoneyType
from crmkit.values import Money
from crmkit.values import PersonName as PersonNameValue

__all__ = ["Company", "Link", "Member", "Note", "Person", "Thing", "record_type_of", "sample_schema"]


@record_type("note", plural="notes", title="title")
class Note(Record):
    """As little as a record may have."""

    title: str = field(Text(max_length=20))
    body: str | None = field(LongText(), default=None)


@record_type("company", plural="companies", title="name")
class Company(Record):
    name: str = field(Text(), label={"en": "Name", "zh": "名称"}, unique=True)
    stage: str = field(Choice(["new", "won"]), default="new")
    revenue: Money | None = field(MoneyType(), default=None)
    share: PyDecimal | None = field(Percent(), default=None)
    headcount: int | None = field(Integer(minimum=0), default=None)
    founded: date | None = field(Date(), default=None)
    extra: Any = field(Json(), default=None)
    owner: UUID | None = field(Reference("member"), default=None)


@record_type("member", plural="members", title="name")
class Member(Record):
    name: str = field(Text())


@record_type("person", plural="people", title="name")
class Person(Record):
    name: PersonNameValue = field(PersonName())
    email: str | None = field(Email(), default=None, indexed=True)
    phone: str | None = field(Phone(), default=None)
    company: UUID | None = field(Reference("company", back="people"), default=None)
    active: bool = field(Boolean(), default=True)
    owner: UUID | None = field(Reference("member"), default=None)


@record_type("link", plural="links", title="id", link=True)
class Link(Record):
    company: UUID = field(Reference("company", back="links"))
    person: UUID = field(Reference("person", back="links"))


@record_type("thing", plural="things", title="name")
class Thing(Record):
    """What custom objects are made of."""

    name: str = field(Text())
    owner: UUID | None = field(Reference("member"), default=None)


def sample_schema() -> Schema:
    """All of them but the note."""
    return Schema.of(map(record_type_of, (Company, Member, Person, Link, Thing)))
