"""What the feature adds to a CRM."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from crmkit.features.pipelines.collections import Deals, Pipelines
from crmkit.sdk.finding import Finding
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_collections", "crmkit_examine", "name"]

name = "pipelines"

_WHOLE = Decimal(100)


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """``me.deals`` and ``me.pipelines``."""
    return [("deal", Deals), ("pipeline", Pipelines)]


@hookimpl
def crmkit_examine(session: Any) -> Iterable[Finding]:
    """Deals whose shares do not add up: nobody can say what each share is worth, and attainment refuses to."""
    totals: dict[UUID, Decimal] = {}
    for split in session.system_reader.records("deal_split"):
        totals[split.deal] = totals.get(split.deal, Decimal(0)) + split.share
    wrong = {deal: total for deal, total in totals.items() if total != _WHOLE}
    deals = session.system_reader.by_ids("deal", sorted(wrong))
    uneven = [f"{deal.name} ({deal.id}) is split into {wrong[deal.id].normalize():f} %" for deal in deals]
    what = f"shares of deals in {session.tenant.key}"
    return [Finding.of(what, "add up to 100", uneven, "me.deals.split(deal, ...) mends it")]
