"""What the feature adds to a CRM."""

from collections.abc import Iterable
from typing import Any

from crmkit.features.ownership.assign import Assign
from crmkit.features.ownership.share import Share, Unshare
from crmkit.sdk.command import Command
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_commands", "name"]

name = "ownership"


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [Assign, Share, Unshare]
