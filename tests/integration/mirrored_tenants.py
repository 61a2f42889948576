"""Two tenants with the same ids and other data: the first is made by crmkit, the second is a copy of its rows."""

import json
from typing import Any

from psycopg.types.json import Jsonb

from crmkit import CRM, F, Money
from crmkit.schema.types import Choice, Integer, Text
from tests.integration.raw_rows import insert_rows
from tests.integration.snapshots import snapshot
from tests.staff import employ, grant

ANA = "ana@both.example"
NORTH, SOUTH = "north", "south"
Names = dict[str, Any]


def furnish_north(crm: CRM) -> Names:
    """Tenants north and south, and in north something of everything, each text with NORTH in it; names of the ids."""
    crm.tenants.create(NORTH)
    crm.tenants.create(SOUTH, furnished=False)
    names: Names = {}
    with crm.system(tenant=NORTH) as me:
        me.fields.add("account", "code", Text(), indexed=True, label="code NORTH")
        me.fields.add("account", "grade", Choice(["NORTH a", "NORTH b"]))
        me.fields.add("deal", "weight", Integer(), sensitive=True)
        me.objects.add("vessel", plural="vessels", label="Vessel NORTH")
        names["ana"] = employ(me, ANA, "admin")
        me.users.update(names["ana"], name="Ana NORTH")
        team = me.teams.create(name="team NORTH")
        me.records("team_member").create(team=team, user=names["ana"])
        clerk = me.roles.create(name="clerk NORTH")
        grant(me, clerk, "account", "read", scope="where", where=F.industry == "steel NORTH")
        names["clerk"] = employ(me, "clerk@both.example", clerk)
        names["team"] = team.id
    with crm.session(ANA, tenant=NORTH, reason="reason NORTH") as me:
        parent = me.accounts.create(name="parent NORTH", industry="steel NORTH", headcount=1)
        account = me.accounts.create(name="account NORTH", parent=parent, code="code NORTH", grade="NORTH a")
        spare = me.accounts.create(name="spare NORTH")
        contact = me.contacts.create(name="Max NORTH", email="max@north.example", account=account)
        deal = me.deals.create(name="deal NORTH", account=account, amount=Money(7, "EUR"), weight=5)
        task = me.activities.create(kind="task", subject="task NORTH", deal=deal, account=account)
        me.accounts.tag(account, "tag NORTH")
        me.deals.share(deal, "share NORTH", user=names["clerk"])
        me.segments.create(name="segment NORTH", on="account", where=F.name.contains("NORTH"))
        names |= {"first_changeset": me.changeset_id}
        vessel = me.records("vessel").create(name="vessel NORTH")
    with crm.session(ANA, tenant=NORTH) as me:
        account = me.accounts.update(account, industry="steel NORTH")
        gone = me.leads.create(name="Gone NORTH")
    with crm.session(ANA, tenant=NORTH) as me:
        me.leads.delete(gone)
        names["changeset"] = me.changeset_id
    made = {"parent": parent, "account": account, "spare": spare, "contact": contact, "deal": deal, "task": task}
    return names | {name: record.id for name, record in made.items()} | {"vessel": vessel.id, "gone": gone.id}


def mirror(url: str) -> None:
    """Fills the tenant south with north's rows: the same ids, SOUTH for NORTH, and other definitions."""
    found = snapshot(url)
    number = {row["key"]: row["tenant_id"] for row in found["crm_tenant"]}
    copies: list[tuple[str, dict[str, Any]]] = []
    for table, rows in found.items():
        if table not in ("crm_tenant", "crm_tenant_state"):
            mine = (row for row in rows if row["tenant_id"] == number[NORTH])
            copies += [(table, _mirrored(table, row, number[SOUTH])) for row in mine]
    insert_rows(url, copies)


def _mirrored(table: str, row: dict[str, Any], tenant: int) -> dict[str, Any]:
    copy = {column: _southern(value) for column, value in row.items()} | {"tenant_id": tenant}
    if table == "crm_custom_field" and row["key"] == "code":
        copy |= {"type": "integer", "slot": "number_1"}
    if table == "crm_account" and row["headcount"] is not None:
        copy["headcount"] = row["headcount"] + 1_000
    return copy


def _southern(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("NORTH", "SOUTH").replace("north", "south")
    if isinstance(value, dict | list):
        return Jsonb(json.loads(_southern(json.dumps(value, ensure_ascii=False))))
    return value
