"""What metrics are asked about: which pipeline, told in which frame, by which beginning of a deal's age."""

from typing import Any
from uuid import UUID

from crmkit.errors import InvalidQuery, NotFound
from crmkit.features.metrics import facts
from crmkit.features.metrics.metrics import Metrics
from crmkit.features.metrics.readability import pipelines_seen
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.kernel.collections.naming import named
from crmkit.kernel.session.unit_of_work import Work
from crmkit.query import Expr
from crmkit.query.nodes import TRUE
from crmkit.query.text import parse
from crmkit.records import Pipeline
from crmkit.schema.types import Date, DateTime
from crmkit.store.read.reader import Reader
from crmkit.values.rates import Policy, Rates
from crmkit.values.text import shown

__all__ = ["metrics_of"]


def metrics_of(
    session: Work,
    pipeline: Pipeline | UUID | str | None = None,
    *,
    where: Expr | str = TRUE,
    currency: str | None = None,
    rates: Rates | None = None,
    policy: Policy = "booking",
    start: str = "created_at",
    members: bool = False,
) -> Metrics:
    """Metrics of a pipeline, by record, id or name; unless told, of the only one or, of several, of all deals.

    Raises NotFound (``unknown_pipeline``), InvalidQuery for a condition or ``start`` that means nothing, InvalidValue
    (``bad_currency``), UsageError (``unknown_policy``, ``bad_rates``).
    """
    known = sorted(session.system_reader.records("pipeline"), key=lambda pipeline: pipeline.id)
    chosen = _chosen(session, known, pipeline)
    asked = Metrics(
        session=session,
        reader=session.reader,
        pipeline=chosen[0].id if len(chosen) == 1 else None,
        stages=facts.stages(session.system_reader, [pipeline.id for pipeline in chosen]),
        where=parse(where) if isinstance(where, str) else where,
        frame=Frame(
            as_of=session.as_of or session.crm.clock.now(),
            zone=session.state.zone,
            currency=currency,
            rates=rates,
            policy=policy,
            members=members,
        ),
        start=start,
        sole=len(known) == 1,
    )
    session.reader.check("deal", asked.condition)
    if start != "created_at":
        _check_start(session.reader, start)
    return asked.seeing(())


def _check_start(reader: Reader, start: Any) -> None:
    """Refuse what is no date of deals: InvalidQuery with code ``unknown_field`` or ``not_a_date``."""
    field = reader.view.binder().column((start,), "deal").field if isinstance(start, str) else None
    if field is None or not isinstance(field.type, Date | DateTime):
        raise InvalidQuery(
            f"{shown(start)} is no date", code="not_a_date", field="start", hint="a Date or DateTime field of deals"
        )


def _chosen(session: Work, known: list[Any], wanted: Any) -> list[Any]:
    """The pipeline that is wanted, or all of them."""
    found = known if wanted is None else [one for one in (named(known, wanted),) if one is not None]
    if found or wanted is None:
        return found
    told = f"there is no pipeline {wanted!s:.80}"
    raise NotFound(told, code="unknown_pipeline", field="pipeline", hint=pipelines_seen(session))
