"""Laws of every tally: disjoint parts add up, order and session play no part, nothing is counted twice or lost."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch, UsageError
from crmkit.features.metrics.figures import velocity, win_curve, win_rate
from crmkit.features.metrics.forecasts import attainment, categories, coverage, weighted
from crmkit.features.metrics.tallies.facts import DealFact, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, ZONES, deal, deals, elsewhere, metrics_in

PERIOD = Period(FRAME.today.replace(month=3), FRAME.today.replace(month=9))
STAGES = (StageFact(id="第一阶段", name="第一阶段", position=1, category="best_case"),)
QUOTAS = {"王芳": Money(10_000, "EUR"), "Ben": Money(0, "EUR"), "nobody": Money(5, "EUR")}

Tallying = Callable[[Iterable[DealFact], Frame], Any]
Telling = Callable[[Any, Frame], Any]

TALLIES: dict[str, tuple[Tallying, Telling]] = {
    "win_rate": (
        lambda facts, frame: win_rate.tally(facts, PERIOD, frame),
        lambda found, frame: tuple(
            win_rate.rate_of(found, frame, variant) for variant in ("closed_count", "closed_amount", "narrow", "broad")
        ),
    ),
    "win_rate_of_cohort": (
        lambda facts, frame: win_rate.tally(facts, PERIOD, frame, "created"),
        lambda found, frame: win_rate.rate_of(found, frame, "created_cohort"),
    ),
    "win_curve": (lambda facts, frame: win_curve.tally(facts, frame), win_curve.curve_of),
    "win_curve_of_cohort": (lambda facts, frame: win_curve.tally(facts, frame, PERIOD), win_curve.curve_of),
    "weighted": (lambda facts, frame: weighted.tally(facts, PERIOD, frame), weighted.pipeline_of),
    "weighted_ever": (lambda facts, frame: weighted.tally(facts, None, frame), weighted.pipeline_of),
    "categories": (lambda facts, frame: categories.tally(facts, PERIOD, frame, STAGES), categories.forecast_of),
    "categories_single": (
        lambda facts, frame: categories.tally(facts, None, frame, STAGES),
        lambda found, frame: categories.forecast_of(found, frame, "single"),
    ),
    "velocity": (
        lambda facts, frame: velocity.tally(facts, PERIOD, frame),
        lambda found, frame: (velocity.velocity_of(found, frame, "open"), velocity.velocity_of(found, frame, "closed")),
    ),
    "coverage": (
        lambda facts, frame: coverage.tally(facts, PERIOD, frame),
        lambda found, frame: coverage.coverage_of(found, Money(10_000, "EUR"), frame),
    ),
    "attainment": (
        lambda facts, frame: attainment.tally(facts, PERIOD, frame),
        lambda found, frame: attainment.attainment_of(found, QUOTAS, frame),
    ),
}
FACTS = deals(("EUR", "USD"))
each_tally = pytest.mark.parametrize(("tallying", "telling"), TALLIES.values(), ids=TALLIES)


def parts_of(found: Any) -> Any:
    return found.wins.parts if isinstance(found, velocity.VelocityTally) else found.parts


@given(FACTS, st.integers(0, 10))
@pytest.mark.law
def test_tallies_of_disjoint_facts_add_up(facts: list[DealFact], cut: int) -> None:
    for name, (tallying, _) in TALLIES.items():
        whole, one, other = (tallying(part, IN_EUR) for part in (facts, facts[:cut], facts[cut:]))
        assert one + other == whole, name
        assert other + one == whole, name
        assert whole + tallying([], IN_EUR) == whole, name


@given(FACTS, st.sampled_from(ZONES), st.randoms(use_true_random=False))
@pytest.mark.law
def test_neither_order_nor_the_clock_an_instant_is_told_on_plays_a_part(
    facts: list[DealFact], zone: str, random: Any
) -> None:
    frame = attrs.evolve(IN_EUR, zone=zone)
    abroad = attrs.evolve(frame, as_of=elsewhere(deal(created_at=frame.as_of)).created_at)
    mixed = [elsewhere(fact) for fact in facts]
    random.shuffle(mixed)
    for name, (tallying, _) in TALLIES.items():
        assert tallying(iter(mixed), abroad) == tallying(facts, frame), name


@given(FACTS)
@pytest.mark.law
def test_every_deal_is_in_one_part(facts: list[DealFact]) -> None:
    for name, (tallying, _) in TALLIES.items():
        parts = parts_of(tallying(facts, attrs.evolve(IN_EUR, members=True)))
        assert parts.n == len(facts), name
        assert {part: len(ids) for part, ids in parts.ids.items()} == parts.counts, name
        assert sorted(id for ids in parts.ids.values() for id in ids) == list(range(len(facts))), name
        assert parts_of(tallying(facts, IN_EUR)).counts == parts.counts, name


@given(FACTS)
@pytest.mark.law
def test_every_metric_can_be_told_and_is_told_in_its_frame(facts: list[DealFact]) -> None:
    for name, (tallying, telling) in TALLIES.items():
        for metric in metrics_in(telling(tallying(facts, IN_EUR), IN_EUR)):
            assert metric.frame == IN_EUR, name
            assert metric.n or metric.value is None, name
            assert all(number > 0 for number in metric.excluded.values()), name
            assert metric.to_dict()["name"] == metric.name
            if isinstance(metric.value, Money):
                assert metric.value.currency == "EUR", name
            if metric.exact is not None and isinstance(metric.value, float):
                assert metric.value == float(metric.exact), name


@each_tally
def test_a_metric_over_nothing_counts_none_and_has_no_value(tallying: Tallying, telling: Telling) -> None:
    for frame in (FRAME, IN_EUR):
        metrics = list(metrics_in(telling(tallying([], frame), frame)))
        assert metrics
        assert [(metric.n, metric.value, metric.exact, metric.interval) for metric in metrics] == [
            (0, None, None, None)
        ] * len(metrics)


@each_tally
def test_ids_are_listed_only_if_the_frame_asks(tallying: Tallying, telling: Telling) -> None:
    fact = deal("open", 10, id="订单一", probability=0, expected_close=FRAME.today, category="commit")
    for metric in metrics_in(telling(tallying([fact], FRAME), FRAME)):
        assert metric.members is None
    asked = attrs.evolve(FRAME, members=True)
    listed = [metric.members for metric in metrics_in(telling(tallying([fact], asked), asked)) if metric.members]
    assert all(ids == ("订单一",) for members in listed for ids in members.values())
    assert listed


@given(FACTS)
@pytest.mark.law
def test_every_metric_lists_the_ids_behind_it_where_the_frame_asks(facts: list[DealFact]) -> None:
    asked = attrs.evolve(IN_EUR, members=True)
    for name, (tallying, telling) in TALLIES.items():
        for metric in metrics_in(telling(tallying(facts, asked), asked)):
            assert metric.members is not None, (name, metric.name)
            assert {id for ids in metric.members.values() for id in ids} <= set(range(len(facts))), name
            assert len({id for ids in metric.members.values() for id in ids}) >= metric.n, (name, metric.name)


@each_tally
def test_a_tally_does_not_add_up_with_anything_else(tallying: Tallying, telling: Telling) -> None:
    assert tallying([], FRAME).__add__(1) is NotImplemented


@pytest.mark.parametrize("name", ["weighted", "categories", "velocity", "coverage", "attainment"])
def test_unlike_currencies_are_refused_without_rates(name: str) -> None:
    tallying, telling = TALLIES[name]
    facts = [
        deal(outcome, Money(1, currency), probability=1, expected_close=FRAME.today, closed_on=FRAME.today,
             owner="王芳", category="commit")
        for currency in ("EUR", "USD")
        for outcome in ("open", "won")
    ]  # fmt: skip
    with pytest.raises(CurrencyMismatch):
        telling(tallying(facts, FRAME), FRAME)
    assert all(isinstance(metric, Metric) for metric in metrics_in(telling(tallying(facts, IN_EUR), IN_EUR)))


def test_deals_closed_and_deals_created_in_a_period_do_not_add_up() -> None:
    one, other = win_rate.tally([], PERIOD, FRAME), win_rate.tally([], PERIOD, FRAME, "created")
    with pytest.raises(UsageError) as refused:
        one + other
    assert refused.value.code == "unlike_tallies"
