"""Opening time is counted by the calendar, not by the second, and is right when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values import business_hours
from crmkit.values.business_hours import BusinessHours

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = BusinessHours.weekdays(time(9), time(17), "Europe/Berlin", [date(2017, 12, 25), date(2017, 12, 26)])
ALWAYS = [[(time(0), time(0))]] * 7


def berlin(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=BERLIN)  # type: ignore[misc,arg-type]


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (berlin(2017, 3, 1, 10), berlin(2017, 3, 1, 12), 2),  # within one day
        (berlin(2017, 3, 1, 7), berlin(2017, 3, 1, 20), 8),  # around one day
        (berlin(2017, 3, 1, 18), berlin(2017, 3, 2, 8), 0),  # a night
        (berlin(2017, 3, 3, 16), berlin(2017, 3, 6, 10), 2),  # a weekend
        (berlin(2017, 3, 1, 16, 30), berlin(2017, 3, 2, 9, 15), 0.75),
        (berlin(2017, 3, 1, 9), berlin(2017, 3, 8, 9), 40),  # a week
        (berlin(2017, 12, 22, 9), berlin(2017, 12, 27, 17), 16),  # Christmas
        (berlin(2017, 3, 1, 12), berlin(2017, 3, 1, 12), 0),
        (berlin(2017, 3, 1, 12), berlin(2017, 2, 1, 12), 0),  # backwards
    ],
)
def test_only_opening_time_counts(start: datetime, end: datetime, expected: float) -> None:
    assert OFFICE.between(start, end) == hours(expected)


def test_the_zone_is_that_of_the_office_whatever_the_instants_are_told_in() -> None:
    start, end = berlin(2017, 3, 1, 8), berlin(2017, 3, 1, 11)
    assert OFFICE.between(start.astimezone(ZoneInfo("Asia/Shanghai")), end.astimezone(UTC)) == hours(2)


def test_several_pairs_a_day_leave_the_break_out() -> None:
    office = BusinessHours([[(time(9), time(12)), (time(13), time(17, 30))]] * 7)
    assert office.between(datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 1, 3, tzinfo=UTC)) == hours(15)


def test_an_office_that_never_closes_counts_every_second() -> None:
    shop = BusinessHours(ALWAYS, "Europe/Berlin")
    start, end = berlin(2011, 2, 3, 4, 5, 6), berlin(2017, 11, 12, 13, 14, 15)
    assert shop.between(start, end) == end.astimezone(UTC) - start.astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "expected"), [(date(2017, 3, 26), 23), (date(2017, 10, 29), 25), (date(2017, 10, 30), 24)]
)
def test_the_days_on_which_clocks_change_are_as_long_as_they_are(day: date, expected: int) -> None:
    shop = BusinessHours(ALWAYS, "Europe/Berlin")
    start = datetime.combine(day, time(0), BERLIN)
    for margin in (0, 3, 40):
        first, after = start - timedelta(days=margin), start + timedelta(days=1 + margin)
        around = (
            shop.between(first, after) - shop.between(first, start) - shop.between(start + timedelta(days=1), after)
        )
        assert around == hours(expected)


@pytest.mark.parametrize(
    ("opens", "closes", "spring", "autumn"),
    [
        (time(1), time(5), 3, 5),  # over the change
        (time(2, 30), time(5), 2, 3.5),  # opens at a time that is skipped in spring, and shown twice in autumn
        (time(1), time(2, 30), 1, 1.5),  # closes at such a time
        (time(2, 10), time(2, 50), 0, 2 / 3),
        (time(9), time(17), 8, 8),
    ],
)
def test_an_office_opens_and_closes_when_its_clock_first_shows_the_time(
    opens: time, closes: time, spring: float, autumn: float
) -> None:
    office = BusinessHours([[(opens, closes)]] * 7, "Europe/Berlin")
    for start, expected in ((berlin(2017, 3, 26), spring), (berlin(2017, 10, 29), autumn)):
        assert office.between(start, start + timedelta(days=1)) == hours(expected)


def test_a_midnight_that_is_skipped_begins_the_day_at_one() -> None:
    """In São Paulo, 15 October 2017 began at 01:00."""
    shop = BusinessHours([[(time(0), time(8))]] * 7, "America/Sao_Paulo")
    start = datetime(2017, 10, 14, 12, tzinfo=ZoneInfo("America/Sao_Paulo"))
    assert shop.between(start, start + timedelta(days=1)) == hours(7)


def test_a_ten_year_span_takes_steps_for_weeks_and_not_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """522 weeks, and the days of 20 changes of clocks; single days are looked at for those and for both ends only."""
    looked_at = []
    one_day = BusinessHours._on
    monkeypatch.setattr(
        BusinessHours, "_on", lambda self, day, *more: looked_at.append(day) or one_day(self, day, *more)
    )
    seen = []
    changes = business_hours._days_of_change

    def counted(*arguments: Any) -> Any:
        for day in changes(*arguments):
            seen.append(day)
            yield day

    monkeypatch.setattr(business_hours, "_days_of_change", counted)
    start, end = datetime(2007, 1, 1, tzinfo=UTC), datetime(2017, 1, 1, tzinfo=UTC)
    spent = OFFICE.between(start, end)
    assert len(seen) == 20
    assert len(looked_at) == 2 + 20
    weekdays = sum((start + timedelta(days=number)).weekday() < 5 for number in range((end - start).days))
    assert spent == hours(8 * weekdays)


@pytest.mark.parametrize(
    ("week", "why"),
    [
        ([[]] * 6, "six days"),
        ([[(time(9), time(9))]] + [[]] * 6, "no time"),
        ([[(time(17), time(9))]] + [[]] * 6, "backwards"),
        ([[(time(9), time(12)), (time(11), time(13))]] + [[]] * 6, "overlapping"),
        ([[(time(13), time(14)), (time(9), time(12))]] + [[]] * 6, "out of order"),
        ([[(time(9, tzinfo=UTC), time(12, tzinfo=UTC))]] + [[]] * 6, "with a zone"),
    ],
)
def test_hours_that_are_none_are_refused(week: Any, why: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        BusinessHours(week)
    assert refusal.value.code == "bad_hours", why


def test_a_zone_a_holiday_or_an_instant_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidValue) as zone:
        BusinessHours(ALWAYS, "Europe/Atlantis")
    with pytest.raises(InvalidValue) as holiday:
        BusinessHours(ALWAYS, holidays=[datetime(2017, 1, 1, tzinfo=UTC)])
    with pytest.raises(InvalidValue) as naive:
        OFFICE.between(datetime(2017, 1, 1), datetime(2017, 1, 2, tzinfo=UTC))
    assert (zone.value.code, holiday.value.code, naive.value.code) == ("unknown_zone", "not_a_date", "naive_datetime")


def test_the_end_of_all_days_is_refused_and_the_day_before_it_is_not() -> None:
    shop = BusinessHours(ALWAYS)
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert shop.between(last - timedelta(days=400), last - timedelta(days=1)) == timedelta(days=399)
    with pytest.raises(InvalidValue) as refusal:
        shop.between(last - timedelta(days=1), last + timedelta(hours=1))
    assert refusal.value.code == "out_of_range"


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Shanghai", "Australia/Lord_Howe"])
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2019, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@st.composite
def calendars(draw: st.DrawFn) -> BusinessHours:
    week = []
    for _ in range(7):
        cuts = sorted(draw(st.sets(st.integers(0, 95), max_size=4)))
        quarters = [time(cut // 4, cut % 4 * 15) for cut in cuts]
        week.append(list(zip(quarters[::2], quarters[1::2], strict=False)))
    holidays = draw(st.lists(st.dates(date(2010, 1, 1), date(2019, 1, 1)), max_size=3))
    return BusinessHours(week, draw(ZONES), holidays)


@pytest.mark.law
@given(calendars(), st.lists(MOMENTS, min_size=3, max_size=3))
def test_a_span_is_the_sum_of_its_parts(calendar: BusinessHours, moments: list[datetime]) -> None:
    first, middle, last = sorted(moments)
    whole = calendar.between(first, last)
    assert whole == calendar.between(first, middle) + calendar.between(middle, last)
    assert timedelta(0) <= whole <= last - first


@pytest.mark.law
@settings(max_examples=settings().max_examples // 2)
@given(calendars(), MOMENTS, st.integers(0, 40 * 24))
def test_opening_time_is_what_is_counted_minute_by_minute(
    calendar: BusinessHours, start: datetime, length: int
) -> None:
    """On days without a change of clocks, which are most, the wall clock tells whether it is open."""
    start = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    end = start + timedelta(hours=length)
    zone = ZoneInfo(calendar.zone)
    if start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        end = start
    open_quarters = 0
    moment = start
    while moment < end:
        local = moment.astimezone(zone)
        pairs = calendar.week[local.weekday()] if local.date() not in calendar.holidays else ()
        open_quarters += any(opens <= local.time() < closes for opens, closes in pairs)
        moment += timedelta(minutes=15)
    assert calendar.between(start, end) == open_quarters * timedelta(minutes=15)
