"""What moves through stages tell of Maven is what was computed elsewhere from its days."""

from datetime import UTC, datetime, time
from fractions import Fraction

import pytest

from crmkit.features.metrics.figures.cohort_curve import LOST, cohort_curve
from crmkit.features.metrics.figures.conversion import cohort_conversion
from crmkit.features.metrics.figures.dwell import stage_dwell
from crmkit.features.metrics.figures.funnel import funnel
from crmkit.features.metrics.forecasts.calibration import calibration
from crmkit.features.metrics.forecasts.stage_forecast import odds_of, tally_history
from crmkit.features.metrics.tallies.facts import DealFact, Spell, StageFact
from crmkit.features.metrics.tallies.faults import find_faults
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.values import Money, Period
from tests.analytics.made import MAVEN, MAVEN_FRAME, as_printed, maven

STAGES = (
    StageFact(id="engaging", name="Engaging", position=1),
    StageFact(id="won", name="Won", position=2, kind="won"),
    StageFact(id="lost", name="Lost", position=3, kind="lost"),
)
EVER = Period(maven()[0].created_at.date().replace(year=2016, month=1, day=1), MAVEN_FRAME.today)


def moves(deal: DealFact) -> list[Spell]:
    """Engaged at noon of one day and, if closed, won or lost at noon of another."""
    closed = None if deal.closed_on is None else datetime.combine(deal.closed_on, time(12), UTC)
    engaged = Spell(
        deal=deal.id, stage="engaging", entered=deal.created_at, left=closed, position=1, amount=deal.amount
    )
    if closed is None:
        return [engaged]
    ended = Spell(deal=deal.id, stage=deal.outcome, entered=closed, position=2, kind=deal.outcome, amount=deal.amount)
    return [engaged, ended]


SPELLS = [spell for deal in maven() for spell in moves(deal)]


def test_the_histories_of_maven_are_possible() -> None:
    assert find_faults(maven(), SPELLS, STAGES, MAVEN_FRAME) == ()


def test_the_funnel_has_all_engaged_deals_and_those_won() -> None:
    result = funnel(Journeys.of(maven(), SPELLS, STAGES, MAVEN_FRAME))
    engaged, won = result.steps
    stages = MAVEN["by_stage"]
    assert (engaged.reached.value, won.reached.value) == (MAVEN["rows"] - stages["Prospecting"], stages["Won"])
    assert engaged.outcomes == {"won": stages["Won"], "lost": stages["Lost"], "open": stages["Engaging"]}
    assert won.amount.value == Money(MAVEN["won_value"], "USD")


def test_dwell_is_the_time_to_close_by_kaplan_meier_and_the_naive_mean_beside_it() -> None:
    [engaging] = stage_dwell(Journeys.of(maven(), SPELLS, STAGES, MAVEN_FRAME))
    assert engaging.median.value == MAVEN["kaplan_meier_median_days_to_close"]
    assert engaging.median.censored == MAVEN["by_stage"]["Engaging"]
    naive = MAVEN["mean_days_closed"]
    assert as_printed(engaging.naive_mean.exact, naive) == naive
    for days, share in MAVEN["kaplan_meier_still_open"].items():
        assert as_printed(engaging.curve.at(int(days)), share) == share


def test_the_curve_of_the_cohort_is_that_of_aalen_and_johansen() -> None:
    curve = cohort_curve(Journeys.of(maven(), SPELLS, STAGES, MAVEN_FRAME), EVER, stage="engaging")
    for days, share in MAVEN["cumulative_incidence_won"].items():
        assert as_printed(curve.at(int(days)).value, share) == share
    for days, share in MAVEN["cumulative_incidence_lost"].items():
        assert as_printed(curve.incidences.at(LOST, int(days)), share) == share


def test_matured_only_and_by_the_curve_the_odds_of_engaging_differ_from_those_of_closed_deals() -> None:
    history = tally_history(Journeys.of(maven(), SPELLS, STAGES, MAVEN_FRAME), mature=120)
    matured = odds_of(history, STAGES, MAVEN_FRAME)["engaging"]
    curve = odds_of(history, STAGES, MAVEN_FRAME, odds="curve")["engaging"]
    assert matured.n + matured.censored == curve.n == len(maven())
    assert isinstance(matured.value, float)
    assert isinstance(curve.value, float)
    assert matured.value < MAVEN["win_rate_of_closed"]
    assert 0.5 < curve.value < 1
    cohort = cohort_conversion(Journeys.of(maven(), SPELLS, STAGES, MAVEN_FRAME), EVER, stage="engaging", mature=120)
    assert cohort.exact == matured.exact


def test_the_win_rate_said_of_every_deal_scores_its_own_uncertainty() -> None:
    """A forecast that tells no deals apart has no resolution and, being right on the whole, no fault of reliability."""
    rate = Fraction(MAVEN["by_stage"]["Won"], MAVEN["by_stage"]["Won"] + MAVEN["by_stage"]["Lost"])
    result = calibration(((rate, deal.outcome) for deal in maven()), MAVEN_FRAME)
    assert (result.reliability.exact, result.resolution.exact) == (0, 0)
    assert result.brier.exact == rate * (1 - rate)
    assert result.brier.value == pytest.approx(
        MAVEN["win_rate_of_closed"] * (1 - MAVEN["win_rate_of_closed"]), abs=1e-9
    )
