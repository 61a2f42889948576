"""Verbs of every kind, each of which writes; on what ``prepare`` has made."""

from collections.abc import Callable, Mapping
from typing import Any

from crmkit import F
from crmkit.schema.types import Integer
from tests.integration.units_of_work import Names

Verb = Callable[[Any, Names], object]

VERBS: Mapping[str, Verb] = {
    "create": lambda me, names: me.deals.create(name="展览会", account=names["account"]),
    "update": lambda me, names: me.accounts.update(names["account"], industry="coal", code="2"),
    "delete": lambda me, names: me.leads.delete(names["lead"]),
    "tag": lambda me, names: me.accounts.tag(names["account"], "brand new"),
    "move": lambda me, names: me.deals.move(names["deal"], to="lost"),
    "create_many": lambda me, names: me.accounts.create_many(
        [{"name": f"客户 {n}", "code": f"b{n}"} for n in range(3)]
    ),
    "update_where": lambda me, names: me.accounts.where(F.name == "ACME").update(industry="coal"),
    "add_field": lambda me, names: me.fields.add("account", "size", Integer(), indexed=True, default=3),
    "add_object": lambda me, names: me.objects.add("vessel", plural="vessels", label="Vessel"),
    "undo": lambda me, names: me.undo(names["changeset"]),
}
