"""Who is still in a stage counts for as long as they have been there."""

from fractions import Fraction
from typing import Any, get_args

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times

from crmkit.errors import UsageError
from crmkit.features.metrics.figures.dwell import StageDwell, Stay, stage_dwell, tally
from crmkit.features.metrics.statistics.survival import kaplan_meier
from crmkit.features.metrics.tallies.journeys import Journeys
from tests.analytics.journeys import FRAME, STAGES, Journey, apart, day, journey, some_journeys


def of_new(*journeys: Journey, stay: Stay = "cumulative") -> StageDwell:
    return stage_dwell(Journeys.of(*apart(journeys), STAGES, FRAME), stay=stay)[0]


def test_the_naive_mean_forgets_those_who_are_still_there() -> None:
    """Two left after 10 and 20 days, three have been there for 100, 90 and 15."""
    result = of_new(
        journey(1, ("new", 0), ("fit", 10)),
        journey(2, ("new", 0), ("lost", 20)),
        journey(3, ("new", 0)),
        journey(4, ("new", 10)),
        journey(5, ("new", 85)),
    )
    assert (result.naive_mean.exact, result.naive_mean.n) == (Fraction(15), 2)
    assert result.naive_mean.excluded == {"lasting": 3}
    assert (result.median.value, result.median.n, result.median.censored) == (None, 5, 3)
    assert result.median.notes == ("more than half are still there at the longest time seen",)
    assert result.curve.values == pytest.approx((0.8, 0.8, 0.8 * 2 / 3, 0.8 * 2 / 3, 0.8 * 2 / 3))


def test_a_median_is_exact_and_in_days_of_any_fraction() -> None:
    result = of_new(journey(1, ("new", 0), ("fit", 0.25)), journey(2, ("new", 0), ("fit", 9)))
    assert (result.median.value, result.median.exact, result.median.unit) == (0.25, Fraction(1, 4), "days")


@pytest.mark.parametrize(
    ("stay", "completed", "lasting"), [("first", {5: 1}, {}), ("latest", {}, {30: 1}), ("cumulative", {}, {45: 1})]
)
def test_a_stage_entered_three_times_is_one_stay(
    stay: Stay, completed: dict[int, int], lasting: dict[int, int]
) -> None:
    deals, spells = apart([journey("a", ("new", 0), ("fit", 5), ("new", 20), ("fit", 30), ("new", 70))])
    micros = 86_400_000_000
    times = tally(Journeys.of(deals, spells, STAGES, FRAME), stay=stay).stays["new"]
    assert {time // micros: ended for time, (ended, _) in times.items() if ended} == completed
    assert {time // micros: still for time, (_, still) in times.items() if still} == lasting


def test_a_stage_nobody_was_in_has_no_figures() -> None:
    for result in stage_dwell(Journeys.of([], [], STAGES, FRAME)):
        assert (result.median.value, result.median.n, result.naive_mean.value, result.naive_mean.n) == (
            None,
            0,
            None,
            0,
        )


def test_the_stages_come_in_their_order_and_closed_ones_do_not() -> None:
    assert [result.stage for result in stage_dwell(Journeys.of([], [], STAGES[::-1], FRAME))] == ["new", "fit", "bid"]


def test_impossible_histories_are_left_out_and_counted() -> None:
    deal, spells = journey("a", ("new", 5), ("fit", 40))
    result = of_new((deal, [attrs.evolve(spells[0], left=day(1)), spells[1]]))
    assert (result.median.n, result.median.excluded) == (0, {"impossible_history": 1})


def test_a_stay_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError) as refusal:
        tally(Journeys.of([], [], STAGES, FRAME), stay="longest")  # type: ignore[arg-type]
    assert refusal.value.code == "unknown_variant"


@pytest.mark.law
@settings(max_examples=settings().max_examples // 2)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=60))
def test_median_and_its_interval_are_those_of_lifelines(stays: list[tuple[int, bool]]) -> None:
    """Where the curve comes to exactly a half, its floats may miss it; ours is told by whole numbers."""
    journeys = [
        journey(number, ("new", 0), ("fit", length)) if ended else journey(number, ("new", 100 - length))
        for number, (length, ended) in enumerate(stays)
    ]
    fitter = KaplanMeierFitter().fit([length for length, _ in stays], [ended for _, ended in stays])
    result = of_new(*journeys)
    median = result.median
    assume(all(abs(value - 0.5) > 1e-9 for value in result.curve.values))
    theirs = fitter.median_survival_time_
    assert median.value == (None if theirs == float("inf") else theirs)
    low, high = median_survival_times(fitter.confidence_interval_).to_numpy()[0]
    if high == float("inf"):
        assert median.interval is None
    else:
        assert median.interval is not None
        assert (median.interval.low, median.interval.high) == (low, high)


@pytest.mark.law
@given(some_journeys(), st.data(), st.sampled_from(get_args(Stay)))
def test_tallies_of_disjoint_deals_add_up_in_any_order(journeys: list[Journey], data: st.DataObject, stay: Any) -> None:
    cut = data.draw(st.integers(0, len(journeys)))
    shuffled = data.draw(st.permutations(journeys))
    whole, one, other = (
        tally(Journeys.of(*apart(part), STAGES, FRAME), stay=stay)
        for part in (shuffled, journeys[:cut], journeys[cut:])
    )
    assert one + other == whole
    for stage, times in whole.stays.items():
        stayed = sum(any(spell.stage == stage for spell in spells) for _, spells in journeys)
        assert kaplan_meier(times).n == stayed
