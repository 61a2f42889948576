"""What a reader may not read of deals, leads and activities: figures leave it out, and say so, or are refused."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from crmkit import CRM, F, Money, Period
from crmkit.errors import InvalidQuery
from crmkit.features.metrics.metrics import Metrics
from crmkit.testing import FakeClock
from tests.staff import ADMIN, grant, hire

YEAR = Period.year(2024)
QUOTA = Money(1_000, "EUR")
BO = "bo@acme.example"

FIGURES: Mapping[str, Callable[[Metrics], Any]] = {
    "win_rate": lambda m: m.win_rate(),
    "win_rate of a year": lambda m: m.win_rate(YEAR),
    "win_rate by amount": lambda m: m.win_rate(None, "closed_amount"),
    "win_rate by cohort": lambda m: m.win_rate(YEAR, "created_cohort"),
    "win_curve": lambda m: m.win_curve().win_rate,
    "share of the win_curve": lambda m: m.win_curve().share("won", 30),
    "cycle": lambda m: m.cycle().mean,
    "velocity": lambda m: m.velocity().opportunities,
    "funnel": lambda m: m.funnel().overall,
    "stock_ratio": lambda m: m.stock_ratio("new", "proposal"),
    "flow_conversion": lambda m: m.flow_conversion("new", YEAR),
    "cohort_conversion": lambda m: m.cohort_conversion("new", YEAR, mature=0),
    "cohort_curve": lambda m: m.cohort_curve("new", YEAR).at(30),
    "dwell": lambda m: m.dwell()[0].median,
    "weighted": lambda m: m.weighted().total,
    "categories": lambda m: m.categories().pipeline,
    "stage_forecast": lambda m: m.stage_forecast(mature=0, floor=1).total,
    "simulate": lambda m: m.simulate(seed=1, runs=10).mean,
    "calibration": lambda m: m.calibration().brier,
    "coverage": lambda m: m.coverage(QUOTA, YEAR).open,
    "attainment": lambda m: m.attainment({}, YEAR, team_quota=QUOTA).team,
}
DATED = ("win_rate", "win_rate of a year", "win_curve", "cycle", "velocity", "funnel", "coverage", "attainment")


def limit(crm: CRM, hidden: str, *, own: bool) -> UUID:
    """Bo reads all deals without a field, and perhaps the own ones with it; the user's id."""
    bo = hire(crm, BO, pipeline="read", stage="read")
    with crm.session(ADMIN) as me:
        role = me.roles.one(name=f"role of {BO}")
        fields = [field.key for field in me.type_of("deal").fields if field.key != hidden]
        grant(me, role, "deal", "read", scope="all", fields=fields)
        if own:
            grant(me, role, "deal", "read", scope="own")
    return bo


def trade(crm: CRM, clock: FakeClock, bo: UUID | None = None) -> None:
    """Six deals of which some are won and lost, and of which three are Bo's."""
    with crm.session(ADMIN) as me:
        ids = [
            me.deals.create(
                name=f"客户 {n}",
                amount=Money(100 + n, "EUR"),
                expected_close=date(2024, 8, 1),
                owner=bo if n < 3 and bo is not None else me.actor.id,
            ).id
            for n in range(6)
        ]
    clock.move(days=3)
    with crm.session(ADMIN) as me:
        for n, stage in ((0, "won"), (1, "proposal"), (3, "won"), (4, "lost")):
            me.deals.move(ids[n], to=stage)
    clock.move(days=3)


def both(me: Any, **options: Any) -> tuple[Metrics, Metrics]:
    """The same question, answered by the database where it can, and from single facts."""
    return me.metrics(**options), me.metrics(members=True, **options)


def test_figures_of_everything_say_so(crm: CRM, clock: FakeClock) -> None:
    trade(crm, clock)
    with crm.session(ADMIN) as me:
        for metrics in both(me):
            for name, figure in FIGURES.items():
                found = figure(metrics)
                assert (found.frame.scope, "not_readable" in found.excluded) == ("all", False), name


def test_a_figure_that_needs_what_its_reader_may_never_read_is_refused_both_ways(crm: CRM, clock: FakeClock) -> None:
    trade(crm, clock)
    limit(crm, "outcome", own=False)
    with crm.session(BO) as me:
        for metrics in both(me):
            for name, figure in {**FIGURES, "faults": Metrics.faults, "deals": Metrics.deals}.items():
                with pytest.raises(InvalidQuery) as error:
                    figure(metrics)
                [problem] = error.value.problems
                assert (problem.code, problem.field) == ("unknown_field", "outcome"), name


def test_who_may_not_read_days_of_closing_gets_no_figure_that_needs_them(crm: CRM, clock: FakeClock) -> None:
    """A coverage without what was won would be too high."""
    trade(crm, clock)
    limit(crm, "closed_on", own=False)
    with crm.session(BO) as me:
        for metrics in both(me):
            for name in DATED:
                with pytest.raises(InvalidQuery) as error:
                    FIGURES[name](metrics)
                assert error.value.problems[0].field == "closed_on", name
            assert metrics.weighted().total.n == 3


@pytest.mark.parametrize("hidden", ["outcome", "closed_on", "expected_close", "manual_probability", "stage"])
def test_deals_of_which_a_needed_field_may_not_be_read_are_left_out_both_ways(
    crm: CRM, clock: FakeClock, hidden: str
) -> None:
    """The figure is that of the deals of which it may be read."""
    bo = limit(crm, hidden, own=True)
    trade(crm, clock, bo)
    whose = F.owner == bo
    with crm.session(ADMIN) as me:
        wanted = {name: figure(me.metrics(where=whose)) for name, figure in FIGURES.items()}
        everybody = {name: figure(me.metrics()) for name, figure in FIGURES.items()}
    left_out = set()
    with crm.session(BO) as me:
        for metrics in both(me):
            for name, figure in FIGURES.items():
                found = figure(metrics)
                excluded = dict(found.excluded)
                unreadable = excluded.pop("not_readable", 0) + excluded.pop("stage_not_readable", 0)
                expected = wanted[name] if unreadable else everybody[name]
                assert (found.value, found.n, excluded) == (expected.value, expected.n, expected.excluded), name
                assert found.frame.scope == ("what bo may read" if unreadable else "all"), name
                left_out.add(unreadable)
    assert left_out == {0, 3} or (hidden, left_out) == ("outcome", {3})


def test_amounts_that_may_not_be_read_are_not_taken_for_none(crm: CRM, clock: FakeClock) -> None:
    bo = limit(crm, "amount", own=True)
    trade(crm, clock, bo)
    with crm.session(BO) as me:
        for metrics in both(me):
            weighted, step, won = metrics.weighted(), metrics.funnel().steps[0], FIGURES["win_rate by amount"](metrics)
            assert weighted.unweighted.value == Money(203, "EUR")
            assert weighted.total.excluded == {"won": 2, "lost": 1, "no_readable_amount": 1}
            assert (step.reached.value, step.amount.value) == (6, Money(303, "EUR"))
            assert step.amount.excluded == {"no_readable_amount": 3}
            assert (won.n, won.excluded["no_readable_amount"]) == (1, 2)
            scopes = {each.frame.scope for each in (weighted.total, step.reached, won, metrics.velocity().velocity)}
            assert scopes == {"what bo may read"}
            assert metrics.win_rate().frame.scope == metrics.dwell()[0].median.frame.scope == "all"


def test_who_may_never_read_amounts_gets_counts_without_sums_and_no_coverage(crm: CRM, clock: FakeClock) -> None:
    """What is left of a quota would be all of it."""
    trade(crm, clock)
    limit(crm, "amount", own=False)
    with crm.session(BO) as me:
        for metrics in both(me):
            weighted = metrics.weighted().total
            assert (weighted.value, weighted.excluded) == (None, {"won": 2, "lost": 1, "no_readable_amount": 3})
            assert (metrics.velocity().opportunities.value, metrics.velocity().velocity.value) == (3, None)
            with pytest.raises(InvalidQuery) as error:
                metrics.coverage(QUOTA, YEAR)
            assert error.value.problems[0].field == "amount"


def test_a_condition_on_what_may_be_read_in_part_limits_the_figure(crm: CRM, clock: FakeClock) -> None:
    bo = limit(crm, "amount", own=True)
    trade(crm, clock, bo)
    with crm.session(BO) as me:
        for metrics in both(me, where=F.amount > Money(1, "EUR")):
            assert (metrics.win_rate().numerator, metrics.win_rate().frame.scope) == (1, "what bo may read")


def test_response_times_say_when_leads_or_answers_may_not_be_read(crm: CRM, clock: FakeClock) -> None:
    hire(crm, BO, deal="read", pipeline="read", stage="read", lead="read")
    with crm.session(ADMIN) as me:
        for name in ("Max Muster", "王小明"):
            lead = me.leads.create(name=name)
            me.activities.create(kind="call", subject="x", lead=lead, at=lead.created_at + timedelta(minutes=3))
    clock.move(days=1)
    with crm.session(BO) as me:
        assert me.metrics().win_rate().frame.scope == "all"
        with pytest.raises(InvalidQuery):
            me.metrics().response_time()
    with crm.session(ADMIN) as me:
        role = me.roles.one(name=f"role of {BO}")
        grant(me, role, "activity", "read", scope="own")
        assert me.metrics().response_time().within.frame.scope == "all"
    with crm.session(BO) as me:
        found = me.metrics().response_time()
        assert (found.within.numerator, found.within.frame.scope) == (0, "what bo may read")
    with crm.session(ADMIN) as me:
        grant(me, me.roles.one(name=f"role of {BO}"), "activity", "read", scope="all")
    with crm.session(BO) as me:
        found = me.metrics().response_time()
        assert (found.within.numerator, found.within.frame.scope) == (2, "all")


def test_a_figure_of_the_past_takes_the_right_to_it(crm: CRM, clock: FakeClock) -> None:
    bo = limit(crm, "loss_reason", own=True)
    trade(crm, clock, bo)
    with crm.session(ADMIN) as me:
        at = me.now
        grant(me, me.roles.one(name=f"role of {BO}"), "deal", "history", scope="own")
    clock.move(days=1)
    with crm.session(BO) as me:
        assert (me.metrics().win_rate().numerator, me.metrics().win_rate().frame.scope) == (2, "all")
    with crm.session(BO, as_of=at) as me:
        for metrics in both(me):
            assert (metrics.win_rate().numerator, metrics.win_rate().frame.scope) == (1, "what bo may read")
