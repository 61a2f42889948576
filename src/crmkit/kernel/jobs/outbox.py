"""Which plugins are to be told of a changeset: noted in its own transaction."""

from uuid import UUID

from crmkit.kernel.session.unit_of_work import Work
from crmkit.store.ledger.outbox import Outbox
from crmkit.values import to_micros

__all__ = ["HOOK", "MEMBERS", "SEGMENT_HOOK", "note", "outbox_of"]

HOOK = "crmkit_after_commit"
SEGMENT_HOOK = "crmkit_segment_changed"
MEMBERS = "segment.members"
"""Stands among the written types when a refresh found that the members of a segment changed."""
_MAX_DEPTH = 8
"""Changesets that plugins cause by answering changesets that plugins caused: a longer chain is a loop and is parked."""


def outbox_of(work: Work) -> Outbox:
    """The outbox of the tenant, through this unit of work."""
    crm = work.crm
    return Outbox(crm.database, crm.shelf, crm.tables, crm.codec, work.tenant.id, work.unit, to_micros(crm.clock.now()))


def note(work: Work, changeset_id: UUID) -> bool:
    """Note the plugins that listen to what was written, none of what it did itself; whether there are any."""
    plugins = {
        name
        for key, alike in work.written.items()
        for name in (work.listeners(HOOK, key) if key != MEMBERS else work.crm.plugins.implementing(SEGMENT_HOOK))
        if alike is None or any(work.crm.plugins.concerned(name, values) for values in alike)
    } - {work.origin}
    if not plugins:
        return False
    parked = "parked: plugins answer each other without end" if _depth(work) > _MAX_DEPTH else None
    outbox = outbox_of(work)
    for plugin in sorted(plugins):
        outbox.add(work.ids.new(), changeset_id, plugin, parked)
    return True


def _depth(work: Work) -> int:
    depth, cause = 0, work.causation
    while cause is not None and depth <= _MAX_DEPTH:
        depth += 1
        cause = work.changesets.get(work.unit, cause).causation_id
    return depth
