"""How long leads wait for the first answer of a person, with those who wait still.

The clock starts when the lead is captured and stops at the first outbound attempt of a person (or at the first that
reached somebody); an automatic reply is no answer. Leads nobody answered are censored, not dropped: the mean of those
answered looks best where most are forgotten. Source: J. Oldroyd's lead response study (2007), and Harvard Business
Review (March 2011) for the usual figures: median, 90th percentile, share within five minutes.
"""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Literal

import attrs

from crmkit.features.metrics.statistics.quantile import mean
from crmkit.features.metrics.statistics.survival import Curve, kaplan_meier
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_hours, check_limit, one_of
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered
from crmkit.features.metrics.tallies.shares import bounds_of, share
from crmkit.values import Period, from_micros, to_micros
from crmkit.values.business_hours import BusinessHours
from crmkit.values.clock import DAY_MICROS

__all__ = [
    "Answer",
    "AttemptFact",
    "LeadFact",
    "ResponseTally",
    "ResponseTime",
    "response_of",
    "response_time",
    "tally",
]

Answer = Literal["attempt", "contact"]

FIVE_MINUTES = timedelta(minutes=5)
# Shares are products of floats, and a tie is closer than this.
_NEAR = 1e-9


@attrs.frozen(kw_only=True)
class LeadFact:
    """Somebody who asked, and when."""

    id: Hashable
    captured_at: datetime


@attrs.frozen(kw_only=True)
class AttemptFact:
    """A call, message or visit that concerns a lead.

    ``automatic`` says that no person made it, ``outbound`` that it went to the lead, ``reached`` that it found
    somebody.
    """

    lead: Hashable
    at: datetime
    automatic: bool = False
    outbound: bool = True
    reached: bool = False


@attrs.frozen(kw_only=True)
class ResponseTally:
    """How many leads were answered, and how many wait still, after so many microseconds.

    ``waits`` is ``{microseconds: (answered, waiting)}``. Of the ``old`` leads, captured so long ago that the limit has
    passed, ``prompt`` were answered within it. ``parts`` are ``answered``, ``waiting`` and the reasons
    ``outside_period`` and ``captured_after_as_of``.
    """

    waits: Mapping[int, tuple[int, int]] = attrs.field(factory=dict)
    prompt: int = 0
    old: int = 0
    parts: Parts = attrs.field(factory=Parts)

    def __add__(self, other: "ResponseTally") -> "ResponseTally":
        if not isinstance(other, ResponseTally):
            return NotImplemented
        waits = dict(self.waits)
        for micros, (answered, waiting) in other.waits.items():
            before = waits.get(micros, (0, 0))
            waits[micros] = (before[0] + answered, before[1] + waiting)
        return ResponseTally(
            waits=waits, prompt=self.prompt + other.prompt, old=self.old + other.old, parts=self.parts + other.parts
        )


@attrs.frozen(kw_only=True)
class ResponseTime:
    """The figures, in days: ``p50`` and ``p90`` by Kaplan-Meier over all leads, None while too many wait.

    ``within`` is the share of all leads answered within the limit, except those captured too recently to tell.
    ``naive_mean`` is of answered leads alone. ``curve`` is the share still waiting by days.
    """

    curve: Curve
    p50: Metric
    p90: Metric
    within: Metric
    naive_mean: Metric

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name).to_dict() for name in ("p50", "p90", "within", "naive_mean")}


def response_time(
    leads: Iterable[LeadFact],
    attempts: Iterable[AttemptFact],
    frame: Frame,
    *,
    period: Period | None = None,
    answer: Answer = "attempt",
    hours: BusinessHours | None = None,
    limit: timedelta = FIVE_MINUTES,
) -> ResponseTime:
    """The response time of the leads captured in the period (None: ever). See :func:`tally`."""
    counted = tally(leads, attempts, frame, period=period, answer=answer, hours=hours, limit=limit)
    clock = "clock_time" if hours is None else "business_time"
    return response_of(counted, frame, variant=f"first_{answer}_{clock}", period=period, limit=limit)


def tally(
    leads: Iterable[LeadFact],
    attempts: Iterable[AttemptFact],
    frame: Frame,
    *,
    period: Period | None = None,
    answer: Answer = "attempt",
    hours: BusinessHours | None = None,
    limit: timedelta = FIVE_MINUTES,
) -> ResponseTally:
    """The time each lead waited for its first answer, or until now.

    ``answer``: the first outbound ``attempt`` of a person, or the first that reached somebody (``contact``). What was
    before the capture, or after the frame's instant, answers nothing. With ``hours`` only opening time counts.
    Raises UsageError with code ``unknown_variant``, ``bad_limit`` or ``bad_hours``.
    """
    one_of(answer, Answer, "answer")
    check_limit(limit)
    check_hours(hours)
    now, (first, after) = to_micros(frame.as_of), bounds_of(period, frame)
    captured = {lead.id: to_micros(lead.captured_at) for lead in leads}
    answers = _answers(attempts, captured, answer, now)
    parts = PartsFold(frame)
    waits: dict[int, tuple[int, int]] = {}
    prompt = old = 0
    most = limit // timedelta(microseconds=1)
    for lead, start in captured.items():
        if not first <= start < after:
            parts.add("outside_period", lead)
            continue
        if start > now:
            parts.add("captured_after_as_of", lead)
            continue
        answered = answers.get(lead)
        parts.add("waiting" if answered is None else "answered", lead)
        wait = _time(start, now if answered is None else answered, hours)
        before = waits.get(wait, (0, 0))
        waits[wait] = (before[0] + (answered is not None), before[1] + (answered is None))
        if _time(start, now, hours) >= most:
            old += 1
            prompt += answered is not None and wait <= most
    return ResponseTally(waits=waits, prompt=prompt, old=old, parts=parts.done())


def _answers(
    attempts: Iterable[AttemptFact], captured: Mapping[Hashable, int], answer: Answer, now: int
) -> dict[Hashable, int]:
    """When each lead was first answered."""
    found: dict[Hashable, int] = {}
    for attempt in attempts:
        if attempt.automatic or not attempt.outbound or (answer == "contact" and not attempt.reached):
            continue
        start, at = captured.get(attempt.lead), to_micros(attempt.at)
        if start is not None and start <= at <= now and at < found.get(attempt.lead, at + 1):
            found[attempt.lead] = at
    return found


def _time(start: int, end: int, hours: BusinessHours | None) -> int:
    if hours is None:
        return end - start
    return hours.between(from_micros(start), from_micros(end)) // timedelta(microseconds=1)


def response_of(
    tally: ResponseTally,
    frame: Frame,
    *,
    variant: str,
    period: Period | None = None,
    limit: timedelta = FIVE_MINUTES,
) -> ResponseTime:
    """The figures of a tally made with the same period and limit; ``variant`` says what answers, by which clock."""
    curve = kaplan_meier({micros / DAY_MICROS: ends for micros, ends in tally.waits.items()})
    common: dict[str, Any] = {
        "frame": frame,
        "period": covered(period, frame),
        "members": tally.parts.members(frame),
    }
    reasons = tally.parts.without("answered", "waiting")
    quantiles = {"excluded": reasons, "censored": tally.parts["waiting"], **common}
    too_recent = tally.parts["answered"] + tally.parts["waiting"] - tally.old
    minutes = limit / timedelta(minutes=1)
    naive = mean({micros: answered for micros, (answered, _) in tally.waits.items()})
    unanswered = {"waiting": tally.parts["waiting"]} if tally.parts["waiting"] else {}
    return ResponseTime(
        curve=curve,
        p50=_quantile(tally, curve, 50, variant, quantiles),
        p90=_quantile(tally, curve, 90, variant, quantiles),
        within=share(
            "response_within",
            f"{variant}_{minutes:g}_minutes",
            tally.prompt,
            tally.old,
            excluded={**reasons, "too_recent": too_recent} if too_recent else reasons,
            **common,
        ),
        naive_mean=Metric(
            name="response_time",
            variant=f"{variant}_answered_mean",
            unit="days",
            value=None if naive is None else float(naive / DAY_MICROS),
            exact=None if naive is None else naive / DAY_MICROS,
            n=tally.parts["answered"],
            excluded={**reasons, **unanswered},
            notes=("only leads that were answered: too low while others wait",) if unanswered else (),
            **common,
        ),
    )


def _quantile(tally: ResponseTally, curve: Curve, percent: int, variant: str, common: dict[str, Any]) -> Metric:
    """The first time by which so many of a hundred were answered."""
    left = 1 - percent / 100
    days = next((time for time, value in zip(curve.times, curve.values, strict=True) if value <= left + _NEAR), None)
    exact = None
    if days is not None:
        exact = next(Fraction(micros, DAY_MICROS) for micros in tally.waits if micros / DAY_MICROS == days)
    return Metric(
        name="response_time",
        variant=f"{variant}_p{percent}",
        unit="days",
        value=days,
        exact=exact,
        n=curve.n,
        notes=(f"fewer than {percent} of 100 were answered by the longest wait seen",)
        if curve.n and days is None
        else (),
        **common,
    )
