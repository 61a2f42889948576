"""Metrics of the deals an actor may read: from the database and from single facts, the same."""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from crmkit import CRM, F, Money, Period
from crmkit.errors import CurrencyMismatch, Denied, InvalidQuery, InvalidValue, NotFound, UsageError
from crmkit.features.metrics.metrics import Metrics
from crmkit.schema.types import Date
from crmkit.testing import FakeClock
from crmkit.values.rates import Rates
from tests.analytics.made import metrics_in
from tests.staff import ADMIN, hire

YEAR = Period.year(2024)
RATES = Rates([("USD", "EUR", date(2023, 1, 1), "0.9"), ("USD", "EUR", date(2024, 4, 1), "0.8")])


def listed(metrics: Metrics) -> Metrics:
    """The same question, answered from single facts."""
    return attrs.evolve(metrics, frame=attrs.evolve(metrics.frame, members=True))


def plain(result: Any) -> Any:
    """A result as JSON without the ids behind it."""
    document = result.to_dict()

    def stripped(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: stripped(value) for key, value in node.items() if key != "members"}
        return [stripped(item) for item in node] if isinstance(node, list) else node

    return stripped(document)


def populate(crm: CRM, clock: FakeClock, seed: int, currencies: tuple[str, ...] = ("EUR",), n: int = 60) -> None:
    """Deals that go forward, skip, come back, close and are reopened, over some months."""
    rng = random.Random(seed)
    with crm.session(ADMIN) as me:
        me.fields.add("deal", "engaged_on", Date())
        names = [stage.name for stage in sorted(me.stages, key=lambda s: s.position)]
    ids: list[Any] = []
    for _ in range(12):
        clock.move(days=rng.randint(1, 25), hours=rng.randint(0, 23))
        with crm.session(ADMIN) as me:
            today = me.today
            rows = [
                {
                    "name": f"客户 {n}",
                    "amount": None if rng.random() < 0.2 else Money(rng.randint(0, 900), rng.choice(currencies)),
                    "expected_close": None if rng.random() < 0.2 else today + timedelta(days=rng.randint(-9, 200)),
                    "engaged_on": None if rng.random() < 0.2 else today - timedelta(days=rng.randint(-2, 40)),
                }
                for _ in range(n // 12)
            ]
            ids += me.deals.create_many(rows, stop=True).ids
            for deal in rng.sample(ids, len(ids) // 2):
                me.deals.move(deal, to=rng.choice(names))


@pytest.fixture
def busy(crm: CRM, clock: FakeClock) -> CRM:
    """A CRM with sixty deals in one currency."""
    populate(crm, clock, 1)
    return crm


def test_the_database_gives_what_single_facts_give(busy: CRM) -> None:
    with busy.session(ADMIN) as me:
        for start in ("created_at", "engaged_on"):
            metrics = me.metrics(start=start)
            for zone in ("UTC", "Europe/Berlin", "America/St_Johns"):
                one = attrs.evolve(metrics, frame=attrs.evolve(metrics.frame, zone=zone))
                for period in (None, YEAR, Period.quarter(2024, 3), Period.month(2024, 6)):
                    assert plain(one.win_curve(period)) == plain(listed(one).win_curve(period))
                    if start == "created_at":
                        same_rates(one, period)
                        same_funnels(one, period)


def same_rates(metrics: Metrics, period: Period | None) -> None:
    for variant in ("closed_count", "closed_amount", "created_cohort", "narrow", "broad"):
        assert plain(metrics.win_rate(period, variant)) == plain(listed(metrics).win_rate(period, variant))


def same_funnels(metrics: Metrics, period: Period | None) -> None:
    for reaching in ("implied", "strict"):
        for order in ("now", "then"):
            options: Any = {"reaching": reaching, "order": order}
            assert plain(metrics.funnel(period, **options)) == plain(listed(metrics).funnel(period, **options))


def test_impossible_histories_are_left_out_by_both(busy: CRM) -> None:
    """Written past the moves of deals, by somebody with rights to intervals."""
    with busy.session(ADMIN) as me:
        intervals = me.records("stage_interval")
        closed = [i for i in intervals if i.left is not None]
        intervals.update(closed[0], left=closed[0].entered - timedelta(days=1))
        intervals.update(closed[1], left=None)
        intervals.update(closed[2], left=closed[2].left + timedelta(days=400))
        intervals.update(closed[3], left=closed[3].left - timedelta(microseconds=1))
        bad = {interval.deal for interval in closed[:3]}
    with busy.session(ADMIN) as me:
        metrics = me.metrics()
        assert bad <= {fault.deal for fault in metrics.faults()}
        same_funnels(metrics, None)
        assert metrics.funnel().excluded["impossible_history"] == len({f.deal for f in metrics.faults()})


def test_a_sum_over_currencies_needs_a_rate(crm: CRM, clock: FakeClock) -> None:
    populate(crm, clock, 2, ("EUR", "USD"))
    with crm.session(ADMIN) as me:
        for ask in (Metrics.funnel, Metrics.weighted, lambda m: m.win_rate(None, "closed_amount")):
            with pytest.raises(CurrencyMismatch):
                ask(me.metrics())
        metrics = me.metrics(currency="EUR", rates=RATES)
        same_rates(metrics, None)
        same_funnels(metrics, YEAR)
        assert plain(metrics.weighted()) == plain(listed(metrics).weighted())
        assert me.metrics().win_rate().n == metrics.win_rate().n


def test_a_figure_covers_only_what_the_actor_may_read_and_says_so(crm: CRM) -> None:
    hire(crm, "bo@acme.example", "rep")
    with crm.session("bo@acme.example") as me:
        me.deals.move(me.deals.create(name="mine", amount=Money(10, "EUR")), to="won")
    with crm.session(ADMIN) as me:
        for n in range(3):
            me.deals.move(me.deals.create(name=f"hers {n}", amount=Money(10, "EUR")), to="lost")
        rate = me.metrics().win_rate()
        assert (rate.numerator, rate.n, rate.frame.scope) == (1, 4, "all")
    with crm.session("bo@acme.example") as me:
        for metrics in (me.metrics(), listed(me.metrics())):
            rate = metrics.win_rate()
            assert (rate.numerator, rate.n, rate.frame.scope) == (1, 1, "what bo may read")
            assert metrics.funnel().n == 1
            assert metrics.win_curve().win_rate.n == 1


def test_a_metric_over_nothing_is_no_value(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        metrics = me.metrics()
        for metric in (
            metrics.win_rate(YEAR),
            metrics.win_curve().win_rate,
            metrics.weighted().total,
            metrics.funnel().overall,
            metrics.velocity().velocity,
            metrics.cycle().median,
            metrics.stock_ratio("new", "qualified"),
            metrics.flow_conversion("new", YEAR),
            metrics.cohort_conversion("new", YEAR),
            metrics.stage_forecast().total,
            metrics.categories().commit,
            metrics.calibration().brier,
            metrics.response_time().p50,
            metrics.simulate(seed=1).mean,
            metrics.backtest(2).mae,
        ):
            assert (metric.n, metric.value) == (0, None), metric


def test_a_pipeline_without_stages_has_figures_of_nothing(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        me.pipelines.create(name="空")
        metrics = me.metrics("空")
        for order in ("now", "then"):
            assert [(step.name, step.reached.n, step.reached.value) for step in metrics.funnel(order=order).steps] == [
                ("Won", 0, None)
            ]
        same_funnels(metrics, None)
        assert (metrics.stage_forecast().total.n, metrics.dwell()) == (0, ())
        assert metrics.calibration().brier.n == 0


def test_lost_deals_add_nothing_to_a_forecast(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        soon = me.today + timedelta(days=9)
        made = [me.deals.create(name=n, amount=Money(100, "EUR"), expected_close=soon) for n in ("a", "b", "c")]
        me.deals.move(made[0], to="lost")
        me.deals.move(made[1], to="won")
        me.deals.update(made[2], manual_probability=Decimal(50))
        weighted = me.metrics().weighted()
        assert weighted.total.value == Money(50, "EUR")
        assert weighted.total.excluded == {"won": 1, "lost": 1}
        assert me.metrics().simulate(seed=7).mean.n == 1


def test_a_split_deal_counts_once(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    with crm.session(ADMIN) as me:
        ana = me.actor.id
        deal = me.deals.move(me.deals.create(name="both", amount=Money(100, "EUR")), to="won")
        me.deals.split(deal, {ana: 70, bo: 30})
        quotas = {ana: Money(100, "EUR"), bo: Money(100, "EUR")}
        found = me.metrics().attainment(quotas, YEAR, team_quota=Money(200, "EUR"))
        assert found.team.value == 0.5
        assert {user: metric.value for user, metric in found.owners.items()} == {ana: 0.7, bo: 0.3}


def test_a_quota_is_of_a_user_however_they_are_told(crm: CRM) -> None:
    bo = hire(crm, "bo@acme.example", "rep")
    quota = Money(200, "EUR")
    with crm.session(ADMIN) as me:
        me.deals.move(me.deals.create(name="mine", amount=Money(100, "EUR")), to="won")
        metrics, ana = me.metrics(), me.users.get(me.actor.id)
        for told in (ana.id, str(ana.id), ADMIN, ADMIN.upper(), ana, me.actor):
            owners = metrics.attainment({told: quota, bo: quota}, YEAR).owners
            assert {user: metric.value for user, metric in owners.items()} == {ana.id: 0.5, bo: None}
        for stranger in ("王芳", str(me.stages.one(name="won").id), me.stages.one(name="won").id, None):
            with pytest.raises(NotFound) as error:
                metrics.attainment({stranger: quota}, YEAR)
            assert error.value.code == "unknown_user"
        with pytest.raises(UsageError) as twice:
            metrics.attainment({ana.id: quota, ADMIN: quota}, YEAR)
        assert twice.value.code == "bad_quotas"
    with crm.session("bo@acme.example") as rep:
        assert rep.metrics().attainment({bo: quota}, YEAR).owners.keys() == {bo}


def test_every_figure_lists_the_ids_behind_it_where_it_is_asked_to(busy: CRM) -> None:
    with busy.session(ADMIN) as me:
        for metrics in (me.metrics(members=True), me.metrics(members=True, start="engaged_on")):
            asked = (
                metrics.win_curve(), metrics.cycle(), metrics.velocity(), metrics.funnel(), metrics.weighted(),
                metrics.dwell(), metrics.calibration(), metrics.stage_forecast(mature=9, floor=1),
                metrics.stage_forecast(odds="curve"), metrics.stock_ratio("new", "qualified"),
                metrics.flow_conversion("new", YEAR), metrics.cohort_curve("new", YEAR).at(9),
                metrics.attainment({ADMIN: Money(9, "EUR")}, YEAR), metrics.backtest(3), metrics.categories(),
            )  # fmt: skip
            for metric in metrics_in(asked):
                assert metric.members is not None, metric
                for part in ("numerator", "denominator"):
                    if part in metric.members:
                        assert len(metric.members[part]) == getattr(metric, part, None), metric
            cycle = metrics.cycle().mean
            assert cycle.members is not None
            assert len(cycle.members["won"]) == cycle.n
            assert {part: len(ids) for part, ids in cycle.members.items() if part != "won"} == cycle.excluded
            assert cycle.n + sum(cycle.excluded.values()) == me.deals.count()
            unlisted = attrs.evolve(metrics, frame=attrs.evolve(metrics.frame, members=False))
            assert plain(metrics.cycle()) == plain(unlisted.cycle())


def test_what_a_figure_counts_and_leaves_out_is_all_there_is(busy: CRM) -> None:
    with busy.session(ADMIN) as me:
        metrics, whole = me.metrics(), me.deals.count()
        velocity, weighted = metrics.velocity(YEAR, "closed"), metrics.weighted()
        owner = metrics.attainment({ADMIN: Money(9, "EUR")}, YEAR).owners[me.actor.id]
        figures = [velocity.velocity, velocity.opportunities, velocity.average_won_value, *weighted.months, owner]
        assert len(weighted.months) > 1
        for metric in [*figures, metrics.velocity(YEAR).opportunities]:
            assert metric.n + sum(metric.excluded.values()) == whole, metric


def test_a_backtest_asks_what_was_known_then(crm: CRM, clock: FakeClock) -> None:
    """A deal recorded later, and an amount corrected later, do not help the forecast of then."""
    with crm.session(ADMIN) as me:
        deal = me.deals.create(
            name="known", amount=Money(100, "EUR"), manual_probability=Decimal(50), expected_close=date(2024, 6, 15)
        )
    clock.move(days=40)
    with crm.session(ADMIN) as me:
        me.deals.update(deal, amount=Money(80, "EUR"))
        me.deals.move(deal.id, to="won")
        late = me.deals.create(name="late", amount=Money(1_000, "EUR"), expected_close=date(2024, 6, 20))
        me.deals.move(late, to="won")
    clock.move(days=40)
    with crm.session(ADMIN) as me:
        found = me.metrics().backtest(2)
        rows = [(row.period.label, row.forecast, row.actual, row.error) for row in found.rows]
        assert rows == [
            ("2024-05", None, Money(0, "EUR"), None),
            ("2024-06", Money(50, "EUR"), Money(1_080, "EUR"), Money(-1_030, "EUR")),
        ]
        assert found.bias.value == Money(-1_030, "EUR")


def test_a_month_in_which_nothing_was_won_counts_whatever_the_currencies_of_other_deals(
    crm: CRM, clock: FakeClock
) -> None:
    with crm.session(ADMIN) as me:
        due = {"manual_probability": Decimal(90), "expected_close": date(2024, 6, 15)}
        me.deals.create(name="never", amount=Money(100, "EUR"), **due)
    clock.move(days=80)
    with crm.session(ADMIN) as me:
        me.deals.move(me.deals.create(name="旧", amount=Money(1, "USD")), to="lost")
        assert me.metrics().backtest(1).bias.value == Money(90, "EUR")


def test_a_backtest_compares_deals_whose_history_may_be_read_and_takes_that_right(crm: CRM, clock: FakeClock) -> None:
    """What was forecast of the own deals is held against what became of them, not of everybody's."""
    eve = hire(crm, "eve@acme.example", deal="read", pipeline="read", stage="read")
    bo = hire(crm, "bo@acme.example", deal="read", pipeline="read", stage="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of bo@acme.example")
        me.records("grant").create(role=role, on="deal", action="history", scope="own")
        due = {"manual_probability": Decimal(50), "expected_close": date(2024, 6, 9)}
        made = [me.deals.create(name="x", amount=Money(100, "EUR"), owner=owner, **due) for owner in (eve, eve, bo)]
    clock.move(days=35)
    with crm.session(ADMIN) as me:
        for deal in made:
            me.deals.move(deal.id, to="won")
    clock.move(days=40)
    told = {}
    for who in (ADMIN, "bo@acme.example"):
        with crm.session(who) as me:
            tested = me.metrics().backtest(1)
            told[who] = (tested.rows[0].forecast, tested.rows[0].actual, tested.bias.frame.scope)
    assert told[ADMIN] == (Money(150, "EUR"), Money(300, "EUR"), "all")
    assert told["bo@acme.example"] == (Money(50, "EUR"), Money(100, "EUR"), "what bo may read")
    with crm.session("eve@acme.example") as me:
        assert me.metrics().win_rate().numerator == 3
        with pytest.raises(Denied, match="history of deals"):
            me.metrics().backtest(1)


def test_who_may_not_read_amounts_gets_counts(crm: CRM) -> None:
    hire(crm, "eve@acme.example", pipeline="read", stage="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name="role of eve@acme.example")
        fields = ["name", "outcome", "closed_on", "stage", "pipeline"]
        me.records("grant").create(role=role, on="deal", action="read", scope="all", fields=fields)
        me.deals.move(me.deals.create(name="x", amount=Money(9, "EUR")), to="won")
    with crm.session("eve@acme.example") as me:
        assert me.metrics().win_rate().numerator == 1
        assert me.metrics().funnel().steps[-1].amount.value is None
        with pytest.raises((InvalidQuery, Denied)):
            me.metrics(where=F.amount > Money(1, "EUR"))


def test_response_times_leave_out_machines_and_keep_who_waits(crm: CRM, clock: FakeClock) -> None:
    with crm.session(ADMIN) as me:
        asked = [me.leads.create(name=name) for name in ("Max Muster", "王小明", "Eva Eis", "Bo Li")]
        captured = asked[0].created_at
        note = {"kind": "email", "subject": "re"}
        me.activities.create(**note, lead=asked[0], at=captured + timedelta(seconds=9), automatic=True)
        me.activities.create(**note, lead=asked[0], at=captured + timedelta(minutes=4))
        me.activities.create(**note, lead=asked[1], at=asked[1].created_at + timedelta(hours=2))
        me.activities.create(**note, lead=asked[2], at=captured + timedelta(minutes=1), direction="inbound")
        soon = captured + timedelta(minutes=3)
        me.activities.create(kind="call", subject="to make", lead=asked[3], at=soon, due_at=soon)
    clock.move(days=1)
    with crm.session(ADMIN) as me:
        found = me.metrics().response_time()
        assert (found.within.numerator, found.within.denominator) == (1, 4)
        assert found.p50.censored == 2


def test_where_there_are_several_pipelines_stages_belong_to_one(crm: CRM) -> None:
    with crm.session(ADMIN) as me:
        other = me.pipelines.create(name="续约")
        [open_, won] = [
            me.stages.create(pipeline=other, name=name, position=place, kind=kind)
            for place, (name, kind) in enumerate([("商谈", "open"), ("成交", "won")])
        ]
        for pipeline, stage in ((None, "won"), (other, won), (other, open_)):
            more = {} if pipeline is None else {"pipeline": pipeline, "stage": open_}
            deal = me.deals.create(name="x", amount=Money(100, "EUR"), **more)
            if stage is not open_:
                me.deals.move(deal, to=stage)
        assert me.metrics().win_rate().numerator == 2
        assert me.metrics("续约").win_rate().numerator == 1
        assert [step.reached.value for step in me.metrics(other).funnel().steps] == [2, 1]
        for ask in ("funnel", "dwell", "calibration", "stage_forecast", "journeys"):
            with pytest.raises(UsageError) as error:
                getattr(me.metrics(), ask)()
            assert error.value.problems[0].code == "which_pipeline"
            assert "续约" in (error.value.problems[0].hint or "")


NO_DAYS = ("30", float("nan"), float("inf"), -5, True, None)
PERIODIC: tuple[Callable[[Any, Any], Any], ...] = (
    *(lambda m, p, name=name: getattr(m, name)(p) for name in (
        "win_rate", "win_curve", "cycle", "velocity", "funnel", "weighted", "categories", "stage_forecast",
        "response_time",
    )),
    *(lambda m, p, name=name: getattr(m, name)("new", p) for name in (
        "flow_conversion", "cohort_conversion", "cohort_curve",
    )),
    lambda m, p: m.simulate(p, seed=1),
    lambda m, p: m.coverage(Money(1, "EUR"), p),
    lambda m, p: m.attainment({}, p),
)  # fmt: skip


def test_what_means_nothing_is_refused(crm: CRM) -> None:
    refused: list[tuple[type[Exception], Callable[..., Any], str]] = [
        (NotFound, lambda me: me.metrics("无"), "unknown_pipeline"),
        (NotFound, lambda me: me.metrics().dwell() and me.metrics().stock_ratio("new", "nowhere"), "unknown_stage"),
        (InvalidQuery, lambda me: me.metrics(where="colour == 'red'"), "unknown_field"),
        (UsageError, lambda me: me.metrics().stock_ratio("new", "won"), "unknown_stage"),
        (UsageError, lambda me: me.metrics().stock_ratio("lost", "new"), "unknown_stage"),
        *((InvalidQuery, lambda me, s=s: me.metrics(start=s), "not_a_date") for s in ("name", 5)),
        *((InvalidQuery, lambda me, s=s: me.metrics(start=s), "unknown_field") for s in ("无", "account.created_at")),
        (InvalidValue, lambda me: me.metrics(currency="xx"), "bad_currency"),
        (UsageError, lambda me: me.metrics(policy="x"), "unknown_policy"),
        (UsageError, lambda me: me.metrics(currency="EUR", rates={}), "bad_rates"),
        *((UsageError, lambda me, ask=ask: ask(me.metrics(), "2024"), "bad_period") for ask in PERIODIC),
        (UsageError, lambda me: me.metrics().funnel(reaching="furthest"), "unknown_variant"),
        *((UsageError, lambda me, q=q: me.metrics().coverage(q, YEAR), "not_money") for q in (1000, None)),
        (UsageError, lambda me: me.metrics().simulate(seed=1, target=5), "not_money"),
        (UsageError, lambda me: me.metrics().attainment({me.actor.id: 1000}, YEAR), "not_money"),
        (UsageError, lambda me: me.metrics().attainment({}, YEAR, team_quota=5), "not_money"),
        (UsageError, lambda me: me.metrics().attainment([], YEAR), "bad_quotas"),
        *((UsageError, lambda me, f=f: me.metrics().stage_forecast(floor=f), "bad_floor") for f in ("x", -5, None)),
        *((UsageError, lambda me, x=x: me.metrics().response_time(limit=x), "bad_limit") for x in (5, timedelta(-1))),
        (UsageError, lambda me: me.metrics().response_time(hours=5), "bad_hours"),
        (UsageError, lambda me: me.metrics().win_curve().share("Won", 30), "unknown_variant"),
        *((UsageError, lambda me, d=d: me.metrics().win_curve().share("won", d), "bad_days") for d in NO_DAYS),
        *((UsageError, lambda me, d=d: me.metrics().cohort_curve("new", YEAR).at(d), "bad_days") for d in NO_DAYS),
        (UsageError, lambda me: me.metrics().win_curve().share("won", 30, "x"), "bad_level"),
        (UsageError, lambda me: me.metrics().backtest(1, []), "unknown_variant"),
        (UsageError, lambda me: me.metrics().backtest(1, "stages", foo=1), "unknown_option"),
        (UsageError, lambda me: me.metrics().backtest(1, mature=1), "unknown_option"),
        (UsageError, lambda me: me.metrics().backtest(0), "bad_months"),
        (UsageError, lambda me: me.metrics().backtest(1, "guess"), "unknown_variant"),
        (UsageError, lambda me: me.metrics().win_rate(None, "best"), "unknown_variant"),
    ]
    with crm.session(ADMIN) as me:
        for kind, ask, code in refused:
            with pytest.raises(kind) as error:
                ask(me)
            assert error.value.problems[0].code == code  # type: ignore[attr-defined]


def test_figures_of_the_past_are_those_that_were_seen_then(crm: CRM, clock: FakeClock) -> None:
    seen: list[tuple[datetime, Any]] = []
    rng = random.Random(3)
    for _ in range(5):
        with crm.session(ADMIN) as me:
            for n in range(4):
                deal = me.deals.create(name=f"{n}", amount=Money(n, "EUR"))
                me.deals.move(deal, to=rng.choice(["won", "lost", "proposal"]))
        clock.move(days=20)
        with crm.session(ADMIN) as me:
            metrics = me.metrics()
            seen.append((metrics.frame.as_of, figures(metrics)))
    for at, known in seen:
        with crm.session(ADMIN, as_of=at) as me:
            assert figures(me.metrics()) == known


def figures(metrics: Metrics) -> list[Any]:
    return [plain(metrics.win_rate()), plain(metrics.funnel()), plain(metrics.win_curve())]
