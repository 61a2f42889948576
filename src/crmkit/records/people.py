"""Who works here: users, the teams they are in, the roles they hold."""

from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Boolean, Email, Reference, Text

__all__ = ["Role", "RoleMember", "Team", "TeamMember", "User"]


@record_type("user", plural="users", title="name")
class User(Record):
    """A person who works with the CRM, known to a session by e-mail."""

    email: str = field(Email(), unique=True)
    name: str = field(Text())
    active: bool = field(Boolean(), default=True)


@record_type("team", plural="teams", title="name")
class Team(Record):
    """A team; ``parent`` makes the hierarchy."""

    name: str = field(Text(), unique=True)
    parent: UUID | None = field(Reference("team", back="children"), default=None)


@record_type("role", plural="roles", title="name")
class Role(Record):
    """A named set of grants."""

    name: str = field(Text(max_length=100), unique=True)
    description: str | None = field(Text(), default=None)


@record_type("team_member", plural="team_members", title="id", link=True, unique=(("team", "user"),))
class TeamMember(Record):
    """A user in a team."""

    team: UUID = field(Reference("team", back="members"))
    user: UUID = field(Reference("user", back="teams"))


@record_type("role_member", plural="role_members", title="id", link=True, unique=(("role", "user"),))
class RoleMember(Record):
    """A role a user holds."""

    role: UUID = field(Reference("role", back="members"))
    user: UUID = field(Reference("user", back="roles"))
