"""Who was never answered waits still, and is not forgotten."""

import json
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.utils import qth_survival_time

from crmkit.errors import UsageError
from crmkit.features.metrics.figures.response import AttemptFact, LeadFact, ResponseTime, response_time, tally
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Period
from crmkit.values.business_hours import BusinessHours

MONDAY = datetime(2017, 3, 6, 9, tzinfo=UTC)
FRAME = Frame(as_of=MONDAY + timedelta(days=10))
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def asked(*waits: timedelta | None, at: datetime = MONDAY) -> tuple[list[LeadFact], list[AttemptFact]]:
    """Leads captured at one instant, each answered after a time or never."""
    leads = [LeadFact(id=number, captured_at=at) for number in range(len(waits))]
    calls = [AttemptFact(lead=number, at=at + wait) for number, wait in enumerate(waits) if wait is not None]
    return leads, calls


def made(leads: list[LeadFact], attempts: list[AttemptFact], frame: Frame = FRAME, **more: Any) -> ResponseTime:
    return response_time(leads, attempts, frame, **more)


def test_the_never_answered_are_censored_and_the_naive_mean_looks_best_without_them() -> None:
    """Of ten leads four were answered within an hour, and six never in ten days."""
    result = made(*asked(MINUTE, 5 * MINUTE, 10 * MINUTE, 44 * MINUTE, *[None] * 6))
    assert result.naive_mean.exact == Fraction(15, 24 * 60)
    assert (result.naive_mean.n, result.naive_mean.excluded) == (4, {"waiting": 6})
    assert (result.p50.value, result.p50.n, result.p50.censored) == (None, 10, 6)
    assert result.p50.notes == ("fewer than 50 of 100 were answered by the longest wait seen",)
    assert (result.within.numerator, result.within.denominator) == (2, 10)


def test_p50_and_p90_are_exact_days() -> None:
    result = made(*asked(*(number * MINUTE for number in range(1, 11))))
    assert result.p50.exact == Fraction(5, 24 * 60)
    assert result.p90.exact == Fraction(9, 24 * 60)
    assert result.p90.variant == "first_attempt_clock_time_p90"


def test_an_automatic_reply_is_no_answer() -> None:
    leads, _ = asked(None)
    robot = AttemptFact(lead=0, at=MONDAY + timedelta(seconds=2), automatic=True)
    person = AttemptFact(lead=0, at=MONDAY + 2 * DAY)
    assert made(leads, [robot]).p50.censored == 1
    assert made(leads, [robot, person]).p50.value == 2.0


def test_what_the_lead_sends_is_no_answer() -> None:
    leads, _ = asked(None)
    assert made(leads, [AttemptFact(lead=0, at=MONDAY + MINUTE, outbound=False)]).p50.censored == 1


def test_an_attempt_is_not_yet_a_contact() -> None:
    leads, calls = asked(MINUTE)
    reached = AttemptFact(lead=0, at=MONDAY + 3 * DAY, reached=True)
    assert made(leads, [*calls, reached], answer="attempt").p50.exact == Fraction(1, 24 * 60)
    assert made(leads, [*calls, reached], answer="contact").p50.value == 3.0
    assert made(leads, calls, answer="contact").p50.value is None


def test_the_first_attempt_since_the_capture_counts_and_none_before_it_or_after_now() -> None:
    leads, _ = asked(None)
    calls = [AttemptFact(lead=0, at=MONDAY + wait) for wait in (-DAY, 3 * DAY, DAY, 11 * DAY)]
    assert made(leads, calls).p50.value == 1.0
    assert made(leads, [calls[0], calls[3]]).p50.censored == 1
    for edge in (MONDAY, FRAME.as_of):
        assert made(leads, [AttemptFact(lead=0, at=edge)]).p50.censored == 0


def test_five_minutes_are_within_five_minutes_and_no_second_more() -> None:
    within = made(*asked(5 * MINUTE, 5 * MINUTE + timedelta(microseconds=1))).within
    assert (within.numerator, within.denominator) == (1, 2)
    assert within.variant == "first_attempt_clock_time_5_minutes"
    assert within.interval is not None


def test_leads_captured_too_recently_to_tell_are_left_out_of_the_share_and_counted() -> None:
    """One of three minutes ago is not late yet; that it was answered in one says nothing of the others."""
    leads, calls = asked(MINUTE, None, at=FRAME.as_of - 3 * MINUTE)
    result = made(leads, calls)
    assert (result.within.value, result.within.n, result.within.excluded) == (None, 0, {"too_recent": 2})
    assert result.p50.n == 2
    old = LeadFact(id="old", captured_at=MONDAY)
    among = made([*leads, old], calls).within
    assert (among.value, among.n, among.excluded) == (0.0, 1, {"too_recent": 2})


def test_business_time_runs_while_the_office_is_open() -> None:
    """Friday 16:50 to Monday 09:02 are twelve minutes of an office that is open from nine to five."""
    office = BusinessHours.weekdays(time(9), time(17))
    friday = datetime(2017, 3, 10, 16, 50, tzinfo=UTC)
    leads = [LeadFact(id="李", captured_at=friday)]
    calls = [AttemptFact(lead="李", at=datetime(2017, 3, 13, 9, 2, tzinfo=UTC))]
    assert made(leads, calls, hours=office).p50.exact == Fraction(12, 24 * 60)
    assert made(leads, calls, hours=office).p50.variant == "first_attempt_business_time_p50"
    assert made(leads, calls).p50.exact == Fraction(64 * 60 + 12, 24 * 60)
    assert made(leads, [], hours=office).curve.times == ((3 * 8 * 60 + 10) / (24 * 60),)


def test_only_leads_captured_in_the_period_count() -> None:
    leads, calls = asked(MINUTE, None)
    late = LeadFact(id="late", captured_at=FRAME.as_of + DAY)
    result = made([*leads, late], calls)
    assert result.p50.excluded == {"captured_after_as_of": 1}
    assert made(leads, calls, period=Period.month(2017, 2)).p50.excluded == {"outside_period": 2}
    assert made(leads, calls, period=Period.month(2017, 3)).p50.n == 2
    midnight, day = MONDAY.replace(hour=0), MONDAY.date()
    for edge, period in ((midnight, Period(day, day + DAY)), (midnight + DAY, Period(day + DAY, day + 2 * DAY))):
        lead = LeadFact(id="edge", captured_at=edge)
        assert made([lead], [], period=period).p50.n == 1
        assert made([lead], [], period=Period(period.start - DAY, period.start)).p50.n == 0


def test_of_no_leads_there_are_no_figures() -> None:
    result = made([], [])
    metrics = result.p50, result.p90, result.within, result.naive_mean
    assert [(metric.value, metric.n) for metric in metrics] == [(None, 0)] * 4


def test_members_are_listed_where_the_frame_asks() -> None:
    result = made(*asked(MINUTE, None), attrs.evolve(FRAME, members=True))
    assert result.p50.members == {"answered": (0,), "waiting": (1,)}


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError) as answer:
        made([], [], answer="thought")
    with pytest.raises(UsageError) as limit:
        made([], [], limit=-MINUTE)
    assert (answer.value.code, limit.value.code) == ("unknown_variant", "bad_limit")


def test_the_figures_are_json() -> None:
    told = json.loads(json.dumps(made(*asked(DAY, None)).to_dict()))
    assert (told["p50"]["value"], told["p90"]["value"], told["p90"]["censored"]) == (1.0, None, 1)


WAITS = st.lists(st.none() | st.integers(1, 9).map(lambda days: days * DAY), min_size=1, max_size=40)


@pytest.mark.law
@settings(max_examples=settings().max_examples // 2)
@given(WAITS)
def test_quantiles_are_those_of_lifelines(waits: list[timedelta | None]) -> None:
    fitter = KaplanMeierFitter().fit(
        [10 if wait is None else wait / DAY for wait in waits], [wait is not None for wait in waits]
    )
    result = made(*asked(*waits))
    assume(all(abs(value - tie) > 1e-9 for value in result.curve.values for tie in (0.5, 0.1)))
    for metric, left in ((result.p50, 0.5), (result.p90, 0.1)):
        theirs = qth_survival_time(left, fitter.survival_function_)
        assert metric.value == (None if theirs == float("inf") else theirs)


@pytest.mark.law
@given(WAITS, st.data())
def test_tallies_of_disjoint_leads_add_up_in_any_order(waits: list[timedelta | None], data: st.DataObject) -> None:
    leads, calls = asked(*waits)
    cut = data.draw(st.integers(0, len(leads)))
    frame = attrs.evolve(FRAME, members=True)
    whole = tally(data.draw(st.permutations(leads)), data.draw(st.permutations(calls)), frame)
    assert tally(leads[:cut], calls, frame) + tally(leads[cut:], calls, frame) == whole
