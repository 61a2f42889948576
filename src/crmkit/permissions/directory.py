"""Everybody of a tenant at once: who may act, and under which rules."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from uuid import UUID

import attrs

from crmkit.errors import UnknownActor
from crmkit.permissions.actor import Actor, Teams
from crmkit.permissions.grants import Rule
from crmkit.permissions.policy import Policy
from crmkit.query.context import Row
from crmkit.schema import Schema

__all__ = ["Directory"]


@attrs.frozen(eq=False, slots=False)
class Directory:
    """The users, teams, roles and grants of a tenant; ``of`` makes one from rows."""

    schema: Schema = attrs.field(repr=False)
    users: Mapping[UUID, Row]
    teams: Teams
    rules: tuple[Rule, ...]
    _role_members: Mapping[UUID, tuple[Row, ...]]

    @classmethod
    def of(
        cls,
        schema: Schema,
        *,
        users: Iterable[Row],
        role_members: Iterable[Row] = (),
        grants: Iterable[Row] = (),
        teams: Iterable[Row] = (),
        team_members: Iterable[Row] = (),
    ) -> "Directory":
        """From rows of these types, in any order. Raises InvalidDefinition or InvalidQuery if a grant is not one."""
        held: dict[UUID, list[Row]] = {}
        for row in role_members:
            held.setdefault(row["user"], []).append(row)
        return cls(
            schema,
            {row["id"]: row for row in users},
            Teams.of(teams, team_members),
            tuple(Rule.from_row(row) for row in grants),
            {user: tuple(rows) for user, rows in held.items()},
        )

    def actor(self, user_id: UUID) -> Actor:
        """The actor a user is. Raises UnknownActor if there is no such user, or none who is active."""
        user = self.users.get(user_id)
        if user is None:
            raise UnknownActor(f"there is no user {user_id}", hint="users are known by the id of their record")
        return Actor.of(user, self._role_members.get(user_id, ()), self.teams)

    @cached_property
    def active(self) -> tuple[UUID, ...]:
        """The users who may act, in order."""
        return tuple(sorted(user_id for user_id, user in self.users.items() if user["active"]))

    def policy(self, user_id: UUID) -> Policy:
        """What a user may do. Raises UnknownActor."""
        return self.policy_of(self.actor(user_id))

    def policy_of(self, actor: Actor) -> Policy:
        """What an actor may do, for example a plugin with roles of this tenant."""
        return Policy(actor, self.rules, self.schema)
