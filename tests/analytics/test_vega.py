"""Documents that a Vega-Lite viewer draws, and tables that no name can break."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest

from crmkit.features.metrics import charts as vega
from crmkit.features.metrics.figures.funnel import Funnel, funnel
from crmkit.features.metrics.figures.win_curve import WinCurve, win_curve
from crmkit.features.metrics.forecasts.backtest import Backtest, Snapshot, backtest
from crmkit.features.metrics.forecasts.weighted import WeightedPipeline, weighted_pipeline
from crmkit.features.metrics.html_table import html_table
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.values import Money, Period
from tests.analytics.journeys import FRAME, STAGES, apart, eur, journey

DEALS, SPELLS = apart(
    [
        journey(1, ("new", 0), ("fit", 5), ("won", 30), amount=eur(100)),
        journey(2, ("new", 0), ("bid", 5), ("lost", 60), amount=eur(200)),
        journey(3, ("new", 0), amount=eur(400), probability=Fraction(1, 2), expected_close=date(2017, 5, 9)),
        journey(4, ("new", 9), amount=eur(50), probability=Fraction(1, 5), expected_close=date(2017, 6, 9)),
        journey(5, ("new", 9), amount=eur(90), probability=Fraction(1, 3), expected_close=date(2017, 3, 9)),
    ]
)
HOSTILE = "Bid <script>alert(1)</script>"


def a_funnel() -> Funnel:
    return funnel(Journeys.of(DEALS, SPELLS, STAGES, FRAME))


def a_curve() -> WinCurve:
    return win_curve(DEALS, FRAME)


def a_forecast() -> WeightedPipeline:
    return weighted_pipeline(DEALS, None, FRAME)


def a_backtest() -> Backtest:
    snapshots = [
        Snapshot(
            facts=eur(100 * month),
            frame=Frame(as_of=datetime(2017, month, 1, tzinfo=UTC)),
            period=Period.month(2017, month),
            actual=None if month == 3 else eur(150),
        )
        for month in (1, 2, 3)
    ]
    return backtest(snapshots, lambda facts, frame, period: facts, FRAME)


DOCUMENTS = {
    "funnel": lambda: vega.funnel(a_funnel()),
    "win curve": lambda: vega.win_curve(a_curve()),
    "forecast": lambda: vega.forecast(a_forecast()),
    "backtest": lambda: vega.backtest(a_backtest()),
    "funnel of nothing": lambda: vega.funnel(funnel(Journeys.of([], [], STAGES, FRAME))),
    "win curve of nothing": lambda: vega.win_curve(win_curve([], FRAME)),
    "forecast of nothing": lambda: vega.forecast(weighted_pipeline([], None, FRAME)),
    "backtest of nothing": lambda: vega.backtest(backtest([], lambda facts, frame, period: None, FRAME)),
}


def units(document: dict[str, Any], values: list[Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Each view that draws marks, with the data it draws."""
    values = document.get("data", {}).get("values", values)
    for layer in document.get("layer", ()):
        yield from units(layer, values)
    if "mark" in document:
        yield document, values


def channels(encoding: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for channel in encoding.values():
        yield from channel if isinstance(channel, list) else [channel]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_field_a_document_draws_is_in_its_data(name: str) -> None:
    document = DOCUMENTS[name]()
    drawn = list(units(document, []))
    assert drawn
    for view, values in drawn:
        kinds = {field["field"]: field["type"] for field in channels(view["encoding"])}
        assert set(kinds.values()) <= {"quantitative", "nominal", "ordinal", "temporal"}
        for row in values:
            assert set(kinds) <= set(row)
            for field, kind in kinds.items():
                if kind == "quantitative":
                    assert row[field] is None or isinstance(row[field], int | float)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_plain_json_of_a_known_schema(name: str) -> None:
    document = DOCUMENTS[name]()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
    assert set(document) <= {"$schema", "title", "data", "width", "mark", "encoding", "layer"}
    assert ("layer" in document) != ("mark" in document)


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if not name.endswith("nothing")])
def test_a_document_of_something_has_data(name: str) -> None:
    assert all(values for _, values in units(DOCUMENTS[name](), []))


def test_a_funnel_is_drawn_step_by_step_in_order() -> None:
    document = vega.funnel(a_funnel())
    rows = document["data"]["values"]
    assert [row["step"] for row in rows] == ["1. New", "2. 报价", f"3. {HOSTILE}", "4. Won"]
    assert [row["reached"] for row in rows] == [5, 2, 2, 1]
    assert [row["amount"] for row in rows] == [840.0, 300.0, 300.0, 100.0]
    assert rows[0]["onward"] == pytest.approx(0.4)
    assert document["layer"][0]["encoding"]["y"]["sort"] is None


def test_two_stages_of_one_name_are_two_bars() -> None:
    twins = tuple(attrs.evolve(stage, name="一样") for stage in STAGES)
    rows = vega.funnel(funnel(Journeys.of(DEALS, SPELLS, twins, FRAME)))["data"]["values"]
    assert len({row["step"] for row in rows}) == len(rows) == 4


def test_the_shares_of_a_win_curve_are_everybody_at_all_ages() -> None:
    by_day: dict[float, float] = {}
    for row in vega.win_curve(a_curve())["data"]["values"]:
        by_day[row["days"]] = by_day.get(row["days"], 0.0) + row["share"]
    assert min(by_day) == 0
    assert list(by_day.values()) == pytest.approx([1.0] * len(by_day))


def test_the_naive_win_rate_is_drawn_beside_the_curve() -> None:
    line = vega.win_curve(a_curve())["layer"][1]
    assert [row["naive"] for row in line["data"]["values"]] == [0.5]


def test_what_is_overdue_is_a_bar_of_its_own() -> None:
    rows = vega.forecast(a_forecast())["data"]["values"]
    assert [(row["month"], row["kind"], row["amount"]) for row in rows] == [
        ("overdue", "overdue", 30.0),
        ("2017-05", "expected", 200.0),
        ("2017-06", "expected", 10.0),
    ]


def test_a_month_without_an_actual_is_drawn_as_a_forecast_alone() -> None:
    rows = vega.backtest(a_backtest())["data"]["values"]
    assert [(row["period"], row["series"]) for row in rows if row["period"] == "2017-03"] == [("2017-03", "forecast")]
    assert len(rows) == 5


# --------------------------------------------------------------------------------------------------------------- tables


class Table(HTMLParser):
    """The tags of a page, and the texts of its cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag in ("td", "th", "caption"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data


TABLES = {
    "funnel": lambda: a_funnel()._repr_html_(),
    "win curve": lambda: a_curve()._repr_html_(),
    "forecast": lambda: a_forecast()._repr_html_(),
    "backtest": lambda: a_backtest()._repr_html_(),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_a_table_and_nothing_else(name: str) -> None:
    table = Table(TABLES[name]())
    assert set(table.tags) <= {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}
    columns = table.tags.count("th")
    body = TABLES[name]().partition("<tbody>")[2].partition("</tbody>")[0]
    assert all(row.count("<td>") == columns for row in body.split("</tr>")[:-1])


def test_a_hostile_name_is_a_text_in_its_cell() -> None:
    html = a_funnel()._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert HOSTILE in Table(html).cells
    assert "报价" in Table(html).cells


def test_a_hostile_zone_or_reason_is_escaped_too() -> None:
    html = html_table("<b>", ["<i>"], [['"><img src=x onerror=alert(1)>']], {"<u>": 1})
    assert Table(html).tags == ["table", "caption", "thead", "tr", "th", "tbody", "tr", "td", "tfoot", "tr", "td"]
    assert Table(html).cells == ["<b>", "<i>", '"><img src=x onerror=alert(1)>', "left out: <u>: 1"]


def test_a_table_says_what_was_left_out_and_shows_money_as_money() -> None:
    cells = Table(a_forecast()._repr_html_()).cells
    assert "210.00 EUR" in cells
    assert any(cell.startswith("left out: lost: 1, overdue: 1, won: 1") for cell in cells)


def test_a_figure_without_a_value_is_a_dash() -> None:
    cells = Table(funnel(Journeys.of([], [], STAGES, FRAME))._repr_html_()).cells
    assert "–" in cells
    assert "None" not in cells


def test_a_funnel_in_another_currency_says_so() -> None:
    deal = DealFact(id="a", outcome="open", created_at=FRAME.as_of, amount=Money(5, "CNY"), stage="new")
    _, spells = journey("a", ("new", 100))
    document = vega.funnel(funnel(Journeys.of([deal], spells, STAGES, FRAME)))
    assert "amount, CNY" in json.dumps(document)


def test_a_result_shows_as_a_table_in_notebooks() -> None:
    assert a_curve()._repr_html_().startswith("<table><caption>Win curve: aalen_johansen")
    assert a_forecast()._repr_html_().startswith("<table><caption>Forecast: ")
