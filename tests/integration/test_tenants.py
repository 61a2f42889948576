"""Two tenants with mirrored ids never see each other, through any public name there is."""

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM
from crmkit.errors import UnknownActor
from crmkit.testing import FakeClock
from crmkit.values import IdFactory
from tests.integration.mirrored_tenants import ANA, NORTH, SOUTH, furnish_north, mirror
from tests.integration.public_api import USES, Caller, public_names, seen, uses
from tests.integration.snapshots import Snapshot, broken, snapshot
from tests.staff import ADMIN

OpenCrm = Callable[..., CRM]


@pytest.fixture
def worlds(migrated_database: Callable[[str], str], open_crm: OpenCrm) -> tuple[str, str, dict[str, Any]]:
    """Two databases with the same tenant north; in the first, south mirrors it, in the second south is empty."""
    urls = migrated_database("mirrored"), migrated_database("alone")
    made = []
    for url in urls:
        clock = FakeClock()
        crm = open_crm(url, clock=clock, ids=IdFactory(clock, random.Random(7).randbytes))
        made.append(furnish_north(crm))
        crm.dispose()
    assert made[0] == made[1]
    mirror(urls[0])
    return *urls, made[0]


def of_tenant(found: Snapshot, key: str) -> Snapshot:
    (number,) = (row["tenant_id"] for row in found["crm_tenant"] if row["key"] == key)
    return {table: [row for row in rows if row["tenant_id"] == number] for table, rows in found.items()}


def test_every_public_name_is_used_here(crm: CRM) -> None:
    """A new public name needs an entry in tests/integration/public_api.py, and an entry needs a name."""
    with crm.session(ADMIN) as me:
        found = public_names(crm, me)
    listed = {kind: set(table) for kind, table in USES.items()}
    assert {kind: found[kind] ^ listed[kind] for kind in found if found[kind] != listed[kind]} == {}


def test_a_tenant_sees_the_same_whether_another_mirrors_it_or_not(
    worlds: tuple[str, str, dict[str, Any]], open_crm: OpenCrm
) -> None:
    """Each name is first used in south, so that whatever is cached there is at hand when north uses it."""
    mirrored_url, alone_url, names = worlds
    known = frozenset(value for value in names.values() if isinstance(value, UUID))
    mirrored = Caller(open_crm(mirrored_url), NORTH, names, ANA)
    south = Caller(mirrored.crm, SOUTH, names, ANA)
    alone = Caller(open_crm(alone_url), NORTH, names, ANA)
    before = of_tenant(snapshot(mirrored_url), SOUTH)
    for name, used in uses():
        if not name.startswith(("CRM.", "Tenants.")):
            seen(used, south, known, dry_run=True)
        in_company, by_itself = seen(used, mirrored, known), seen(used, alone, known)
        assert in_company == by_itself, name
        assert "SOUTH" not in str(in_company).replace("account SOUTH", ""), name
    after = snapshot(mirrored_url)
    assert of_tenant(after, SOUTH) == before
    assert broken(after) == []


def test_the_mirror_shows_its_own_data_under_the_same_ids(
    worlds: tuple[str, str, dict[str, Any]], open_crm: OpenCrm
) -> None:
    """Otherwise the test above would compare with nothing."""
    crm, names = open_crm(worlds[0]), worlds[2]
    with crm.session(ANA, tenant=SOUTH) as me:
        account = me.accounts.get(names["account"])
        assert (account.name, account.industry, account.code) == ("account SOUTH", "steel SOUTH", None)
        assert me.type_of("account").by_key["code"].type.name == "integer"
        assert me.accounts.where("'tag SOUTH' in tags").count() == 1
        assert me.accounts.where("in_segment('segment SOUTH')").count() == 3
        assert me.users.get(names["ana"]).name == "Ana SOUTH"
    with crm.session(ANA, tenant=NORTH) as me:
        assert me.accounts.get(names["account"]).code == "code NORTH"


def test_a_user_of_one_tenant_is_nobody_in_another(crm: CRM) -> None:
    crm.tenants.create("north")
    with crm.system(tenant="north") as me:
        stranger = me.users.create(email="bo@north.example", name="Bo")
    for who in ("bo@north.example", stranger, stranger.id, str(stranger.id)):
        with pytest.raises(UnknownActor):
            crm.session(who)
