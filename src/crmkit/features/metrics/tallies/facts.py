"""The facts metrics are made of: deals, the time they spent in stages, and the stages themselves."""

from collections.abc import Hashable
from datetime import date, datetime
from fractions import Fraction
from typing import Literal

import attrs

from crmkit.values import Money

__all__ = ["Category", "DealFact", "Outcome", "Spell", "StageFact"]

Outcome = Literal["open", "won", "lost", "disqualified"]
Category = Literal["omitted", "pipeline", "best_case", "commit", "closed"]


@attrs.frozen(kw_only=True)
class StageFact:
    """A stage: its place in the pipeline, what a deal there is, and what is expected of it by itself.

    ``probability`` runs from 0 to 1 and is None where nobody stated one.
    """

    id: Hashable
    name: str
    position: int
    kind: Outcome = "open"
    probability: Fraction | None = None
    category: Category | None = None
    idle_days: int | None = None


@attrs.frozen(kw_only=True)
class DealFact:
    """A deal as it is known at the frame's instant.

    ``probability`` runs from 0 to 1. ``owner`` is who is credited; ``splits`` are the shares of several, which add up
    to one, and then take the place of the owner. ``expected_close`` and ``closed_on`` are days and never stand for each
    other.
    """

    id: Hashable
    outcome: Outcome
    created_at: datetime
    amount: Money | None = None
    probability: Fraction | None = None
    stage: Hashable | None = None
    category: Category | None = None
    expected_close: date | None = None
    closed_on: date | None = None
    owner: Hashable | None = None
    splits: tuple[tuple[Hashable, Fraction], ...] = ()


@attrs.frozen(kw_only=True)
class Spell:
    """The time a deal spent in a stage without leaving it; ``left`` is None while it is there.

    ``position`` and ``kind`` are the stage's as they were then, ``amount`` the deal's when it entered.
    """

    deal: Hashable
    stage: Hashable
    entered: datetime
    left: datetime | None = None
    position: int = 0
    kind: Outcome = "open"
    amount: Money | None = None
