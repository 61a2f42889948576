"""A small schema that has one of everything the store makes tables from."""

from typing import Any
from uuid import UUID

from sqlalchemy import Table, bindparam, insert

from crmkit.schema import Record, Schema, field, record_type, record_type_of
from crmkit.schema.types import Email, Integer, Json, Money, PersonName, Reference, Text
from crmkit.store import TENANT, Codec, Database, Statement, Tables


@record_type("user", plural="users", title="name")
class User(Record):
    email: str = field(Email(), unique=True)
    name: str = field(Text())


@record_type("company", plural="companies", title="name", indexes=(("name",), ("size", "name")))
class Company(Record):
    name: str = field(Text())
    size: int | None = field(Integer(), default=None)
    notes: Any = field(Json(), default=None)
    parent: UUID | None = field(Reference("company", back="children"), default=None)
    owner: UUID | None = field(Reference("user"), default=None)


@record_type("person", plural="people", title="name", sort="income")
class Person(Record):
    name: Any = field(PersonName())
    income: Any = field(Money(), default=None)
    company: UUID | None = field(Reference("company", back="people"), default=None)


@record_type("membership", plural="memberships", title="id", link=True, unique=(("company", "subject"),))
class Membership(Record):
    company: UUID = field(Reference("company"))
    subject: UUID = field(Reference("*"))


@record_type("object", plural="objects", title="name", table="crm_object")
class CustomObjectRecord(Record):
    name: str = field(Text())
    owner: UUID | None = field(Reference("user"), default=None)


def sample_schema(*more: type[Record]) -> Schema:
    return Schema.of(map(record_type_of, (User, Company, Person, Membership, CustomObjectRecord, *more)))


def sample_tables(*more: type[Record]) -> Tables:
    return Tables(sample_schema(*more))


def adding(database: Database, table: Table) -> Statement:
    """INSERT of all columns, each from the parameter of its name."""
    return database.prepare(
        insert(table).values({c.name: bindparam(TENANT if c.name == "tenant_id" else c.name) for c in table.columns})
    )


def row_for(table: Table, codec: Codec, number: int, tenant: int = 1, **values: Any) -> tuple[Any, ...]:
    """A row with nothing but what must not be NULL, and ``values``."""
    some_id = codec.id_in(UUID(int=number))
    row: dict[str, Any] = {c.name: None for c in table.columns}
    row.update(tenant_id=tenant, id=some_id, version=1, changeset_id=some_id, created_at=0, recorded_at=0)
    return tuple({**row, **values}.values())
