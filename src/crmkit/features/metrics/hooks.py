"""What the feature adds to a CRM."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.kernel.collections.collection import Collection
from crmkit.query import F
from crmkit.records import Deal
from crmkit.sdk.finding import Finding
from crmkit.sdk.markers import hookimpl

if TYPE_CHECKING:
    from crmkit.features.metrics.clocks import Clocks

__all__ = ["crmkit_collections", "crmkit_examine", "crmkit_session_attributes", "name"]

name = "metrics"


@hookimpl
def crmkit_session_attributes() -> Iterable[tuple[str, Callable[[Any], Any]]]:
    """``me.metrics(...)``."""
    return [("metrics", _metrics)]


def _metrics(session: Any) -> Callable[..., Any]:
    # The mathematics costs a tenth of a second to import, and most sessions never ask.
    from crmkit.features.metrics.selection import metrics_of

    return partial(metrics_of, session)


class Timed(Collection[Deal]):
    """What the mathematics tells of one deal."""

    __slots__ = ()

    def clocks(self, deal: Deal | UUID | str) -> "Clocks":
        """Age, dwell and idle time of the deal now. Contacts are calls, e-mails and meetings that happened, about the
        deal or with its account, of which the actor may read. Raises NotFound.
        """
        from crmkit.features.metrics.clocks import clocks_of

        return clocks_of(self, deal)


@hookimpl
def crmkit_collections() -> Iterable[tuple[str, type[Any]]]:
    """``me.deals.clocks(deal)``."""
    return [("deal", Timed)]


@hookimpl
def crmkit_examine(session: Any) -> Iterable[Finding]:
    """Deals that were where they cannot have been: metrics leave them out, and somebody has to mend them."""
    # Of all pipelines at once: a deal may be in two of them. One without a pipeline has no history.
    faults = attrs.evolve(session.metrics(where=F.pipeline.not_null()), pipeline=None).faults()
    impossible = (f"{fault.message} ({fault.code})" for fault in faults)
    what = f"histories of deals in {session.tenant.key}"
    return [Finding.of(what, "possible", impossible, "mend their stage_intervals")]
