"""Numbers about deals and leads, as the actor may see them: ``me.metrics(...)``.

Large tables are grouped by the database where the figure allows it (win rate, win curve, funnel); the others fold the
deals one by one, in constant memory where they need no history.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Literal, Self, get_args
from uuid import UUID

import attrs

from crmkit.errors import Denied, NotFound, UsageError
from crmkit.features.metrics import facts
from crmkit.features.metrics.figures import (
    cohort_curve,
    conversion,
    dwell,
    funnel,
    response,
    velocity,
    win_curve,
    win_rate,
)
from crmkit.features.metrics.figures.velocity import VelocityTally
from crmkit.features.metrics.forecasts import (
    attainment,
    backtest,
    calibration,
    categories,
    coverage,
    simulation,
    stage_forecast,
    weighted,
)
from crmkit.features.metrics.forecasts.backtest import Snapshot
from crmkit.features.metrics.quotas import check_quotas, quotas_by_user
from crmkit.features.metrics.readability import covers, pipelines_seen, reads, where_readable
from crmkit.features.metrics.sql import tallies as tables
from crmkit.features.metrics.tallies.facts import DealFact, Spell, StageFact
from crmkit.features.metrics.tallies.faults import Fault
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import Order, Reaching, ladder
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import one_of
from crmkit.features.metrics.tallies.parts import Parts
from crmkit.kernel.collections.naming import named
from crmkit.kernel.session.unit_of_work import Work
from crmkit.permissions import HistoryRights
from crmkit.query import Expr
from crmkit.query.lift import Lifted, lift
from crmkit.query.nodes import TRUE, IsNull, Path, all_of
from crmkit.query.text import parse
from crmkit.store.read.reader import Reader
from crmkit.values import Money, Period
from crmkit.values.business_hours import BusinessHours

__all__ = ["Metrics"]

Forecast = Literal["weighted", "stages"]
_StageOption = Literal["odds", "mature", "floor"]

_AHEAD = ("outcome", "expected_close", "probability", "manual_probability")
"""What forecasts read of each deal beside its amount."""


@attrs.frozen(kw_only=True)
class Metrics:
    """The metrics of deals that meet a condition and that the actor may read; ``frame.scope`` says so of each figure.

    It is ``all`` where the actor may read all that the figure is made of, else ``what NAME may read``. A figure is
    refused with InvalidQuery to who may never read a field it needs; deals of which it may not be read are left out and
    counted as ``not_readable``. Amounts that may not be read are missing (``no_readable_amount``), and counts remain.

    They are the deals of one ``pipeline``, or, if that is None, all there are; then figures about stages raise
    UsageError (``which_pipeline``). Each figure is a frozen result: see :mod:`crmkit.features.metrics` and the module
    of the same name for its variants, formula and source. A period of None is all time. A stage is named by record, id
    or name.
    """

    session: Work
    reader: Reader
    pipeline: UUID | None
    stages: tuple[StageFact, ...]
    where: Expr
    frame: Frame
    start: str = "created_at"
    sole: bool = False
    """Whether there is no other pipeline."""
    veiled: tuple[str, ...] = ()
    """Fields that the actor may read of some deals only: those are the deals asked about."""

    # ----------------------------------------------------------------------------------------------------------- facts

    @property
    def condition(self) -> Lifted:
        """The deals asked about, as a condition."""
        inside = () if self.pipeline is None else (Path(("pipeline",)) == self.pipeline,)
        return where_readable(lift(all_of((*inside, self.where)), self.session.actor.ids), self.veiled)

    def seeing(self, needed: Iterable[str], also: Iterable[str] = (), *, aged: bool = False) -> Self:
        """The same of the deals whose ``needed`` fields (and the start, if ``aged``) the actor may read; the frame says
        whether that, with the other fields, is all there is. Raises InvalidQuery for a needed field never readable.
        """
        needed = (*needed, self.start) if aged else tuple(needed)
        whole = covers(self.reader, "deal", self.condition, needed) and all(self.shows(key) for key in also)
        partly = {key for key in needed if "." not in key and not self.shows(key)}
        frame = self.frame if whole else attrs.evolve(self.frame, scope=self._limits)
        return attrs.evolve(self, frame=frame, veiled=tuple(sorted(partly.union(self.veiled))))

    @property
    def _limits(self) -> str:
        return f"what {self.session.actor.name} may read"

    def shows(self, field: str) -> bool:
        """Whether the actor may read the field of every deal among those the actor may read."""
        return self.reader.view.guard.field("deal", field) is True

    def fewer(self, than: "Metrics") -> int:
        """How many deals there are less than in the other."""
        if self.veiled == than.veiled:
            return 0
        return than.reader.count("deal", than.condition) - self.reader.count("deal", self.condition)

    def deals(self, *, outcome: str | None = None) -> Iterator[DealFact]:
        """The deals as facts, perhaps only those of one outcome. It takes the right to read outcomes."""
        return self.seeing(("outcome",))._deals(outcome)

    def _deals(self, outcome: str | None = None) -> Iterator[DealFact]:
        where = self.where if outcome is None else all_of((self.where, Path(("outcome",)) == outcome))
        return iter(attrs.evolve(self, where=where)._facts())

    def _facts(self, start: str = "created_at") -> facts.DealFacts:
        """The deals as facts whose age begins at ``start``; those without one are not among them."""
        return facts.DealFacts(self.reader, self.condition, self.frame.zone, start)

    def _ageless(self) -> Parts:
        """The deals that have no ``start``, as what is left out."""
        unknown = attrs.evolve(self, where=all_of((self.where, IsNull(Path((self.start,)))))).condition
        ids = frozenset(self.reader.ids("deal", unknown)) if self.frame.members else frozenset()
        n = len(ids) if self.frame.members else self.reader.count("deal", unknown)
        return Parts({"no_start": n}, {"no_start": ids} if ids else {}) if n else Parts()

    def journeys(self) -> Journeys:
        """The deals with the time they spent in the stages of the pipeline, read one deal at a time: as far as the
        actor may read where deals are, and with what they were worth as far as the actor may read what they are.
        """
        return self.seeing(("outcome",), also=("stage", "amount"))._journeys()

    def _journeys(self) -> Journeys:
        return Journeys(facts.JourneyFacts(self._facts(), self._ladder, self.frame), self._ladder, self.frame)

    def spells(self) -> Iterator[Spell]:
        """The time these deals spent in stages, see :meth:`journeys`."""
        return (spell for journey in self.journeys() for spell in journey.spells)

    def faults(self) -> Iterator[Fault]:
        """Histories that cannot have happened, deal by deal, by all the time the deals spent in stages of whatever
        pipeline; of deals whose stage the actor may read.

        Figures about stages look at the time in the stages of their pipeline, and leave deals out whose faults show
        there; the stage the deal itself says it is in (``other_stage``) they do not compare. Raises InvalidQuery for
        who may read no outcomes.
        """
        known = [stage.id for stage in self.session.system_reader.records("stage")]
        return facts.faults(self.seeing(("outcome",))._facts(), known, self.frame)

    @property
    def _ladder(self) -> tuple[StageFact, ...]:
        """The stages of the one pipeline asked about."""
        if self.pipeline is None:
            raise UsageError("which pipeline's stages", code="which_pipeline", hint=pipelines_seen(self.session))
        return self.stages

    def _stage(self, stage: Any) -> Hashable:
        found = named(self._ladder, stage)
        if found is not None:
            return found.id  # type: ignore[no-any-return]
        names = ", ".join(known.name for known in self.stages)
        raise NotFound(f"the pipeline has no stage {stage!s:.80}", code="unknown_stage", hint=f"it has: {names}")

    # ------------------------------------------------------------------------------------------------ won, lost, ended

    def _rate(self, period: Period | None, variant: win_rate.Variant) -> Metric:
        by = win_rate.counted_by(variant)
        if self.frame.members:
            return win_rate.win_rate(self._deals(), period, self.frame, variant)
        asked = self.reader, self.condition, period, self.frame, by
        counted = tables.outcomes(*asked, amounts=variant == "closed_amount")
        return win_rate.rate_of(counted, self.frame, variant, period)

    @reads("outcome", "closed_on", also=("amount",))
    def _won_amount(self, period: Period | None) -> Metric:
        return self._rate(period, "closed_amount")

    @reads("outcome", "closed_on")
    def _won(self, period: Period | None, variant: win_rate.Variant) -> Metric:
        return self._rate(period, variant)

    def win_rate(self, period: Period | None = None, variant: win_rate.Variant = "closed_count") -> Metric:
        """What share of deals is won."""
        return self._won_amount(period) if variant == "closed_amount" else self._won(period, variant)

    @reads("outcome", "closed_on", aged=True)
    def win_curve(self, period: Period | None = None) -> win_curve.WinCurve:
        """What share is won, lost and open at each age, beside the naive figures; of deals created in the period."""
        if self.frame.members:
            counted = win_curve.tally(self._facts(self.start), self.frame, period)
            counted += win_curve.ClosingTally(parts=self._ageless())
        else:
            counted = tables.closings(self.reader, self.condition, self.frame, period, self.start)
        return win_curve.curve_of(counted, self.frame, period)

    @reads("outcome", "closed_on", aged=True)
    def cycle(self, period: Period | None = None) -> velocity.SalesCycle:
        """How long deals take: mean and median of those won in the period, and the Kaplan-Meier median beside them."""
        return velocity.cycle_of(self._velocity(period), self.frame, period)

    @reads("outcome", "closed_on", also=("amount",), aged=True)
    def velocity(self, period: Period | None = None, variant: velocity.Variant = "open") -> velocity.SalesVelocity:
        """Money a day; of the open deals a projection, of the closed set what came in."""
        return velocity.velocity_of(self._velocity(period), self.frame, variant, period)

    def _velocity(self, period: Period | None) -> VelocityTally:
        counted, ageless = velocity.tally(self._facts(self.start), period, self.frame), self._ageless()
        return counted.beside(win_rate.tally(self._deals(), period, self.frame), ageless) if ageless.n else counted

    # ---------------------------------------------------------------------------------------------------------- stages

    @reads("outcome", "closed_on", also=("stage", "amount"))
    def funnel(
        self,
        period: Period | None = None,
        *,
        reaching: Reaching = "implied",
        order: Order = "now",
        amounts: funnel.Amounts = "now",
    ) -> funnel.Funnel:
        """How many deals, and how much money, reached each stage; of deals created in the period."""
        policy: Any = {"reaching": reaching, "order": order, "period": period}
        stages = self._ladder
        grouped = amounts == "now" and 1 <= len(stages) <= tables.MAX_STAGES and facts.unmasked(self.reader)
        if self.frame.members or not grouped:
            counted = funnel.tally(self._journeys(), amounts=amounts, **policy)
        else:
            counted = tables.reached(self.reader, self.condition, stages, self.frame, sole=self.sole, **policy)
        return funnel.funnel_of(counted, stages, self.frame, amounts=amounts, **policy)

    @reads("outcome", "stage")
    def stock_ratio(self, stage: Any, onward: Any) -> Metric:
        """How many deals are in one stage to how many in another now: a ratio of stocks, not a conversion.

        Both are open stages. Raises NotFound, UsageError (``unknown_stage``).
        """
        here, there = self._stage(stage), self._stage(onward)
        for one in (here, there):
            ladder(self._ladder, "now", one)
        return conversion.stock_ratio(self._deals(), self.frame, stage=here, onward=there)

    @reads("outcome", also=("stage",))
    def flow_conversion(self, stage: Any, period: Period, *, order: Order = "now") -> Metric:
        """Of the deals that were in the stage in the period, the share that moved on within it."""
        return conversion.flow_conversion(self._journeys(), period, stage=self._stage(stage), order=order)

    @reads("outcome", also=("stage",))
    def cohort_conversion(self, stage: Any, period: Period, *, mature: int = 90, order: Order = "now") -> Metric:
        """Of the deals that first came to the stage in the period, ``mature`` days ago at least, the share that moved
        on."""
        wanted = self._stage(stage)
        return conversion.cohort_conversion(self._journeys(), period, stage=wanted, mature=mature, order=order)

    @reads("outcome", also=("stage",))
    def cohort_curve(self, stage: Any, period: Period, *, order: Order = "now") -> cohort_curve.CohortCurve:
        """The share that has moved on by each day since they first came to the stage; young deals are censored."""
        return cohort_curve.cohort_curve(self._journeys(), period, stage=self._stage(stage), order=order)

    @reads("outcome", also=("stage",))
    def dwell(self, stay: dwell.Stay = "cumulative") -> tuple[dwell.StageDwell, ...]:
        """How long deals stay in each stage, with those that are there still."""
        return dwell.stage_dwell(self._journeys(), stay=stay)

    # ------------------------------------------------------------------------------------------------------- forecasts

    @reads(*_AHEAD, also=("amount",))
    def weighted(self, period: Period | None = None) -> weighted.WeightedPipeline:
        """What open deals expected to close in the period are worth times how likely they are won."""
        if self.frame.members:
            return weighted.weighted_pipeline(self._deals(), period, self.frame)
        counted = weighted.tally(self._deals("open"), period, self.frame)
        return weighted.pipeline_of(counted + weighted.WeightedTally(parts=self._closed()), self.frame, period)

    def _closed(self) -> Parts:
        """How many deals are closed, by outcome: nothing that is looked at one by one."""
        groups = self.reader.summary("deal", (("outcome",),), (), self.condition)
        return Parts({group.key[0]: group.count for group in groups if group.key[0] != "open"})

    @reads("outcome", "expected_close", "closed_on", "stage", "forecast_category", "manual_category", also=("amount",))
    def categories(
        self, period: Period | None = None, rollup: categories.RollUp = "cumulative"
    ) -> categories.CategoryForecast:
        """What is expected by forecast category, each alone or rolled up."""
        return categories.category_forecast(self._deals(), period, self.frame, rollup, self.stages)

    @reads("outcome", "expected_close", "stage", also=("amount",))
    def stage_forecast(
        self,
        period: Period | None = None,
        *,
        odds: stage_forecast.Odds = "matured",
        mature: int = 90,
        floor: int = stage_forecast.FLOOR,
    ) -> stage_forecast.StageForecast:
        """Open deals times the share that deals in their stage were won before."""
        return stage_forecast.stage_forecast(self._journeys(), period, odds=odds, mature=mature, floor=floor)

    @reads(*_AHEAD, also=("amount",))
    def simulate(
        self, period: Period | None = None, *, seed: int, runs: int = 10_000, target: Money | None = None
    ) -> simulation.Simulation:
        """What may come in of the open deals, drawn many times."""
        return simulation.simulate(self._deals(), period, self.frame, seed=seed, runs=runs, target=target)

    @reads("outcome", also=("stage",))
    def calibration(self, *, not_won: calibration.NotWon = "narrow", bins: int = 10) -> calibration.Calibration:
        """How well the stages' probabilities, as they are now, agree with what became of the deals that were there."""
        return calibration.stage_calibration(self._journeys(), not_won=not_won, bins=bins)

    @reads("outcome", "closed_on", "amount", also=(*_AHEAD, "stage"))
    def _backtest(self, months: int, forecast: Forecast, options: Mapping[str, Any]) -> backtest.Backtest:
        if type(months) is not int or not 1 <= months <= 120:
            raise UsageError("a backtest looks back 1 to 120 months", code="bad_months")
        asks: Mapping[str, Callable[[Metrics, Frame, Period], Money | None]] = {
            "weighted": lambda then, _, period: _money(then.weighted(period).total),
            "stages": lambda then, _, period: _money(then.stage_forecast(period, **options).total),
        }
        one_of(forecast, Forecast, "forecast")
        takes = get_args(_StageOption) if forecast == "stages" else ()
        if unknown := [name for name in options if name not in takes]:
            hint = f"it takes {', '.join(takes)}" if takes else "it takes none"
            raise UsageError(f"a backtest of {forecast} knows no {unknown[0]}", code="unknown_option", hint=hint)
        return backtest.backtest(list(self._snapshots(months)), asks[forecast], self.frame, name=forecast)

    def backtest(self, months: int = 6, forecast: Forecast = "weighted", **options: Any) -> backtest.Backtest:
        """What a forecast of the month to come would have said at each of the last month ends, as far as was known
        then, and what came of it: both of the deals whose history the actor may read.

        ``weighted`` is the weighted pipeline of the month, ``stages`` the forecast from stage history (``options`` as
        in :meth:`stage_forecast`). Raises Denied without the right ``history`` on deals, InvalidQuery for who may read
        no amounts, UsageError (``bad_months``, ``unknown_variant``).
        """
        me = self.session
        if not me.policy.may("deal", "history"):
            raise Denied("you may not see the history of deals", hint="needs a grant of history on deal")
        guard = self.reader.view.guard if me.policy.unlimited else HistoryRights(me.policy)
        reader = me.reading(attrs.evolve(self.reader.view, guard=guard))
        return attrs.evolve(self, reader=reader)._backtest(months, forecast, options)

    def _snapshots(self, months: int) -> Iterator["Snapshot[Metrics]"]:
        """This as it was at the beginning of each of the last whole months, and what was won in them."""
        for at, period in backtest.month_ends(self.frame, months):
            then = attrs.evolve(self, reader=self.session.reader_as_of(at), frame=attrs.evolve(self.frame, as_of=at))
            won = coverage.tally(self._deals("won"), period, self.frame).won.money(self.frame)
            yield Snapshot(facts=then, frame=then.frame, period=period, actual=won, won_nothing=won is None)

    # --------------------------------------------------------------------------------------------------------- targets

    @reads("outcome", "expected_close", "closed_on", "amount")
    def coverage(self, quota: Money, period: Period, variant: coverage.Variant = "remaining") -> coverage.Coverage:
        """Open pipeline of the period to what of the quota is still to be won."""
        return coverage.coverage(self._deals(), quota, period, self.frame, variant)

    @reads("outcome", "closed_on", "owner", "credited_to", also=("amount",))
    def attainment(
        self, quotas: Mapping[Hashable, Money], period: Period, *, team_quota: Money | None = None
    ) -> attainment.Attainment:
        """What of their quotas people have won in the period, by the owner at close and the splits of each deal.

        Whose a quota is, is told by user, id or e-mail address. Raises NotFound (``unknown_user``), UsageError.
        """
        check_quotas(quotas, team_quota)
        splits = facts.split_shares(self.session.system_reader.records("deal_split"))
        deals = facts.DealFacts(self.reader, self.condition, self.frame.zone, splits=splits)
        counted = attainment.tally(deals, period, self.frame)
        credited = {owner for owner, _ in counted.credit}
        meant = quotas_by_user(quotas, credited, self.reader, self.session.actor)
        return attainment.attainment_of(counted, meant, self.frame, team_quota, period)

    def response_time(
        self,
        period: Period | None = None,
        *,
        where: Expr | str = TRUE,
        hours: BusinessHours | None = None,
        limit: timedelta = response.FIVE_MINUTES,
    ) -> response.ResponseTime:
        """How long leads wait for the first call, e-mail or meeting of a person; ``where`` is a condition on leads.

        An answer that the actor may not read is none, so read ``frame.scope`` beside it. Raises InvalidQuery for who
        may read no activities.
        """
        wanted = lift(parse(where) if isinstance(where, str) else where, self.session.actor.ids)
        everything = lift(TRUE)
        asked, answered = (("lead", wanted), ("activity", everything, facts.ATTEMPT_FIELDS))
        whole = covers(self.reader, *asked) & covers(self.reader, *answered)
        frame = attrs.evolve(self.frame, scope="all" if whole else self._limits)
        known = facts.leads(self.reader, wanted), facts.attempts(self.reader, everything)
        return response.response_time(*known, frame, period=period, hours=hours, limit=limit)


def _money(metric: Metric) -> Money | None:
    return metric.value if isinstance(metric.value, Money) else None
