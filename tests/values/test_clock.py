"""Instants, days and zones."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.values.clock import (
    SystemClock,
    days_before,
    from_days,
    from_micros,
    local_date,
    to_days,
    to_micros,
    zone,
)

ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu"]
FIRST = -62_135_596_800_000_000
LAST = 253_402_300_799_999_999
IN_ANY_ZONE = st.datetimes(
    min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.sampled_from(ZONES).map(ZoneInfo)
)


class Timeless(tzinfo):
    """A zone that does not know its offset, which makes a datetime naive."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None


def test_the_system_clock_tells_an_aware_instant_in_utc_that_does_not_go_back() -> None:
    clock = SystemClock()
    one, other = clock.now(), clock.now()
    assert one.tzinfo is UTC
    assert one <= other
    assert abs(other - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("moment", "micros"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(1, 1, 1, tzinfo=UTC), FIRST),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), LAST),
        (datetime(1970, 1, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai")), 0),
        (datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=-5))), 5 * 3_600_000_000),
    ],
)
def test_an_instant_is_its_microseconds_since_1970(moment: datetime, micros: int) -> None:
    assert to_micros(moment) == micros
    assert from_micros(micros) == moment


@given(st.integers(FIRST, LAST))
@example(FIRST)
@example(LAST)
@pytest.mark.law
def test_microseconds_come_back_exactly(micros: int) -> None:
    moment = from_micros(micros)
    assert to_micros(moment) == micros
    assert moment.utcoffset() == timedelta(0)


@given(IN_ANY_ZONE)
@pytest.mark.law
def test_an_instant_of_any_zone_comes_back_as_the_same_instant(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment.astimezone(UTC)


@given(IN_ANY_ZONE, IN_ANY_ZONE)
@pytest.mark.law
def test_microseconds_are_ordered_as_the_instants_are(one: datetime, other: datetime) -> None:
    assert (to_micros(one) < to_micros(other)) == (one.astimezone(UTC) < other.astimezone(UTC))


def test_of_an_hour_that_happens_twice_both_sides_are_told_apart() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    early = datetime(2024, 10, 27, 2, 30, tzinfo=berlin)
    assert to_micros(early.replace(fold=1)) - to_micros(early) == 3_600_000_000


@pytest.mark.parametrize("moment", [datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=Timeless())])
def test_a_naive_datetime_is_refused_everywhere(moment: datetime) -> None:
    utc = ZoneInfo("UTC")
    for refusing in (to_micros, lambda m: days_before(m, 1, utc), lambda m: local_date(m, utc)):
        with pytest.raises(InvalidValue) as refused:
            refusing(moment)
        assert refused.value.code == "naive_datetime"
        assert refused.value.problems[0].hint


@pytest.mark.parametrize("value", [date(2024, 1, 1), 0, "2024-01-01", None, timedelta(1)])
def test_what_is_no_datetime_is_refused(value: object) -> None:
    for refusing in (to_micros, lambda m: local_date(m, ZoneInfo("UTC"))):
        with pytest.raises(InvalidValue) as refused:
            refusing(value)  # type: ignore[arg-type]
        assert refused.value.code == "not_a_datetime"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_an_instant_outside_the_years_1_to_9999_in_utc_is_refused(moment: datetime) -> None:
    with pytest.raises(InvalidValue) as refused:
        to_micros(moment)
    assert refused.value.code == "out_of_range"


@pytest.mark.parametrize("micros", [FIRST - 1, LAST + 1, 2**63, -(2**63), pytest.param(10**5000, id="huge")])
def test_microseconds_outside_the_years_1_to_9999_are_refused(micros: int) -> None:
    with pytest.raises(InvalidValue) as refused:
        from_micros(micros)
    assert refused.value.code == "out_of_range"


@pytest.mark.parametrize("value", [1.0, True, "1", None, float("nan")])
def test_only_an_integer_is_a_number_of_microseconds_or_days(value: object) -> None:
    for refusing in (from_micros, from_days):
        with pytest.raises(InvalidValue) as refused:
            refusing(value)  # type: ignore[arg-type]
        assert refused.value.code == "not_an_integer"


@given(st.dates())
@example(date.min)
@example(date.max)
@pytest.mark.law
def test_days_come_back_exactly(day: date) -> None:
    assert from_days(to_days(day)) == day
    assert to_days(day) == (day - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    "days",
    [
        to_days(date.min) - 1,
        to_days(date.max) + 1,
        pytest.param(10**5000, id="huge"),
        pytest.param(-(10**5000), id="huge below zero"),
    ],
)
def test_days_outside_the_years_1_to_9999_are_refused(days: int) -> None:
    with pytest.raises(InvalidValue) as refused:
        from_days(days)
    assert refused.value.code == "out_of_range"


@pytest.mark.parametrize("value", [datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01", 0, None])
def test_a_datetime_is_not_a_date(value: object) -> None:
    with pytest.raises(InvalidValue) as refused:
        to_days(value)  # type: ignore[arg-type]
    assert refused.value.code == "not_a_date"


@pytest.mark.parametrize("name", [*ZONES, "Etc/GMT+8", "America/Argentina/Buenos_Aires", "GMT0", "Etc/UTC"])
def test_a_zone_is_found_by_its_name(name: str) -> None:
    assert zone(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "America",
        "../../etc/passwd",
        "Europe/../Europe/Berlin",
        "/etc/localtime",
        "localtime",
        "posixrules",
        "posix/UTC",
        "right/UTC",
        "zone.tab",
        "tzdata.zi",
        "leapseconds",
        "UTC\x00",
        "UTC\n",
        " UTC",
        "\ud800",
        "亚洲/上海",
        pytest.param("A" * 10_000, id="long"),
        pytest.param("a/" * 5000, id="deep"),
        None,
        8,
        b"UTC",
    ],
)
def test_what_names_no_zone_is_refused(name: object) -> None:
    with pytest.raises(InvalidValue) as refused:
        zone(name)  # type: ignore[arg-type]
    assert refused.value.code == "unknown_zone"
    assert len(str(refused.value)) < 300


def test_days_before_keeps_the_time_on_the_wall_across_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moment = datetime(2024, 4, 1, 9, tzinfo=berlin)
    before = days_before(moment, 1, berlin)
    assert before == datetime(2024, 3, 31, 7, tzinfo=UTC)
    assert days_before(moment, 2, berlin) == datetime(2024, 3, 30, 8, tzinfo=UTC)
    assert before.tzinfo is UTC


def test_a_wall_time_that_was_skipped_is_read_with_the_offset_before() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moment = datetime(2024, 4, 1, 2, 30, tzinfo=berlin)
    assert days_before(moment, 1, berlin) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


def test_no_days_before_is_the_instant_itself_also_in_an_hour_that_happens_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for fold in (0, 1):
        moment = datetime(2024, 10, 27, 2, 30, fold=fold, tzinfo=berlin)
        assert days_before(moment, 0, berlin) == moment.astimezone(UTC)


@given(st.integers(FIRST // 2, LAST // 2).map(from_micros), st.integers(-5000, 5000), st.sampled_from(ZONES))
@pytest.mark.law
def test_days_before_goes_back_that_many_days_on_the_calendar(moment: datetime, days: int, name: str) -> None:
    tz = ZoneInfo(name)
    there = days_before(moment, days, tz)
    # A skipped wall time lies at most one hour later, which can be past midnight.
    assert (local_date(moment, tz) - local_date(there, tz)).days in (days, days - 1)
    assert abs((moment - there) - timedelta(days=days)) < timedelta(hours=13)


@pytest.mark.parametrize("days", [10_000 * 366, -10_000 * 366, 10**12, -(10**12), pytest.param(10**5000, id="huge")])
def test_days_before_the_year_1_or_after_9999_are_refused(days: int) -> None:
    with pytest.raises(InvalidValue) as refused:
        days_before(datetime(2024, 1, 1, tzinfo=UTC), days, ZoneInfo("Asia/Shanghai"))
    assert refused.value.code == "out_of_range"


def test_the_day_of_an_instant_depends_on_the_zone() -> None:
    moment = datetime(2024, 2, 29, 17, tzinfo=UTC)
    assert local_date(moment, ZoneInfo("Asia/Shanghai")) == date(2024, 3, 1)
    assert local_date(moment, ZoneInfo("America/New_York")) == date(2024, 2, 29)


@pytest.mark.parametrize(("micros", "name"), [(FIRST, "America/New_York"), (LAST, "Asia/Shanghai")])
def test_an_instant_without_a_day_in_the_zone_is_refused(micros: int, name: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        local_date(from_micros(micros), ZoneInfo(name))
    assert refused.value.code == "out_of_range"
