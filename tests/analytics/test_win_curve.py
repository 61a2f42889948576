"""The win curve, the time to close, and the naive figures that lie beside them."""

from datetime import UTC, date, datetime
from fractions import Fraction

import attrs
import pytest

from crmkit.errors import UsageError
from crmkit.features.metrics.figures.win_curve import WinCurve, tally, win_curve
from crmkit.values import Period
from tests.analytics.made import FRAME, MAVEN, MAVEN_FRAME, as_printed, deal, maven, metrics_in


@pytest.fixture(scope="module")
def curve() -> WinCurve:
    return win_curve(maven(), MAVEN_FRAME)


def test_the_curves_of_maven_are_those_computed_elsewhere(curve: WinCurve) -> None:
    for outcome, name in (
        ("open", "kaplan_meier_still_open"),
        ("won", "cumulative_incidence_won"),
        ("lost", "cumulative_incidence_lost"),
    ):
        for days, printed in MAVEN[name].items():
            found = curve.share(outcome, int(days))  # type: ignore[arg-type]
            assert as_printed(found.value, printed) == printed
            assert found.censored == MAVEN["by_stage"]["Engaging"]
            assert found.interval is not None
            assert isinstance(found.value, float)
            assert found.interval.low < found.value < found.interval.high


def test_the_naive_figures_of_maven_stand_beside_the_true_ones(curve: WinCurve) -> None:
    assert curve.median_days_to_close.value == MAVEN["kaplan_meier_median_days_to_close"] == 69
    assert curve.naive_median_days.value == MAVEN["naive_median_days_closed"] == 45
    for metric, name in (
        (curve.naive_win_rate, "win_rate_of_closed"),
        (curve.naive_mean_days, "mean_days_closed"),
        (curve.naive_mean_days_won, "mean_days_won"),
        (curve.naive_mean_days_lost, "mean_days_lost"),
    ):
        assert as_printed(metric.exact, MAVEN[name]) == MAVEN[name]
        assert metric.excluded["open"] == MAVEN["by_stage"]["Engaging"]
    assert curve.naive_win_rate.n == 4238 + 2473
    assert curve.median_days_to_close.n == 4238 + 2473 + 1589
    assert curve.median_days_to_close.censored == 1589


def test_won_lost_disqualified_and_open_add_up_to_one_at_every_point(curve: WinCurve) -> None:
    points = curve.points()
    assert points[0] == {"days": 0, "at_risk": 8300, "open": 1.0, "won": 0.0, "lost": 0.0, "disqualified": 0.0}
    assert [point["days"] for point in points] == [0, *curve.curve.survival.times]
    for point in points:
        assert sum(point[part] for part in ("open", "won", "lost", "disqualified")) == pytest.approx(1, abs=1e-9)


def test_what_is_lost_can_no_longer_be_won() -> None:
    """Half are lost at once, the other half are won: one minus Kaplan-Meier with lost as censored would say all."""
    deals = [deal("lost", closed_on=date(2024, 1, 2)), deal("won", closed_on=date(2024, 2, 1))]
    found = win_curve(deals, FRAME)
    assert (found.win_rate.value, found.share("lost", 999).value) == (0.5, 0.5)


def test_closed_before_it_was_created_is_left_out_and_counted() -> None:
    deals = [
        deal("won", closed_on=date(2023, 12, 31)),
        deal("won", closed_on=date(2024, 1, 11)),
        deal("lost", closed_on=None),
        deal("open", created_at=datetime(2024, 6, 16, tzinfo=UTC)),
    ]
    found = win_curve(deals, FRAME)
    left_out = {"closed_before_created": 1, "created_after_today": 1, "no_closed_on": 1}
    assert found.median_days_to_close.excluded == found.win_rate.excluded == left_out
    assert (found.naive_mean_days.value, found.naive_mean_days.n) == (10.0, 1)
    assert (found.naive_win_rate.exact, found.naive_win_rate.n) == (1, 1)
    for metric in metrics_in((found.naive_mean_days, found.naive_win_rate, found.win_rate)):
        assert metric.n + sum(metric.excluded.values()) == 4


def test_ages_are_whole_days_of_the_frames_zone() -> None:
    late = deal("won", created_at=datetime(2024, 1, 1, 20, tzinfo=UTC), closed_on=date(2024, 1, 2))
    assert tally([late], FRAME).ages == {1: {"won": 1}}
    assert tally([late], attrs.evolve(FRAME, zone="Asia/Shanghai")).ages == {0: {"won": 1}}


def test_open_deals_are_censored_at_their_age_today_though_they_once_had_closed() -> None:
    found = tally([deal("open", closed_on=date(2024, 1, 5)), deal("open")], FRAME)
    assert found.ages == {166: {None: 2}}


def test_disqualified_competes_too_and_is_not_in_the_naive_rate() -> None:
    deals = [deal(outcome, closed_on=date(2024, 1, 6)) for outcome in ("won", "lost", "disqualified", "won")]
    found = win_curve(deals, FRAME)
    assert found.share("disqualified", 5).value == 0.25
    assert found.win_rate.value == 0.5
    assert (found.naive_win_rate.exact, found.naive_win_rate.excluded) == (Fraction(2, 3), {"disqualified": 1})


def test_a_period_chooses_those_created_in_it() -> None:
    deals = [deal("won", closed_on=date(2024, 3, 1)), deal("open", created_at=datetime(2024, 2, 1, tzinfo=UTC))]
    found = win_curve(deals, FRAME, Period.month(2024, 2))
    assert (found.win_rate.n, found.win_rate.excluded, found.win_rate.period) == (
        1,
        {"outside_period": 1},
        Period.month(2024, 2),
    )


def test_beyond_what_was_watched_the_curve_stays_and_says_so() -> None:
    found = win_curve([deal("won", closed_on=date(2024, 1, 6)), deal("open")], FRAME)
    assert (found.share("won", 166).value, found.share("won", 999).value) == (0.5, 0.5)
    assert len(found.share("won", 166).notes) == 1
    assert "watched" in found.share("won", 999).notes[1]


def test_a_median_never_reached_has_no_value_and_says_why() -> None:
    found = win_curve([deal("won", closed_on=date(2024, 1, 6)), deal("open"), deal("open")], FRAME)
    assert (found.median_days_to_close.value, found.median_days_to_close.n) == (None, 3)
    assert found.median_days_to_close.notes
    assert found.naive_median_days.value == 5


def test_a_deal_closed_on_the_day_it_was_created_is_at_age_nought() -> None:
    found = win_curve([deal("won", closed_on=date(2024, 1, 1)), deal("open")], FRAME)
    assert found.points()[0] == {"days": 0, "at_risk": 2, "open": 0.5, "won": 0.5, "lost": 0.0, "disqualified": 0.0}
    assert found.median_days_to_close.value == 0


def test_of_nothing_there_are_no_points_and_a_level_that_is_none_is_refused() -> None:
    nothing = win_curve([], FRAME)
    assert nothing.points() == ()
    assert nothing.share("won", 30).value is nothing.share("open", 30).value is None
    with pytest.raises(UsageError):
        win_curve([], FRAME, level=2)


def test_every_figure_names_its_variant(curve: WinCurve) -> None:
    assert [(metric.name, metric.variant, metric.unit) for metric in metrics_in(curve)] == [
        ("share_won", "aalen_johansen", "ratio"),
        ("days_to_close", "kaplan_meier_median", "days"),
        ("win_rate", "closed_count", "ratio"),
        ("days_to_close", "closed_only_median", "days"),
        ("days_to_close", "closed_only_mean", "days"),
        ("days_until_won", "closed_only_mean", "days"),
        ("days_until_lost", "closed_only_mean", "days"),
    ]
    assert (curve.share("open", 1).name, curve.share("open", 1).variant) == ("still_open", "kaplan_meier")


def test_it_is_told_as_json(curve: WinCurve) -> None:
    told = curve.to_dict()
    assert told["median_days_to_close"]["value"] == 69
    assert len(told["curve"]) == len(curve.points())
    assert len([name for name in told if name.startswith("naive_")]) == 5
