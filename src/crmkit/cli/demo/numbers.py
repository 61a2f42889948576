"""The numbers a head of sales asks for: funnel, win curve, forecast, backtest, and whom to call."""

from typing import Any

from crmkit import CRM, Money, Period
from crmkit.cli.demo.calendar import SNAPSHOT
from crmkit.cli.demo.load import CURRENCY
from crmkit.cli.demo.people import HEAD, address_of
from crmkit.cli.demo.section import Section, money
from crmkit.cli.output import Column, Table
from crmkit.features.metrics.tallies.metric import Metric

__all__ = ["numbers"]

_AGES = (30, 60, 90, 120)
_MONTHS = 6
_MUCH = Money(50_000, CURRENCY)
_WORK = 5
_QUARTER = Period.quarter(2018, 1)


def numbers(crm: CRM) -> list[Section]:
    """A section for each; the numbers are read as of the last day of the files."""
    with crm.session(address_of(HEAD), as_of=SNAPSHOT) as me:
        found = [_funnel(me), _curve(me), _forecast(me), _backtest(me)]
    with crm.session(address_of(HEAD)) as me:
        return [*found, _worklist(me)]


def _funnel(me: Any) -> Section:
    found = me.metrics().funnel()
    columns = [Column("stage"), *(Column(name, right=True) for name in ("reached", "amount", "went on", "of all"))]
    rows = [
        (
            step.name,
            f"{step.reached.value:,}",
            money(step.amount.value),
            "" if step.onward is None else _percent(step.onward),
            _percent(step.overall),
        )
        for step in found.steps
    ]
    lines = (f"{found.n:,} deals, each once in every stage it reached ({found.variant}); lost ones are in it.",)
    return Section("funnel", "Funnel", lines, Table(columns, rows), found.to_dict())


def _curve(me: Any) -> Section:
    found = me.metrics(start="engaged_on").win_curve()
    naive, honest = found.naive_win_rate, found.win_rate
    lines = (
        f"Win rate of closed deals alone: {_percent(naive)}. By the age of the oldest deal, open ones counted as open:",
        f"{_percent(honest)}. Median days to close: {found.naive_median_days.value:g} of closed deals alone,",
        f"{found.median_days_to_close.value} when the {found.median_days_to_close.censored:,} open ones are counted.",
    )
    columns = [Column("days"), *(Column(name, right=True) for name in ("won", "lost", "open still"))]
    rows = [(days, *(_percent(found.share(what, days)) for what in ("won", "lost", "open"))) for days in _AGES]
    return Section("win_curve", "Win curve, beside the naive figure", lines, Table(columns, rows), found.to_dict())


def _forecast(me: Any) -> Section:
    weighted = me.metrics().weighted(_QUARTER)
    history = me.metrics().stage_forecast(_QUARTER)
    columns = [Column("forecast of 2018Q1"), *(Column(name, right=True) for name in ("value", "spread", "deals"))]
    rows = [
        ("by the stage's probability", money(weighted.total.value), money(weighted.spread.value), weighted.total.n),
        ("by what became of such deals", money(history.total.value), money(history.spread.value), history.total.n),
    ]
    lines = (
        f"Kept apart: {weighted.overdue.n:,} deals overdue, weighted {money(weighted.overdue.value)}.",
        f"Too little history: {', '.join(history.unknown) or 'none'}.",
    )
    return Section("forecast", "Forecast", lines, Table(columns, rows), weighted.to_dict())


def _backtest(me: Any) -> Section:
    found = me.metrics().backtest(_MONTHS)
    columns = [Column("month"), *(Column(name, right=True) for name in ("forecast then", "won", "error"))]
    rows = [(row.period.label, money(row.forecast), money(row.actual), money(row.error)) for row in found.rows]
    lines = (
        "What the same forecast said at the beginning of each month, of what was known then:",
        f"off by {_percent(found.mape)} of what was won. A deal nobody replans is overdue, and nobody replans these.",
    )
    return Section("backtest", "How wrong was that forecast?", lines, Table(columns, rows), found.to_dict())


def _worklist(me: Any) -> Section:
    found = me.segments.worklist(_MUCH, on="account", size=_WORK)
    columns = [Column("account"), Column("open deals", right=True), Column("last contact")]
    rows = [(item.record.name, money(item.value), item.last_contact) for item in found]
    lines = (f"Accounts with open deals of {money(_MUCH)} and more that nobody was in touch with for 30 days:",)
    return Section("worklist", "Whom to call", lines, Table(columns, rows))


def _percent(metric: Metric) -> str:
    return "unknown" if metric.value is None else f"{metric.value:.1%}"
