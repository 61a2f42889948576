"""A clock that says what it is told."""

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """A clock that stands, or moves by ``tick`` each time it is read. ``CRM(..., clock=FakeClock())``.

    ``start`` is aware; UTC midnight of 2024-01-01 unless given.
    """

    def __init__(self, start: datetime = datetime(2024, 1, 1, tzinfo=UTC), tick: timedelta = timedelta(0)) -> None:
        self._now = start
        self._tick = tick

    def now(self) -> datetime:
        """The present, UTC."""
        present = self._now.astimezone(UTC)
        self._now += self._tick
        return present

    def move(self, *, days: int = 0, hours: int = 0, minutes: int = 0, seconds: int = 0) -> datetime:
        """Let time pass; returns the new present."""
        self._now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self._now.astimezone(UTC)
