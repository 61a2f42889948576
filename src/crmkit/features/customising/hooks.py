"""What the feature adds to a CRM."""

from collections.abc import Callable, Iterable
from typing import Any

from crmkit.features.customising.collections import Fields, Objects
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_session_attributes", "name"]

name = "customising"


@hookimpl
def crmkit_session_attributes() -> Iterable[tuple[str, Callable[[Any], Any]]]:
    """``me.fields`` and ``me.objects``."""
    return [("fields", Fields), ("objects", Objects)]
