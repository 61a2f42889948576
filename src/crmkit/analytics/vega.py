"""Pictures and tables of results: Vega-Lite documents and HTML, made of plain data and without any library.

A document is a dict for ``json.dumps`` that any Vega-Lite 5 or 6 draws. Names come from whoever typed them: in
documents they are values only, never field names or expressions; in tables they are escaped. Who writes a document into
a page of his own has to escape it for where it stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

from crmkit.analytics.frame import Frame
from crmkit.analytics.metric import Metric
from crmkit.values import Money, Period

if TYPE_CHECKING:  # results draw themselves with what is here
    from crmkit.analytics.backtest import Backtest
    from crmkit.analytics.funnel import Funnel
    from crmkit.analytics.weighted import WeightedPipeline
    from crmkit.analytics.win_curve import WinCurve

__all__ = [
    "backtest",
    "backtest_table",
    "forecast",
    "forecast_table",
    "funnel",
    "funnel_table",
    "html_table",
    "win_curve",
    "win_curve_table",
]

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

Document = dict[str, Any]
Row = Mapping[str, Any]

_OUTCOMES = ("won", "open", "lost", "disqualified")
_COLOURS = ("#2a9d4e", "#b8c4ce", "#c8553d", "#8a6d9b")


# ------------------------------------------------------------------------------------------------------------- pictures


def funnel(result: "Funnel") -> Document:
    """Bars of the deals that reached each step, from the first stage to what was won, with figures on pointing."""
    rows = [
        {
            "step": f"{place}. {step.name}",
            "reached": _number(step.reached),
            "amount": _number(step.amount),
            "onward": None if step.onward is None else _number(step.onward),
            "overall": _number(step.overall),
        }
        for place, step in enumerate(result.steps, 1)
    ]
    across = {"x": _field("reached", "quantitative", "deals"), "y": _ordered("step")}
    tooltip = [
        _field("step", "nominal"),
        _field("reached", "quantitative"),
        _field("amount", "quantitative", f"amount, {result.frame.currency or 'no currency'}"),
        {**_field("onward", "quantitative", "to the next step"), "format": ".1%"},
        {**_field("overall", "quantitative", "of the first step"), "format": ".1%"},
    ]
    layers = [
        {"mark": {"type": "bar", "color": _COLOURS[0]}, "encoding": {**across, "tooltip": tooltip}},
        {
            "mark": {"type": "text", "align": "left", "dx": 4},
            "encoding": {**across, "text": _field("reached", "quantitative")},
        },
    ]
    return _document("Funnel", _subtitle(result.variant, result.n, result.frame, result.period), rows, layer=layers)


def win_curve(result: "WinCurve") -> Document:
    """The shares won, open, lost and disqualified by age, and a line at the naive win rate of closed deals alone."""
    points = result.points()
    rows = [
        {"days": point["days"], "outcome": outcome, "place": place, "share": point[outcome]}
        for point in points
        for place, outcome in enumerate(_OUTCOMES)
    ]
    areas = {
        "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.8},
        "encoding": {
            "x": _field("days", "quantitative", "days since creation"),
            "y": {**_field("share", "quantitative"), "axis": {"format": "%"}, "stack": "zero"},
            "color": {**_field("outcome", "nominal"), "scale": {"domain": list(_OUTCOMES), "range": list(_COLOURS)}},
            "order": _field("place", "quantitative"),
        },
    }
    naive = _number(result.naive_win_rate)
    line = {
        "data": {"values": [] if naive is None else [{"naive": naive, "label": "win rate of closed deals alone"}]},
        "mark": {"type": "rule", "strokeDash": [6, 4]},
        "encoding": {"y": _field("naive", "quantitative", "share"), "tooltip": _field("label", "nominal")},
    }
    subtitle = _subtitle("aalen_johansen", result.win_rate.n, result.frame, result.period)
    return _document("Win curve", subtitle, rows, layer=[areas, line])


def forecast(result: "WeightedPipeline") -> Document:
    """Bars of the weighted pipeline by month of expected close; what is overdue is a bar of its own before them."""
    rows = [
        {
            "month": _label(month.period),
            "kind": "expected",
            "amount": _number(month),
            "deals": month.n,
        }
        for month in result.months
    ]
    if result.overdue.n:
        rows.insert(
            0, {"month": "overdue", "kind": "overdue", "amount": _number(result.overdue), "deals": result.overdue.n}
        )
    frame = result.total.frame
    encoding = {
        "x": _ordered("month"),
        "y": _field("amount", "quantitative", f"weighted amount, {frame.currency or 'no currency'}"),
        "color": {
            **_field("kind", "nominal"),
            "scale": {"domain": ["expected", "overdue"], "range": [_COLOURS[0], _COLOURS[2]]},
        },
        "tooltip": [_field("month", "nominal"), _field("amount", "quantitative"), _field("deals", "quantitative")],
    }
    subtitle = _subtitle(result.total.variant, result.total.n, frame, result.total.period)
    return _document("Forecast by month", subtitle, rows, mark="bar", encoding=encoding)


def backtest(result: "Backtest") -> Document:
    """What was forecast on each past day beside what then happened."""
    rows = [
        {"as_of": row.frame.as_of.isoformat(), "period": row.period.label, "series": series, "amount": _amount(money)}
        for row in result.rows
        for series, money in (("forecast", row.forecast), ("actual", row.actual))
        if money is not None
    ]
    currency = result.bias.frame.currency or "no currency"
    encoding = {
        "x": _field("as_of", "temporal", "forecast made"),
        "y": _field("amount", "quantitative", f"amount, {currency}"),
        "color": {
            **_field("series", "nominal"),
            "scale": {"domain": ["forecast", "actual"], "range": ["#3b6ea5", _COLOURS[0]]},
        },
        "tooltip": [_field(name, "nominal") for name in ("as_of", "period", "series", "amount")],
    }
    subtitle = _subtitle(result.bias.name, result.bias.n, result.bias.frame, None)
    return _document("Backtest", subtitle, rows, mark={"type": "line", "point": True}, encoding=encoding)


def _document(title: str, subtitle: str, rows: Sequence[Row], **drawn: Any) -> Document:
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "subtitle": subtitle},
        "data": {"values": [dict(row) for row in rows]},
        "width": 600,
        **drawn,
    }


def _field(name: str, kind: str, title: str | None = None) -> dict[str, Any]:
    return {"field": name, "type": kind, "title": title or name}


def _ordered(name: str) -> dict[str, Any]:
    """A field in the order of the rows, not of the alphabet."""
    return {**_field(name, "ordinal"), "sort": None}


# --------------------------------------------------------------------------------------------------------------- tables


def funnel_table(result: "Funnel") -> str:
    """The steps as an HTML table."""
    return html_table(
        "Funnel: " + _subtitle(result.variant, result.n, result.frame, result.period),
        ("step", "deals", "amount", "to the next step", "of the first step", "lost"),
        (
            (
                step.name,
                _shown(step.reached),
                _shown(step.amount),
                "" if step.onward is None else _shown(step.onward),
                _shown(step.overall),
                str(step.outcomes.get("lost", 0)),
            )
            for step in result.steps
        ),
        result.excluded,
    )


def win_curve_table(result: "WinCurve") -> str:
    """The shares at some ages as an HTML table, and below them the figures beside the naive ones."""
    ages = [
        (f"{age} days", *(_shown(result.share(outcome, age)) for outcome in ("won", "open", "lost", "disqualified")))
        for age in (30, 60, 90, 180, 365)
    ]
    figures = [
        ("win rate in the end", _shown(result.win_rate), "of closed deals alone", _shown(result.naive_win_rate), ""),
        (
            "median days to close",
            _shown(result.median_days_to_close),
            "of closed deals alone",
            _shown(result.naive_median_days),
            "",
        ),
    ]
    return html_table(
        "Win curve: " + _subtitle("aalen_johansen", result.win_rate.n, result.frame, result.period),
        ("age", *_OUTCOMES),
        [*ages, *figures],
        result.win_rate.excluded,
    )


def forecast_table(result: "WeightedPipeline") -> str:
    """The months of a forecast as an HTML table, with the total, its spread, and what is overdue."""
    total = result.total
    rows = [(_label(month.period), _shown(month), str(month.n)) for month in result.months]
    rows += [
        ("total", _shown(total), str(total.n)),
        ("spread", _shown(result.spread), ""),
        ("overdue, not in the total", _shown(result.overdue), str(result.overdue.n)),
    ]
    return html_table(
        "Forecast: " + _subtitle(total.variant, total.n, total.frame, total.period),
        ("month", "weighted amount", "deals"),
        rows,
        total.excluded,
    )


def backtest_table(result: "Backtest") -> str:
    """The rows of a backtest as an HTML table, with mean error, mean absolute error and mean percentage error."""
    rows = [
        (
            row.frame.as_of.isoformat(),
            row.period.label,
            *(_text(money) for money in (row.forecast, row.actual, row.error)),
            "" if row.percentage is None else f"{float(row.percentage):+.1%}",
        )
        for row in result.rows
    ]
    means = ("mean", "", "", "", f"{_shown(result.bias)}, absolute {_shown(result.mae)}", _shown(result.mape))
    return html_table(
        "Backtest: " + _subtitle(result.bias.name, result.bias.n, result.bias.frame, None),
        ("as of", "period", "forecast", "actual", "error", "error of actual"),
        [*rows, means],
        result.bias.excluded,
    )


def html_table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], excluded: Mapping[str, int] | None = None
) -> str:
    """Texts as an HTML table, all of them escaped; below it what was left out and why."""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    left_out = ", ".join(f"{reason}: {number}" for reason, number in (excluded or {}).items())
    foot = f'<tfoot><tr><td colspan="{len(head)}">left out: {escape(left_out)}</td></tr></tfoot>' if left_out else ""
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr></thead>"
        f"<tbody>{body}</tbody>{foot}</table>"
    )


# -------------------------------------------------------------------------------------------------------------- figures


def _subtitle(variant: str, n: int, frame: Frame, period: Period | None) -> str:
    when = "" if period is None else f", {period.label}"
    return f"{variant}, n = {n}{when}, as of {frame.as_of.isoformat()}, {frame.zone}"


def _number(metric: Metric) -> float | int | None:
    return _amount(metric.value) if isinstance(metric.value, Money) else metric.value


def _amount(money: Money | None) -> float | None:
    return None if money is None else float(money.amount)


def _shown(metric: Metric) -> str:
    if metric.value is None:
        return "–"
    if isinstance(metric.value, Money):
        return _text(metric.value)
    if metric.unit == "ratio":
        return f"{metric.value:.1%}"
    return f"{metric.value:,.1f}" if isinstance(metric.value, float) else f"{metric.value:,}"


def _text(money: Money | None) -> str:
    return "–" if money is None else str(money.quantized())


def _label(period: Period | None) -> str:
    first: date | None = None if period is None else period.start
    return "" if first is None else f"{first.year:04}-{first.month:02}"
