"""The facts metrics are made of, read from the records an actor may see."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any
from uuid import UUID

import attrs

from crmkit.features.activities.contacts import CONTACTS, contact_instant
from crmkit.features.metrics.figures.response import AttemptFact, LeadFact
from crmkit.features.metrics.sql import tallies as tables
from crmkit.features.metrics.tallies.facts import DealFact, StageFact
from crmkit.features.metrics.tallies.faults import Fault, every_fault_of, in_time
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journey, journey, together
from crmkit.query.lift import Lifted
from crmkit.store.read.reader import Reader
from crmkit.values import zone

__all__ = [
    "ATTEMPT_FIELDS",
    "DealFacts",
    "JourneyFacts",
    "attempts",
    "faults",
    "leads",
    "split_shares",
    "stages",
    "unmasked",
]

_CATEGORIES: Mapping[str, Any] = {"open": "pipeline", "won": "closed"}
ATTEMPT_FIELDS = ("lead", "kind", "at", "due_at", "done_at", "direction", "automatic")
"""What is read of activities."""


@attrs.frozen
class DealFacts:
    """Deals as facts; ``start`` is the field with the date or instant at which a deal's age begins.

    Of a date it is noon, so that it is that day for everybody. Deals without one are left out.
    """

    reader: Reader
    where: Lifted
    zone: str
    start: str = "created_at"
    splits: Mapping[UUID, tuple[tuple[Hashable, Fraction], ...]] = attrs.field(factory=dict)
    in_order: bool = False
    """Whether they come in the order of their ids."""

    def __iter__(self) -> Iterator[DealFact]:
        for block in self.reader.stream("deal", self.where, in_order=self.in_order):
            for deal in block:
                began = self._began(deal)
                if began is not None:
                    yield self._fact(deal, began)

    def _began(self, deal: Any) -> datetime | None:
        began = deal[self.start]
        if isinstance(began, date) and not isinstance(began, datetime):
            return datetime.combine(began, time(12), zone(self.zone))
        return began  # type: ignore[no-any-return]

    def _fact(self, deal: Any, began: datetime) -> DealFact:
        probability = deal.probability if deal.manual_probability is None else deal.manual_probability
        return DealFact(
            id=deal.id,
            outcome=deal.outcome,
            created_at=began,
            amount=deal.amount,
            probability=None if probability is None else Fraction(probability) / 100,
            stage=deal.stage,
            category=deal.manual_category or deal.forecast_category,
            expected_close=deal.expected_close,
            closed_on=deal.closed_on,
            owner=deal.owner if deal.credited_to is None else deal.credited_to,
            splits=self.splits.get(deal.id, ()),
        )


@attrs.frozen
class JourneyFacts:
    """Deals with the time they spent in stages, one at a time, as far as the actor may read both."""

    deals: DealFacts
    stages: tuple[StageFact, ...]
    frame: Frame

    def __iter__(self) -> Iterator[Journey]:
        known, unlimited = frozenset(stage.id for stage in self.stages), unmasked(self.deals.reader)
        spells = tables.spells(self.deals.reader, self.deals.where, self.stages)
        for deal, own in together(attrs.evolve(self.deals, in_order=True), spells):
            if not unlimited and deal.stage is None:
                yield Journey(deal, (), readable=False)
                continue
            if not unlimited and deal.amount is None:
                own = [attrs.evolve(spell, amount=None) for spell in own]
            yield journey(deal, own, known, self.frame)


def faults(deals: DealFacts, stages: Iterable[Hashable], frame: Frame) -> Iterator[Fault]:
    """What is impossible about deals whose stage the actor may read, by all intervals they have; ``stages`` are the ids
    of all there are.
    """
    known, unlimited = frozenset(stages), unmasked(deals.reader)
    for deal, own in together(attrs.evolve(deals, in_order=True), tables.spells(deals.reader, deals.where)):
        if unlimited or deal.stage is not None:
            yield from every_fault_of(deal, in_time(own), known, frame)


def unmasked(reader: Reader) -> bool:
    """Whether the reader shows the stage and the amount of every deal it shows."""
    return all(reader.view.guard.field("deal", key) is True for key in ("stage", "amount"))


def stages(reader: Reader, pipelines: Sequence[UUID]) -> tuple[StageFact, ...]:
    """The stages of pipelines, the first one first."""
    found = sorted(reader.referring("stage", "pipeline", pipelines), key=lambda stage: (stage.position, stage.id))
    return tuple(
        StageFact(
            id=stage.id,
            name=stage.name,
            position=stage.position,
            kind=stage.kind,
            probability=None if stage.probability is None else Fraction(stage.probability) / 100,
            category=stage.forecast_category or _CATEGORIES.get(stage.kind, "omitted"),
            idle_days=stage.idle_days,
        )
        for stage in found
    )


def leads(reader: Reader, where: Lifted) -> Iterator[LeadFact]:
    """Leads and when they were captured."""
    for block in reader.stream("lead", where):
        for lead in block:
            yield LeadFact(id=lead.id, captured_at=lead.created_at)


def attempts(reader: Reader, where: Lifted) -> Iterator[AttemptFact]:
    """What was done to reach leads: calls, e-mails and meetings; those without a direction are taken as outbound.

    What is due and not done is none.
    """
    for block in reader.stream("activity", where):
        for activity in block:
            at = contact_instant(activity)
            if activity.lead is not None and activity.kind in CONTACTS and at is not None:
                outbound = activity.direction != "inbound"
                yield AttemptFact(lead=activity.lead, at=at, automatic=activity.automatic, outbound=outbound)


def split_shares(rows: Iterable[Any]) -> dict[UUID, tuple[tuple[Hashable, Fraction], ...]]:
    """Who has which share of each deal that is split."""
    shares: dict[UUID, list[tuple[Hashable, Fraction]]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        shares.setdefault(row.deal, []).append((row.user, Fraction(row.share) / 100))
    return {deal: tuple(found) for deal, found in shares.items()}
