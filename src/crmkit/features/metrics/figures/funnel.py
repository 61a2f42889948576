"""The funnel of a pipeline: how many deals, and how much money, reached each stage, and how many went on.

Deals are counted, not moves: one that comes back counts once. The stage a deal was created in counts, since a spell
begins there, and lost deals stay in every stage they reached.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

import attrs

from crmkit.features.metrics.html_table import figure_text, html_table, subtitle
from crmkit.features.metrics.tallies.facts import DealFact, Outcome, Spell, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import Order, Reaching, ladder
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import one_of
from crmkit.features.metrics.tallies.periods import covered
from crmkit.features.metrics.tallies.shares import added, bounds_of, count, listed, share
from crmkit.features.metrics.tallies.totals import Totals, TotalsFold, settled
from crmkit.values import Money, Period, local_date, to_micros, zone

__all__ = ["WON", "Amounts", "Funnel", "FunnelStep", "FunnelTally", "StepTally", "funnel", "funnel_of", "tally"]

Amounts = Literal["then", "now"]

WON = None
"""The key of the last step, what was won; no stage has it for an id."""


@attrs.frozen(kw_only=True)
class StepTally:
    """What a step of a funnel rests on.

    ``outcomes`` counts the deals that reached it by what they are now, ``onward`` those of them that reached the next
    step too, ``from_first`` those that reached the first step too. ``members`` are the ids, if asked for,
    ``onward_ids`` and ``first_ids`` those of ``onward`` and ``from_first``.
    """

    outcomes: Mapping[Outcome, int] = attrs.field(factory=dict)
    onward: int = 0
    from_first: int = 0
    amounts: Totals = attrs.field(factory=Totals)
    members: frozenset[Hashable] = frozenset()
    onward_ids: frozenset[Hashable] = frozenset()
    first_ids: frozenset[Hashable] = frozenset()

    @property
    def reached(self) -> int:
        """How many deals reached the step."""
        return sum(self.outcomes.values())

    def __add__(self, other: "StepTally") -> "StepTally":
        if not isinstance(other, StepTally):
            return NotImplemented
        return StepTally(
            outcomes=added(self.outcomes, other.outcomes),
            onward=self.onward + other.onward,
            from_first=self.from_first + other.from_first,
            amounts=self.amounts + other.amounts,
            members=self.members | other.members,
            onward_ids=self.onward_ids | other.onward_ids,
            first_ids=self.first_ids | other.first_ids,
        )


@attrs.frozen(kw_only=True)
class FunnelTally:
    """The sums of a funnel: a :class:`StepTally` for each open stage by its id, and one for :data:`WON`.

    ``n`` counts the deals, whatever they reached. Tallies of disjoint deals, made by the same policies, add up.
    """

    steps: Mapping[Hashable | None, StepTally] = attrs.field(factory=dict)
    n: int = 0
    excluded: Mapping[str, int] = attrs.field(factory=dict)

    def __add__(self, other: "FunnelTally") -> "FunnelTally":
        if not isinstance(other, FunnelTally):
            return NotImplemented
        keys = dict.fromkeys([*self.steps, *other.steps])
        nothing = StepTally()
        return FunnelTally(
            steps={key: self.steps.get(key, nothing) + other.steps.get(key, nothing) for key in keys},
            n=self.n + other.n,
            excluded=added(self.excluded, other.excluded),
        )


@attrs.frozen(kw_only=True)
class FunnelStep:
    """One step: ``stage`` is its id, or None for what was won.

    ``reached`` counts deals, ``amount`` is their money, ``onward`` the share that reached the next step too (None after
    the last), ``overall`` the share of the first step's deals that came here. ``outcomes`` says what those who reached
    it are now.
    """

    stage: Hashable | None
    name: str
    reached: Metric
    amount: Metric
    onward: Metric | None
    overall: Metric
    outcomes: Mapping[Outcome, int]


@attrs.frozen(kw_only=True)
class Funnel:
    """The steps from the first stage to what was won; ``overall`` is the share won of the deals in the first stage.

    ``variant`` names the policies: ``implied_now_amount_then`` counts a deal in every stage up to the furthest it was
    in, by the order of the stages today, with the amount it had when it got there.
    """

    variant: str
    frame: Frame
    steps: tuple[FunnelStep, ...]
    n: int
    excluded: Mapping[str, int]
    period: Period | None = None

    @property
    def overall(self) -> Metric:
        """The share of the first step's deals that were won."""
        return self.steps[-1].overall

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": "funnel",
            "variant": self.variant,
            "n": self.n,
            "excluded": dict(self.excluded),
            "period": None if self.period is None else self.period.label,
            "steps": [
                {
                    "stage": None if step.stage is None else str(step.stage),
                    "name": step.name,
                    "reached": step.reached.to_dict(),
                    "amount": step.amount.to_dict(),
                    "onward": None if step.onward is None else step.onward.to_dict(),
                    "overall": step.overall.to_dict(),
                    "outcomes": dict(step.outcomes),
                }
                for step in self.steps
            ],
            **self.frame.to_dict(),
        }

    def _repr_html_(self) -> str:
        """The steps as an HTML table."""
        return html_table(
            "Funnel: " + subtitle(self.variant, self.n, self.frame, self.period),
            ("step", "deals", "amount", "to the next step", "of the first step", "lost"),
            (
                (
                    step.name,
                    figure_text(step.reached),
                    figure_text(step.amount),
                    "" if step.onward is None else figure_text(step.onward),
                    figure_text(step.overall),
                    str(step.outcomes.get("lost", 0)),
                )
                for step in self.steps
            ),
            self.excluded,
        )


def funnel(
    journeys: Journeys,
    *,
    reaching: Reaching = "implied",
    order: Order = "now",
    amounts: Amounts = "now",
    period: Period | None = None,
) -> Funnel:
    """The funnel of one pipeline's deals, those created in ``period`` if one is given.

    Impossible histories are found and left out. :func:`tally` says what the policies mean, and what it raises.
    """
    policy: Any = {"reaching": reaching, "order": order, "amounts": amounts, "period": period}
    return funnel_of(tally(journeys, **policy), journeys.stages, journeys.frame, **policy)


def tally(
    journeys: Journeys,
    *,
    reaching: Reaching = "implied",
    order: Order = "now",
    amounts: Amounts = "now",
    period: Period | None = None,
) -> FunnelTally:
    """The sums of a funnel.

    ``reaching``: ``strict`` counts a deal in the stages it was in, ``implied`` also in those before the furthest open
    or won stage it was in, and in all if it is won (HubSpot's latest against its cumulative); so a deal that skipped a
    stage is in it by implication only. ``order``: which stage is further is told by the positions the spells kept
    (``then``) or by those of the stages today (``now``). ``amounts``: the amount ``then`` is that of the spell by which
    the deal first got to the step (today's, if it has none there), that of ``now`` is the deal's today. A rate
    belongs to the day of entering (then; not told apart without rates) or of closing (now).

    Left out are journeys that say so (``impossible_history``, ``stage_not_readable``), deals created outside the period
    (``outside_period``) and those without any spell, unless implied by being won (``no_history``); amounts that are
    missing are counted in the totals. Raises UsageError with code ``unknown_variant``.
    """
    one_of(reaching, Reaching, "reaching")
    one_of(amounts, Amounts, "amounts")
    frame = journeys.frame
    rungs = ladder(journeys.stages, order)
    keys: list[Hashable | None] = [*(rung.id for rung in rungs.rungs), WON]
    folds = [_StepFold(frame, amounts) for _ in keys]
    bounds = bounds_of(period, frame)
    excluded: dict[str, int] = {}
    n = 0
    for journey in journeys:
        deal, own = journey.deal, journey.spells
        if journey.left_out:
            count(excluded, journey.left_out)
        elif not bounds[0] <= to_micros(deal.created_at) < bounds[1]:
            count(excluded, "outside_period")
        elif not own and not (deal.outcome == "won" and reaching == "implied"):
            count(excluded, "no_history")
        else:
            n += 1
            reached = rungs.reached(journey, reaching)
            if deal.outcome == "won":
                reached[WON] = own[-1] if own and own[-1].left is None else None
            for place, key in enumerate(keys):
                if key in reached:
                    folds[place].add(
                        deal,
                        reached[key],
                        onward=place + 1 < len(keys) and keys[place + 1] in reached,
                        from_first=keys[0] in reached,
                    )
    return FunnelTally(steps={key: fold.done() for key, fold in zip(keys, folds, strict=True)}, n=n, excluded=excluded)


class _StepFold:
    """A step on its way into a :class:`StepTally`."""

    def __init__(self, frame: Frame, amounts: Amounts) -> None:
        self.frame, self.amounts = frame, amounts
        self.zone = None if frame.rates is None else zone(frame.zone)
        self.outcomes: dict[Outcome, int] = {}
        self.onward = self.from_first = 0
        self.totals = TotalsFold()
        self.members: set[Hashable] = set()
        self.onward_ids: set[Hashable] = set()
        self.first_ids: set[Hashable] = set()

    def add(self, deal: DealFact, spell: Spell | None, *, onward: bool, from_first: bool) -> None:
        count(self.outcomes, deal.outcome)
        self.onward += onward
        self.from_first += from_first
        self.totals.add(*self._amount(deal, spell))
        if self.frame.members:
            self.members.add(deal.id)
            if onward:
                self.onward_ids.add(deal.id)
            if from_first:
                self.first_ids.add(deal.id)

    def _amount(self, deal: DealFact, spell: Spell | None) -> tuple[Money | None, date | None]:
        if self.amounts == "then" and spell is not None:
            return spell.amount, None if self.zone is None else local_date(spell.entered, self.zone)
        return deal.amount, None if deal.outcome == "open" else deal.closed_on

    def done(self) -> StepTally:
        return StepTally(
            outcomes=self.outcomes,
            onward=self.onward,
            from_first=self.from_first,
            amounts=self.totals.done(),
            members=frozenset(self.members),
            onward_ids=frozenset(self.onward_ids),
            first_ids=frozenset(self.first_ids),
        )


def funnel_of(
    tally: FunnelTally,
    stages: Sequence[StageFact],
    frame: Frame,
    *,
    reaching: Reaching = "implied",
    order: Order = "now",
    amounts: Amounts = "now",
    period: Period | None = None,
) -> Funnel:
    """The funnel a tally tells, made with the same stages and policies.

    Raises CurrencyMismatch for unlike currencies without rates.
    """
    variant = f"{reaching}_{order}"
    frame = settled(frame, *(step.amounts for step in tally.steps.values()))
    rungs: list[tuple[Hashable | None, str]] = [(rung.id, rung.name) for rung in ladder(stages, order).rungs]
    rungs.append((WON, "Won"))
    first = tally.steps.get(rungs[0][0], StepTally())
    steps = []
    for key, name in rungs:
        step = tally.steps.get(key, StepTally())
        more: dict[str, Any] = {"excluded": tally.excluded, "period": covered(period, frame)}
        steps.append(
            FunnelStep(
                stage=key,
                name=name,
                reached=_reached(step, tally.n, variant, frame, more),
                amount=_amount(step, f"{variant}_amount_{amounts}", frame, more),
                onward=None if key is WON else _onward(step, variant, frame, more),
                overall=_overall(step, first, variant, frame, more),
                outcomes=step.outcomes,
            )
        )
    return Funnel(
        variant=f"{variant}_amount_{amounts}",
        frame=frame,
        steps=tuple(steps),
        n=tally.n,
        excluded=tally.excluded,
        period=covered(period, frame),
    )


def _reached(step: StepTally, n: int, variant: str, frame: Frame, more: dict[str, Any]) -> Metric:
    return Metric(
        name="funnel_reached",
        variant=variant,
        unit="deals",
        value=step.reached if n else None,
        n=n,
        frame=frame,
        members=listed({"reached": step.members}, frame),
        **more,
    )


def _onward(step: StepTally, variant: str, frame: Frame, more: dict[str, Any]) -> Metric:
    members = listed({"numerator": step.onward_ids, "denominator": step.members}, frame)
    return share("funnel_onward", variant, step.onward, step.reached, frame, members=members, **more)


def _overall(step: StepTally, first: StepTally, variant: str, frame: Frame, more: dict[str, Any]) -> Metric:
    members = listed({"numerator": step.first_ids, "denominator": first.members}, frame)
    return share("funnel_overall", variant, step.from_first, first.reached, frame, members=members, **more)


def _amount(step: StepTally, variant: str, frame: Frame, more: dict[str, Any]) -> Metric:
    counted = step.amounts.counted
    excluded = added(more["excluded"], {"no_amount": step.amounts.without} if step.amounts.without else {})
    return Metric(
        name="funnel_amount",
        variant=variant,
        unit="money",
        value=step.amounts.money(frame),
        exact=step.amounts.worth(frame) if counted else None,
        n=counted,
        frame=frame,
        members=listed({"reached": step.members}, frame),
        **{**more, "excluded": excluded},
    )
