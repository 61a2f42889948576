"""An account goes on, or back."""

from typing import Any

from crmkit.errors import InvalidRecord
from crmkit.records import Account
from crmkit.records.lifecycle import refusal
from crmkit.schema.types import Reference
from crmkit.sdk.command import Command, Target, command

__all__ = ["Advance"]


@command("account.advance")
class Advance(Command[Account]):
    """``me.accounts.advance(acme, to="won")``: the account in another state of its lifecycle.

    A way back needs a ``reason``. Raises InvalidRecord (``no_way`` with what ways there are, ``reason_required``,
    ``not_an_option``) and what an update raises.
    """

    account: Target
    to: str
    reason: str | None = None

    def run(self, me: Any) -> Account:
        found = me.accounts.get(self.account)
        me.require("account", "update", found)
        given = me.parser("account").change({"lifecycle": self.to, "lifecycle_reason": self.reason})
        state = me.system_reader.get("account", Reference("*").parse(self.account)).lifecycle
        to = given["lifecycle"]
        refused = refusal(state, to, given["lifecycle_reason"])
        if refused is not None:
            raise InvalidRecord(refused.message, code=refused.code, field=refused.field, hint=refused.hint)
        advanced: Account = found if state == to else me.accounts.update(self.account, given)
        return advanced
