"""What the feature adds to a CRM."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from crmkit.features.pipelines.collections import Deals, Pipelines
from crmkit.features.pipelines.definitions import check_definition, definitions_relying
from crmkit.features.pipelines.move import MoveDeal
from crmkit.features.pipelines.split import SplitDeal
from crmkit.features.pipelines.stages import intervals_of
from crmkit.sdk.change import Change, Create, Update
from crmkit.sdk.command import Command
from crmkit.sdk.definitions import Dependant, Refusal, refusals
from crmkit.sdk.finding import Finding
from crmkit.sdk.markers import hookimpl

__all__ = [
    "concerned",
    "crmkit_check",
    "crmkit_collections",
    "crmkit_commands",
    "crmkit_dependants",
    "crmkit_examine",
    "crmkit_follow_up",
    "listens_to",
    "name",
]

name = "pipelines"
listens_to = {"crmkit_follow_up": ("deal",), "crmkit_check": ("pipeline", "stage", "stage_gate")}

_WHOLE = Decimal(100)
_MOVING = frozenset({"stage", "stage_since"})


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """``me.deals`` and ``me.pipelines``."""
    return [("deal", Deals), ("pipeline", Pipelines)]


@hookimpl
def crmkit_follow_up(session: Any, changes: Sequence[Change]) -> Sequence[Create | Update] | None:
    """A deal leaves an interval behind for each stay in a stage."""
    # An undo takes the intervals back as it finds them.
    return None if session.undoing else intervals_of(session, changes)


def concerned(values: Mapping[str, Any]) -> bool:
    """Only where a deal is matters here."""
    return not _MOVING.isdisjoint(values)


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


@hookimpl
def crmkit_commands() -> Iterable[type[Command[Any]]]:
    """The verbs of the feature."""
    return [MoveDeal, SplitDeal]


@hookimpl
def crmkit_check(session: Any, changes: Sequence[Change]) -> Iterable[Refusal]:
    """Stages, pipelines and gates mean something, and what deals rely on stays."""
    return refusals(changes, partial(check_definition, session))


@hookimpl
def crmkit_dependants(session: Any) -> Iterable[Dependant]:
    """Stages and gates rely on the fields they name."""
    return definitions_relying(session)
