"""crmkit: a CRM core to build on.

::

    from crmkit import CRM, F, Money

    crm = CRM("sqlite:///crm.db")
    crm.migrate(admin="ana@acme.example")
    with crm.session("ana@acme.example") as me:
        acme = me.accounts.create(name="ACME")
        me.deals.create(name="Rollout", account=acme, amount=Money("12000", "EUR"))

The house, floor by floor, each importing only what lies below it::

    web  cli  worker      edges
    plugins               built-in plugins, on the sdk
    features              tags, segments, pipelines, metrics ...: a plugin each
    kernel                CRM, Session, collections; writes, undo, jobs: knows no noun
    sdk                   the door for plugins
    store                 tables, versions, changesets, reading and writing
    permissions           who may do what
    query                 one expression language
    records               the nouns
    schema                what a record type is
    values                money, ids, clock, names
    errors                everything that can be refused

Names are imported when they are first used: ``import crmkit`` alone loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmkit.errors import CrmkitError
    from crmkit.kernel.session.crm import CRM
    from crmkit.kernel.session.session import Session
    from crmkit.permissions import SYSTEM
    from crmkit.query import F, days_ago, days_from_now, in_segment, me, my_team, my_team_and_below, now, today
    from crmkit.values import Address, Money, Period, PersonName

__all__ = [
    "CRM",
    "SYSTEM",
    "Address",
    "CrmkitError",
    "F",
    "Money",
    "Period",
    "PersonName",
    "Session",
    "days_ago",
    "days_from_now",
    "in_segment",
    "me",
    "my_team",
    "my_team_and_below",
    "now",
    "today",
]

_HOMES = {
    "crmkit.kernel.session.crm": ("CRM",),
    "crmkit.kernel.session.session": ("Session",),
    "crmkit.errors": ("CrmkitError",),
    "crmkit.permissions": ("SYSTEM",),
    "crmkit.query": (
        "F",
        "days_ago",
        "days_from_now",
        "in_segment",
        "me",
        "my_team",
        "my_team_and_below",
        "now",
        "today",
    ),
    "crmkit.values": ("Address", "Money", "Period", "PersonName"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module 'crmkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
