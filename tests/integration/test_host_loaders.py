"""How a host wants psycopg to read values is the host's own affair, before and after crmkit was on its connection."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection, create_engine

from crmkit import CRM, Address, PersonName
from crmkit.schema.types import Json
from crmkit.store.connection.drivers import raw_connection
from tests.staff import ADMIN

NOTES = {"rate": 1.5, "备注": [1, None, {"deep": 2**62}]}
DOCUMENT = "SELECT '{\"rate\": 1.5}'::jsonb"


@pytest.fixture
def url(migrated_postgres: Callable[[str], str]) -> str:
    return migrated_postgres("crm")


@pytest.fixture
def host(url: str) -> Iterator[Connection]:
    """A connection of a host that reads JSON in its own way: numbers as Decimal."""
    engine = create_engine(url)
    with engine.connect() as connection:
        set_json_loads(partial(json.loads, parse_float=Decimal), raw_connection(connection))
        yield connection
    engine.dispose()


def told(connection: Connection) -> Any:
    """What the host itself reads."""
    return raw_connection(connection).execute(DOCUMENT).fetchone()[0]["rate"]


def by_every_road(me: Any, made: Any) -> list[Any]:
    listed = me.contacts.where(id=made)
    return [
        me.contacts.get(made),
        *me.contacts.get_many([made]).values(),
        *listed,
        *(contact for block in listed.blocks() for contact in block),
    ]


def test_records_on_a_hosts_connection_are_what_they_are_on_one_of_crmkits_own(url: str, host: Connection) -> None:
    crm = CRM(url)
    with crm.session(ADMIN) as me:
        me.fields.add("contact", "notes", Json())
    with crm.session(ADMIN) as me:
        name, address = PersonName(given="伟", family="张"), Address(street="建国路1号", country="CN")
        made = me.contacts.create(name=name, address=address, notes=NOTES).id
    with crm.session(ADMIN) as me:
        own = by_every_road(me, made)
    with crm.session(ADMIN, on=host) as me:
        joined = by_every_road(me, made)
    assert own == joined == [own[0]] * 4
    assert [type(record.custom["notes"]["rate"]) for record in joined] == [float] * 4
    assert (own[0].name, own[0].address, own[0].custom["notes"]) == (name, address, NOTES)
    assert type(told(host)) is Decimal
    crm.dispose()
