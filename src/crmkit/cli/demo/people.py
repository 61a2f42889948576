"""Who works in the demo: the sales agents of the file, their managers, and a head of sales whom the file does not name.

The teams are the regional offices with one team for each manager below them. Agents are reps and see their own deals,
managers those of their team, the head of sales all. Accounts belong to nobody and are open to all three.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmkit.kernel.session.session import Session
from crmkit.plugins.sales_team import LINKS, OWNED, SHARED

__all__ = ["ADMIN", "HEAD", "People", "address_of", "hire"]

DOMAIN = "maven.example"
ADMIN = f"admin@{DOMAIN}"
HEAD = "Head of Sales"
TOP = "Sales"


def address_of(name: str) -> str:
    """The e-mail address of a person of the demo: ``darcel.schlecht@maven.example``."""
    return f"{'.'.join(name.lower().split())}@{DOMAIN}"


@attrs.frozen
class People:
    """The users by name, and who manages whom."""

    users: Mapping[str, UUID]
    manager_of: Mapping[str, str]


def hire(me: Session, rows: Iterable[Mapping[str, str]]) -> People:
    """Makes users, teams and roles of ``sales_teams.csv``."""
    agents = list(rows)
    managers = list(dict.fromkeys(row["manager"] for row in agents))
    names = [HEAD, *managers, *(row["sales_agent"] for row in agents)]
    users = _made(me, "user", names, ({"name": name, "email": address_of(name)} for name in names))
    _put_in_teams(me, agents, users)
    _give_roles(me, agents, managers, users)
    return People(users, {row["sales_agent"]: row["manager"] for row in agents})


def _put_in_teams(me: Session, agents: list[Mapping[str, str]], users: Mapping[str, UUID]) -> None:
    top = me.teams.create(name=TOP)
    office_names = list(dict.fromkeys(row["regional_office"] for row in agents))
    offices = _made(me, "team", office_names, ({"name": name, "parent": top.id} for name in office_names))
    office_of = {row["manager"]: row["regional_office"] for row in agents}
    teams = _made(
        me,
        "team",
        list(office_of),
        ({"name": f"Team of {manager}", "parent": offices[office]} for manager, office in office_of.items()),
    )
    members = [(top.id, users[HEAD]), *((teams[manager], users[manager]) for manager in office_of)]
    members += [(teams[row["manager"]], users[row["sales_agent"]]) for row in agents]
    me.records("team_member").create_many(({"team": team, "user": user} for team, user in members), stop=True)


def _give_roles(me: Session, agents: list[Mapping[str, str]], managers: list[str], users: Mapping[str, UUID]) -> None:
    head = me.roles.create(name="head of sales", description="All records of sales")
    rep, manager = me.roles.one(name="rep"), me.roles.one(name="manager")
    grants = [*_grants_of_head(head.id), *(_grant(role.id, "account", "read") for role in (rep, manager))]
    me.records("grant").create_many(grants, stop=True)
    holders = [(head, HEAD), *((manager, name) for name in managers), *((rep, row["sales_agent"]) for row in agents)]
    rows = ({"role": role.id, "user": users[name]} for role, name in holders)
    me.records("role_member").create_many(rows, stop=True)


def _grants_of_head(role: UUID) -> Iterator[dict[str, Any]]:
    for on in OWNED:
        for action in ("read", "create", "update", "assign", "export", "history"):
            yield _grant(role, on, action)
    for on in SHARED:
        yield _grant(role, on, "read")
        yield _grant(role, on, "history")
    for on in LINKS:
        for action in ("read", "create", "update", "delete"):
            yield _grant(role, on, action)


def _grant(role: UUID, on: str, action: str) -> dict[str, Any]:
    return {"role": role, "on": on, "action": action, "scope": "all"}


def _made(me: Session, what: str, names: list[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, UUID]:
    """Creates records and returns their ids by name."""
    return dict(zip(names, me.records(what).create_many(rows, stop=True).ids, strict=True))
