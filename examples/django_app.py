"""A shop with Django: Django owns its database and its transactions, crmkit has connections of its own beside them.

crmkit joins transactions of SQLAlchemy, and Django's are none, so one transaction cannot hold an order and its deal.
What holds them together instead: the order is committed first, the deal is made afterwards under the order's number,
and making it twice is making it once, so whatever was lost in between is made up for later.

On PostgreSQL both may use one database. On SQLite give each a file of its own: a file has one writer at a time, and a
request that writes through Django would wait for itself when it writes through crmkit.

Run it with ``python -m examples.django_app`` and post to http://127.0.0.1:8000/orders.
"""

import json
import logging
import os
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from sqlalchemy import make_url

from crmkit import CRM, CrmkitError, Money
from crmkit.errors import AccessError, InputError
from crmkit.schema.types import Integer

LOG = logging.getLogger("shop")


def database_of(url: str) -> dict[str, Any]:
    """Django's settings for a database that is given as a URL."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.database}
    host = parts.host or parts.query.get("host", "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.database,
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": host,
        "PORT": parts.port or "",
    }


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    CRM_URL=os.environ.get("CRM_URL", "sqlite:///crm.db"),
    DATABASES={"default": database_of(os.environ.get("SHOP_URL", "sqlite:///shop.db"))},
    MIDDLEWARE=[f"{__name__}.RefusalMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for the example",  # noqa: S106 - nothing is signed here
    TIME_ZONE="UTC",
    USE_TZ=True,
)
django.setup()


class Order(models.Model):
    """An order; ``in_crm`` once its deal is made."""

    customer = models.CharField(max_length=255)
    cents = models.BigIntegerField()
    placed_by = models.EmailField()
    in_crm = models.BooleanField(default=False)

    class Meta:
        app_label = "shop"


@cache
def crm() -> CRM:
    """One CRM for each process, made when it is first needed: connections do not survive a fork."""
    return CRM(settings.CRM_URL)


def prepare(admin: str = "ana@acme.example") -> None:
    """Both sets of tables, and the field that ties a deal to its order. A project does this in its deployment."""
    if Order._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Order)
    crm().migrate(admin=admin)
    with crm().session(admin) as me:
        if not any(field.key == "order_number" for field in me.fields.list("deal")):
            me.fields.add("deal", "order_number", Integer(minimum=1), label="Order", unique=True)


def tell_crm(number: int) -> None:
    """The deal of an order, made unless it is there."""
    order = Order.objects.get(pk=number)
    with crm().session(order.placed_by, reason=f"order {number}", origin="shop") as me:
        account = me.accounts.upsert(by="name", name=order.customer)
        me.deals.upsert(
            by="order_number",
            order_number=number,
            name=f"Order {number}",
            account=account,
            amount=Money(order.cents, "EUR") * Decimal("0.01"),
        )
    Order.objects.filter(pk=number).update(in_crm=True)


def catch_up() -> int:
    """Makes the deals that are missing, for a timer; returns how many. What is refused again waits."""
    made = 0
    for number in Order.objects.filter(in_crm=False).values_list("pk", flat=True):
        try:
            tell_crm(number)
        except CrmkitError as error:
            LOG.warning("order %s is not in the CRM: %s", number, error)
        else:
            made += 1
    return made


def orders(request: HttpRequest) -> HttpResponse:
    """POST places an order; the deal follows once Django has committed."""
    user, body = request.headers["X-User"], json.loads(request.body)
    with transaction.atomic():
        order = Order.objects.create(customer=body["customer"], cents=body["cents"], placed_by=user)
        # robust: what the CRM refuses is logged and made up for by catch_up(); the order stands.
        transaction.on_commit(lambda: tell_crm(order.pk), robust=True)
    order.refresh_from_db()
    return JsonResponse({"order": order.pk, "in_crm": order.in_crm}, status=201)


def deals(request: HttpRequest) -> HttpResponse:
    """The deals of a filter in text form, as far as the user may see them."""
    with crm().session(request.headers["X-User"]) as me:
        found = me.deals.where(request.GET.get("where", "true")).order_by("-amount").limit(50)
        answer = [{"name": deal.name, "amount": str(deal.amount), "order": deal["order_number"]} for deal in found]
    return JsonResponse({"deals": answer})


class RefusalMiddleware:
    """What crmkit refuses, as an answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, CrmkitError):
            return None
        status = 422 if isinstance(error, InputError) else 403 if isinstance(error, AccessError) else 500
        return JsonResponse({"problems": [str(problem) for problem in error.problems]}, status=status)


urlpatterns = [path("orders", orders), path("deals", deals)]


if __name__ == "__main__":
    prepare()
    execute_from_command_line(["manage", "runserver", "--noreload"])
