"""Kaplan-Meier and Aalen-Johansen: equal to lifelines, to the counts they stand for, and to one in sum."""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from lifelines.datasets import load_lung, load_rossi, load_waltons

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.statistics.survival import Curve, aalen_johansen, kaplan_meier
from crmkit.values import local_date, zone
from tests.analytics.made import MAVEN, MAVEN_FRAME, as_printed, maven

CLOSE = 1e-9
OUTCOMES = st.dictionaries(
    st.integers(0, 60),
    st.dictionaries(st.sampled_from(["赢", "lost", None]), st.integers(0, 30), max_size=3),
    max_size=25,
)


def maven_ages() -> list[tuple[int, str | None]]:
    utc = zone("UTC")
    return [
        (
            ((deal.closed_on or MAVEN_FRAME.today) - local_date(deal.created_at, utc)).days,
            None if deal.outcome == "open" else deal.outcome,
        )
        for deal in maven()
    ]


def of_maven() -> tuple[list[float], list[bool]]:
    ages = maven_ages()
    return [float(days) for days, _ in ages], [outcome is not None for _, outcome in ages]


def of_waltons() -> tuple[list[float], list[bool]]:
    data = load_waltons()
    return list(data["T"]), [bool(event) for event in data["E"]]


def of_rossi() -> tuple[list[float], list[bool]]:
    data = load_rossi()
    return list(data["week"]), [bool(event) for event in data["arrest"]]


def of_lung() -> tuple[list[float], list[bool]]:
    data = load_lung()
    return list(data["time"]), [bool(event) for event in data["status"]]


def counted(times: list[float], events: list[bool]) -> dict[float, tuple[int, int]]:
    ended, censored = Counter(), Counter()  # type: ignore[var-annotated]
    for time, event in zip(times, events, strict=True):
        (ended if event else censored)[float(time)] += 1
    return {time: (ended[time], censored[time]) for time in {*ended, *censored}}


@pytest.mark.parametrize("data", [of_maven, of_waltons, of_rossi, of_lung], ids=["maven", "waltons", "rossi", "lung"])
def test_the_kaplan_meier_curve_is_that_of_lifelines(data: Any) -> None:
    times, events = data()
    curve = kaplan_meier(counted(times, events))
    fitted = KaplanMeierFitter().fit(times, events)
    survival = fitted.survival_function_["KM_estimate"]
    bounds = fitted.confidence_interval_
    assert (curve.n, curve.n_events) == (len(times), sum(events))
    assert set(survival.index) == {0.0, *curve.times}
    table = fitted.event_table
    for place, time in enumerate(curve.times):
        assert curve.at(time) == curve.values[place] == pytest.approx(survival[time], abs=CLOSE)
        assert curve.events[place] == table.loc[time, "observed"]
        assert curve.censored[place] == table.loc[time, "censored"]
        assert curve.at_risk[place] == table.loc[time, "at_risk"]
        interval = curve.interval(time)
        if interval is not None:
            assert interval.low == pytest.approx(bounds.loc[time].iloc[0], abs=CLOSE)
            assert interval.high == pytest.approx(bounds.loc[time].iloc[1], abs=CLOSE)
    middle = fitted.median_survival_time_
    assert curve.median == (None if math.isinf(middle) else middle)


def test_the_interval_has_the_level_it_is_asked_for() -> None:
    times, events = of_waltons()
    bounds = KaplanMeierFitter(alpha=0.2).fit(times, events).confidence_interval_
    interval = kaplan_meier(counted(times, events)).interval(40, level=0.8)
    assert interval is not None
    row = bounds[bounds.index <= 40].iloc[-1]
    assert (interval.low, interval.high) == (
        pytest.approx(row.iloc[0], abs=CLOSE),
        pytest.approx(row.iloc[1], abs=CLOSE),
    )
    assert (interval.level, interval.method) == (0.8, "log-log")


@pytest.mark.parametrize("data", [of_maven, of_waltons, of_rossi, of_lung], ids=["maven", "waltons", "rossi", "lung"])
def test_the_aalen_johansen_curves_are_those_of_lifelines_where_no_two_end_at_once(data: Any) -> None:
    """lifelines tells ties apart at random, so here each subject ends a little later than the one before it."""
    apart, codes, outcomes = without_ties(*data())
    found = aalen_johansen(outcomes)
    for cause in (1, 2):
        shares = AalenJohansenFitter(calculate_variance=False).fit(apart, codes, cause).cumulative_density_.iloc[1:, 0]
        assert list(found.survival.times) == list(shares.index)
        assert found.values[cause] == pytest.approx(list(shares), abs=CLOSE)


@pytest.mark.parametrize("data", [of_waltons, of_lung], ids=["waltons", "lung"])
def test_the_intervals_of_incidences_are_those_of_lifelines(data: Any) -> None:
    apart, codes, outcomes = without_ties(*data())
    found = aalen_johansen(outcomes)
    fitted = AalenJohansenFitter().fit(apart, codes, 1)
    bounds = fitted.confidence_interval_.iloc[1:]
    last = len(apart) - 1  # there lifelines divides by nobody left
    assert found.variance(1)[:last] == pytest.approx(list(fitted.variance_.iloc[1:])[:last], abs=CLOSE)
    seen = 0
    for place in range(0, last, 7):
        interval = found.interval(1, found.survival.times[place])
        if interval is not None:
            seen += 1
            assert [interval.low, interval.high] == pytest.approx(list(bounds.iloc[place]), abs=CLOSE)
    assert seen > 10


def without_ties(times: list[float], events: list[bool]) -> tuple[list[float], list[int], dict[float, Any]]:
    """Times of which no two are alike, two causes in turn, and both counted."""
    apart = [float(time) + place / 2**14 for place, time in enumerate(times)]
    codes = [(1 + place % 2) if event else 0 for place, event in enumerate(events)]
    return apart, codes, {time: {code or None: 1} for time, code in zip(apart, codes, strict=True)}


def test_the_curves_of_maven_are_those_computed_elsewhere() -> None:
    outcomes: dict[int, Counter[Hashable]] = defaultdict(Counter)
    for days, outcome in maven_ages():
        outcomes[days][outcome] += 1
    found = aalen_johansen(outcomes)
    assert found.survival.median == MAVEN["kaplan_meier_median_days_to_close"]
    for name, share in {
        "kaplan_meier_still_open": found.survival.at,
        "cumulative_incidence_won": lambda days: found.at("won", days),
        "cumulative_incidence_lost": lambda days: found.at("lost", days),
    }.items():
        for days, printed in MAVEN[name].items():
            assert as_printed(share(int(days)), printed) == printed


def by_hand(outcomes: Mapping[int, Mapping[Hashable, int]]) -> dict[int, tuple[Fraction, dict[Hashable, Fraction]]]:
    """Survival and incidences in exact fractions, straight from the definition."""
    found = {}
    survival, shares = Fraction(1), defaultdict(Fraction)  # type: ignore[var-annotated]
    for time in sorted(outcomes):
        risk = sum(n for later, counts in outcomes.items() if later >= time for n in counts.values())
        if risk == 0:
            break
        ended = 0
        for cause, n in outcomes[time].items():
            if cause is not None:
                shares[cause] += survival * Fraction(n, risk)
                ended += n
        survival *= 1 - Fraction(ended, risk)
        found[time] = survival, dict(shares)
    return found


@pytest.mark.law
@given(OUTCOMES)
def test_ties_are_counted_as_the_definition_says(outcomes: dict[int, dict[Hashable, int]]) -> None:
    found = aalen_johansen(outcomes)
    for time, (survival, shares) in by_hand(outcomes).items():
        assert found.survival.at(time) == pytest.approx(float(survival), abs=CLOSE)
        for cause, share in shares.items():
            assert found.at(cause, time) == pytest.approx(float(share), abs=CLOSE)


@pytest.mark.law
@given(OUTCOMES)
def test_survival_and_incidences_add_up_to_one_at_all_times(outcomes: dict[int, dict[Hashable, int]]) -> None:
    found = aalen_johansen(outcomes)
    for time in (-1, 0, 0.5, *found.survival.times, 1000):
        ended = sum(found.at(cause, time) for cause in found.causes)
        assert found.survival.at(time) + ended == pytest.approx(1, abs=CLOSE)
    for own in (*found.values.values(), [-value for value in found.survival.values]):
        assert all(before <= after for before, after in pairwise(own)), "no curve turns back"


@pytest.mark.law
@given(OUTCOMES)
def test_the_median_is_the_first_time_at_which_exactly_half_or_fewer_are_left(
    outcomes: dict[int, dict[Hashable, int]],
) -> None:
    exact = [time for time, (survival, _) in by_hand(outcomes).items() if survival <= Fraction(1, 2)]
    assert aalen_johansen(outcomes).survival.median == (exact[0] if exact else None)


@pytest.mark.law
@given(OUTCOMES, st.randoms(use_true_random=False))
def test_the_order_of_the_counts_plays_no_part(outcomes: dict[int, dict[Hashable, int]], random: Any) -> None:
    mixed = list(outcomes.items())
    random.shuffle(mixed)
    assert aalen_johansen(dict(mixed)).survival == aalen_johansen(outcomes).survival


@pytest.mark.parametrize("n", [2, 6, 10, 14, 98, 1000])
def test_exactly_half_is_the_median_however_many_steps_lead_there(n: int) -> None:
    assert kaplan_meier(dict.fromkeys(range(1, n + 1), (1, 0))).median == n // 2


def test_without_censoring_the_curve_is_the_share_that_is_left() -> None:
    curve = kaplan_meier({1: (1, 0), 2: (2, 0), 5: (1, 0)})
    assert curve.values == pytest.approx((0.75, 0.25, 0.0))
    assert curve.variance == pytest.approx((0.75 * 0.25 / 4, 0.25 * 0.75 / 4, 0.0))
    assert (curve.at(0.5), curve.at(1), curve.at(4.9), curve.at(99)) == pytest.approx((1.0, 0.75, 0.25, 0.0))


def test_a_median_that_is_never_reached_is_none() -> None:
    assert kaplan_meier({1: (1, 1), 2: (0, 8)}).median is None
    assert kaplan_meier({3: (0, 5)}).median is None


def test_where_nothing_is_uncertain_there_is_no_interval() -> None:
    curve = kaplan_meier({1: (0, 1), 2: (1, 1), 3: (1, 0)})
    assert [curve.interval(time) is None for time in (0, 1, 2, 3)] == [True, True, False, True]
    found = aalen_johansen({1: {None: 1}, 2: {"won": 1, "lost": 1}, 3: {"won": 1}})
    assert [found.interval("won", time) is None for time in (0, 1, 2, 3)] == [True, True, False, False]
    assert found.interval("never", 2) is None
    assert (found.at("never", 2), found.variance("never")) == (0.0, ())


def test_of_nothing_there_is_an_empty_curve() -> None:
    for nothing in (kaplan_meier({}), kaplan_meier({3: (0, 0)}), aalen_johansen({1: {"won": 0}}).survival):
        assert nothing == Curve()
        assert (nothing.n, nothing.n_events, nothing.n_censored, nothing.median) == (0, 0, 0, None)
        assert nothing.interval(3) is None


def test_those_who_end_at_once_count() -> None:
    assert kaplan_meier({0: (1, 0), 4: (0, 3)}).at(0) == 0.75


@pytest.mark.parametrize("time", [-1, -0.5, math.nan, math.inf, True, "三"])
def test_a_duration_that_is_none_is_refused(time: Any) -> None:
    for call in (lambda: kaplan_meier({time: (1, 0)}), lambda: aalen_johansen({time: {"won": 1}})):
        with pytest.raises(InvalidValue) as refused:
            call()
        assert refused.value.code == "negative_duration"


@pytest.mark.parametrize("number", [-1, 1.5, True, None])
def test_a_count_that_is_none_is_refused(number: Any) -> None:
    for call in (
        lambda: kaplan_meier({1: (number, 0)}),
        lambda: kaplan_meier({1: (0, number)}),
        lambda: aalen_johansen({1: {"won": number}}),
        lambda: aalen_johansen({1: {None: number}}),
    ):
        with pytest.raises(InvalidValue) as refused:
            call()
        assert refused.value.code == "negative_count"


def test_a_level_that_is_none_is_refused() -> None:
    for call in (
        lambda: kaplan_meier({1: (1, 1)}).interval(1, 95),
        lambda: aalen_johansen({1: {"won": 1, None: 1}}).interval("won", 1, 0.0),
    ):
        with pytest.raises(UsageError) as refused:
            call()
        assert refused.value.code == "bad_level"
