"""What only deals and pipelines can tell: where a deal has been, how a pipeline was edited."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs

from crmkit.kernel.collections.collection import Collection
from crmkit.records import Deal, Pipeline, Stage, StageInterval
from crmkit.schema.types import Reference

if TYPE_CHECKING:
    from datetime import date

    from crmkit.features.metrics.clocks import Clocks

__all__ = ["Deals", "PipelineVersion", "Pipelines"]


@attrs.frozen
class Deals(Collection[Deal]):
    """``me.deals``."""

    if TYPE_CHECKING:

        def move(
            self,
            deal: Deal | UUID | str,
            to: Stage | UUID | str,
            on: "date | None" = None,
            loss_reason: str | None = None,
            since: datetime | None = None,
        ) -> Deal: ...
        def split(self, deal: Deal | UUID | str, shares: Mapping[Any, Any]) -> None: ...

    if TYPE_CHECKING:

        def clocks(self, deal: Deal | UUID | str) -> "Clocks": ...

    def intervals(self, deal: Deal | UUID | str) -> tuple[StageInterval, ...]:
        """The time the deal spent in stages, oldest first: who may read where the deal is may read where it was, and
        what it was worth as far as what it is. Raises NotFound.
        """
        me, read = self.session, self.get(deal)
        whole = me.system_reader.get("deal", read.id)
        if not me.may_read("deal", "stage", whole):
            return ()
        worth = me.may_read("deal", "amount", whole)
        found = me.system_reader.referring("stage_interval", "deal", [read.id])
        ordered = sorted(found, key=lambda i: (i.entered, i.left is None, i.left or i.entered, i.id))
        return tuple(interval if worth else _without_amount(interval) for interval in ordered)


def _without_amount(interval: StageInterval) -> StageInterval:
    """The same record as it is shown to who may not read the amount."""
    shown = copy.copy(interval)
    object.__setattr__(shown, "amount", None)
    return shown


@attrs.frozen
class PipelineVersion:
    """A pipeline as it stood from ``since`` until the next version: its stages, the first one first.

    ``changeset_id`` is the changeset that made it so.
    """

    number: int
    since: datetime
    changeset_id: UUID
    pipeline: Pipeline
    stages: tuple[Stage, ...]


@attrs.frozen
class Pipelines(Collection[Pipeline]):
    """``me.pipelines``."""

    def versions(self, pipeline: Pipeline | UUID | str) -> tuple[PipelineVersion, ...]:
        """How the pipeline and its stages stood after each changeset that edited them, the first one first.

        Raises NotFound. Takes the right to the history of pipelines and stages; versions that may not be read are left
        out.
        """
        me, wanted = self.session, self.get(pipeline).id
        history = me.history()
        edits = set()
        for type_key, ids in (("pipeline", [wanted]), ("stage", self._stages_ever(wanted))):
            for record_id in ids:
                edits |= {v.changeset for v in history.timeline(type_key, record_id) if v.changeset is not None}
        versions: list[PipelineVersion] = []
        for changeset in sorted(edits, key=lambda c: (c.recorded_at, c.id)):
            reader = me.reader_as_of(changeset.recorded_at)
            found: Any = reader.get("pipeline", wanted)
            if found is None:
                continue
            stages = sorted(reader.referring("stage", "pipeline", [wanted]), key=lambda s: (s.position, s.id))
            number, at = len(versions) + 1, changeset.recorded_at
            versions.append(PipelineVersion(number, at, changeset.id, found, tuple(stages)))
        return tuple(versions)

    def _stages_ever(self, pipeline: UUID) -> list[UUID]:
        versions = self.session.history().versions
        return sorted({stage.id for stage in versions.referring("stage", "pipeline", [Reference("*").parse(pipeline)])})
