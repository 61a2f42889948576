"""A stock ratio, a flow and a cohort are three numbers, and each says which it is."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import UsageError
from crmkit.features.metrics.figures.conversion import (
    cohort_conversion,
    conversion_of,
    flow_conversion,
    stock_ratio,
    tally_cohort,
    tally_flow,
    tally_stock,
)
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.values import Period
from tests.analytics.journeys import BID, FRAME, NOW, STAGES, Journey, apart, day, journey, some_journeys

JANUARY = Period.month(2017, 1)
FEBRUARY = Period.month(2017, 2)


def flow(*journeys: Journey, period: Period = FEBRUARY, **more: Any) -> Metric:
    deals, spells = apart(journeys)
    return flow_conversion(Journeys.of(deals, spells, STAGES, FRAME), period, **{"stage": "new", **more})


def cohort(*journeys: Journey, period: Period = JANUARY, mature: int = 30, **more: Any) -> Metric:
    deals, spells = apart(journeys)
    return cohort_conversion(
        Journeys.of(deals, spells, STAGES, FRAME), period, **{"stage": "new", "mature": mature, **more}
    )


def test_a_ratio_of_stocks_is_not_called_a_conversion() -> None:
    deals, _ = apart([journey(1, ("new", 0)), *(journey(n, ("fit", 0)) for n in (2, 3)), journey(4, ("won", 0))])
    metric = stock_ratio(deals, FRAME, stage="new", onward="fit")
    assert (metric.exact, metric.value, metric.n) == (Fraction(2), 2.0, 1)
    assert metric.excluded == {"closed": 1}
    assert metric.name == "stage_stock_ratio"
    assert metric.notes == ("a ratio of two stocks, not a conversion",)
    assert metric.interval is None


def test_a_ratio_to_no_stock_has_no_value() -> None:
    deals, _ = apart([journey(1, ("fit", 0))])
    assert stock_ratio(deals, FRAME, stage="new", onward="fit").value is None


def test_an_open_deal_in_no_stage_is_counted_as_such() -> None:
    deal, _ = journey(1, ("new", 0), stage=None)
    assert tally_stock([deal]).excluded == {"no_stage": 1}


@pytest.mark.parametrize(
    ("moves", "counted", "moved"),
    [
        ([("new", 0)], 1, 0),  # there all the time
        ([("new", 0), ("fit", 35)], 1, 1),
        ([("new", 0), ("fit", 30)], 0, 0),  # left in January
        ([("new", 0), ("fit", 31)], 0, 0),  # left when February began
        ([("new", 31)], 1, 0),  # came when February began
        ([("new", 0), ("fit", 59)], 1, 0),  # left when March began
        ([("new", 59)], 0, 0),  # came when March began
        ([("new", 0), ("fit", 70)], 1, 0),  # left in March
        ([("new", 70)], 0, 0),  # came in March
        ([("new", 35), ("fit", 36), ("won", 99)], 1, 1),
        ([("new", 35), ("won", 40)], 1, 1),
        ([("new", 35), ("lost", 40)], 1, 0),
        ([("fit", 0), ("new", 35)], 1, 0),  # went back
        ([("fit", 32), ("new", 35), ("lost", 40)], 1, 0),  # was further before, not after
        ([("new", 31), ("fit", 31)], 1, 1),  # passed through in no time
        ([("new", 0), ("fit", 10), ("new", 20), ("fit", 40)], 1, 1),
        ([("fit", 35)], 0, 0),  # never was there
    ],
)
def test_a_flow_counts_who_was_there_in_the_period_and_moved_on_within_it(
    moves: list[tuple[str, float]], counted: int, moved: int
) -> None:
    metric = flow(journey("a", *moves))
    assert (metric.denominator, metric.numerator) == (counted, moved)


def test_a_deal_won_without_a_stage_for_it_moved_on_when_it_left_its_last() -> None:
    deal, spells = journey("a", ("new", 0), ("won", 40))
    metric = flow((deal, spells[:1]))
    assert (metric.numerator, metric.denominator) == (1, 1)


@pytest.mark.parametrize(
    ("moves", "counted", "moved", "censored"),
    [
        ([("new", 5)], 1, 0, 0),
        ([("new", 0)], 1, 0, 0),  # entered when the period began
        ([("new", 5), ("fit", 99)], 1, 1, 0),
        ([("new", 5), ("won", 99)], 1, 1, 0),
        ([("new", 5), ("lost", 99)], 1, 0, 0),
        ([("new", 5), ("fit", 6), ("new", 7)], 1, 1, 0),  # it did reach it
        ([("fit", 5), ("new", 6)], 1, 0, 0),  # was further before it came
        ([("new", 31)], 0, 0, 0),  # entered in February
        ([("fit", 5), ("won", 6)], 0, 0, 0),  # never entered
        ([("new", 5), ("lost", 40), ("new", 50)], 1, 0, 0),  # the first entry counts, once
    ],
)
def test_a_cohort_follows_who_first_entered_in_the_period(
    moves: list[tuple[str, float]], counted: int, moved: int, censored: int
) -> None:
    metric = cohort(journey("a", *moves))
    assert (metric.denominator, metric.numerator, metric.censored) == (counted, moved, censored)


def test_the_young_of_a_cohort_are_censored_whatever_they_did() -> None:
    """Entered 95 and 80 days ago; with 90 days to mature only the first counts."""
    metric = cohort(journey(1, ("new", 5)), journey(2, ("new", 20), ("won", 21)), journey(3, ("new", 20)), mature=90)
    assert (metric.numerator, metric.denominator, metric.censored) == (0, 1, 2)
    assert metric.variant == "cohort_matured_now"


def test_maturity_is_reached_at_the_very_instant() -> None:
    assert cohort(journey(1, ("new", 10)), mature=90).n == 1
    assert cohort(journey(1, ("new", 10.00001)), mature=90).n == 0


def test_the_order_of_then_may_differ_from_that_of_now() -> None:
    moved = tuple(attrs.evolve(stage, position=-1) if stage is BID else stage for stage in STAGES)
    deals, spells = apart([journey("a", ("new", 5), ("bid", 9))])
    ask: dict[str, Any] = {"stage": "new", "mature": 0}
    then = cohort_conversion(Journeys.of(deals, spells, moved, FRAME), JANUARY, order="then", **ask)
    now = cohort_conversion(Journeys.of(deals, spells, moved, FRAME), JANUARY, order="now", **ask)
    assert (then.value, now.value) == (1.0, 0.0)


def test_impossible_histories_are_left_out_and_counted() -> None:
    deal, spells = journey("a", ("new", 5), ("fit", 40))
    torn = [attrs.evolve(spells[0], left=day(1)), spells[1]]
    for metric in (flow((deal, torn)), cohort((deal, torn))):
        assert (metric.n, metric.value, metric.excluded) == (0, None, {"impossible_history": 1})


def test_members_are_listed_where_the_frame_asks() -> None:
    deals, spells = apart([journey("b", ("new", 5), ("fit", 40)), journey("a", ("new", 5)), journey("c", ("new", 28))])
    frame = attrs.evolve(FRAME, members=True)
    metric = cohort_conversion(Journeys.of(deals, spells, STAGES, frame), JANUARY, stage="new", mature=90)
    assert metric.members == {"numerator": ("b",), "denominator": ("a", "b"), "censored": ("c",)}


def test_a_conversion_has_an_interval_and_of_nothing_no_value() -> None:
    some, none = cohort(journey(1, ("new", 5))), cohort()
    assert some.interval is not None
    assert some.interval.low == 0.0 < some.interval.high < 1
    assert (none.value, none.n, none.interval) == (None, 0, None)


def test_a_period_that_is_not_over_says_so() -> None:
    assert flow(period=FEBRUARY).notes == ()
    assert flow(period=Period.month(2017, 4)).notes == ("the period is not over",)
    today = NOW.date()
    assert flow(period=Period(today - timedelta(days=5), today)).notes == ()


@pytest.mark.parametrize("days", [-1, 1.5, True])
def test_a_cohort_that_matures_in_no_number_of_days_is_refused(days: Any) -> None:
    with pytest.raises(UsageError) as refusal:
        cohort(mature=days)
    assert refusal.value.code == "bad_days"


@pytest.mark.parametrize("stage", ["gone", "won"])
def test_a_stage_that_is_no_open_one_is_refused(stage: str) -> None:
    for ask in (flow, cohort):
        with pytest.raises(UsageError) as refusal:
            ask(stage=stage)
        assert refusal.value.code == "unknown_stage"


@pytest.mark.law
@given(some_journeys(), st.data(), st.sampled_from(["then", "now"]), st.integers(0, 100))
def test_tallies_of_disjoint_deals_add_up_in_any_order(
    journeys: list[Journey], data: st.DataObject, order: Any, mature: int
) -> None:
    cut = data.draw(st.integers(0, len(journeys)))
    shuffled = data.draw(st.permutations(journeys))
    frame = attrs.evolve(FRAME, members=True)
    ask: dict[str, Any] = {"stage": "new", "order": order}

    def flowing(part: list[Journey]) -> Any:
        return tally_flow(Journeys.of(*apart(part), STAGES, frame), FEBRUARY, **ask)

    def ripening(part: list[Journey]) -> Any:
        return tally_cohort(Journeys.of(*apart(part), STAGES, frame), FEBRUARY, mature=mature, **ask)

    def lying(part: list[Journey]) -> Any:
        return tally_stock(apart(part)[0])

    for tally in (flowing, ripening, lying):
        assert tally(journeys[:cut]) + tally(journeys[cut:]) == tally(shuffled)


@pytest.mark.law
@given(some_journeys(), st.integers(0, 100))
def test_a_cohort_is_who_counts_and_who_is_young_and_only_some_of_them_move(
    journeys: list[Journey], mature: int
) -> None:
    deals, spells = apart(journeys)
    ask: dict[str, Any] = {"stage": "new"}
    all_of_them = tally_cohort(Journeys.of(deals, spells, STAGES, FRAME), FEBRUARY, mature=0, **ask)
    ripe = tally_cohort(Journeys.of(deals, spells, STAGES, FRAME), FEBRUARY, mature=mature, **ask)
    assert ripe.there + ripe.censored == all_of_them.there
    assert ripe.moved <= min(ripe.there, all_of_them.moved)
    assert conversion_of(ripe, "cohort", FEBRUARY, FRAME).n == ripe.there
