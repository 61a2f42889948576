"""The curve of a cohort takes waiting for waiting, and being lost for the end of it."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.features.metrics.figures.cohort_curve import LOST, REACHED, CohortCurve, cohort_curve, tally
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.values import Period
from tests.analytics.journeys import FRAME, STAGES, Journey, apart, journey, some_journeys

YEAR = Period.year(2017)


def curve(*journeys: Journey) -> CohortCurve:
    deals, spells = apart(journeys)
    return cohort_curve(Journeys.of(deals, spells, STAGES, FRAME), YEAR, stage="new")


def test_a_curve_worked_by_hand() -> None:
    """Of four one moves on after 10 days, one is lost after 20, one waits for 30, one moves on after 40.

    At 10 days: 1/4. At 20 lost: 3/4 * 1/3 = 1/4. At 40 one is left at risk, and half are neither: 1/4 + 1/2 = 3/4.
    """
    result = curve(
        journey(1, ("new", 0), ("fit", 10)),
        journey(2, ("new", 0), ("lost", 20)),
        journey(3, ("new", 70)),
        journey(4, ("new", 5), ("won", 45)),
    )
    assert result.incidences.survival.times == (10, 20, 30, 40)
    assert [result.at(days).value for days in (9.9, 10, 39, 40)] == pytest.approx([0, 0.25, 0.25, 0.75])
    assert result.incidences.at(LOST, 100) == pytest.approx(0.25)
    assert (result.n, result.censored) == (4, 1)
    assert result.at(10).interval is not None
    assert result.at(10).variant == "cohort_curve_now_10_days"


def test_waiting_is_no_reason_to_be_left_out() -> None:
    """Matured only, both cohorts are one of two; by the curve one that waits longer tells against it."""
    short = curve(journey(1, ("new", 0), ("fit", 50)), journey(2, ("new", 60)))
    long = curve(journey(1, ("new", 0), ("fit", 50)), journey(2, ("new", 10)))
    assert short.at(50).value == pytest.approx(1.0)
    assert long.at(50).value == pytest.approx(0.5)


def test_a_deal_lost_and_reopened_that_went_on_has_gone_on() -> None:
    result = curve(journey(1, ("new", 0), ("lost", 10), ("new", 20), ("fit", 30), ("lost", 40)))
    assert result.at(30).value == 1.0
    assert result.incidences.at(LOST, 100) == 0


def test_hours_are_not_cut_off() -> None:
    [time] = curve(journey(1, ("new", 0.25), ("fit", 1))).incidences.survival.times
    assert Fraction(time) == Fraction(3, 4)


def test_a_curve_of_nobody_has_no_value() -> None:
    metric = curve().at(30)
    assert (metric.value, metric.n, metric.interval) == (None, 0, None)


def test_a_curve_is_json() -> None:
    told = json.loads(json.dumps(curve(journey(1, ("new", 0), ("fit", 10)), journey(2, ("new", 0))).to_dict()))
    assert (told["period"], told["censored"]) == ("2017", 1)
    assert (told["days"], told["waiting"], told["reached"]) == ([10, 100], [0.5, 0.5], [0.5, 0.5])


@pytest.mark.law
@given(some_journeys(), st.data())
def test_waiting_reached_and_lost_are_everybody_at_all_times(journeys: list[Journey], data: st.DataObject) -> None:
    result = curve(*journeys)
    days = data.draw(st.floats(0, 120))
    shares = result.incidences.survival.at(days), *(result.incidences.at(cause, days) for cause in (REACHED, LOST))
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.law
@given(some_journeys(), st.data())
def test_tallies_of_disjoint_deals_add_up_in_any_order(journeys: list[Journey], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(journeys)))
    shuffled = data.draw(st.permutations(journeys))
    whole, one, other = (
        tally(Journeys.of(*apart(part), STAGES, FRAME), YEAR, stage="fit")
        for part in (shuffled, journeys[:cut], journeys[cut:])
    )
    assert one + other == whole
    assert whole.n == sum(any(spell.stage == "fit" for spell in spells) for _, spells in journeys)
