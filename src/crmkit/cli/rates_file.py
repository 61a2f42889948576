"""Exchange rates from a CSV file: ``from,to,first,rate``, one line for each rate, from its first day on."""

import csv
from datetime import date
from pathlib import Path

from crmkit.errors import InvalidValue, UsageError
from crmkit.values.rates import RateRow, Rates
from crmkit.values.text import shown

__all__ = ["rates_in"]

_COLUMNS = ["from", "to", "first", "rate"]


def rates_in(path: str, *, planned: bool = False) -> Rates:
    """The rates of a file, as ``planned`` ones for budgets or as those of the day.

    Raises UsageError (``cannot_read``, ``bad_rates_file``), and InvalidValue with the row as :class:`Rates` does.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        told = getattr(error, "strerror", None) or "it is no CSV in UTF-8"
        raise UsageError(f"{shown(path)} cannot be read: {told}", code="cannot_read", hint="name a CSV file") from error
    if not lines or lines[0] != _COLUMNS:
        raise UsageError(
            f"{shown(path)} is no file of rates",
            code="bad_rates_file",
            hint=f"begin it with the line {','.join(_COLUMNS)}",
        )
    rows = [_row(number, line) for number, line in enumerate(line for line in lines[1:] if line)]
    return Rates(budget=rows) if planned else Rates(rows)


def _row(number: int, line: list[str]) -> RateRow:
    try:
        source, target, first, rate = (cell.strip() for cell in line)
        return source, target, date.fromisoformat(first), rate
    except ValueError as error:
        raise InvalidValue(
            f"{shown(','.join(line))} is no rate", code="bad_rate", row=number, hint="such as USD,EUR,2026-01-01,0.9"
        ) from error
