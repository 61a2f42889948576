"""Is everything as it should be: what an operator wants to know of a database before anybody complains."""

from collections.abc import Callable, Iterator

from crmkit.errors import CrmkitError, StorageError
from crmkit.kernel.jobs.noting import TELL, jobs_of
from crmkit.kernel.session.runtime import Foundation
from crmkit.kernel.session.session import Session
from crmkit.permissions import SYSTEM
from crmkit.schema import RecordType
from crmkit.schema.parts import SLOTS
from crmkit.sdk.finding import Finding
from crmkit.store import lint
from crmkit.store.connection.server import missing_tables, server_of
from crmkit.store.migrations import HEAD
from crmkit.store.migrations.migrate import current

__all__ = ["examine"]

_HOOK = "crmkit_examine"


def examine(crm: Foundation, open_session: Callable[..., Session]) -> Iterator[Finding]:
    """Everything looked at, in order; what cannot be looked at because of a problem before it is left out."""
    try:
        server = server_of(crm.database)
    except StorageError as error:
        yield Finding("problem", "database", str(error))
        return
    yield Finding("ok", "database", server.version)
    utf8 = server.encoding == "UTF8"
    told = server.encoding if utf8 else f"{server.encoding}: text beyond it is refused; a new database in UTF8 keeps it"
    yield Finding("ok" if utf8 else "problem", "encoding", told)
    yield Finding(*(("ok", "references", "checked") if server.references else ("problem", "references", "not checked")))
    broken = lint(crm.tables.metadata)
    yield from (Finding("problem", "rules for tables", line) for line in broken)
    if not broken:
        yield Finding("ok", "rules for tables", f"{len(crm.tables.metadata.tables)} tables keep them")
    migrated = _migrated(crm)
    yield migrated
    if migrated.status == "ok":
        with crm.database.open() as unit:
            tenants = crm.registry.all(unit)
        for tenant in tenants:
            yield from _tenant(tenant.key, open_session)


def _migrated(crm: Foundation) -> Finding:
    revision = current(crm.database)
    if revision is None:
        return Finding("problem", "migration", "crmkit was never here: run crmkit migrate")
    if revision != HEAD:
        return Finding("problem", "migration", f"at revision {revision}, this release is {HEAD}: run crmkit migrate")
    missing = [table.name for table in missing_tables(crm.database, crm.tables)]
    if missing:
        return Finding("problem", "migration", f"without the tables {', '.join(missing)}: run crmkit migrate")
    return Finding("ok", "migration", f"at revision {revision}")


def _tenant(key: str, open_session: Callable[..., Session]) -> Iterator[Finding]:
    try:
        with open_session(SYSTEM, tenant=key) as me:
            waiting = jobs_of(me.crm, me.tenant.id, me.unit).waiting(TELL)
            types = list(me.schema.types.values())
            asked = me.crm.plugins.implementing(_HOOK)
            findings = [found for plugin in asked for found in _said(me, plugin)]
    except CrmkitError as error:
        yield Finding("problem", f"tenant {key}", str(error))
        return
    for job in waiting:
        tried = f"{job.attempts} attempts: {job.error}" if job.error else "call crm.deliver() after your own commits"
        told = f"{job.name} was not told of changeset {job.subject}: {tried}"
        yield Finding("problem", f"deliveries of {key}", told)
    if not waiting:
        yield Finding("ok", f"deliveries of {key}", "every plugin was told of everything")
    yield from findings
    for record_type in types:
        yield from _slots(key, record_type)


def _said(me: Session, plugin: str) -> Iterator[Finding]:
    """What a plugin found; that it fails is a finding too."""
    try:
        yield from me.crm.plugins.gather(plugin, _HOOK, session=me)
    except CrmkitError as error:
        yield Finding("problem", f"{plugin} in {me.tenant.key}", str(error))


def _slots(tenant: str, record_type: RecordType) -> Iterator[Finding]:
    """How many of the slots of each kind the custom fields of a type hold."""
    held = {slot for f in record_type.custom for slot in (f.slot, f.unique_slot) if slot is not None}
    used = {pool.value: (len(held.intersection(slots)), len(slots)) for pool, slots in SLOTS.items()}
    told = ", ".join(f"{taken} of {total} {pool}" for pool, (taken, total) in used.items() if taken)
    if told:
        full = any(taken == total for taken, total in used.values())
        yield Finding("note" if full else "ok", f"slots of {record_type.plural} in {tenant}", told)
