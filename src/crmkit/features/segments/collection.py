"""Segments as a person types against them: ``me.segments``."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import Denied, InvalidQuery, NotFound
from crmkit.features.activities.contacts import about_account, about_deal
from crmkit.features.activities.last_contact import last_contact
from crmkit.features.segments.commands import MakeRfm, MakeTiers, Refresh, SegmentChange, Snapshot, Watch, find_segment
from crmkit.features.segments.rfm import CutPoints, Purchases, Score, cut_points, scores, valued_in, won_deals
from crmkit.features.segments.worklist import WorkItem, open_in, stake, under_followed
from crmkit.kernel.collections.collection import Collection
from crmkit.kernel.collections.query import Query
from crmkit.kernel.definitions.tenant_schema import load_schema
from crmkit.kernel.writes.pipeline import WritePath
from crmkit.kernel.writes.results import Raising
from crmkit.permissions import HistoryRights
from crmkit.query import F, in_segment
from crmkit.query.context import ALL_RIGHTS, Moment
from crmkit.query.explain import Explanation
from crmkit.query.lift import lift
from crmkit.query.nodes import TRUE, Expr, holds
from crmkit.records import Segment
from crmkit.schema import Record
from crmkit.values import Money, to_micros
from crmkit.values.text import shown

__all__ = ["Overlap", "Segments", "SizeAt"]

Named = Segment | UUID | str
"""A segment: its name, its id, or the record."""


@attrs.frozen
class Overlap:
    """How many records two segments have in common, and how many each has alone."""

    both: int
    only_a: int
    only_b: int


@attrs.frozen
class SizeAt:
    """How many records were in a segment at an instant; None where its definition meant nothing yet."""

    at: datetime
    size: int | None


@attrs.frozen
class Segments(Collection[Segment]):
    """``me.segments``: the segments as records, and what is in them. Whoever asks is told of what they may read."""

    # ---------------------------------------------------------------------------------------------------- what is in it

    def members(self, segment: Named) -> Query[Any]:
        """The records that are in the segment, as a query to narrow, sort, count. Raises NotFound."""
        return self._having(find_segment(self.session, segment), TRUE)

    def size(self, segment: Named) -> int:
        """How many there are now."""
        return self.members(segment).count()

    def sizes(self, segment: Named, instants: Iterable[datetime]) -> tuple[SizeAt, ...]:
        """How many there were at each instant: the definition as it is now, the records as they stood.

        It takes the right ``history`` on the records. Raises NotFound, Denied, InvalidQuery (``not_instants``,
        ``in_the_future``).
        """
        me, found = self.session, find_segment(self.session, segment)
        if not me.policy.may(found.on, "history"):
            plural = me.type_of(found.on).plural
            raise Denied(f"you may not see the history of {plural}", hint=f"needs a grant of history on {found.on}")
        if not isinstance(instants, Iterable):
            raise InvalidQuery(f"{shown(instants)} is no list of instants", code="not_instants")
        return tuple(SizeAt(at, self._size_at(found, at)) for at in instants)

    def explain(self, segment: Named, record: Record | UUID | str) -> Explanation:
        """Why the record is in the segment, or why not: each clause, and whether it held. Raises NotFound."""
        return self.members(segment).explain(record)

    # ---------------------------------------------------------------------------------------------------------- algebra

    def overlap(self, a: Named, b: Named) -> Overlap:
        """How many are in both, and in one only. Raises NotFound, InvalidQuery (``other_type``)."""
        return Overlap(self.common(a, b).count(), self.difference(a, b).count(), self.difference(b, a).count())

    def common(self, a: Named, b: Named) -> Query[Any]:
        """Those in both. Raises NotFound, InvalidQuery (``other_type``)."""
        one, other = self._two(a, b)
        return self._having(one, in_segment(other.name))

    def difference(self, a: Named, b: Named) -> Query[Any]:
        """Those in ``a`` that are not in ``b``. Raises NotFound, InvalidQuery (``other_type``)."""
        one, other = self._two(a, b)
        return self._having(one, ~holds(in_segment(other.name)))

    def _two(self, a: Named, b: Named) -> tuple[Segment, Segment]:
        one, other = find_segment(self.session, a), find_segment(self.session, b)
        if one.on != other.on:
            raise InvalidQuery(
                f"{one.name} is of {one.on} and {other.name} of {other.on}",
                code="other_type",
                hint="segments of one record type can be compared",
            )
        return one, other

    def _having(self, segment: Segment, condition: Expr) -> Query[Any]:
        me = self.session
        return Query[Any](me, me.type_of(segment.on)).where(in_segment(segment.name), condition)

    # ------------------------------------------------------------------------------------------------------------ lists

    def snapshot(self, name: str, of: Named | Query[Any]) -> Segment:
        """A segment of those who are in ``of`` now; see ``crmkit.features.segments.commands.Snapshot``."""
        made: Segment = self.session.do(Snapshot(name, of))
        return made

    def watch(self, segment: Named) -> Segment:
        """From now on refreshes tell who comes and who leaves; see ``crmkit.features.segments.commands.Watch``."""
        watched: Segment = self.session.do(Watch(segment))
        return watched

    def refresh(self, segment: Named | None = None) -> tuple[SegmentChange, ...]:
        """Who came and who left since the last refresh; see ``crmkit.features.segments.commands.Refresh``."""
        changes: tuple[SegmentChange, ...] = self.session.do(Refresh(segment))
        return changes

    def delete(self, target: Segment | UUID | str) -> None:
        """Delete the segment, and the list of its members if it keeps one."""
        me = self.session
        with me.doing("segment.delete"):
            found = self.get(target)
            Collection.delete(self, target)
            if found.roll is not None:
                WritePath(me, trusted=True).delete("tag", [(0, found.roll)], Raising())

    # ------------------------------------------------------------------------------------------------------ ready-made

    def rfm(
        self, *, window: int | None = None, monetary: Any = "mean", currency: str | None = None
    ) -> tuple[CutPoints, list[Score]]:
        """Cut points and scores of the accounts that won deals were made with, of what the actor may read.

        ``window`` is how many days back a deal counts, ``currency`` that of the amounts, the tenant's unless given;
        see ``crmkit.features.segments.rfm`` for what is scored.
        """
        currency = currency or self.session.state.currency
        bought = self._purchases(window, currency)
        cuts = cut_points(bought, monetary=monetary, currency=currency)
        return cuts, scores(bought, cuts)

    def make_rfm(
        self, *, window: int | None = None, currency: str | None = None, prefix: str = ""
    ) -> tuple[Segment, ...]:
        """Segments of accounts by recency, frequency and total value, by cut points made now and kept in ``basis``.

        Made again under the same names they have the cut points of that day. Raises Denied, InvalidRecord.
        """
        cuts, _ = self.rfm(window=window, monetary="total", currency=currency)
        made: tuple[Segment, ...] = self.session.do(MakeRfm(cuts, window, prefix))
        return made

    def make_tiers(self, near: int = 30, far: int = 60, *, prefix: str = "Closing ") -> tuple[Segment, ...]:
        """Segments of deals by expected close; see ``crmkit.features.segments.tiers``."""
        made: tuple[Segment, ...] = self.session.do(MakeTiers(near, far, prefix))
        return made

    def _purchases(self, window: int | None, currency: str) -> list[Purchases]:
        me = self.session
        deals = Query[Any](me, me.type_of("deal")).where(won_deals(window), F.account.not_null())
        valued = deals.where(valued_in(currency)).totals(by=F.account, sums=F.amount)
        totals = {group.key[0]: (group.sums[0][0].amount, group.count) for group in valued}
        counts: dict[UUID, tuple[int, int]] = {}
        for group in deals.totals(by=(F.account, F.closed_on)):
            account, day = group.key
            days, count = counts.get(account, (10**6, 0))
            counts[account] = (min(days, (me.today - day).days), count + group.count)
        unknown = None, None
        return [Purchases(i, days, count, *totals.get(i, unknown)) for i, (days, count) in sorted(counts.items())]

    # --------------------------------------------------------------------------------------------------------- worklist

    def under_followed(self, at_least: Money, days: int = 30, on: str = "deal") -> Query[Any]:
        """Open deals of at least this amount that nobody was in touch about for so many days, the greatest first;
        or, ``on="account"``, accounts whose open deals come to it, by name. See ``crmkit.features.segments.worklist``.
        """
        me = self.session
        found = Query[Any](me, me.type_of(on)).where(under_followed(on, at_least, days))
        return found.order_by(-F.amount if on == "deal" else F.name)

    def worklist(self, at_least: Money, days: int = 30, on: str = "deal", size: int = 50) -> tuple[WorkItem, ...]:
        """The same, the greatest value first, each with what is at stake and when somebody was last in touch."""
        query = self.under_followed(at_least, days, on)
        first = query.limit(size)
        if on == "deal":
            deals = list(first)
            return tuple(WorkItem(d, d.amount, last_contact(self.session, about_deal(d.id, d.account))) for d in deals)
        records = list(query)
        ids = {record.id for record in records}
        mine: dict[UUID, list[Any]] = {}
        opened = Query[Any](self.session, self.session.type_of("deal")).where(open_in(at_least.currency))
        for block in opened.blocks():
            for deal in block:
                if deal.account in ids:
                    mine.setdefault(deal.account, []).append(deal)
        staked = [(stake(mine[record.id], at_least.currency), record) for record in records]
        ranked = sorted(staked, key=lambda pair: (-pair[0].amount, pair[1].name, pair[1].id))[:size]
        return tuple(WorkItem(r, v, last_contact(self.session, about_account(r.id))) for v, r in ranked)

    # --------------------------------------------------------------------------------------------------------- the past

    def _size_at(self, segment: Segment, at: datetime) -> int | None:
        me = self.session
        moment = to_micros(at)
        if moment > to_micros(me.crm.clock.now()):
            raise InvalidQuery("what is to come is not known", code="in_the_future", field="at")
        past = attrs.evolve(me.base_view(), reading="past", at=moment, moment=Moment(at, me.view.moment.zone))
        then = load_schema(me.reading(past), me.crm.declared, me.crm.field_types)
        view = attrs.evolve(
            me.view,
            schema=then.schema,
            token=("sizes", then.token, me.tenant_schema.token),
            guard=ALL_RIGHTS if me.policy.unlimited else HistoryRights(me.policy),
            moment=past.moment,
            reading="past",
            at=moment,
        )
        try:
            return me.reading(view).count(segment.on, lift(in_segment(segment.name), me.actor.ids))
        except (InvalidQuery, NotFound):
            return None
