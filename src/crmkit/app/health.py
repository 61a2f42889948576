"""Is everything as it should be: what an operator wants to know of a database before anybody complains."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Literal
from uuid import UUID

import attrs

from crmkit.analytics.faults import Fault
from crmkit.app.foundation import Foundation
from crmkit.app.outbox import outbox_of
from crmkit.app.session import Session
from crmkit.errors import CrmkitError, StorageError
from crmkit.permissions import SYSTEM
from crmkit.query import F
from crmkit.schema import RecordType
from crmkit.schema.parts import SLOTS
from crmkit.store import lint
from crmkit.store.migrate import current
from crmkit.store.migrations import HEAD
from crmkit.store.server import missing_tables, server_of

__all__ = ["Finding", "examine"]


_SHOWN = 3
_WHOLE = Decimal(100)
_MEND = "mend their stage_intervals"


@attrs.frozen
class Finding:
    """One thing looked at: ``ok``, a ``note`` worth knowing, or a ``problem`` somebody has to act on.

    ``whole`` is the detail in full where it was shortened for people.
    """

    status: Literal["ok", "note", "problem"]
    what: str
    detail: str
    whole: str | None = None


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
            failures = outbox_of(me).failures()
            types = list(me.schema.types.values())
            # Of all pipelines at once: a deal may be in two of them. One without a pipeline has no history.
            faults = list(attrs.evolve(me.metrics(where=F.pipeline.not_null()), pipeline=None).faults())
            uneven = _uneven(me)
    except CrmkitError as error:
        yield Finding("problem", f"tenant {key}", str(error))
        return
    for plugin, attempts, error_text in failures:
        told = f"{plugin} could not be told, {attempts} attempts: {error_text}"
        yield Finding("problem", f"outbox of {key}", told)
    if not failures:
        yield Finding("ok", f"outbox of {key}", "every plugin was told of everything")
    yield _histories(key, faults)
    yield _shares(key, uneven)
    for record_type in types:
        yield from _slots(key, record_type)


def _histories(tenant: str, faults: Sequence[Fault]) -> Finding:
    """Deals that were where they cannot have been: metrics leave them out, and somebody has to mend them."""
    what = f"histories of deals in {tenant}"
    if not faults:
        return Finding("ok", what, "possible")
    told = [f"{fault.message} ({fault.code})" for fault in faults]
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    shown, whole = "; ".join(told[:_SHOWN]), "; ".join(told)
    return Finding("problem", what, f"{shown}{more}: {_MEND}", f"{whole}: {_MEND}" if more else None)


def _uneven(me: Session) -> list[str]:
    """The deals whose shares do not add up, and to what they do."""
    totals: dict[UUID, Decimal] = {}
    for split in me.system_reader.records("deal_split"):
        totals[split.deal] = totals.get(split.deal, Decimal(0)) + split.share
    wrong = {deal: total for deal, total in totals.items() if total != _WHOLE}
    deals = me.system_reader.by_ids("deal", sorted(wrong))
    return [f"{deal.name} ({deal.id}) is split into {wrong[deal.id].normalize():f} %" for deal in deals]


def _shares(tenant: str, uneven: Sequence[str]) -> Finding:
    """Deals with shares of which nobody can say what they are worth: attainment refuses to."""
    what = f"shares of deals in {tenant}"
    if not uneven:
        return Finding("ok", what, "add up to 100")
    more = f" and {len(uneven) - _SHOWN} more" if len(uneven) > _SHOWN else ""
    return Finding("problem", what, f"{'; '.join(uneven[:_SHOWN])}{more}: me.deals.split(deal, ...) mends it")


def _slots(tenant: str, record_type: RecordType) -> Iterator[Finding]:
    """How many of the slots of each kind the custom fields of a type hold."""
    held = {slot for f in record_type.custom for slot in (f.slot, f.unique_slot) if slot is not None}
    used = {pool.value: (len(held.intersection(slots)), len(slots)) for pool, slots in SLOTS.items()}
    told = ", ".join(f"{taken} of {total} {pool}" for pool, (taken, total) in used.items() if taken)
    if told:
        full = any(taken == total for taken, total in used.values())
        yield Finding("note" if full else "ok", f"slots of {record_type.plural} in {tenant}", told)
