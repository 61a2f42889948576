"""What people call things: by the record, its id, the id as text, or the name however it is written."""

from collections.abc import Iterable
from typing import Any

from crmkit.values import fold

__all__ = ["named"]


def named(known: Iterable[Any], wanted: Any) -> Any | None:
    """The one of ``known`` (with ``id`` and ``name``) that is meant; None if there is none."""
    meant = getattr(wanted, "id", wanted)
    text = fold(meant) if isinstance(meant, str) else None
    return next((one for one in known if meant in (one.id, str(one.id)) or text == fold(one.name)), None)
