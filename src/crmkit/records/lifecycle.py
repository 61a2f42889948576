"""Where we stand with an account: the states, the ways that lead from one to another, and which of them lead back.

::

    new ──> following ──> won <──> renewing
                           │          │
                           ├─> dormant, churn_warning <┤
                           └─> lost <──────────────────┘

Every way is listed in WAYS; one that leads back needs a reason, since it says that something said before was wrong or
is no longer true. A renewal that is won is no way back.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import attrs

from crmkit.records.party import LIFECYCLE

__all__ = ["LIFECYCLE", "WAYS", "Refusal", "Way", "refusal", "ways_from"]


@attrs.frozen
class Way:
    """A way from one state to another; a way ``back`` needs a reason."""

    from_state: str
    to_state: str
    back: bool = False


_FORWARD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "new": ("following", "won", "lost"),
        "following": ("won", "dormant", "lost"),
        "won": ("renewing", "dormant", "churn_warning", "lost"),
        "renewing": ("won", "dormant", "churn_warning", "lost"),
        "dormant": ("churn_warning", "lost"),
        "churn_warning": ("lost",),
    }
)
_BACK: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "following": ("new",),
        "won": ("following",),
        "dormant": ("following", "won", "renewing"),
        "churn_warning": ("following", "won", "renewing", "dormant"),
        "lost": ("new", "following", "won"),
    }
)

WAYS: frozenset[Way] = frozenset(
    Way(state, target, back)
    for ways, back in ((_FORWARD, False), (_BACK, True))
    for state, targets in ways.items()
    for target in targets
)
"""Every way there is."""


@attrs.frozen
class Refusal:
    """Why an account cannot go there: a code, the field it is about, what to say and what to do."""

    code: str
    field: str
    message: str
    hint: str


def ways_from(state: str | None) -> Iterator[Way]:
    """The ways that lead from a state, in the order of the states."""
    return iter(sorted((w for w in WAYS if w.from_state == state), key=lambda w: LIFECYCLE.index(w.to_state)))


def refusal(state: str | None, to: str | None, reason: str | None) -> Refusal | None:
    """Why an account in a state cannot go to another: ``no_way``, or ``reason_required`` of a way back. None if it can.

    To stay where it is needs no way, and an account without a state may begin in any; but it cannot lose its state
    (``required``).
    """
    if to is None:
        return Refusal("required", "lifecycle", "an account is somewhere in its lifecycle", f"one of {LIFECYCLE}")
    if state in (to, None):
        return None
    way = next((w for w in ways_from(state) if w.to_state == to), None)
    if way is None:
        leads = ", ".join(w.to_state for w in ways_from(state)) or "nowhere"
        return Refusal("no_way", "lifecycle", f"no way leads from {state} to {to}", f"from {state} it goes to: {leads}")
    if way.back and not (reason or "").strip():
        return Refusal(
            "reason_required", "lifecycle_reason", f"{state} to {to} leads back and needs a reason", "say why"
        )
    return None
