"""Age, dwell and idle are three clocks, and none is read for another."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.figures.clocks import Dwell, age, dwell, elapsed, idle, is_rotten
from crmkit.features.metrics.tallies.frame import Frame
from tests.analytics.journeys import BID, FIT, FRAME, NEW, NOW, day, journey


def test_age_runs_since_creation_whatever_moved_since() -> None:
    deal, _ = journey("a", ("new", 0), ("fit", 30), ("bid", 99))
    assert age(deal, FRAME) == timedelta(days=100)


def test_dwell_tells_four_times_of_a_stage_a_deal_came_back_to() -> None:
    deal, spells = journey("a", ("new", 0), ("fit", 10), ("new", 15), ("bid", 40), ("new", 90))
    assert dwell(deal, spells, "new", FRAME) == Dwell(
        current=timedelta(days=10),
        latest=timedelta(days=25),
        first=timedelta(days=10),
        cumulative=timedelta(days=45),
    )
    assert dwell(deal, list(reversed(spells)), "new", FRAME) == dwell(deal, spells, "new", FRAME)


def test_a_stage_the_deal_left_has_no_current_dwell() -> None:
    deal, spells = journey("a", ("new", 0), ("fit", 10))
    assert dwell(deal, spells, "new", FRAME).current is None
    assert dwell(deal, spells, "fit", FRAME).latest is None


def test_a_closed_deal_dwells_nowhere() -> None:
    deal, spells = journey("a", ("new", 0), ("won", 10))
    assert dwell(deal, spells, "won", FRAME) == Dwell()
    assert dwell(deal, spells, "new", FRAME).cumulative == timedelta(days=10)


def test_a_stage_never_entered_has_no_dwell() -> None:
    deal, spells = journey("a", ("new", 0))
    assert dwell(deal, spells, "bid", FRAME) == Dwell()


def test_spells_of_another_deal_are_passed_over() -> None:
    deal, spells = journey("a", ("new", 50))
    _, others = journey("b", ("new", 0))
    assert dwell(deal, [*others, *spells], "new", FRAME).current == timedelta(days=50)


def test_an_edited_old_deal_is_not_rotten() -> None:
    """Created 100 days ago, in its stage for 60, and called yesterday: old, and by no means idle."""
    deal, spells = journey("a", ("new", 0), ("fit", 40))
    waited = idle(NOW - timedelta(days=1), FRAME)
    assert age(deal, FRAME) == timedelta(days=100)
    assert dwell(deal, spells, "fit", FRAME).current == timedelta(days=60)
    assert is_rotten(waited, FIT.idle_days) is False


def test_a_young_deal_may_be_rotten() -> None:
    """Imported today with a last contact of last month."""
    deal, _ = journey("a", ("new", 100))
    assert age(deal, FRAME) == timedelta(0)
    assert is_rotten(idle(NOW - timedelta(days=30), FRAME), NEW.idle_days) is True


@pytest.mark.parametrize(("seconds", "rotten"), [(-1, False), (0, True), (1, True)])
def test_a_deal_is_rotten_from_the_very_second_its_days_are_over(seconds: int, rotten: bool) -> None:
    waited = idle(NOW - timedelta(days=7, seconds=seconds), FRAME)
    assert is_rotten(waited, FIT.idle_days) is rotten


def test_whether_a_deal_is_rotten_cannot_be_said_without_a_contact_or_a_threshold() -> None:
    assert idle(None, FRAME) is None
    assert is_rotten(None, NEW.idle_days) is None
    assert is_rotten(timedelta(days=900), BID.idle_days) is None


def test_a_threshold_of_no_days_is_over_at_once() -> None:
    assert is_rotten(timedelta(0), 0) is True


def test_a_negative_threshold_is_refused() -> None:
    with pytest.raises(UsageError) as refusal:
        is_rotten(timedelta(0), -1)
    assert refusal.value.code == "bad_idle_days"


@pytest.mark.parametrize("later", [day(100.001), day(900)])
def test_what_happened_after_the_frame_is_refused(later: datetime) -> None:
    deal, _ = journey("a", ("new", 0))
    for ask in (lambda: idle(later, FRAME), lambda: age(attrs.evolve(deal, created_at=later), FRAME)):
        with pytest.raises(InvalidValue) as refusal:
            ask()
        assert refusal.value.code == "negative_duration"


def test_a_day_on_which_clocks_change_is_as_long_as_it_was() -> None:
    """Two midnights of Berlin, 23 hours apart; subtracting the datetimes themselves gives 24."""
    berlin = ZoneInfo("Europe/Berlin")
    first, after = datetime(2017, 3, 26, tzinfo=berlin), datetime(2017, 3, 27, tzinfo=berlin)
    assert elapsed(first, after) == timedelta(hours=23)


@pytest.mark.law
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=4000)),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/St_Johns", "Europe/Berlin"]),
)
def test_a_time_does_not_depend_on_the_zones_it_is_told_in(start: datetime, length: timedelta, name: str) -> None:
    begun = start.replace(tzinfo=UTC)
    frame = Frame(as_of=(begun + length).astimezone(ZoneInfo(name)))
    assert idle(begun.astimezone(ZoneInfo(name)), frame) == length
