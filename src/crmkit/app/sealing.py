"""Tamper evidence: sealing changesets after they were committed, and finding what was changed past crmkit."""

from uuid import UUID

import attrs

from crmkit.app.work import Work
from crmkit.store.seals import Seal, Seals

__all__ = ["BATCH", "Verification", "seal", "verify"]

BATCH = 1_000
"""Changesets sealed in one transaction."""


@attrs.frozen
class Verification:
    """How many changesets have a seal that holds, how many have none yet, and the first whose seal does not hold.

    ``last`` is the end of the chain: kept elsewhere, it shows that the chain was not made anew.
    """

    sealed: int
    unsealed: int
    broken: UUID | None
    last: Seal | None


def seal(work: Work) -> int:
    """Seals the oldest changesets that are not sealed, a batch of them; returns how many."""
    return Seals(work.changesets, work.unit).seal(BATCH)


def verify(work: Work) -> Verification:
    """Reads the whole chain and computes it anew."""
    seals = Seals(work.changesets, work.unit)
    before: Seal | None = None
    for found in seals.chain():
        place = 1 if before is None else before.position + 1
        if found.position != place or found.seal != seals.hash_of(before, found.changeset_id):
            return Verification(place - 1, seals.unsealed(), found.changeset_id, before)
        before = found
    return Verification(0 if before is None else before.position, seals.unsealed(), None, before)
