"""Asks examples/django_app.py what the test wants to know and prints the answers as JSON.

In a process of its own, because Django keeps settings, applications and the time zone in globals.
"""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from django.db import transaction  # type: ignore[import-untyped]
from django.test import Client  # type: ignore[import-untyped]

# It configures Django as it is imported; type checkers have no stubs to follow it with.
django_app: Any = import_module("examples.django_app")


def main() -> dict[str, Any]:
    django_app.prepare()
    django_app.prepare()
    client = Client(headers={"X-User": "ana@acme.example"})

    def order(customer: str) -> Any:
        answer = client.post("/orders", {"customer": customer, "cents": 1999}, content_type="application/json")
        return answer.status_code, answer.json()

    answers = {"placed": order("宝钢"), "refused_by_crm": order("")}
    answers["deals"] = deals = client.get("/deals", {"where": 'amount > money("19", "EUR")'}).json()
    answers["catch_up_too_early"] = django_app.catch_up()
    django_app.Order.objects.filter(customer="").update(customer="ACME")
    answers["catch_up"] = [django_app.catch_up(), django_app.catch_up()]
    django_app.tell_crm(deals["deals"][0]["order"])
    answers["after"] = client.get("/deals").json()
    answers["bad_filter"] = client.get("/deals", {"where": "amout > 1"}).status_code
    answers["stranger"] = Client(headers={"X-User": "eve@evil.example"}).get("/deals").status_code
    answers["rolled_back"] = rolled_back(lambda: order("never"))
    django_app.crm().dispose()
    return answers


def rolled_back(place: Callable[[], Any]) -> list[int]:
    """Orders and deals there are after a transaction of Django's that held an order was rolled back."""
    with suppress(ZeroDivisionError), transaction.atomic():
        place()
        raise ZeroDivisionError
    with django_app.crm().system() as me:
        return [django_app.Order.objects.count(), me.deals.count()]


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
