"""Who acts: a user with roles and teams, a plugin with roles, or the system."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import attrs

from crmkit.errors import UnknownActor
from crmkit.query.context import Row
from crmkit.query.lift import NOBODY, ActorIds

__all__ = ["SYSTEM", "Actor", "Teams"]


@attrs.frozen(slots=False)
class Teams:
    """The team hierarchy and who is in which team.

    A parent that is not there ends the way up. Teams in a cycle are all above and below one another.
    """

    parents: Mapping[UUID, UUID | None]
    members: Mapping[UUID, frozenset[UUID]]

    @classmethod
    def of(cls, teams: Iterable[Row], team_members: Iterable[Row]) -> "Teams":
        """From rows of the types team and team_member."""
        members: dict[UUID, set[UUID]] = {}
        for row in team_members:
            members.setdefault(row["team"], set()).add(row["user"])
        return cls({row["id"]: row["parent"] for row in teams}, {team: frozenset(ids) for team, ids in members.items()})

    @cached_property
    def of_user(self) -> Mapping[UUID, frozenset[UUID]]:
        """The teams each user is in."""
        found: dict[UUID, set[UUID]] = {}
        for team, users in self.members.items():
            for user in users:
                found.setdefault(user, set()).add(team)
        return {user: frozenset(teams) for user, teams in found.items()}

    @cached_property
    def _children(self) -> Mapping[UUID, list[UUID]]:
        found: dict[UUID, list[UUID]] = {}
        for team, parent in self.parents.items():
            if parent is not None:
                found.setdefault(parent, []).append(team)
        return found

    def above(self, teams: Iterable[UUID]) -> frozenset[UUID]:
        """These teams and all above them."""
        seen: set[UUID] = set()
        for team in teams:
            here: UUID | None = team
            while here is not None and here not in seen:
                seen.add(here)
                here = self.parents.get(here)
        return frozenset(seen)

    def below(self, teams: Iterable[UUID]) -> frozenset[UUID]:
        """These teams and all below them."""
        seen: set[UUID] = set()
        ahead = list(teams)
        while ahead:
            team = ahead.pop()
            if team not in seen:
                seen.add(team)
                ahead.extend(self._children.get(team, ()))
        return frozenset(seen)

    def users(self, teams: Iterable[UUID]) -> frozenset[UUID]:
        """Everybody in any of the teams."""
        return frozenset().union(*(self.members.get(team, frozenset()) for team in teams))


def _frozen(ids: ActorIds) -> ActorIds:
    return MappingProxyType(dict(ids))


@attrs.frozen
class Actor:
    """Who acts, with everything a policy needs to know of them.

    ``ids`` says who is meant by ``me``, ``my_team`` and ``my_team_and_below`` (each contains the actor, so that each
    scope gives at least what the one before it gives; users who left stay in their teams, and their records with
    them), and which ``teams`` a share may name to reach the actor: the actor's own and all above these, because a
    share with a team is for everybody in it and in the teams below it. All tuples are sorted.
    """

    id: UUID | None
    name: str
    kind: Literal["user", "system", "plugin"] = "user"
    role_ids: tuple[UUID, ...] = ()
    team_ids: tuple[UUID, ...] = ()
    ids: ActorIds = attrs.field(default=NOBODY, converter=_frozen, hash=False)

    @classmethod
    def of(cls, user: Row, role_members: Iterable[Row], teams: Teams | None = None) -> "Actor":
        """The actor a user is, from no more than the rows that concern the user.

        Those are the user's row, the role_members of the user (others are passed over), and of the hierarchy the teams
        above and below the user's own and who is in the user's own and in those below. Raises UnknownActor
        (``inactive``).
        """
        if not user["active"]:
            raise UnknownActor(
                f"{user['name']} is no longer active", code="inactive", hint="make the user active again"
            )
        me: UUID = user["id"]
        teams = teams or Teams({}, {})
        own = teams.of_user.get(me, frozenset())
        below = teams.below(own)
        return cls(
            id=me,
            name=user["name"],
            role_ids=_ordered(row["role"] for row in role_members if row["user"] == me),
            team_ids=_ordered(own),
            ids={
                "me": (me,),
                "my_team": _ordered(teams.users(own) | {me}),
                "my_team_and_below": _ordered(teams.users(below) | {me}),
                "teams": _ordered(teams.above(own)),
            },
        )

    @classmethod
    def plugin(cls, name: str, role_ids: Iterable[UUID] = ()) -> "Actor":
        """A plugin, which owns nothing and may do what its roles allow."""
        return cls(id=None, name=name, kind="plugin", role_ids=_ordered(role_ids))


def _ordered(ids: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(set(ids)))


SYSTEM = Actor(id=None, name="system", kind="system")
"""The actor that may do everything; a session has to name it to be it."""
