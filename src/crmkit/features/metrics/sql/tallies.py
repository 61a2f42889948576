"""The tallies of metrics from the database: it groups, the same mathematics does the rest.

Each function answers for the deals that the reader's actor may read and that meet a condition; the answer equals the
tally of the single facts. ``where`` is a condition on deals.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    func,
    literal,
    null,
    select,
    union_all,
)

from crmkit.errors import InvalidQuery
from crmkit.features.metrics.figures import funnel, win_curve, win_rate
from crmkit.features.metrics.figures.funnel import FunnelTally
from crmkit.features.metrics.figures.win_curve import ClosingTally
from crmkit.features.metrics.figures.win_rate import Counting, WinTally
from crmkit.features.metrics.sql.columns import (
    NEVER,
    NO_NUMBER,
    Stay,
    begins,
    identity,
    money,
    sound,
    stand_in,
    term,
    within,
)
from crmkit.features.metrics.tallies.facts import DealFact, Spell, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import Order, Reaching, ladder
from crmkit.features.metrics.tallies.masks import Masked
from crmkit.features.metrics.tallies.parameters import check_period, one_of
from crmkit.features.metrics.tallies.parts import Parts
from crmkit.features.metrics.tallies.shares import bounds_of
from crmkit.features.metrics.tallies.totals import Totals
from crmkit.query.lift import Lifted
from crmkit.store.read.reader import Reader
from crmkit.store.sql.lists import LISTED, among, list_width, listed
from crmkit.store.sql.plans import Draft, Plan
from crmkit.values import Money, Period, from_days, from_micros, to_days, to_micros, zone

__all__ = ["MAX_STAGES", "closings", "outcomes", "reached", "spells"]

MAX_STAGES = 60
"""Stages that fit in the bits of a 64-bit integer, with room to spare."""

_SOME_DAY = date(2000, 1, 1)
_ONWARD = ("open", "won")


def outcomes(
    reader: Reader,
    where: Lifted,
    period: Period | None,
    frame: Frame,
    by: Counting = "closed",
    *,
    amounts: bool = True,
) -> WinTally:
    """The tally of :mod:`~crmkit.features.metrics.figures.win_rate`, with amounts or, in a quarter less time, not."""
    dated = frame.rates is not None and amounts
    created_in = period is not None and by == "created"
    closed_in = period is not None and by == "closed"

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        conditions = draft.conditions(where)
        amount, currency = money(draft) if amounts else (None, None)
        closed = term(draft, "closed_on")
        terms = {"outcome": term(draft, "outcome"), **({} if currency is None else {"currency": currency})}
        if dated or closed_in:
            terms["closed_on"] = closed if dated else stand_in(closed)
        if created_in:
            terms["inside"] = within(term(draft, "created_at"), "since", "until")
        return _grouped(reader, draft, conditions, terms, amount)

    counts: dict[str, int] = {}
    totals = {"won": Totals(), "lost": Totals()}
    shape = ("outcomes", amounts, dated, created_in, closed_in)
    for key, n, *sums in _groups(reader, shape, where, make, _bounds(period, frame)):
        closed_on = _day(key.get("closed_on"))
        part = win_rate.part_of(key["outcome"], closed_on, bool(key.get("inside")), period, by)
        counts[part] = counts.get(part, 0) + n
        if amounts and part in totals:
            totals[part] += _totals(key["currency"], closed_on if dated else None, n, *sums)
    return WinTally(by, Parts(counts), totals["won"], totals["lost"])


def closings(
    reader: Reader, where: Lifted, frame: Frame, period: Period | None = None, start: str = "created_at"
) -> ClosingTally:
    """The tally of :mod:`~crmkit.features.metrics.figures.win_curve`.

    ``start`` is the date or instant at which a deal's age begins.

    Deals without one are left out (``no_start``). Raises InvalidQuery (``not_a_date``).
    """

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        conditions = draft.conditions(where)
        begun, outcome = begins(draft, start, frame.zone), term(draft, "outcome")
        end = case((outcome == "open", bindparam("today", type_=BigInteger)), else_=term(draft, "closed_on"))
        terms = {"outcome": outcome, "age": begun.age(end), "apart": begun.apart}
        if period is not None:
            terms["inside"] = within(begun.day, "first", "last")
        return _grouped(reader, draft, conditions, terms)

    counts: dict[str, int] = {}
    ages: dict[int, dict[Hashable, int]] = {}
    binds = {**_bounds(period, frame), "today": to_days(frame.today)}
    shape = ("closings", start, frame.zone, period is None)
    for key, n in _groups(reader, shape, where, make, binds):
        part, days = _closing(key, period, frame)
        counts[part] = counts.get(part, 0) + n
        if part == key["outcome"]:
            at = ages.setdefault(days, {})
            end = None if part == "open" else part
            at[end] = at.get(end, 0) + n
    return ClosingTally(ages, Parts(counts))


def _closing(key: Mapping[str, Any], period: Period | None, frame: Frame) -> tuple[str, int]:
    """The part that deals of an age come to, and the age."""
    outcome, age, instant = key["outcome"], key["age"], key["apart"]
    if instant == NEVER:
        return "no_start", 0
    if instant is not None:
        created = from_micros(instant).astimezone(zone(frame.zone)).date()
        return win_curve.part_of(outcome, created, _day(age), period)
    # What part it is depends on the age alone, so any day in the period, or outside it, stands for the one it was.
    after = _SOME_DAY if period is None else period.end
    created = after - timedelta(days=key.get("inside", 1))
    end = None if age is None else created - timedelta(days=age < 0)
    return win_curve.part_of(outcome, created, end, period)[0], age or 0


def reached(
    reader: Reader,
    where: Lifted,
    stages: Sequence[StageFact],
    frame: Frame,
    *,
    reaching: Reaching = "implied",
    order: Order = "now",
    period: Period | None = None,
    sole: bool = False,
) -> FunnelTally:
    """The tally of :mod:`~crmkit.features.metrics.figures.funnel` with the amounts of now.

    The database says of each deal which stages it was in; deals whose intervals do not follow one another without a
    gap are looked at one by one, and left out if their history is impossible. Intervals in stages of other pipelines
    are no part of it; ``sole`` says that there are none. Raises InvalidQuery (``too_many_stages``, also for none) and
    UsageError (``unknown_variant``).
    """
    if not 1 <= len(stages) <= MAX_STAGES:
        raise InvalidQuery(f"the database counts 1 to {MAX_STAGES} stages", code="too_many_stages")
    one_of(reaching, Reaching, "reaching")
    # From the lowest up, so that of several bits the greatest is that of the furthest stage.
    ranked = sorted(stages, key=lambda stage: (stage.kind in _ONWARD, stage.position))
    heights = [stage.position for stage in ranked if stage.kind in _ONWARD]
    furthest = reaching == "implied" and order == "now" and len(set(heights)) == len(heights)
    binds = {**_bounds(period, frame), "now": to_micros(frame.as_of), **_stage_binds(reader, ranked)}
    form = _Form(
        stages=len(ranked),
        ends=len(ranked) - len(heights),
        furthest=furthest,
        then=order == "then",
        dated=frame.rates is not None,
        period=period is not None,
        sole=sole,
    )

    def make() -> Plan:
        return _reached(reader, Draft(reader.view, "deal"), where, form)

    counts = Masked(ranked, ladder(stages, order), reaching)
    excluded: dict[str, int] = {}
    odd: list[Any] = []
    for key, n, *sums in _groups(reader, ("reached", form), where, make, binds):
        mask, outcome = key["mask"], key["outcome"]
        if key["odd"] is not None:
            odd.append(key["odd"])
        elif key.get("inside") == 0:
            excluded["outside_period"] = excluded.get("outside_period", 0) + n
        elif mask is None and not (outcome == "won" and reaching == "implied"):
            excluded["no_history"] = excluded.get("no_history", 0) + n
        else:
            on = None if outcome == "open" else _day(key.get("closed_on"))
            counts.add(outcome, mask or 0, key.get("top"), n, _totals(key["currency"], on, n, *sums))
    tally = FunnelTally(steps=counts.steps, n=counts.n, excluded=excluded)
    for start in range(0, len(odd), LISTED):
        deals, history = _one_by_one(reader, where, ranked, odd[start : start + LISTED])
        known = Journeys.of(deals, history, stages, frame)
        tally += funnel.tally(known, reaching=reaching, order=order, period=period)
    return tally


def spells(reader: Reader, where: Lifted, stages: Sequence[StageFact] | None = None) -> Iterator[Spell]:
    """The intervals of readable deals in these stages (None: any), in the order of deals, in constant memory."""
    many = None if stages is None else len(stages)

    def make() -> Plan:
        draft = Draft(reader.view, "deal")
        # A list of ids rather than a join, which no database can do well on the two arms each side has in the past.
        readable = select(identity(draft)).select_from(draft.source.selectable).where(*draft.conditions(where))
        return draft.finish(reader.database, _spells(draft, many, lambda deal: deal.in_(readable)))

    plan = reader.shelf.get(reader.view.key("metric", ("spells", many), where.shape), make)
    parameters = {**reader.view.parameters(plan, where.values), **_stage_binds(reader, stages or ())}
    for rows in reader.unit.stream(plan.statement, parameters, 2_000):
        yield from (_spell(row, reader.view.codec.id_out) for row in rows)


def _one_by_one(
    reader: Reader, where: Lifted, stages: Sequence[StageFact], ids: Sequence[Any]
) -> tuple[list[DealFact], list[Spell]]:
    """Some deals, and their intervals in these stages."""
    width = list_width(reader.view.codec, len(ids))

    def deals() -> Plan:
        draft = Draft(reader.view, "deal")
        # They were found by the condition just now; with it SQLite would go through all that meet it.
        chosen = among(identity(draft), "deal", width)
        return draft.finish(reader.database, _deals(draft, [*draft.source.conditions, chosen]))

    def history() -> Plan:
        draft = Draft(reader.view, "deal")
        return draft.finish(reader.database, _spells(draft, len(stages), lambda deal: among(deal, "deal", width)))

    chosen = listed("deal", ids, width)
    binds = {**_stage_binds(reader, stages), **chosen}
    id_out = reader.view.codec.id_out
    return (
        [_fact(row, id_out) for row in _rows(reader, ("odd deals", width), where, deals, chosen)],
        [_spell(row, id_out) for row in _rows(reader, ("odd spells", width, len(stages)), where, history, binds)],
    )


# ---------------------------------------------------------------------------------------------------------- statements


def _grouped(
    reader: Reader,
    draft: Draft,
    conditions: Sequence[ColumnElement[bool]],
    terms: dict[str, ColumnElement[Any]],
    amount: ColumnElement[Any] | None = None,
) -> Plan:
    """Deals counted by terms, and their amounts counted and summed."""
    # Terms are computed in a subquery and grouped by name: with parameters in them, PostgreSQL would not recognise
    # the same term in SELECT and GROUP BY.
    labelled = [each.label(name) for name, each in terms.items()]
    if amount is not None:
        labelled.append(amount.label("amount"))
    inner = select(*labelled).select_from(draft.source.selectable).where(*conditions).subquery()
    return _counted(reader, draft, inner, tuple(terms))


def _counted(reader: Reader, draft: Draft, inner: Any, names: tuple[str, ...]) -> Plan:
    groups = [inner.c[name] for name in names]
    sums = [func.count(inner.c["amount"]), func.sum(inner.c["amount"])] if "amount" in inner.c else []
    return draft.finish(reader.database, select(*groups, func.count(), *sums).group_by(*groups), names)


@attrs.frozen(kw_only=True)
class _Form:
    """What a statement of :func:`reached` is made for: how many stages, and how many of them, the first, lead to no
    win; the furthest or all a deal was in; the positions kept then; amounts by day; a period; no other stages.
    """

    stages: int
    ends: int
    furthest: bool
    then: bool
    dated: bool
    period: bool
    sole: bool


def _reached(reader: Reader, draft: Draft, where: Lifted, form: _Form) -> Plan:
    """Deals grouped by the stages they were in, one bit for each, and by what else a funnel needs.

    A deal whose intervals do not follow one another without a gap, up to the one it is in, is a group of its own.
    """
    beside = _joined if draft.view.reading == "live" else _united
    row = beside(_deals(draft, draft.conditions(where)).subquery(), _stays(draft, form)).c
    lacking = row["sound"].is_(None) & (row["outcome"] == "open")
    closed_early = (row["outcome"] != "open") & (row["opens"] == 1)
    # No more than is asked for: each column makes the sorting dearer.
    terms = {
        "mask": row["mask"],
        "odd": case((lacking | closed_early | (row["sound"] == 0), row["id"])),
        **{name: row[name] for name in ("outcome", "currency")},
        **({"top": row["top"]} if form.then else {}),
        **({"inside": within(row["created"], "since", "until")} if form.period else {}),
        **({"closed_on": row["closed_on"]} if form.dated else {}),
    }
    deal = select(row["amount"], *(each.label(name) for name, each in terms.items())).subquery()
    return _counted(reader, draft, deal, tuple(terms))


_OF_DEALS = ("outcome", "closed_on", "currency", "amount")
_OF_STAYS = ("mask", "top", "sound", "opens")


def _joined(deals: Any, stays: Any) -> Any:
    columns = [*deals.c, *(stays.c[name] for name in _OF_STAYS)]
    return select(*columns).select_from(deals.outerjoin(stays, stays.c["id"] == deals.c["id"])).subquery()


def _united(deals: Any, stays: Any) -> Any:
    """The same without a join: in the past both sides have two arms, and SQLite would scan the one for each row of the
    other. On live rows it takes a quarter longer than the join.
    """
    names = ("id", "created", *_OF_DEALS, *_OF_STAYS)
    nothing = {name: null().cast(column.type).label(name) for name, column in (*deals.c.items(), *stays.c.items())}
    arms = union_all(
        *(select(*(side.c[name] if name in side.c else nothing[name] for name in names)) for side in (deals, stays))
    ).subquery()
    greatest = [func.max(arms.c[name]).label(name) for name in names[1:]]
    return (
        select(arms.c["id"], *greatest)
        .group_by(arms.c["id"])
        .having(func.max(arms.c["created"]).is_not(None))
        .subquery()
    )


def _deals(draft: Draft, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """One row for each deal that meets the conditions."""
    amount, currency = money(draft)
    terms = {name: term(draft, key) for name, key in (("created", "created_at"), ("outcome", "outcome"))}
    terms |= {"closed_on": term(draft, "closed_on"), "currency": currency, "amount": amount}
    labelled = [each.label(name) for name, each in terms.items()]
    return select(identity(draft).label("id"), *labelled).select_from(draft.source.selectable).where(*conditions)


def _stays(draft: Draft, form: _Form) -> Any:
    """One row for each deal with intervals: the stages it was in, one bit for each, and whether they make sense."""
    # To look each stage up among those of the pipeline takes 5 % of the time, for nothing where there are no others.
    stay = Stay(draft, None if form.sole else form.stages)
    entered, left = stay["entered"], stay["left"]
    # The stages where deals end come last, since most rows are of others.
    names: list[tuple[Any, int]] = [
        (bindparam(f"stage{i}"), i) for i in sorted(range(form.stages), key=lambda i: i < form.ends)
    ]
    bits = [(name, literal(1 << i, BigInteger)) for name, i in names]
    # A sum of greatest bits: sum(DISTINCT bit) keeps a tree for each deal and takes a third longer.
    each = [func.max(case(bit, value=stay["stage"], else_=0)) for bit in bits]
    mask = func.max(case(*bits, value=stay["stage"])) if form.furthest else _sum(each)
    opens = case(*((name, bindparam(f"opens{i}", type_=Integer)) for name, i in names), value=stay["stage"])
    further = case((stay["kind"].in_(_ONWARD), stay["position"]))
    return (
        select(
            stay.deal.label("id"),
            mask.label("mask"),
            (func.max(further) if form.then else NO_NUMBER).label("top"),
            sound(entered, left).label("sound"),
            func.max(case((left.is_(None), opens))).label("opens"),
        )
        .where(*stay.conditions)
        .group_by(stay.deal)
        .subquery()
    )


def _spells(draft: Draft, stages: int | None, chosen: Callable[[Any], ColumnElement[bool]]) -> Select[Any]:
    """The intervals of chosen deals in the order of deals."""
    stay = Stay(draft, stages)
    return (
        select(stay.deal, stay["stage"], stay["position"], stay["kind"], stay["entered"], stay["left"])
        .add_columns(*stay.money())
        .where(*stay.conditions, chosen(stay.deal))
        .order_by(stay.deal, stay["entered"])
    )


def _sum(terms: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    total: ColumnElement[Any] = literal(0, BigInteger)
    for each in terms:
        total = total + each
    return total


# ------------------------------------------------------------------------------------------------------------- answers


def _rows(reader: Reader, shape: Hashable, where: Lifted, make: Any, binds: dict[str, Any]) -> list[tuple[Any, ...]]:
    return _read(reader, shape, where, make, binds)[1]


def _groups(
    reader: Reader, shape: Hashable, where: Lifted, make: Any, binds: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The terms of each group by name, its number of deals, and of amounts, and their sum."""
    plan, rows = _read(reader, shape, where, make, binds)
    for row in rows:
        yield dict(zip(plan.extra, row, strict=False)), *row[len(plan.extra) :]


def _read(
    reader: Reader, shape: Hashable, where: Lifted, make: Any, binds: dict[str, Any]
) -> tuple[Plan, list[tuple[Any, ...]]]:
    plan = reader.shelf.get(reader.view.key("metric", shape, where.shape), make)
    return plan, reader.unit.read(plan.statement, {**reader.view.parameters(plan, where.values), **binds})


def _day(days: int | None) -> date | None:
    return None if days is None else from_days(days)


def _totals(currency: str | None, on: date | None, n: int, counted: int, units: Any) -> Totals:
    if currency is None or not counted:
        return Totals(without=n)
    return Totals({(currency, on): int(units)}, counted, n - counted)


def _bounds(period: Period | None, frame: Frame) -> dict[str, Any]:
    """The first and the last instant and day of a period, as parameters; of None there are none."""
    check_period(period)
    if period is None:
        return {}
    since, until = bounds_of(period, frame)
    first, after = to_days(period.start), to_days(period.end)
    return {"since": int(since), "until": int(until) - 1, "before": first - 1, "first": first, "last": after - 1}


def _stage_binds(reader: Reader, stages: Sequence[StageFact]) -> dict[str, Any]:
    id_in: Any = reader.view.codec.id_in
    ids = {f"stage{i}": id_in(stage.id) for i, stage in enumerate(stages)}
    return ids | {f"opens{i}": int(stage.kind == "open") for i, stage in enumerate(stages)}


def _fact(row: Sequence[Any], id_out: Any) -> DealFact:
    deal, created, outcome, closed, currency, units = row
    return DealFact(
        id=id_out(deal),
        outcome=outcome,
        created_at=from_micros(created),
        amount=None if units is None else Money.from_units(units, currency),
        closed_on=_day(closed),
    )


def _spell(row: Sequence[Any], id_out: Any) -> Spell:
    deal, stage, position, kind, entered, left, units, currency = row
    return Spell(
        deal=id_out(deal),
        stage=id_out(stage),
        entered=from_micros(entered),
        left=None if left is None else from_micros(left),
        position=position,
        kind=kind,
        amount=None if units is None else Money.from_units(units, currency),
    )
