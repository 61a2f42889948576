"""Guards that follow a policy in what fields may be read, and differ from it in which records."""

import attrs

from crmkit.permissions.policy import Policy
from crmkit.query.lift import EVERYTHING, Lifted

__all__ = ["FieldRights", "HistoryRights"]


@attrs.frozen(eq=False)
class _Following:
    policy: Policy

    def scope(self, type_key: str, action: str) -> Lifted:
        """As the policy says."""
        return self.policy.scope(type_key, action)

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        """As the policy says."""
        return self.policy.field(type_key, field_key)


@attrs.frozen(eq=False)
class FieldRights(_Following):
    """The guard for what a verb hands back, which may be out of sight now: any record, of it the fields the policy lets
    read.
    """

    @property
    def signature(self) -> object:
        """Equal for two guards whose answers have the same shapes."""
        return "fields", self.policy.signature

    def rows(self, type_key: str) -> Lifted:
        """Every record: the actor has just written it."""
        return EVERYTHING


@attrs.frozen(eq=False)
class HistoryRights(_Following):
    """The guard of a session that reads the past, and of timelines: today's rights applied to the records as they
    stood, where the actor may also see history. What may be read takes ``read`` and ``history``.
    """

    @property
    def signature(self) -> object:
        """Equal for two guards whose answers have the same shapes."""
        return "history", self.policy.signature

    def rows(self, type_key: str) -> Lifted:
        """Which versions of records of the type the actor may read."""
        return self.policy.scope(type_key, "read", "history")
