"""What the feature adds to a CRM."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs

from crmkit.query import F
from crmkit.sdk.finding import Finding
from crmkit.sdk.markers import hookimpl

__all__ = ["crmkit_examine", "crmkit_session_attributes", "name"]

name = "metrics"


@hookimpl
def crmkit_session_attributes() -> Iterable[tuple[str, Callable[[Any], Any]]]:
    """``me.metrics(...)``."""
    return [("metrics", _metrics)]


def _metrics(session: Any) -> Callable[..., Any]:
    # The mathematics costs a tenth of a second to import, and most sessions never ask.
    from crmkit.app.measuring import metrics_of

    return partial(metrics_of, session)


@hookimpl
def crmkit_examine(session: Any) -> Iterable[Finding]:
    """Deals that were where they cannot have been: metrics leave them out, and somebody has to mend them."""
    # Of all pipelines at once: a deal may be in two of them. One without a pipeline has no history.
    faults = attrs.evolve(session.metrics(where=F.pipeline.not_null()), pipeline=None).faults()
    impossible = (f"{fault.message} ({fault.code})" for fault in faults)
    what = f"histories of deals in {session.tenant.key}"
    return [Finding.of(what, "possible", impossible, "mend their stage_intervals")]
