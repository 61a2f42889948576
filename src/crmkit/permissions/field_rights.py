"""A record that was just written, shown to whoever wrote it, also when it is out of sight now."""

import attrs

from crmkit.permissions.policy import Policy
from crmkit.query.lift import Lifted

__all__ = ["FieldRights"]


@attrs.frozen(eq=False)
class FieldRights:
    """The guard for what a verb hands back: any record, of it the fields the policy lets read."""

    policy: Policy

    @property
    def signature(self) -> object:
        """Equal for two guards whose answers have the same shapes."""
        return "fields", self.policy.signature

    def rows(self, type_key: str) -> Lifted:
        """Every record: the actor has just written it."""
        return Lifted(("constant", True), ())

    def scope(self, type_key: str, action: str) -> Lifted:
        """As the policy says."""
        return self.policy.scope(type_key, action)

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        """As the policy says."""
        return self.policy.field(type_key, field_key)
