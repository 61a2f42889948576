"""What metrics can be asked for: parameters that mean nothing are refused before anything is counted."""

import math
from datetime import timedelta
from typing import Any, TypeGuard, get_args

from crmkit.errors import UsageError
from crmkit.values import Money, Period
from crmkit.values.business_hours import BusinessHours
from crmkit.values.text import shown

__all__ = [
    "check_age",
    "check_hours",
    "check_limit",
    "check_mature",
    "check_money",
    "check_period",
    "is_number",
    "one_of",
]


def one_of(value: object, choices: Any, what: str) -> None:
    """Refuse what is not among the values of a ``Literal``: UsageError with code ``unknown_variant``."""
    names = get_args(choices)
    if value not in names:
        raise UsageError(
            f"there is no {what} {shown(value)}", code="unknown_variant", hint=f"one of {', '.join(names)}"
        )


def check_period(period: object) -> None:
    """Refuse what is neither a period nor None, which is all time: UsageError with code ``bad_period``."""
    if period is not None and not isinstance(period, Period):
        raise UsageError(
            f"{shown(period)} is no period",
            code="bad_period",
            field="period",
            hint="Period.month(2026, 3), Period.quarter(2026, 1), Period.year(2026), or None for all time",
        )


def check_money(amount: object, what: str) -> None:
    """Refuse what is not money: UsageError with code ``not_money``; ``what`` names the parameter."""
    if not isinstance(amount, Money):
        raise UsageError(f"{shown(amount)} is no {what}", code="not_money", field=what, hint='Money("12000", "EUR")')


def check_age(days: object) -> None:
    """Refuse what is no number of days from 0 up: UsageError with code ``bad_days``."""
    if not is_number(days) or not 0 <= days < math.inf:
        raise UsageError(f"{shown(days)} is no number of days", code="bad_days", field="days", hint="0 or more")


def check_mature(days: object) -> None:
    """Refuse what is no whole number of days from 0 up: UsageError with code ``bad_days``."""
    if type(days) is not int or days < 0:
        raise UsageError(f"{shown(days)} is no number of days", code="bad_days", hint="an int from 0 up")


def check_limit(limit: object) -> None:
    """Refuse what is no time, or less than none: UsageError with code ``bad_limit``."""
    if not isinstance(limit, timedelta) or limit < timedelta(0):
        told = limit if isinstance(limit, timedelta) else shown(limit)
        raise UsageError(f"{told} is no limit", code="bad_limit", field="limit", hint="such as timedelta(minutes=5)")


def check_hours(hours: object) -> None:
    """Refuse what are neither business hours nor None: UsageError with code ``bad_hours``."""
    if hours is not None and not isinstance(hours, BusinessHours):
        raise UsageError(
            f"{shown(hours)} are no hours", code="bad_hours", field="hours", hint="BusinessHours, or None for all day"
        )


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that can be compared, which a truth value is not meant to be."""
    return isinstance(value, int | float) and not isinstance(value, bool)
