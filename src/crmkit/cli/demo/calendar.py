"""The clock by which the demo is loaded: it shows the days of the files, so that the past can be read as it was."""

from datetime import UTC, date, datetime, time, timedelta

__all__ = ["FIRST_DAY", "LAST_DAY", "SNAPSHOT", "Calendar", "batches", "noon"]

FIRST_DAY = date(2016, 10, 1)
"""When the demo's people are hired and its pipeline is set up."""
LAST_DAY = date(2017, 12, 31)
SNAPSHOT = datetime(2017, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The files' last day ends: what they say is known now, and nothing later."""

_TICK = timedelta(milliseconds=1)


class Calendar:
    """A clock that shows an evening of the day it was set to, a millisecond later at each look."""

    def __init__(self) -> None:
        self.set(FIRST_DAY)

    def set(self, day: date) -> None:
        """Turn to the evening of a day."""
        self._now = datetime.combine(day, time(18), UTC)

    def now(self) -> datetime:
        """The present, UTC."""
        present, self._now = self._now, self._now + _TICK
        return present


def batches() -> list[date]:
    """The days on which the reps enter what has happened: every Sunday, and the last of each month."""
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    return [day for day in days if day.weekday() == _SUNDAY or (day + timedelta(days=1)).day == 1]


_SUNDAY = 6


def noon(day: date) -> datetime:
    """What the files say happened on a day, happened at noon."""
    return datetime.combine(day, time(12), UTC)
