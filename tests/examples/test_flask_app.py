"""examples/flask_app.py: the shop's orders and crmkit's deals in one transaction."""

from collections.abc import Callable, Iterator

import pytest
from examples.flask_app import Base, Order, make_app, make_engine
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select

from crmkit import CRM
from tests.examples.databases import on_both

USER = {"X-User": "ana@acme.example"}


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def crm(engine: Engine, open_crm: Callable[..., CRM]) -> CRM:
    return open_crm(engine)


@pytest.fixture
def client(engine: Engine, crm: CRM) -> FlaskClient:
    return make_app(engine, crm).test_client()


def kept(engine: Engine, crm: CRM) -> tuple[int, int, int]:
    """Orders, deals and accounts there are."""
    with engine.connect() as connection, crm.system() as me:
        orders = connection.execute(select(func.count()).select_from(Order)).scalar_one()
        return orders, me.deals.count(), me.accounts.count()


@on_both
def test_an_order_and_its_deal_are_kept_together(client: FlaskClient, engine: Engine, crm: CRM) -> None:
    for _ in range(2):
        answer = client.post("/orders", json={"customer": "宝钢", "cents": 1999}, headers=USER)
        assert answer.status_code == 201
    assert kept(engine, crm) == (2, 2, 1)
    assert client.get("/orders", headers=USER).get_json() == [{"customer": "宝钢", "outcome": "won"}] * 2


def test_plugins_are_told_once_the_shop_has_committed(client: FlaskClient, crm: CRM) -> None:
    client.post("/orders", json={"customer": "宝钢", "cents": 1999}, headers=USER)
    with crm.session("ana@acme.example") as me:
        assert [activity.subject for activity in me.activities] == ["Won: Order of 宝钢"]
    assert crm.undelivered() == []


@on_both
def test_what_the_shop_refuses_late_takes_the_deal_back(client: FlaskClient, engine: Engine, crm: CRM) -> None:
    answer = client.post("/orders", json={"customer": "宝钢", "cents": 10_000_001}, headers=USER)
    assert (answer.status_code, kept(engine, crm)) == (422, (0, 0, 0))


@pytest.mark.parametrize("body", [{"customer": "", "cents": 5}, {"customer": "宝钢", "cents": 1.5}])
def test_what_crmkit_refuses_leaves_no_order(
    client: FlaskClient, engine: Engine, crm: CRM, body: dict[str, object]
) -> None:
    answer = client.post("/orders", json=body, headers=USER)
    assert (answer.status_code, kept(engine, crm)) == (422, (0, 0, 0))


def test_a_stranger_places_no_order(client: FlaskClient, engine: Engine, crm: CRM) -> None:
    body = {"customer": "宝钢", "cents": 5}
    assert client.post("/orders", json=body, headers={"X-User": "eve@evil.example"}).status_code == 403
    assert kept(engine, crm) == (0, 0, 0)
