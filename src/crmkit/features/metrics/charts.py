"""Pictures of results: Vega-Lite documents, made of plain data and without any library.

A document is a dict for ``json.dumps`` that any Vega-Lite 5 or 6 draws. Names come from whoever typed them: in
documents they are values only, never field names or expressions. Who writes a document into a page of his own has to
escape it for where it stands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from crmkit.features.metrics.figures.funnel import Funnel
from crmkit.features.metrics.figures.win_curve import WinCurve
from crmkit.features.metrics.forecasts.backtest import Backtest
from crmkit.features.metrics.forecasts.weighted import WeightedPipeline
from crmkit.features.metrics.html_table import month_label, subtitle
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.values import Money

__all__ = ["backtest", "forecast", "funnel", "win_curve"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

Document = dict[str, Any]
Row = Mapping[str, Any]

_OUTCOMES = ("won", "open", "lost", "disqualified")
_COLOURS = ("#2a9d4e", "#b8c4ce", "#c8553d", "#8a6d9b")


# ------------------------------------------------------------------------------------------------------------- pictures


def funnel(result: Funnel) -> Document:
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
    return _document("Funnel", subtitle(result.variant, result.n, result.frame, result.period), rows, layer=layers)


def win_curve(result: WinCurve) -> Document:
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
    below = subtitle("aalen_johansen", result.win_rate.n, result.frame, result.period)
    return _document("Win curve", below, rows, layer=[areas, line])


def forecast(result: WeightedPipeline) -> Document:
    """Bars of the weighted pipeline by month of expected close; what is overdue is a bar of its own before them."""
    rows = [
        {
            "month": month_label(month.period),
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
    below = subtitle(result.total.variant, result.total.n, frame, result.total.period)
    return _document("Forecast by month", below, rows, mark="bar", encoding=encoding)


def backtest(result: Backtest) -> Document:
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
    below = subtitle(result.bias.name, result.bias.n, result.bias.frame, None)
    return _document("Backtest", below, rows, mark={"type": "line", "point": True}, encoding=encoding)


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


def _number(metric: Metric) -> float | int | None:
    return _amount(metric.value) if isinstance(metric.value, Money) else metric.value


def _amount(money: Money | None) -> float | None:
    return None if money is None else float(money.amount)
