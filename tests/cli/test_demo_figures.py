"""The figures of the demo are those computed elsewhere, on both databases."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crmkit import F, Money
from crmkit.cli.demo.figures import DemoFigures, figures
from crmkit.cli.demo.files import rows_of
from crmkit.cli.demo.people import ADMIN, HEAD, address_of
from crmkit.kernel.session.session import Session
from tests.cli.conftest import Demo

TRUTHS = json.loads((Path(__file__).parents[1] / "data" / "pipeline-truths" / "truths.json").read_text("utf-8"))[
    "maven"
]


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def to_printed_precision(value: Decimal | None, printed: float) -> float:
    """The value rounded to as many decimals as the truth was printed with."""
    assert value is not None
    return float(round(value, len(str(printed).partition(".")[2])))


def figures_of(demo: Demo, email: str) -> DemoFigures:
    with demo.crm.session(email) as me:
        return figures(me)


def test_every_deal_is_loaded_and_stands_in_the_stage_the_file_says(demo: Demo) -> None:
    found = figures_of(demo, address_of(HEAD))
    assert found.deals == TRUTHS["rows"] == 8_800
    assert {stage.name: stage.deals for stage in found.stages} == TRUTHS["by_stage"]
    assert [stage.name for stage in found.stages] == ["Prospecting", "Engaging", "Won", "Lost"]


def test_the_won_value_is_exact_in_total_and_by_quarter(demo: Demo) -> None:
    found = figures_of(demo, address_of(HEAD))
    assert found.won_value == usd(TRUTHS["won_value"])
    assert found.won_value_by_quarter == {q: usd(value) for q, value in TRUTHS["won_value_by_quarter"].items()}
    assert list(found.won_value_by_quarter) == sorted(found.won_value_by_quarter)


def test_win_rate_mean_and_median_are_right_to_the_printed_digit(demo: Demo) -> None:
    found = figures_of(demo, address_of(HEAD))
    for value, name in (
        (found.win_rate, "win_rate_of_closed"),
        (found.mean_won_value, "mean_won_value"),
        (found.median_won_value, "median_won_value"),
    ):
        assert to_printed_precision(value, TRUTHS[name]) == TRUTHS[name]


def test_deals_without_an_account_are_counted(demo: Demo) -> None:
    assert figures_of(demo, address_of(HEAD)).without_account == TRUTHS["accounts_missing"]


def test_the_days_of_engagement_are_those_of_the_file(demo: Demo) -> None:
    """The mean durations in days, of won and of lost deals, come out as they were computed from the file."""
    with demo.crm.session(address_of(HEAD)) as me:
        for outcome, name in (("won", "mean_days_won"), ("lost", "mean_days_lost")):
            days = [
                (deal.closed_on - deal["engaged_on"]).days
                for block in me.deals.where(outcome=outcome).blocks()
                for deal in block
                if deal.closed_on is not None
            ]
            assert to_printed_precision(Decimal(sum(days)) / len(days), TRUTHS[name]) == TRUTHS[name]


def test_amounts_are_what_the_file_says_also_where_it_says_nothing(demo: Demo) -> None:
    """Lost deals have the amount 0 of the file; open ones, of which it says nothing, the list price of the product."""
    found = {stage.name: stage.amount for stage in figures_of(demo, address_of(HEAD)).stages}
    prices = {row["product"]: int(row["sales_price"]) for row in rows_of("products.csv")} | {"GTXPro": 4_821}
    listed: Counter[str] = Counter()
    for row in rows_of("sales_pipeline.csv"):
        listed[row["deal_stage"]] += prices[row["product"]]
    expected = {stage: usd(listed[stage]) for stage in ("Prospecting", "Engaging")}
    assert found == {**expected, "Won": usd(TRUTHS["won_value"]), "Lost": usd(0)}
    with demo.crm.session(address_of(HEAD)) as me:
        assert me.deals.where(F.amount == usd(0)).count() == TRUTHS["by_stage"]["Lost"]
        assert me.deals.where(F.amount.is_null()).count() == 0


# ------------------------------------------------------------------------------------------------- who sees which deals


def agents() -> list[dict[str, str]]:
    return rows_of("sales_teams.csv")


def seen_by(demo: Demo, name: str) -> tuple[int, dict[str, int], Money]:
    with demo.crm.session(address_of(name)) as me:
        found = figures(me)
    return found.deals, {stage.name: stage.deals for stage in found.stages}, found.won_value or usd(0)


def test_each_rep_sees_the_deals_the_file_gives_to_the_rep(demo: Demo) -> None:
    of_file = Counter(row["sales_agent"] for row in rows_of("sales_pipeline.csv"))
    for agent in ("Darcel Schlecht", "Moses Frase", "Mei-Mei Johns"):
        assert seen_by(demo, agent)[0] == of_file[agent]


def test_what_reps_see_adds_up_to_what_managers_see_and_that_to_all(demo: Demo) -> None:
    """Counts in every stage and won values; no deal is seen by two teams or by none."""
    of_manager: dict[str, list[Any]] = {}
    for row in agents():
        of_manager.setdefault(row["manager"], []).append(seen_by(demo, row["sales_agent"]))
    managers = {name: seen_by(demo, name) for name in of_manager}
    for name, reps in of_manager.items():
        assert total(reps) == managers[name]
    assert total(list(managers.values())) == seen_by(demo, HEAD)


def total(parts: list[tuple[int, dict[str, int], Money]]) -> tuple[int, dict[str, int], Money]:
    stages: Counter[str] = Counter()
    for _, by_stage, _ in parts:
        stages.update(by_stage)
    names = parts[0][1]
    return sum(p[0] for p in parts), {n: stages[n] for n in names}, Money.total([p[2] for p in parts]) or usd(0)


def test_a_rep_reads_every_account_and_no_deal_of_another(demo: Demo) -> None:
    with demo.crm.session(address_of("Moses Frase")) as me:
        assert me.accounts.count() == 85
        assert {deal.owner for deal in me.deals} == {me.actor.id}
        assert me.deals.where(F.owner != me.actor.id).count() == 0


def test_who_sees_no_deal_has_figures_without_a_value(demo: Demo) -> None:
    found = figures_of(demo, address_of("Mei-Mei Johns"))
    assert (found.deals, found.won_value, found.win_rate, found.mean_won_value) == (0, None, None, None)
    assert (found.median_won_value, dict(found.won_value_by_quarter)) == (None, {})
    assert [stage.deals for stage in found.stages] == [0, 0, 0, 0]


# -------------------------------------------------------------------------------------------------- faults of the files


def fault(demo: Demo, column: str, value: str) -> tuple[int, str]:
    (found,) = [f for f in demo.loaded.faults if (f.column, f.value) == (column, value)]
    return found.rows, str(found)


def test_a_misspelt_product_is_reported_and_keeps_its_deals(demo: Demo) -> None:
    written = Counter(row["product"] for row in rows_of("sales_pipeline.csv"))["GTXPro"]
    assert fault(demo, "product", "GTXPro") == (
        written,
        "1,480 deals name the product 'GTXPro', which is not in products.csv; matched to 'GTX Pro'",
    )
    with demo.crm.session(address_of(HEAD)) as me:
        pro = me.products.one(name="GTX Pro")
        assert me.deals.where(product=pro).count() == written
        assert me.deals.where('name.starts_with("GTXPro")').count() == written


def test_words_that_are_spelt_oddly_are_reported_and_kept(demo: Demo) -> None:
    assert fault(demo, "sector", "technolgy")[0] == 12
    assert "may mean 'Philippines'; kept as it is" in fault(demo, "office_location", "Philipines")[1]
    with demo.crm.session(address_of(HEAD)) as me:
        assert me.accounts.where('sector == "technolgy"').count() == 12
        assert me.accounts.where('office_location == "Philipines"').count() == 1


def test_empty_cells_and_idle_agents_are_reported(demo: Demo) -> None:
    assert fault(demo, "account", "")[0] == TRUTHS["accounts_missing"]
    assert fault(demo, "engage_date", "")[0] == 500
    assert fault(demo, "close_value", "0")[0] == TRUTHS["by_stage"]["Lost"]
    rows, said = fault(
        demo, "sales_agent", "Carl Lin, Carol Thompson, Elizabeth Anderson, Mei-Mei Johns, Natalya Ivanova"
    )
    assert (rows, said.partition(":")[0]) == (5, "5 sales agents have no deal")


def test_no_row_is_refused_and_every_row_is_counted_to_the_progress(demo: Demo) -> None:
    assert demo.loaded.refused == ()
    assert sum(demo.progress) == 8_800
    assert {k: demo.loaded.counts[k] for k in ("deal", "account", "product")} == {
        "deal": 8_800,
        "account": 85,
        "product": 7,
    }


# ------------------------------------------------------------------------------------------------------- all the others


def system(demo: Demo) -> Session:
    return demo.crm.system()


def test_parents_of_accounts_tags_and_segments_are_there(demo: Demo) -> None:
    with system(demo) as me:
        assert me.accounts.where('parent.name == "Acme Corporation"').count() == 4
        assert me.accounts.where(F.parent.not_null()).count() == 15
        tagged = me.accounts.where(F.tags.has("key account"))
        assert tagged.count() == me.accounts.where("employees >= 10000").count() == 9
        assert [product.name for product in me.products.where(F.tags.has("expensive"))] == ["GTK 500"]
        members = {s.name: me.records(s.on).where(f'in_segment("{s.name}")').count() for s in me.segments}
    assert members == {"large customers": 16, "open with key accounts": 68}


def test_imported_deals_were_won_before_and_get_no_note(demo: Demo) -> None:
    with system(demo) as me:
        assert me.activities.count() == 0


def test_teams_are_offices_below_sales_and_managers_below_them(demo: Demo) -> None:
    with system(demo) as me:
        names = {team.id: team.name for team in me.teams}
        above = {team.name: None if team.parent is None else names[team.parent] for team in me.teams}
    offices = {f"Team of {row['manager']}": row["regional_office"] for row in agents()}
    assert above == {"Sales": None, **dict.fromkeys(offices.values(), "Sales"), **offices}


@pytest.mark.parametrize("email", [ADMIN, address_of(HEAD)])
def test_figures_as_a_document_are_exact_texts(demo: Demo, email: str) -> None:
    document = figures_of(demo, email).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["won_value"] == "10005534.00 USD"
    assert document["stages"][0] == {"name": "Prospecting", "deals": 500, "amount": "1073986.00 USD"}
