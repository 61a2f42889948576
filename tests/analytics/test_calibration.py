"""A stated probability is judged by how often it came true."""

import json
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.forecasts.calibration import Forecast, calibration, stage_calibration, tally
from crmkit.features.metrics.tallies.journeys import Journeys
from tests.analytics.journeys import BID, FIT, FRAME, NEW, STAGES, apart, day, journey

HALF, FIFTH = Fraction(1, 2), Fraction(1, 5)


def test_a_score_and_its_parts_worked_by_hand() -> None:
    """Of two forecasts of a half one came true, of two of a fifth none.

    Score: (1/4 + 1/4 + 1/25 + 1/25) / 4 = 29/200. One in four came true: uncertainty 3/16. Reliability: the halves are
    right, the fifths a fifth off: 2/4 * 1/25 = 1/50. Resolution: both groups are a quarter off the base: 1/16.
    """
    result = calibration([(HALF, "won"), (HALF, "lost"), (FIFTH, "lost"), (FIFTH, "lost")], FRAME)
    assert result.brier.exact == Fraction(29, 200)
    assert result.uncertainty.exact == Fraction(3, 16)
    assert result.reliability.exact == Fraction(1, 50)
    assert result.resolution.exact == Fraction(1, 16)


def test_the_table_tells_what_was_said_and_what_happened() -> None:
    quarter = Fraction(1, 4)
    result = calibration(
        [(FIFTH, "lost"), (quarter, "won"), (Fraction(1), "won"), (Fraction(0), "lost")], FRAME, bins=5
    )
    rows = [(row.low, row.high, row.mean_forecast.exact, row.observed.exact, row.observed.n) for row in result.table]
    assert rows == [
        (Fraction(0), FIFTH, Fraction(0), Fraction(0), 1),
        (FIFTH, Fraction(2, 5), Fraction(9, 40), HALF, 2),
        (Fraction(4, 5), Fraction(1), Fraction(1), Fraction(1), 1),
    ]
    interval = result.table[1].observed.interval
    assert interval is not None
    assert interval.method == "wilson"
    assert interval.low == pytest.approx(0.0945, abs=1e-4)


def test_open_deals_are_censored_and_disqualified_ones_a_named_choice() -> None:
    forecasts: list[Forecast] = [(HALF, "won"), (HALF, "open"), (HALF, "disqualified")]
    narrow, broad = (calibration(forecasts, FRAME, not_won=which) for which in ("narrow", "broad"))
    assert (narrow.brier.n, narrow.brier.censored, narrow.brier.excluded) == (1, 1, {"disqualified": 1})
    assert (broad.brier.n, broad.brier.censored, broad.brier.excluded) == (2, 1, {})


def test_stages_are_judged_by_the_deals_that_were_in_them_each_once() -> None:
    deals, spells = apart(
        [
            journey(1, ("new", 0), ("fit", 1), ("new", 2), ("won", 3)),
            journey(2, ("new", 0), ("lost", 1)),
            journey(3, ("new", 0)),
        ]
    )
    result = stage_calibration(Journeys.of(deals, spells, STAGES, FRAME))
    stated = {row.mean_forecast.exact: (row.observed.numerator, row.observed.n) for row in result.table}
    assert stated == {NEW.probability: (1, 2), FIT.probability: (1, 1)}
    assert result.brier.censored == 1
    assert result.brier.variant == "stage_narrow"


def test_stages_without_a_probability_and_impossible_histories_are_left_out_and_counted() -> None:
    silent = tuple(attrs.evolve(stage, probability=None) if stage is BID else stage for stage in STAGES)
    deal, spells = journey("torn", ("new", 0), ("won", 1))
    torn = deal, [attrs.evolve(spells[0], left=day(-1)), spells[1]]
    deals, all_spells = apart([torn, journey(2, ("bid", 0), ("won", 1))])
    result = stage_calibration(Journeys.of(deals, all_spells, silent, FRAME))
    assert (result.brier.n, result.brier.value, result.table) == (0, None, ())
    assert result.brier.excluded == {"impossible_history": 1, "no_probability": 1}


@pytest.mark.parametrize("probability", [Fraction(-1, 9), Fraction(10, 9)])
def test_a_probability_that_is_none_is_refused(probability: Fraction) -> None:
    with pytest.raises(InvalidValue) as refusal:
        calibration([(probability, "won")], FRAME)
    assert refusal.value.code == "bad_probability"


@pytest.mark.parametrize(("bad", "code"), [({"bins": 0}, "bad_bins"), ({"not_won": "all"}, "unknown_variant")])
def test_what_does_not_exist_is_refused(bad: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as refusal:
        calibration([], FRAME, **bad)
    assert refusal.value.code == code


def test_a_calibration_is_json() -> None:
    told = json.loads(json.dumps(calibration([(HALF, "won")], FRAME).to_dict()))
    assert (told["brier"]["exact"], told["table"][0]["low"]) == ("1/4", "1/2")


FORECASTS = st.lists(
    st.tuples(st.fractions(0, 1, max_denominator=12), st.sampled_from(["won", "lost", "disqualified", "open"])),
    max_size=40,
)


def test_the_calibration_of_stages_says_that_it_judges_what_they_say_now() -> None:
    judged = stage_calibration(Journeys.of(*apart([journey("甲", ("new", 0), ("won", 9))]), STAGES, FRAME))
    assert ["now" in note for note in judged.brier.notes] == [True]
    assert judged.table[0].observed.notes == judged.brier.notes
    assert calibration([(HALF, "won")], FRAME).brier.notes == ()


@pytest.mark.law
@given(FORECASTS, st.integers(1, 20), st.sampled_from(["narrow", "broad"]))
def test_the_score_is_reliability_less_resolution_plus_uncertainty(
    forecasts: list[Any], bins: int, not_won: Any
) -> None:
    result = calibration(forecasts, FRAME, not_won=not_won, bins=bins)
    brier, reliability, resolution, uncertainty = (
        metric.exact for metric in (result.brier, result.reliability, result.resolution, result.uncertainty)
    )
    if brier is None or reliability is None or resolution is None or uncertainty is None:
        assert result.brier.n == 0
        return
    assert brier == reliability - resolution + uncertainty
    counted = [
        (p - (outcome == "won")) ** 2
        for p, outcome in forecasts
        if outcome in (("won", "lost") if not_won == "narrow" else ("won", "lost", "disqualified"))
    ]
    assert brier == sum(counted) / len(counted)
    assert sum(row.observed.n for row in result.table) == len(counted)
    assert all(row.low <= (row.mean_forecast.exact or 0) <= row.high for row in result.table)


@pytest.mark.law
@given(FORECASTS, st.data())
def test_tallies_of_disjoint_forecasts_add_up_in_any_order(forecasts: list[Any], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(forecasts)))
    assert tally(forecasts[:cut]) + tally(forecasts[cut:]) == tally(data.draw(st.permutations(forecasts)))
