"""The tallies of metrics from the database: it groups, the same mathematics does the rest.

Each function answers for the deals that the reader's actor may read and that meet a condition; the answer equals the
tally of the single facts. ``where`` is a condition on deals.
"""

from collections.abc import Hashable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import attrs
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Text, bindparam, case, func, literal, select

from crmkit.analytics import funnel, win_curve, win_rate
from crmkit.analytics.facts import DealFact, Outcome, Spell, StageFact
from crmkit.analytics.faults import deals_of, find_faults
from crmkit.analytics.frame import Frame
from crmkit.analytics.funnel import WON, FunnelTally, StepTally
from crmkit.analytics.ladder import Ladder, Order, Reaching, ladder
from crmkit.analytics.parts import Parts
from crmkit.analytics.shares import bounds_of
from crmkit.analytics.totals import Totals
from crmkit.analytics.win_curve import ClosingTally
from crmkit.analytics.win_rate import Counting, WinTally
from crmkit.errors import InvalidQuery
from crmkit.query.lift import Lifted
from crmkit.schema.types import Date, DateTime
from crmkit.store.plans import Draft, Plan
from crmkit.store.reader import Reader
from crmkit.values import Money, Period, from_days, from_micros, zone
from crmkit.values.clock import offsets

__all__ = ["MAX_STAGES", "closings", "outcomes", "reached", "spells"]

MAX_STAGES = 60
"""Stages that fit in the bits of a 64-bit integer, with room to spare."""

_DAY = 86_400_000_000
_FIRST_YEAR, _YEARS = 1970, 130
_UNBOUNDED = 2**62


def outcomes(reader: Reader, where: Lifted, period: Period | None, frame: Frame, by: Counting = "closed") -> WinTally:
    """The tally of :mod:`~crmkit.analytics.win_rate`."""

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        conditions = draft.conditions(where)
        amount, currency = _money(draft)
        created = _term(draft, "created_at")
        terms = {
            "outcome": _term(draft, "outcome"),
            "closed_on": _term(draft, "closed_on"),
            "inside": case((created.between(bindparam("since"), bindparam("until")), 1), else_=0),
            "currency": currency,
        }
        return draft.finish(reader.database, _grouped(draft, conditions, terms, amount))

    since, until = bounds_of(period, frame)
    bounds = {"since": _whole(since), "until": _whole(until) - 1}
    counts: dict[str, int] = {}
    totals = {"won": Totals(), "lost": Totals()}
    for outcome, closed, inside, currency, n, counted, units in _rows(reader, "outcomes", where, make, bounds):
        closed_on = None if closed is None else from_days(closed)
        part = win_rate.part_of(outcome, closed_on, bool(inside), period, by)
        counts[part] = counts.get(part, 0) + n
        if part in totals:
            totals[part] += _totals(currency, closed_on, n, counted, units)
    return WinTally(by, Parts(counts), totals["won"], totals["lost"])


def closings(
    reader: Reader, where: Lifted, frame: Frame, period: Period | None = None, start: str = "created_at"
) -> ClosingTally:
    """The tally of :mod:`~crmkit.analytics.win_curve`; ``start`` is the date or instant at which a deal's age begins.

    Deals without one are left out (``no_start``). Raises InvalidQuery (``not_a_date``).
    """

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        conditions = draft.conditions(where)
        day, instant = _days(draft, start, frame.zone)
        terms = {
            "outcome": _term(draft, "outcome"),
            "closed_on": _term(draft, "closed_on"),
            "day": day,
            "instant": instant,
        }
        return draft.finish(reader.database, _grouped(draft, conditions, terms, None))

    today, tz = frame.today, zone(frame.zone)
    counts: dict[str, int] = {}
    ages: dict[int, dict[Hashable, int]] = {}
    for outcome, closed, day, instant, n in _rows(reader, ("closings", start, frame.zone), where, make):
        if day is None and instant is None:
            part, days = "no_start", 0
        else:
            created = from_days(day) if day is not None else from_micros(instant).astimezone(tz).date()
            end = today if outcome == "open" else None if closed is None else from_days(closed)
            part, days = win_curve.part_of(outcome, created, end, period)
        counts[part] = counts.get(part, 0) + n
        if part == outcome:
            at = ages.setdefault(days, {})
            key = None if part == "open" else part
            at[key] = at.get(key, 0) + n
    return ClosingTally(ages, Parts(counts))


def reached(
    reader: Reader,
    where: Lifted,
    stages: Sequence[StageFact],
    frame: Frame,
    *,
    reaching: Reaching = "implied",
    order: Order = "now",
    period: Period | None = None,
) -> FunnelTally:
    """The tally of :mod:`~crmkit.analytics.funnel` with the amounts of now.

    The database says of each deal which stages it was in; deals whose intervals do not follow one another without a
    gap are looked at one by one, and left out if their history is impossible. Intervals in stages of other pipelines
    are no part of it. Raises InvalidQuery (``too_many_stages``).
    """
    if len(stages) > MAX_STAGES:
        raise InvalidQuery(f"a funnel has {MAX_STAGES} stages at most", code="too_many_stages")
    since, until = bounds_of(period, frame)
    binds: dict[str, Any] = {"since": _whole(since), "until": _whole(until) - 1}
    binds |= {f"stage{i}": reader.view.codec.id_in(stage.id) for i, stage in enumerate(stages)}  # type: ignore[arg-type]
    binds |= {f"opens{i}": int(stage.kind == "open") for i, stage in enumerate(stages)}
    dated = frame.rates is not None
    shape = ("reached", len(stages), order, dated)

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        return draft.finish(reader.database, _reached(draft, where, len(stages), order, dated))

    rungs = ladder(stages, order)
    keys: list[Hashable | None] = [*(rung.id for rung in rungs.rungs), WON]
    counts = _Reached(stages, rungs, reaching, keys)
    excluded: dict[str, int] = {}
    odd = False
    for mask, top, whole, inside, outcome, closed, currency, n, counted, units in _rows(
        reader, shape, where, make, binds
    ):
        if not whole:
            odd = True
        elif not inside:
            excluded["outside_period"] = excluded.get("outside_period", 0) + n
        elif mask is None and not (outcome == "won" and reaching == "implied"):
            excluded["no_history"] = excluded.get("no_history", 0) + n
        else:
            on = None if closed is None or outcome == "open" else from_days(closed)
            counts.add(outcome, int(mask or 0), top, n, _totals(currency, on, n, counted, units))
    tally = FunnelTally(steps=counts.steps, n=counts.n, excluded=excluded)
    return tally + _one_by_one(reader, where, stages, frame, binds, reaching, order, period) if odd else tally


def spells(reader: Reader, where: Lifted, stages: Sequence[StageFact], block: int = 2_000) -> Iterator[Spell]:
    """The intervals of readable deals in these stages, in the order of deals, in constant memory."""
    binds = {f"stage{i}": reader.view.codec.id_in(stage.id) for i, stage in enumerate(stages)}  # type: ignore[arg-type]

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        stay = _Stay(draft, len(stages))
        identity = draft.source.record_id(draft.source.type.by_key["id"])
        # A list of ids rather than a join, which no database can do well on the two arms each side has in the past.
        readable = select(identity).select_from(draft.source.selectable).where(*draft.conditions(where))
        statement = (
            select(stay.deal, stay["stage"], stay["position"], stay["kind"], stay["entered"], stay["left"])
            .add_columns(*stay.money())
            .where(*stay.conditions, stay.deal.in_(readable))
            .order_by(stay.deal, stay["entered"])
        )
        return draft.finish(reader.database, statement)

    key = reader.view.key("metric", ("spells", len(stages)), where.shape)
    plan = reader.shelf.get(key, make)
    id_out = reader.view.codec.id_out
    parameters = {**reader.view.parameters(plan, where.values), **binds}
    for rows in reader.unit.stream(plan.statement, parameters, block):
        for deal, stage, position, kind, entered, left, units, currency in rows:
            yield Spell(
                deal=id_out(deal),
                stage=id_out(stage),
                entered=from_micros(entered),
                left=None if left is None else from_micros(left),
                position=position,
                kind=kind,
                amount=None if units is None else Money.from_units(units, currency),
            )


# ------------------------------------------------------------------------------------------------------------- columns


def _term(draft: Draft, key: str) -> ColumnElement[Any]:
    """A field of the deal as it is compared, as far as the actor may read it."""
    return draft.binder.column((key,), "deal").scalar(draft.context, draft.source)[0]


def _money(draft: Draft) -> tuple[ColumnElement[Any], Any]:
    """Units and currency of the amount; nobody's, where the actor may not read it."""
    if draft.view.guard.field("deal", "amount") is False:
        return literal(None, BigInteger), literal(None, Text)
    return draft.binder.column(("amount",), "deal").scalar(draft.context, draft.source)


def _days(draft: Draft, start: str, zone_name: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The day on which a field's value is, and, where a table of offsets does not reach, its instant."""
    column = draft.binder.column(tuple(start.split(".")), "deal")
    value = column.scalar(draft.context, draft.source)[0]
    nothing = literal(None, BigInteger)
    if isinstance(column.field.type, Date):
        return value, nothing
    if not isinstance(column.field.type, DateTime):
        raise InvalidQuery(
            f"{start} is no date", code="not_a_date", field=column.field.key, hint="a Date or DateTime field"
        )
    known = offsets(zone(zone_name), _FIRST_YEAR, _YEARS)
    # The first year of the table is left to Python: local days before 1970 would be negative, and division differ.
    within = value.between(known[0][0] + 2 * _DAY, known[-1][0] + 365 * _DAY)
    return case((within, (value + _offset(value, known)) // literal(_DAY, BigInteger))), case((~within, value))


def _offset(value: ColumnElement[Any], known: Sequence[tuple[int, int]]) -> ColumnElement[Any]:
    """The offset at an instant by halving: eight comparisons for the 241 offsets of Berlin."""
    if len(known) == 1:
        return literal(known[0][1], BigInteger)
    half = len(known) // 2
    earlier = value < literal(known[half][0], BigInteger)
    return case((earlier, _offset(value, known[:half])), else_=_offset(value, known[half:]))


class _Stay:
    """An occurrence of stage intervals, those of the draft's deals, whoever may read them."""

    def __init__(self, draft: Draft, stages: int) -> None:
        self._source = draft.context.sources.open("stage_interval")
        self._fields = self._source.type.by_key
        self.deal = self["deal"]
        among = self["stage"].in_([bindparam(f"stage{i}") for i in range(stages)])
        self.conditions = (*self._source.conditions, among)

    def __getitem__(self, key: str) -> ColumnElement[Any]:
        field = self._fields[key]
        return self._source.part(field, field.type.compare)

    def money(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Units and currency of the amount then."""
        field = self._fields["amount"]
        return self._source.part(field, 0), self._source.part(field, 1)


# ---------------------------------------------------------------------------------------------------------- statements


def _grouped(
    draft: Draft,
    conditions: Sequence[ColumnElement[bool]],
    terms: dict[str, ColumnElement[Any]],
    amount: ColumnElement[Any] | None,
) -> Select[Any]:
    """Deals counted by terms, and their amounts counted and summed."""
    # Terms are computed in a subquery and grouped by name: with parameters in them, PostgreSQL would not recognise
    # the same term in SELECT and GROUP BY.
    labelled = [term.label(name) for name, term in terms.items()]
    if amount is not None:
        labelled.append(amount.label("amount"))
    inner = select(*labelled).select_from(draft.source.selectable).where(*conditions).subquery()
    groups = [inner.c[name] for name in terms]
    sums = [] if amount is None else [func.count(inner.c["amount"]), func.sum(inner.c["amount"])]
    return select(*groups, func.count(), *sums).group_by(*groups)


def _reached(draft: Draft, where: Lifted, stages: int, order: Order, dated: bool) -> Select[Any]:
    """Deals grouped by the stages they were in, one bit for each, and by what else a funnel needs."""
    deal = _by_deal(draft, where, stages, order, dated)
    groups = [deal.c[name] for name in ("mask", "top", "whole", "inside", "outcome", "closed_on", "currency")]
    return select(*groups, func.count(), func.count(deal.c["amount"]), func.sum(deal.c["amount"])).group_by(*groups)


def _by_deal(draft: Draft, where: Lifted, stages: int, order: Order, dated: bool) -> Any:
    """One row a deal: ``whole`` is 1 where its intervals follow one another without a gap up to the one it is in."""
    stays = _stays(draft, where, stages, order)
    amount, currency = _money(draft)
    outcome, created = _term(draft, "outcome"), _term(draft, "created_at")
    identity = draft.source.record_id(draft.source.type.by_key["id"])
    closed_early = (outcome != "open") & (stays.c["opens"] == 1)
    return (
        select(
            identity.label("id"),
            stays.c["mask"],
            stays.c["top"],
            case((stays.c["deal"].is_(None), 1), (closed_early, 0), else_=stays.c["sound"]).label("whole"),
            case((created.between(bindparam("since"), bindparam("until")), 1), else_=0).label("inside"),
            created.label("created"),
            outcome.label("outcome"),
            (_term(draft, "closed_on") if dated else literal(None, BigInteger)).label("closed_on"),
            currency.label("currency"),
            amount.label("amount"),
        )
        .select_from(draft.source.selectable.outerjoin(stays, stays.c["deal"] == identity))
        .where(*draft.conditions(where))
        .subquery()
    )


def _stays(draft: Draft, where: Lifted, stages: int, order: Order) -> Any:
    """One row for each deal with intervals, computed before deals are joined: a plan both databases keep to, however
    many arms the two have in the past.
    """
    stay = _Stay(draft, stages)
    entered, left, stage = stay["entered"], stay["left"], stay["stage"]
    here = [stage == bindparam(f"stage{i}") for i in range(stages)]
    # A sum of greatest bits: sum(DISTINCT bit) keeps a tree for each deal and takes a third longer.
    bits = [func.max(case((is_here, literal(1 << i, BigInteger)), else_=0)) for i, is_here in enumerate(here)]
    opens = case(*((is_here, bindparam(f"opens{i}", type_=Integer)) for i, is_here in enumerate(here)))
    further = case((stay["kind"].in_(["open", "won"]), stay["position"]))
    spent = func.sum(func.coalesce(left, entered) - entered)
    span = func.max(case((left.is_(None), entered))) - func.min(entered)
    sound = case(
        (func.count() - func.count(left) != 1, 0), (func.min(left - entered) < 0, 0), (spent != span, 0), else_=1
    )
    return (
        select(
            stay.deal.label("deal"),
            _sum(bits).label("mask"),
            (func.max(further) if order == "then" else literal(None, BigInteger)).label("top"),
            sound.label("sound"),
            func.max(case((left.is_(None), opens))).label("opens"),
        )
        .where(*stay.conditions)
        .group_by(stay.deal)
        .subquery()
    )


def _sum(terms: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    total: ColumnElement[Any] = literal(0, BigInteger)
    for term in terms:
        total = total + term
    return total


# ------------------------------------------------------------------------------------------------------------- answers


def _rows(
    reader: Reader, shape: Hashable, where: Lifted, make: Any, binds: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    plan = reader.shelf.get(reader.view.key("metric", shape, where.shape), make)
    return reader.unit.read(plan.statement, {**reader.view.parameters(plan, where.values), **(binds or {})})


def _totals(currency: str | None, on: date | None, n: int, counted: int, units: Any) -> Totals:
    if currency is None or not counted:
        return Totals(without=n)
    return Totals({(currency, on): int(units)}, counted, n - counted)


def _whole(bound: float) -> int:
    return int(max(-_UNBOUNDED, min(_UNBOUNDED, bound)))


@attrs.define
class _Reached:
    """Deals of one kind after another on their way into the steps of a funnel."""

    stages: Sequence[StageFact]
    rungs: Ladder
    reaching: Reaching
    keys: list[Hashable | None]
    steps: dict[Hashable | None, StepTally] = attrs.field(
        init=False, default=attrs.Factory(lambda me: {key: StepTally() for key in me.keys}, True)
    )
    n: int = attrs.field(init=False, default=0)

    def add(self, outcome: Outcome, mask: int, top: int | None, n: int, amounts: Totals) -> None:
        """So many deals of one outcome that were in the stages of the mask, and got as far as ``top``."""
        self.n += n
        deal = DealFact(id=None, outcome=outcome, created_at=_SOME_TIME)
        was = [_spell(stage.id, -1) for i, stage in enumerate(self.stages) if mask >> i & 1]
        found = self.rungs.reached(deal, was if top is None else [*was, _spell(_NOWHERE, top)], self.reaching)
        if outcome == "won":
            found[WON] = None
        for place, key in enumerate(self.keys):
            if key in found:
                onward = place + 1 < len(self.keys) and self.keys[place + 1] in found
                self.steps[key] += StepTally(
                    outcomes={outcome: n},
                    onward=n if onward else 0,
                    from_first=n if self.keys[0] in found else 0,
                    amounts=amounts,
                )


_SOME_TIME = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_NOWHERE = object()


def _spell(stage: Hashable, position: int) -> Spell:
    return Spell(deal=None, stage=stage, entered=_SOME_TIME, position=position)


def _one_by_one(
    reader: Reader,
    where: Lifted,
    stages: Sequence[StageFact],
    frame: Frame,
    binds: dict[str, Any],
    reaching: Reaching,
    order: Order,
    period: Period | None,
) -> FunnelTally:
    """The tally of the deals whose intervals do not follow one another."""

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        deal = _by_deal(draft, where, len(stages), order, dated=True)
        names = ("id", "outcome", "created", "closed_on", "currency", "amount")
        return draft.finish(reader.database, select(*(deal.c[name] for name in names)).where(deal.c["whole"] == 0))

    plan = reader.shelf.get(reader.view.key("metric", ("odd", len(stages), order), where.shape), make)
    rows = reader.unit.read(plan.statement, {**reader.view.parameters(plan, where.values), **binds})
    id_out = reader.view.codec.id_out
    deals = [
        DealFact(
            id=id_out(deal),
            outcome=outcome,
            created_at=from_micros(created),
            amount=None if units is None else Money.from_units(units, currency),
            closed_on=None if closed is None else from_days(closed),
        )
        for deal, outcome, created, closed, currency, units in rows
    ]
    odd = {deal.id for deal in deals}
    history = [spell for spell in spells(reader, where, stages) if spell.deal in odd]
    faulty = deals_of(find_faults(deals, history, stages, frame))
    return funnel.tally(deals, history, stages, frame, reaching=reaching, order=order, period=period, faulty=faulty)
