"""What the feature adds to a CRM."""

from collections.abc import Iterable
from typing import Any

from crmkit.features.activities.commands import CompleteActivity
from crmkit.sdk.command import Command
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_commands", "name"]

name = "activities"


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [CompleteActivity]
