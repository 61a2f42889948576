"""``crmkit metrics NAME``: tables, JSON, CSV, charts and refusals."""

import csv
import io
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from crmkit import CRM, Money, Period
from crmkit.cli.charts import ChartFile, drawn
from crmkit.cli.metrics import METRICS, Question
from crmkit.errors import UsageError
from crmkit.testing import FakeClock
from tests.cli.command import CHIEF, REP
from tests.cli.conftest import Company

NEEDED = {"coverage": ["--quota", "100000 CNY", "--period", "2024"]}
CHARTS = [name for name, kind in METRICS.items() if kind.vega is not None]


@pytest.fixture(scope="module")
def selling(company_template: tuple[Path, Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company, with a deal in the rep's sight and four others, won, lost and open; nobody changes it."""
    template, ids, changesets = company_template
    url = f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp('selling') / 'selling.db')}"
    clock = FakeClock(datetime(2024, 5, 4, 8, tzinfo=UTC), tick=timedelta(milliseconds=1))
    with ExitStack() as stack:

        def opened(url: str) -> CRM:
            crm = CRM(url, clock=clock)
            stack.callback(crm.dispose)
            return crm

        company = Company(url, ids, changesets, opened)
        with company.crm.session(CHIEF) as me:
            populate(me)
        yield company


def populate(me: Any) -> None:
    me.stages.update(me.stages.one(name="proposal"), name="提案")
    for name, to in (("a", "won"), ("b", "lost"), ("c", "提案"), ("d", "won")):
        soon = me.today + timedelta(days=9)
        deal = me.deals.create(name=name, amount=Money(100, "CNY"), expected_close=soon, owner=me.actor.id)
        me.deals.move(deal, to=to)
    lead = me.leads.create(name="王小明", company="鑫达")
    me.activities.create(kind="call", subject="回电", lead=lead, at=lead.created_at + timedelta(minutes=4))
    me.leads.create(name="Eva Eis", company="Bolt")


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# -------------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_told_in_every_format(selling: Company, name: str) -> None:
    more = NEEDED.get(name, [])
    table = selling("metrics", name, *more)
    assert (table.code, table.err) == (0, "")
    assert {"figure", "variant", "value", "n", "left", "out", "censored", "interval"} <= set(
        table.out.splitlines()[0].split()
    )
    assert "as of " in table.out
    assert selling("metrics", name, *more, "--format", "json").document
    rows = cells(selling("metrics", name, *more, "--format", "csv").out)
    assert rows
    assert all(row["scope"] == "all" and row["as_of"] and row["variant"] for row in rows)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_over_nothing_is_no_value(company: Company, name: str) -> None:
    nothing = [] if name == "response-time" else ["--where", 'name == "无"']
    rows = cells(company("metrics", name, *NEEDED.get(name, []), *nothing, "--format", "csv").out)
    assert rows
    assert all((row["value"], row["n"]) in [("", "0"), ("0", "0")] for row in rows)


def test_a_table_says_the_figure_what_it_rests_on_and_how_sure_it_is(selling: Company) -> None:
    assert selling("metrics", "win-rate").out.splitlines()[:3] == [
        "figure    variant       value  n  left out  censored  interval",
        "--------  ------------  -----  -  --------  --------  --------------",
        "win rate  closed_count  66.7%  3  open: 2          0  20.8% to 93.9%",
    ]
    assert selling("metrics", "win-rate").out.endswith("days of UTC, intervals of 95%, of all there is\n")
    amounts = selling("metrics", "funnel").out
    assert "12,400.50 CNY" in amounts
    assert "提案" in amounts


def test_sentences_a_reader_must_know_stand_below_each_once(selling: Company) -> None:
    lines = selling("metrics", "velocity", "--variant", "closed").out.splitlines()
    assert [line for line in lines if line.startswith("note: of the closed deals")] == [
        "note: of the closed deals: the amount won in the period divided by the cycle"
    ]


def test_times_of_less_than_a_day_are_told_in_hours_and_minutes(selling: Company) -> None:
    rows = [line for line in selling("metrics", "response-time").out.splitlines() if "_p50" in line]
    assert "4.0 minutes" in rows[0]


def test_json_is_the_result_itself(selling: Company) -> None:
    told = selling("metrics", "funnel", "--format", "json", "--as-of", "2025-01-01T00:00:00+00:00").document
    with selling.crm.session(CHIEF) as me:
        here = me.metrics().funnel().to_dict()
    assert (told["name"], told["n"], told["as_of"][:4]) == ("funnel", 5, "2025")
    assert [step["reached"]["value"] for step in told["steps"]] == [step["reached"]["value"] for step in here["steps"]]
    dwell = selling("metrics", "dwell", "--format", "json").document
    assert [stage["name"] for stage in dwell] == ["new", "qualified", "提案", "negotiation"]


def test_csv_has_counts_exact_numbers_and_bounds(selling: Company) -> None:
    (row,) = cells(selling("metrics", "win-rate", "--format", "csv", "--period", "2024").out)
    assert (row["value"], row["numerator"], row["denominator"]) == (repr(2 / 3), "2", "3")
    assert (row["period"], row["excluded"], row["unit"]) == ("2024", "open: 2", "ratio")
    assert float(row["low"]) < 2 / 3 < float(row["high"])


def test_a_rep_counts_own_deals_and_the_figure_says_so(selling: Company) -> None:
    mine, all_ = (selling("metrics", "funnel", "--format", "json", user=user).document for user in (REP, CHIEF))
    assert (mine["n"], mine["scope"]) == (1, "what Bo Li may read")
    assert (all_["n"], all_["scope"]) == (5, "all")
    assert "of what Bo Li may read" in selling("metrics", "funnel", user=REP).out


@pytest.mark.parametrize(("name", "variant"), [(name, v) for name, kind in METRICS.items() for v in kind.variants])
def test_every_variant_is_that_of_the_library(selling: Company, name: str, variant: str) -> None:
    kind = METRICS[name]
    asked = Question(period=Period.year(2024), quota=Money(9, "CNY"), variant=kind.variants[variant])
    with selling.crm.session(CHIEF) as me:
        metrics = me.metrics()
        told = " ".join(m.variant + m.name for _, m in kind.figures(metrics, kind.ask(metrics, asked)))
    assert variant in told


def test_the_variant_asked_for_is_the_one_that_is_told(selling: Company) -> None:
    answer = selling("metrics", "win-rate", "--variant", "created_cohort", "--format", "csv")
    assert [(row["variant"], row["value"], row["censored"]) for row in cells(answer.out)] == [
        ("created_cohort", "0.4", "2")
    ]


def test_conditions_periods_and_starts_narrow_what_is_counted(selling: Company) -> None:
    def value(*arguments: str) -> tuple[str, str]:
        row = cells(selling("metrics", *arguments, "--format", "csv").out)[0]
        return row["value"], row["n"]

    assert value("win-rate", "--where", 'name in ["a", "b"]') == ("0.5", "2")
    assert value("win-rate", "--period", "2023") == ("", "0")
    assert value("win-curve", "--start", "expected_close") == ("0.0", "1")  # closed before they began
    assert value("response-time", "--where", 'company == "鑫达"')[1] == "1"
    assert value("weighted", "--pipeline", "Sales", "--currency", "CNY", "--as-of", "2024-05-04T12:00:00+00:00") == (
        "50.00",
        "1",
    )


def test_a_backtest_tells_each_month_and_how_wrong_it_was(selling: Company) -> None:
    past = ["--as-of", "2024-07-02T00:00:00+00:00", "--months", "2"]
    rows = cells(selling("metrics", "backtest", *past, "--format", "csv").out)
    assert [(row["figure"], row["of"]) for row in rows[:3]] == [
        ("forecast", "2024-05"),
        ("actual", "2024-05"),
        ("error", "2024-05"),
    ]
    assert rows[1]["value"] == "200.00"


def test_the_past_is_told_as_it_was_known(selling: Company) -> None:
    then = selling("metrics", "funnel", "--as-of", "2024-05-02T00:00:00+00:00", "--format", "json").document
    assert then["n"] == 1


# --------------------------------------------------------------------------------------------------------------- charts


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_drawn_beside_the_figures(selling: Company, tmp_path: Path, name: str) -> None:
    for kind, begins in (("svg", b"<svg "), ("png", b"\x89PNG\r\n\x1a\n")):
        file = tmp_path / f"chart.{kind}"
        answer = selling("metrics", name, "--chart", str(file))
        assert (answer.code, answer.err) == (0, "")
        assert "as of " in answer.out
        assert file.read_bytes().startswith(begins)


def test_the_chart_of_a_funnel_names_the_stages(selling: Company, tmp_path: Path) -> None:
    file = tmp_path / "漏斗.SVG"
    assert selling("metrics", "funnel", "--chart", str(file)).code == 0
    words = list(ElementTree.parse(file).getroot().itertext())
    assert {"1. new", "2. qualified", "3. 提案", "4. negotiation", "5. Won"} <= set(words)


def test_a_hostile_name_stays_a_name_and_fetches_nothing(company: Company, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        with company.crm.session(CHIEF) as me:
            me.stages.update(me.stages.one(name="proposal"), name=f'<image href="{address}"/>&amp;')
        for file in (tmp_path / "a.svg", tmp_path / "a.png"):
            assert company("metrics", "funnel", "--chart", str(file)).code == 0
        with pytest.raises(BlockingIOError):
            server.accept()
    tree = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {"svg", "g", "rect", "path", "text", "line"}
    assert any("<image href=" in text for text in tree.itertext())


SPEC: dict[str, Any] = {"mark": "bar", "encoding": {"x": {"field": "a", "type": "ordinal"}}}
ROWS = {"values": [{"a": "x"}]}


@pytest.mark.parametrize(
    "document",
    [
        {**SPEC, "data": {"url": "http://127.0.0.1:9/a.json"}},
        {**SPEC, "data": {"url": "file:///etc/passwd"}},
        {"data": ROWS, "mark": {"type": "image", "url": "http://127.0.0.1:9/a.png"}},
        {"data": ROWS, "layer": [{"mark": "image", "encoding": {"url": {"field": "a"}}}]},
    ],
)
def test_a_document_that_loads_is_not_drawn(document: Mapping[str, Any]) -> None:
    for kind in ("svg", "png"):
        with pytest.raises(UsageError) as refused:
            drawn(document, kind)  # type: ignore[arg-type]
        assert refused.value.code == "not_self_contained"


def test_a_document_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        drawn({"data": ROWS, "mark": "no such mark"}, "svg")
    assert refused.value.code == "not_drawn"


def test_a_control_character_does_not_end_the_process() -> None:
    for kind, begins in (("svg", b"<svg "), ("png", b"\x89PNG")):
        picture = drawn({**SPEC, "data": {"values": [{"a": "x\x01\ud800\ufffe客户"}]}}, kind)  # type: ignore[arg-type]
        assert picture.startswith(begins)


def test_a_file_that_is_there_is_not_overwritten_unless_told(selling: Company, tmp_path: Path) -> None:
    file = tmp_path / "chart.svg"
    file.write_text("mine")
    answer = selling("metrics", "funnel", "--chart", str(file))
    assert (answer.code, answer.out) == (2, "")
    assert "[file_exists]" in answer.err
    assert file.read_text() == "mine"
    assert selling("metrics", "funnel", "--chart", str(file), "--force").code == 0
    assert file.read_text().startswith("<svg ")


def test_a_file_that_came_meanwhile_is_not_overwritten_either(tmp_path: Path) -> None:
    file = ChartFile.at(str(tmp_path / "chart.svg"))
    file.path.write_text("theirs")
    with pytest.raises(UsageError) as refused:
        file.save({**SPEC, "data": ROWS})
    assert refused.value.code == "file_exists"
    assert file.path.read_text() == "theirs"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["win-rate", "--chart", "x.svg"], "[no_chart] there is no chart of win-rate (there is one of funnel,"),
        (["funnel", "--chart", "x.pdf"], "[bad_chart_file]"),
        (["funnel", "--chart", ""], "[bad_chart_file]"),
        (["funnel", "--chart", "nowhere/x.svg"], "[cannot_write]"),
    ],
)
def test_a_chart_that_cannot_be_is_refused_and_leaves_no_file(
    selling: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    answer = selling("metrics", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert sorted(tmp_path.iterdir()) == before


def test_without_the_extra_a_chart_is_refused_and_figures_are_not(
    selling: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    answer = selling("metrics", "funnel", "--chart", str(tmp_path / "x.svg"))
    assert (answer.code, answer.out) == (2, "")
    assert "[no_chart_library]" in answer.err
    assert "pip install 'crmkit[charts]'" in answer.err
    assert not (tmp_path / "x.svg").exists()
    assert selling("metrics", "funnel").code == 0


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["churn"], "'churn' is not one of 'funnel', 'win-rate'"),
        (["win-rate", "--variant", "best"], "[unknown_variant] there is no win-rate 'best' (closed_count,"),
        (["weighted", "--variant", "open"], "[unknown_variant] there is no weighted 'open' (it has none)"),
        (["win-rate", "--period", "Q3"], "[not_a_period]"),
        (["dwell", "--period", "2017"], "[not_for_this] --period means nothing to dwell (it is for funnel,"),
        (["funnel", "--start", "expected_close"], "[not_for_this] --start"),
        (["funnel", "--quota", "1 EUR"], "[not_for_this] --quota means nothing to funnel (it is for coverage)"),
        (["win-rate", "--months", "3"], "[not_for_this] --months"),
        (["coverage", "--period", "2017"], "[missing] coverage needs --quota"),
        (["coverage", "--quota", "1 EUR"], "[missing] coverage needs --period"),
        (["coverage", "--quota", "much", "--period", "2017"], "[not_an_amount]"),
        (["coverage", "--quota", "-5 CNY", "--period", "2017"], "[negative_quota]"),
        (["backtest", "--months", "0"], "[bad_months]"),
        (["win-rate", "--pipeline", "无"], "[unknown_pipeline]"),
        (["win-rate", "--where", "amoun > 3"], "[unknown_field]"),
        (["win-rate", "--where", ""], "[syntax]"),
        (["response-time", "--where", "amount > 3"], "[unknown_field]"),
        (["win-curve", "--start", "name"], "[not_a_date]"),
        (["cycle", "--start", "nope"], "[unknown_field]"),
        (["velocity", "--start", "account.created_at"], "[unknown_field]"),
        (["win-rate", "--as-of", "9000-01-01T00:00:00+00:00"], "[in_the_future]"),
        (["funnel", "--currency", "EUR"], "[currency_mismatch]"),
        (["funnel", "--rates", "rates.csv"], "[missing] --rates to which currency (add --currency EUR)"),
        (["funnel", "--currency", "EUR", "--rates", "nowhere.csv"], "[cannot_read]"),
        (["funnel", "--policy", "budget"], "[missing] --policy without --rates"),
        (["funnel", "--as-of", "2024-05-01T12:00:00"], "[naive_datetime]"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(selling: Company, arguments: list[str], said: str) -> None:
    answer = selling("metrics", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_unlike_currencies_are_told_in_one_at_the_rates_of_a_file(selling: Company, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("from,to,first,rate\nCNY,EUR,2024-01-01,0.125\n", encoding="utf-8")
    for policy in ("booking", "current", "budget"):
        asked = ("--currency", "EUR", "--rates", str(file), "--policy", policy)
        *_, won = selling("metrics", "funnel", *asked, "--format", "json").document["steps"]
        assert (won["amount"]["value"], won["amount"]["policy"]) == ("25.00 EUR", policy)
        assert f"amounts in EUR at {policy} rates" in selling("metrics", "funnel", *asked).out
        head, *_, last = csv.reader(selling("metrics", "funnel", *asked, "--format", "csv").out.splitlines())
        assert dict(zip(head, last, strict=True))["policy"] == policy


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "[bad_rates_file]"),
        (b"CNY,EUR,2024-01-01,0.125\n", "[bad_rates_file]"),
        (b"\xff\xfe", "[cannot_read]"),
        (b"from,to,first,rate\nCNY,EUR,2024-01-01\n", "[bad_rate]"),
        ("from,to,first,rate\n元,EUR,2024-01-01,0.1\n".encode(), "[bad_currency]"),
        (b"from,to,first,rate\nCNY,EUR,soon,0.1\n", "[bad_rate]"),
        (b"from,to,first,rate\nCNY,EUR,2024-01-01,0.1\nCNY,EUR,2024-02-01,-1\n", "[bad_rate]"),
        (b"from,to,first,rate\nCNY,EUR,2025-01-01,0.1\n", "[no_rate]"),
    ],
)
def test_a_file_of_rates_that_cannot_be_used_is_refused(
    selling: Company, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "rates.csv"
    file.write_bytes(content)
    answer = selling("metrics", "funnel", "--currency", "EUR", "--rates", str(file))
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
