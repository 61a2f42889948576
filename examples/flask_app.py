"""A small shop with Flask and SQLAlchemy's ORM: orders are the host's, deals are crmkit's, one transaction holds both.

Run it with ``CRM_URL=sqlite:///shop.db flask --app examples.flask_app:from_environment run``.
"""

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask import Flask, jsonify, request
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from crmkit import CRM, CrmkitError, Money
from crmkit.errors import AccessError, Conflict, InputError, NotFound, Unavailable, Vetoed
from crmkit.store import check_references

STATUS: Mapping[type[CrmkitError], int] = {
    NotFound: 404,
    InputError: 422,
    AccessError: 403,
    Conflict: 409,
    Vetoed: 409,
    Unavailable: 503,
}
"""Which error is whose: the first that fits counts."""


class Base(DeclarativeBase):
    """The shop's own tables."""


class Order(Base):
    """An order; ``deal_id`` is the deal it became."""

    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    cents: Mapped[int]
    deal_id: Mapped[str]


class TooLarge(Exception):
    """The shop's own refusal, after the deal was written: it takes the deal back too."""


def make_engine(url: str) -> Engine:
    """The shop's engine. SQLite checks references only on connections that are told to before anything is written."""
    engine = create_engine(url)
    check_references(engine)
    return engine


def make_app(engine: Engine, crm: CRM) -> Flask:
    """The shop over a database that has both kinds of tables."""
    app = Flask("shop")

    @app.post("/orders")
    def place_order() -> tuple[Any, int]:
        user, body = request.headers["X-User"], request.get_json()
        with Session(engine) as host, host.begin():
            # The deal lies in a savepoint of the shop's transaction: both are kept, or neither.
            with crm.session(user, on=host, reason="an order in the shop") as me:
                account = me.accounts.upsert(by="name", name=body["customer"])
                amount = Money(body["cents"], "EUR") * Decimal("0.01")
                deal = me.deals.create(name=f"Order of {account.name}", account=account, amount=amount)
                me.deals.move(deal, to="won")
            order = Order(customer=account.name, cents=body["cents"], deal_id=str(deal.id))
            host.add(order)
            host.flush()
            if body["cents"] > 100_000_00:
                raise TooLarge
            answer = {"order": order.id, "deal": order.deal_id}
        # crmkit does not know when the shop commits, so the shop says so; a timer that calls it would do as well.
        crm.deliver()
        return jsonify(answer), 201

    @app.get("/orders")
    def list_orders() -> Any:
        with Session(engine) as host, crm.session(request.headers["X-User"], on=host) as me:
            orders = host.scalars(select(Order).order_by(Order.id)).all()
            return jsonify([{"customer": o.customer, "outcome": me.deals.get(o.deal_id).outcome} for o in orders])

    @app.errorhandler(CrmkitError)
    def refused(error: CrmkitError) -> tuple[Any, int]:
        status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
        return jsonify([str(problem) for problem in error.problems]), status

    @app.errorhandler(TooLarge)
    def too_large(error: TooLarge) -> tuple[Any, int]:
        return jsonify(["orders above 100,000 € are made by hand"]), 422

    return app


def from_environment() -> Flask:
    """The shop over the database of CRM_URL."""
    engine = make_engine(os.environ.get("CRM_URL", "sqlite:///shop.db"))
    Base.metadata.create_all(engine)
    crm = CRM(engine)
    crm.migrate(admin=os.environ.get("CRM_ADMIN", "ana@acme.example"))
    return make_app(engine, crm)
