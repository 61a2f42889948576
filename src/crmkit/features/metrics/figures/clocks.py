"""The three clocks of a deal, which are never mixed: age, dwell and idle.

Age runs since creation, dwell since the deal entered its stage, idle since the last contact that counts. An old deal
that was called yesterday is old and not idle; a young one may be idle. All times are differences of instants, exact to
the microsecond, whatever zones the instants are told in; a day of them has 86,400 seconds.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.tallies.facts import DealFact, Spell
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import to_micros

__all__ = ["Dwell", "age", "dwell", "elapsed", "idle", "is_rotten"]


@attrs.frozen(kw_only=True)
class Dwell:
    """The time a deal spent in one stage, told in four ways that differ once it came back (HubSpot's stage properties).

    ``current`` is the spell that lasts, until now; None if the deal is elsewhere or closed. ``latest`` is the last
    spell that has ended, None if none has. ``first`` is the first spell, until now while it lasts. ``cumulative`` is
    the sum of all, until now. ``first`` is None, and ``cumulative`` nothing, for a stage the deal was never in.
    """

    current: timedelta | None = None
    latest: timedelta | None = None
    first: timedelta | None = None
    cumulative: timedelta = timedelta(0)


def age(deal: DealFact, frame: Frame) -> timedelta:
    """The time since the deal was created, closed or not; no move, edit or contact restarts it.

    Raises InvalidValue with code ``negative_duration`` if it was created after the frame's instant.
    """
    return elapsed(deal.created_at, frame.as_of)


def dwell(deal: DealFact, spells: Iterable[Spell], stage: object, frame: Frame) -> Dwell:
    """The time the deal spent in the stage; spells of other deals and stages are passed over, their order is free.

    A deal that is closed dwells nowhere: a spell of it that has not ended gives no time.
    Raises InvalidValue with code ``negative_duration`` for a spell that ends before it begins or begins after the
    frame's instant; :func:`crmkit.features.metrics.tallies.faults.find_faults` names them beforehand.
    """
    own = [spell for spell in spells if spell.deal == deal.id and spell.stage == stage]
    own.sort(key=lambda spell: (to_micros(spell.entered), spell.left is None, to_micros(spell.left or spell.entered)))
    if deal.outcome != "open":
        own = [spell for spell in own if spell.left is not None]
    times = [(spell.left is None, elapsed(spell.entered, spell.left or frame.as_of)) for spell in own]
    ended = [time for lasts, time in times if not lasts]
    lasting = [time for lasts, time in times if lasts]
    return Dwell(
        current=lasting[-1] if lasting else None,
        latest=ended[-1] if ended else None,
        first=times[0][1] if times else None,
        cumulative=sum((time for _, time in times), timedelta(0)),
    )


def idle(last_contact: datetime | None, frame: Frame) -> timedelta | None:
    """The time since the last contact that counts; None says that there never was one.

    Which contacts count is the caller's to say. An edit of the record is none, and creation is none.
    Raises InvalidValue with code ``negative_duration`` for a contact after the frame's instant.
    """
    return None if last_contact is None else elapsed(last_contact, frame.as_of)


def is_rotten(idle: timedelta | None, idle_days: int | None) -> bool | None:
    """Whether a deal has been idle for its stage's ``idle_days`` or longer (Pipedrive's rotting).

    None where it cannot be said: the stage states no days, or there never was a contact. Age and dwell play no part.
    Raises UsageError with code ``bad_idle_days`` for a number below 0.
    """
    if idle_days is None or idle is None:
        return None
    if idle_days < 0:
        raise UsageError("a stage cannot wait less than no days", code="bad_idle_days", hint="state 0 or more")
    return idle >= timedelta(days=idle_days)


def elapsed(start: datetime, end: datetime) -> timedelta:
    """The time from one instant to another, exact also across changes of summer time.

    Raises InvalidValue with code ``negative_duration`` if ``end`` is before ``start``, and ``naive_datetime``.
    """
    # Subtracting two datetimes of one zone compares clocks on the wall, and forgets when they were changed.
    micros = to_micros(end) - to_micros(start)
    if micros < 0:
        raise InvalidValue(
            f"{end.isoformat()} is before {start.isoformat()}",
            code="negative_duration",
            hint="ask as of an instant after what happened, and leave impossible histories out",
        )
    return timedelta(microseconds=micros)
