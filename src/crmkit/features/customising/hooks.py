"""What the feature adds to a CRM."""

from collections.abc import Callable, Iterable
from typing import Any

from crmkit.features.customising.collections import Fields, Objects
from crmkit.features.customising.commands import AddField, AddObject, ChangeField, RemoveField
from crmkit.sdk.command import Command
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_commands", "crmkit_session_attributes", "name"]

name = "customising"


@hookimpl
def crmkit_session_attributes() -> Iterable[tuple[str, Callable[[Any], Any]]]:
    """``me.fields`` and ``me.objects``."""
    return [("fields", Fields), ("objects", Objects)]


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [AddField, AddObject, ChangeField, RemoveField]
