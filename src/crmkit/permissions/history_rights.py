"""Reading the past: today's rights applied to the records as they stood, where the actor may also see history."""

import attrs

from crmkit.permissions.policy import Policy
from crmkit.query.lift import Lifted

__all__ = ["HistoryRights"]


@attrs.frozen(eq=False)
class HistoryRights:
    """The guard of a session that reads the past, and of timelines: what may be read takes ``read`` and ``history``."""

    policy: Policy

    @property
    def signature(self) -> object:
        """Equal for two guards whose answers have the same shapes."""
        return "history", self.policy.signature

    def rows(self, type_key: str) -> Lifted:
        """Which versions of records of the type the actor may read."""
        return self.policy.scope(type_key, "read", "history")

    def scope(self, type_key: str, action: str) -> Lifted:
        """As the policy says."""
        return self.policy.scope(type_key, action)

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        """As the policy says."""
        return self.policy.field(type_key, field_key)
