"""Actors, teams and the directory."""

from uuid import UUID

import pytest

from crmkit.errors import UnknownActor
from crmkit.permissions import SYSTEM, Actor, Directory, Teams
from tests.permissions.world import SCHEMA


def uid(number: int) -> UUID:
    return UUID(int=number)


ANA, BEN, CHEN, DAN, EVE = map(uid, range(1, 6))
WORLD, EMEA, APAC, TOKYO = map(uid, range(11, 15))
REP, HEAD = uid(21), uid(22)

USERS = [
    {"id": ANA, "name": "Ana", "active": True},
    {"id": BEN, "name": "Ben", "active": True},
    {"id": CHEN, "name": "陈伟", "active": True},
    {"id": DAN, "name": "Dan", "active": False},
    {"id": EVE, "name": "Eve", "active": True},
]
TEAMS = [
    {"id": TOKYO, "parent": APAC},
    {"id": WORLD, "parent": None},
    {"id": APAC, "parent": WORLD},
    {"id": EMEA, "parent": WORLD},
]
TEAM_MEMBERS = [
    {"team": WORLD, "user": EVE},
    {"team": EMEA, "user": ANA},
    {"team": APAC, "user": BEN},
    {"team": TOKYO, "user": CHEN},
    {"team": TOKYO, "user": DAN},
]
ROLE_MEMBERS = [
    {"role": REP, "user": BEN},
    {"role": HEAD, "user": EVE},
    {"role": REP, "user": EVE},
    {"role": REP, "user": EVE},
]


def directory(*, teams=TEAMS, team_members=TEAM_MEMBERS, users=USERS) -> Directory:
    return Directory.of(SCHEMA, users=users, teams=teams, team_members=team_members, role_members=ROLE_MEMBERS)


def test_an_actor_knows_its_roles_its_teams_and_everybody_in_them():
    ben = directory().actor(BEN)
    assert (ben.id, ben.name, ben.kind) == (BEN, "Ben", "user")
    assert (ben.role_ids, ben.team_ids) == ((REP,), (APAC,))
    assert ben.ids["me"] == (BEN,)
    assert ben.ids["my_team"] == (BEN,)
    assert ben.ids["my_team_and_below"] == (BEN, CHEN, DAN)


def test_a_share_with_a_team_reaches_everybody_in_it_and_in_the_teams_below():
    assert directory().actor(CHEN).ids["teams"] == (WORLD, APAC, TOKYO)
    assert directory().actor(BEN).ids["teams"] == (WORLD, APAC)
    assert directory().actor(EVE).ids["teams"] == (WORLD,)


def test_everything_about_an_actor_is_sorted_and_said_once_whatever_the_order_of_rows():
    for shuffled in (TEAM_MEMBERS, TEAM_MEMBERS[::-1], TEAM_MEMBERS * 2):
        eve = directory(team_members=shuffled, teams=TEAMS[::-1]).actor(EVE)
        assert eve.role_ids == (REP, HEAD)
        assert eve.ids["my_team_and_below"] == (ANA, BEN, CHEN, DAN, EVE)


def test_a_user_in_no_team_is_a_team_of_one():
    alone = directory(team_members=[]).actor(ANA)
    assert alone.ids == {"me": (ANA,), "my_team": (ANA,), "my_team_and_below": (ANA,), "teams": ()}


def test_a_user_who_left_stays_in_the_team_and_is_no_actor():
    assert DAN in directory().actor(CHEN).ids["my_team"]
    with pytest.raises(UnknownActor) as refused:
        directory().actor(DAN)
    assert refused.value.code == "inactive"
    assert directory().active == (ANA, BEN, CHEN, EVE)


def test_nobody_is_no_actor():
    with pytest.raises(UnknownActor) as refused:
        directory().actor(uid(99))
    assert refused.value.code == "unknown_actor"


def test_teams_in_a_cycle_are_above_and_below_one_another():
    cycle = [{"id": WORLD, "parent": TOKYO}, {"id": APAC, "parent": WORLD}, {"id": TOKYO, "parent": APAC}]
    ben = directory(teams=cycle).actor(BEN)
    assert ben.ids["my_team_and_below"] == (BEN, CHEN, DAN, EVE)
    assert ben.ids["teams"] == (WORLD, APAC, TOKYO)


def test_a_team_that_is_its_own_parent_is_a_team_like_others():
    loop = [{"id": APAC, "parent": APAC}]
    assert directory(teams=loop).actor(BEN).ids["teams"] == (APAC,)


def test_a_parent_that_is_not_there_ends_the_way_up():
    ben = directory(teams=[{"id": APAC, "parent": WORLD}, {"id": WORLD, "parent": uid(99)}]).actor(BEN)
    assert ben.ids["teams"] == (WORLD, APAC, uid(99))
    assert ben.ids["my_team_and_below"] == (BEN,)


def test_an_actor_can_be_made_from_the_rows_that_concern_one_user():
    members = [row for row in TEAM_MEMBERS if row["team"] in (APAC, TOKYO)]
    own = [row for row in ROLE_MEMBERS if row["user"] == BEN]
    assert Actor.of(USERS[1], own, Teams.of(TEAMS[:3], members)) == directory().actor(BEN)


def test_a_plugin_acts_by_its_roles_and_owns_nothing():
    plugin = Actor.plugin("quotes", [HEAD, REP, REP])
    assert (plugin.kind, plugin.id, plugin.role_ids) == ("plugin", None, (REP, HEAD))
    assert set(plugin.ids.values()) == {()}


def test_actors_are_values():
    assert directory().actor(BEN) == directory(teams=TEAMS[::-1]).actor(BEN)
    assert len({directory().actor(BEN), directory().actor(BEN), SYSTEM}) == 2
    with pytest.raises(TypeError):
        SYSTEM.ids["me"] = (BEN,)
