"""Spans of days in a zone."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.clock import local_date, zone
from crmkit.values.period import Period

ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Pacific/Kiritimati"]
STEPS: list[Literal["day", "month", "quarter"]] = ["day", "month", "quarter"]


def periods(longest: int) -> st.SearchStrategy[Period]:
    """Periods of 1 to ``longest`` days."""
    return st.builds(
        lambda start, days, zone: Period(start, start + timedelta(days=days), zone),
        st.dates(date(2, 1, 1), date(9990, 1, 1)),
        st.integers(1, longest),
        st.sampled_from(ZONES),
    )


PERIODS = periods(1200)


@pytest.mark.parametrize(
    ("period", "start", "end", "label", "days"),
    [
        (Period.month(2017, 3), date(2017, 3, 1), date(2017, 4, 1), "2017-03", 31),
        (Period.month(2016, 2), date(2016, 2, 1), date(2016, 3, 1), "2016-02", 29),
        (Period.month(2017, 12), date(2017, 12, 1), date(2018, 1, 1), "2017-12", 31),
        (Period.quarter(2017, 1), date(2017, 1, 1), date(2017, 4, 1), "2017Q1", 90),
        (Period.quarter(2017, 4), date(2017, 10, 1), date(2018, 1, 1), "2017Q4", 92),
        (Period.quarter(2017, 4, fiscal_start=4), date(2018, 1, 1), date(2018, 4, 1), "2018Q1", 90),
        (Period.quarter(2017, 1, fiscal_start=2), date(2017, 2, 1), date(2017, 5, 1), "2017-02-01/2017-05-01", 89),
        (Period.year(2017), date(2017, 1, 1), date(2018, 1, 1), "2017", 365),
        (Period.year(2017, fiscal_start=4), date(2017, 4, 1), date(2018, 4, 1), "2017-04-01/2018-04-01", 365),
        (Period.year(1), date(1, 1, 1), date(2, 1, 1), "0001", 365),
        (Period(date(2017, 1, 1), date(2017, 2, 15)), date(2017, 1, 1), date(2017, 2, 15), "2017-01-01/2017-02-15", 45),
        (Period(date(2017, 3, 5), date(2017, 3, 6)), date(2017, 3, 5), date(2017, 3, 6), "2017-03-05", 1),
    ],
)
def test_a_period_has_the_days_its_name_says(period: Period, start: date, end: date, label: str, days: int) -> None:
    assert (period.start, period.end, period.label, period.days) == (start, end, label, days)
    assert period.zone == "UTC"


@given(PERIODS)
@example(Period.year(2017))
@example(Period.quarter(2017, 3))
@example(Period.month(2017, 8))
@example(Period(date(2017, 8, 15), date(2017, 8, 16)))
@example(Period(date(2017, 8, 1), date(2017, 8, 15), "Asia/Shanghai"))
def test_a_period_is_read_as_it_is_written(period: Period) -> None:
    assert Period.parse(period.label, period.zone) == period


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not_a_period"),
        (None, "not_a_period"),
        (2017, "not_a_period"),
        ("last year", "not_a_period"),
        ("２０１７", "not_a_period"),
        ("2017Q5", "out_of_range"),
        ("2017-13", "out_of_range"),
        ("0000", "out_of_range"),
        ("2017-02-30", "not_a_period"),
        ("9999-12-31", "not_a_period"),
        ("2017-08-02/2017-08-02", "empty_period"),
    ],
)
def test_a_text_that_is_no_period_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Period.parse(text)
    assert refused.value.code == code
    assert refused.value.problems[0].hint


@pytest.mark.parametrize("fiscal_start", range(1, 13))
def test_four_quarters_are_a_year(fiscal_start: int) -> None:
    quarters = [Period.quarter(2017, n, fiscal_start=fiscal_start) for n in (1, 2, 3, 4)]
    year = Period.year(2017, fiscal_start=fiscal_start)
    assert year.split("quarter", fiscal_start=fiscal_start) == tuple(quarters)
    assert len(year.split("month")) == 12


@given(PERIODS, st.sampled_from(STEPS), st.integers(1, 12))
@pytest.mark.law
def test_the_parts_of_a_period_follow_on_each_other_and_make_it_up(
    period: Period, step: Literal["day", "month", "quarter"], fiscal_start: int
) -> None:
    parts = period.split(step, fiscal_start)
    assert parts[0].start == period.start
    assert parts[-1].end == period.end
    assert all(one.end == other.start for one, other in pairwise(parts))
    assert {part.zone for part in parts} == {period.zone}
    assert sum(part.days for part in parts) == period.days
    if step == "day":
        assert all(part.days == 1 for part in parts)
    else:
        assert all(part.start.day == 1 for part in parts[1:])
    if step == "quarter":
        assert all((part.start.month - fiscal_start) % 3 == 0 for part in parts[1:])


def test_the_first_and_the_last_part_are_cut_off() -> None:
    parts = Period(date(2017, 1, 20), date(2017, 4, 2)).split("month")
    assert [part.label for part in parts] == ["2017-01-20/2017-02-01", "2017-02", "2017-03", "2017-04-01"]


def test_a_period_that_ends_with_the_calendar_can_be_split() -> None:
    last = Period(date(9999, 11, 30), date.max)
    for step in STEPS:
        assert last.split(step)[-1].end == date.max


@given(PERIODS, st.integers(-40, 1240), st.integers(0, 86_399))
@example(Period(date(2017, 10, 15), date(2017, 10, 16), "America/Sao_Paulo"), 0, 3 * 3600)
@pytest.mark.law
def test_an_instant_is_in_a_period_exactly_when_its_day_in_the_zone_is(period: Period, day: int, second: int) -> None:
    moment = datetime.combine(period.start, datetime.min.time(), UTC) + timedelta(days=day, seconds=second)
    assert period.contains(moment) == period.contains(local_date(moment, zone(period.zone)))
    assert period.contains(moment) == period.contains(moment.astimezone(zone("Asia/Shanghai")))


@given(PERIODS)
@pytest.mark.law
def test_a_period_has_its_first_instant_and_not_the_one_after_its_last(period: Period) -> None:
    first, after = period.instants()
    instant = timedelta(microseconds=1)
    assert first.tzinfo is after.tzinfo is UTC
    assert period.contains(first)
    assert period.contains(after - instant)
    assert not period.contains(after)
    assert not period.contains(first - instant)
    assert period.contains(period.start)
    assert not period.contains(period.end)


@given(periods(99), st.sampled_from(STEPS))
@pytest.mark.law
def test_no_instant_is_lost_between_two_parts(period: Period, step: Literal["day", "month", "quarter"]) -> None:
    bounds = [part.instants() for part in period.split(step)]
    assert all(one[1] == other[0] for one, other in pairwise(bounds))
    assert (bounds[0][0], bounds[-1][1]) == period.instants()


def test_midnight_is_that_of_the_zone_and_the_season() -> None:
    assert Period.month(2024, 3, zone="Europe/Berlin").instants() == (
        datetime(2024, 2, 29, 23, tzinfo=UTC),
        datetime(2024, 3, 31, 22, tzinfo=UTC),
    )
    assert Period.month(2024, 3, zone="Asia/Shanghai").instants()[0] == datetime(2024, 2, 29, 16, tzinfo=UTC)


def test_a_day_without_a_midnight_begins_when_the_clock_is_put_on() -> None:
    day = Period(date(2017, 10, 15), date(2017, 10, 16), "America/Sao_Paulo")
    first, after = day.instants()
    assert first == datetime(2017, 10, 15, 3, tzinfo=UTC)
    assert after - first == timedelta(hours=23)


def test_days_have_23_or_25_hours_when_summer_time_changes() -> None:
    lengths = []
    for day in (date(2024, 3, 31), date(2024, 10, 27), date(2024, 6, 1)):
        first, after = Period(day, day + timedelta(days=1), "Europe/Berlin").instants()
        lengths.append((after - first) // timedelta(hours=1))
    assert lengths == [23, 25, 24]


def test_a_period_cannot_be_changed_and_equal_ones_are_one() -> None:
    period = Period.month(2017, 3)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        period.start = date(2017, 1, 1)  # type: ignore[misc]
    assert len({period, Period(date(2017, 3, 1), date(2017, 4, 1))}) == 1
    assert period != Period.month(2017, 3, zone="Asia/Shanghai")


@pytest.mark.parametrize(
    ("start", "end", "zone_name", "code"),
    [
        (date(2017, 1, 1), date(2017, 1, 1), "UTC", "empty_period"),
        (date(2017, 1, 2), date(2017, 1, 1), "UTC", "empty_period"),
        (datetime(2017, 1, 1, tzinfo=UTC), date(2018, 1, 1), "UTC", "not_a_date"),
        (date(2017, 1, 1), datetime(2018, 1, 1, tzinfo=UTC), "UTC", "not_a_date"),
        (date(2017, 1, 1), None, "UTC", "not_a_date"),
        (date(2017, 1, 1), date(2018, 1, 1), "../etc", "unknown_zone"),
        (date(2017, 1, 1), date(2018, 1, 1), "", "unknown_zone"),
    ],
)
def test_what_is_no_period_is_refused(start: date, end: date, zone_name: str, code: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Period(start, end, zone_name)
    assert refused.value.code == code
    assert refused.value.problems[0].hint


@pytest.mark.parametrize(
    "make",
    [
        lambda: Period.month(2017, 0),
        lambda: Period.month(2017, 13),
        lambda: Period.month(2017, True),
        lambda: Period.month(0, 1),
        lambda: Period.month(9999, 12),
        lambda: Period.month(2017.0, 1),
        lambda: Period.month(10**5000, 1),
        lambda: Period.quarter(2017, 5),
        lambda: Period.quarter(2017, 1, fiscal_start=13),
        lambda: Period.year(9999),
        lambda: Period.year(2017, fiscal_start=0),
        lambda: Period.year(2017).split("quarter", fiscal_start=0),
        lambda: Period(date.min, date(2, 1, 1), "Asia/Shanghai").instants(),
        lambda: Period(date(9999, 1, 1), date.max, "UTC").contains(
            datetime.max.replace(tzinfo=zone("America/New_York"))
        ),
    ],
)
def test_months_quarters_and_years_outside_the_calendar_are_refused(make: object) -> None:
    with pytest.raises(InvalidValue) as refused:
        make()  # type: ignore[operator]
    assert refused.value.code == "out_of_range"


def test_a_naive_datetime_is_in_no_period_and_in_none_not() -> None:
    period = Period.year(2017)
    for moment, code in [(datetime(2017, 5, 1), "naive_datetime"), ("2017-05-01", "not_a_date"), (None, "not_a_date")]:
        with pytest.raises(InvalidValue) as refused:
            period.contains(moment)  # type: ignore[arg-type]
        assert refused.value.code == code


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(InvalidValue) as refused:
        Period.year(2017).split("week")  # type: ignore[arg-type]
    assert refused.value.code == "unknown_step"
