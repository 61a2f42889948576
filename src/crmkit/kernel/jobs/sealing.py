"""Tamper evidence: sealing changesets after they were committed, and finding what was changed past crmkit."""

from uuid import UUID

import attrs

from crmkit.kernel.session.unit_of_work import Work
from crmkit.store.ledger.seals import Seal, Seals

__all__ = ["BATCH", "Verification", "seal", "verify"]

BATCH = 1_000
"""Changesets sealed in one transaction."""


@attrs.frozen
class Verification:
    """How many changesets have a seal that holds, how many have none yet, and the first that is not what it was: its
    seal does not hold, or it is not there and a version says that it was made or ended by it.

    ``last`` is the end of the chain: kept elsewhere, it shows that the chain was not made anew. ``unseen`` are the
    plugins' record types in which not all could be looked at, because the plugin was not there, now or when it was
    sealed.
    """

    sealed: int
    unsealed: int
    broken: UUID | None
    last: Seal | None
    unseen: tuple[str, ...] = ()


def seal(work: Work) -> int:
    """Seals the oldest changesets that are not sealed, a batch of them; returns how many."""
    return Seals(work.changesets, work.unit).seal(BATCH)


def verify(work: Work) -> Verification:
    """Reads the whole chain and computes it anew."""
    seals = Seals(work.changesets, work.unit)
    before: Seal | None = None
    unseen: set[str] = set()
    for found in seals.chain():
        place = 1 if before is None else before.position + 1
        if found.position != place or not seals.holds(found, before):
            return Verification(place - 1, seals.unsealed(), found.changeset_id, before, tuple(sorted(unseen)))
        unseen.update(seals.unseen(found))
        before = found
    sealed = 0 if before is None else before.position
    return Verification(sealed, seals.unsealed(), seals.stray(), before, tuple(sorted(unseen)))
