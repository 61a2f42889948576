"""The three clocks of one deal: ``me.deals.clocks(deal)``."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from crmkit.features.activities.contacts import about_deal
from crmkit.features.activities.last_contact import last_contact
from crmkit.features.metrics.figures import clocks
from crmkit.features.metrics.tallies.facts import DealFact, Spell
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.records import Deal

__all__ = ["Clocks", "clocks_of"]


@attrs.frozen(kw_only=True)
class Clocks:
    """The three clocks of a deal, which are never mixed.

    ``age`` runs since it was created. ``current``, ``latest``, ``first`` and ``cumulative`` tell its dwell in the stage
    it is in: see :class:`crmkit.features.metrics.figures.clocks.Dwell`. ``idle`` runs since the last contact (None:
    there never was one), and ``rotten`` says whether that is as long as the stage's ``idle_days`` (None where it cannot
    be said).
    """

    age: timedelta
    current: timedelta | None
    latest: timedelta | None
    first: timedelta | None
    cumulative: timedelta
    idle: timedelta | None
    last_contact: datetime | None
    rotten: bool | None


def clocks_of(deals: Any, deal: Deal | UUID | str) -> Clocks:
    """Age, dwell and idle time of the deal now. Contacts are calls, e-mails and meetings that happened, about the
    deal or with its account, of which the actor may read. Raises NotFound.
    """
    me, found = deals.session, deals.get(deal)
    frame = Frame(as_of=me.as_of or me.crm.clock.now())
    fact = DealFact(id=found.id, outcome=found.outcome, created_at=found.created_at)
    spells = [Spell(deal=i.deal, stage=i.stage, entered=i.entered, left=i.left) for i in deals.intervals(found)]
    dwell = clocks.dwell(fact, spells, found.stage, frame)
    contact = last_contact(me, about_deal(found.id, found.account))
    idle = clocks.idle(contact, frame)
    stage: Any = None if found.stage is None else me.system_reader.get("stage", found.stage)
    return Clocks(
        age=clocks.age(fact, frame),
        current=dwell.current,
        latest=dwell.latest,
        first=dwell.first,
        cumulative=dwell.cumulative,
        idle=idle,
        last_contact=contact,
        rotten=clocks.is_rotten(idle, None if stage is None else stage.idle_days),
    )
