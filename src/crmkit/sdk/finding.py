"""What an examination found."""

from collections.abc import Iterable
from typing import Literal

import attrs

__all__ = ["Finding"]


@attrs.frozen
class Finding:
    """One thing looked at: ``ok``, a ``note`` worth knowing, or a ``problem`` somebody has to act on.

    ``whole`` is the detail in full where it was shortened for people.
    """

    status: Literal["ok", "note", "problem"]
    what: str
    detail: str
    whole: str | None = None

    @classmethod
    def of(cls, what: str, fine: str, problems: Iterable[str], remedy: str) -> "Finding":
        """One finding of all problems of a kind: ``fine`` where there are none, else the first three and the remedy."""
        told = list(problems)
        if not told:
            return cls("ok", what, fine)
        more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        detail, whole = f"{'; '.join(told[:_SHOWN])}{more}: {remedy}", f"{'; '.join(told)}: {remedy}"
        return cls("problem", what, detail, whole if more else None)


_SHOWN = 3
