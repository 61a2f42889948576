"""Records which plugins must be told of a changeset, in the transaction of the changeset."""

from uuid import UUID

from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.unit_of_work import Work
from crmkit.store.connection.unit import Unit
from crmkit.store.ledger.jobs import Jobs
from crmkit.values import to_micros

__all__ = ["HOOK", "TELL", "jobs_of", "note"]

TELL = "tell"
"""The kind of the jobs by which plugins are told; their name is the plugin's, their subject the changeset."""
HOOK = "crmkit_after_commit"
_MAX_DEPTH = 8
"""Changesets that plugins cause by answering changesets that plugins caused: a longer chain is a loop and is parked."""


def jobs_of(crm: Foundation, tenant_id: int, unit: Unit) -> Jobs:
    """The jobs of a tenant, through this unit of work."""
    return Jobs(crm.database, crm.shelf, crm.tables, crm.codec, tenant_id, unit, to_micros(crm.clock.now()))


def note(work: Work, changeset_id: UUID) -> bool:
    """Note the plugins that listen to what was written, none of what it did itself; whether there are any."""
    plugins = {
        name
        for key, alike in work.written.items()
        for name in work.listeners(HOOK, key)
        if alike is None or any(work.crm.plugins.concerned(name, values) for values in alike)
    }
    plugins |= {name for hook in work.announced for name in work.crm.plugins.implementing(hook)}
    plugins -= {work.origin}
    if not plugins:
        return False
    parked = "parked: plugins answer each other without end" if _depth(work) > _MAX_DEPTH else None
    rows = [(work.ids.new(), plugin) for plugin in sorted(plugins)]
    jobs_of(work.crm, work.tenant.id, work.unit).add(TELL, rows, changeset_id, parked)
    return True


def _depth(work: Work) -> int:
    depth, cause = 0, work.causation
    while cause is not None and depth <= _MAX_DEPTH:
        depth += 1
        cause = work.changesets.get(work.unit, cause).causation_id
    return depth
