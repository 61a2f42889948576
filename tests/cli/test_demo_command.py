"""The command ``crmkit demo`` itself: its file, what it prints, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crmkit import CRM
from crmkit.cli.demo import command
from crmkit.cli.demo.people import HEAD, address_of
from tests.cli.command import run
from tests.cli.conftest import DemoRun


def test_the_demo_makes_one_file_in_the_current_folder(demo_run: DemoRun) -> None:
    assert (demo_run.answer.code, demo_run.answer.err) == (0, "")
    assert [path.name for path in demo_run.folder.iterdir()] == ["crmkit-demo.db"]


@pytest.mark.parametrize(
    "said",
    [
        "8,800 deals, 85 accounts, 7 products, 43 users",
        "1,480 deals name the product 'GTXPro', which is not in products.csv; matched to 'GTX Pro'",
        "10 of 747 deals",
        "10 of 1,929 deals",
        "10 of 8,800 deals, together 14,971,749.00 USD",
        "Win rate of closed deals 63.1501%; won 10,005,534.00 USD, mean 2,360.91, median 1,117.00.",
        '    ✓ "key account" in account.tags',
        "role manager: update deals of own team and teams below",
        "9 reverted, 2 kept, 1 refused.",
        "51.9%. Median days to close: 45 of closed deals alone,",
        "69 when the 1,589 open ones are counted.",
        "8,800 deals, each once in every stage it reached (implied_now_amount_now); lost ones are in it.",
    ],
)
def test_the_demo_tells_what_there_is(demo_run: DemoRun, said: str) -> None:
    assert said in demo_run.answer.out


@pytest.mark.parametrize(
    "line",
    [
        ["Prospecting", "500", "1,073,986.00", "USD"],
        ["Engaging", "1,589", "3,892,229.00", "USD"],
        ["Won", "4,238", "10,005,534.00", "USD"],
        ["Lost", "2,473", "0.00", "USD"],
        ["2017Q1", "1,134,672.00", "USD"],
        ["2017Q4", "2,802,496.00", "USD"],
        ["before", "747", "0"],
        ["now", "737", "10"],
        ["60", "26.5%", "18.6%", "55.0%"],
        ["Engaging", "8,300", "13,897,763.00", "USD", "51.1%", "94.3%"],
        ["2017-11", "520,146.00", "USD", "938,943.00", "USD", "-418,797.00", "USD"],
    ],
)
def test_the_tables_of_the_demo_have_the_right_figures(demo_run: DemoRun, line: list[str]) -> None:
    assert line in [shown.split() for shown in demo_run.answer.out.splitlines()]


def test_the_command_the_demo_suggests_works(demo_run: DemoRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo_run.folder)
    suggested = demo_run.answer.out.splitlines()[-1].removeprefix("Try: crmkit ")
    assert suggested.endswith("""--where 'amount > money("20000", "USD")'""")
    listed = run(
        *suggested.partition(" --where ")[0].split(), "--where", 'amount > money("20000", "USD")', "--limit", "1"
    )
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.splitlines()[-1].startswith("1 of ")


def test_a_demo_that_is_there_is_not_overwritten_and_can_be_shown_again(
    demo_run: DemoRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo_run.folder)
    file = demo_run.folder / "crmkit-demo.db"
    before = file.read_bytes()
    refused = run("demo")
    assert (refused.code, refused.out) == (2, "")
    assert "give --force to replace it, or --keep to show it" in refused.err
    assert file.read_bytes() == before
    again = run("demo", "--keep", "--format", "json")
    assert again.code == 0
    by_key = {section["key"]: section["data"] for section in again.document}
    assert "loaded" not in by_key
    assert by_key["pipeline"]["won_value"] == "10005534.00 USD"
    assert by_key[f"page_of_{address_of(HEAD)}"][0]["amount"] == {"amount": "30288.00", "currency": "USD"}
    assert [row["bucket"] for row in by_key["undo"]].count("refused") == 1


# -------------------------------------------------------------------------------------------------- without loading it


class Broken(RuntimeError):
    """What goes wrong while the demo is loaded."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(crm: CRM, calendar: object, progress: object) -> None:
        crm.migrate()
        raise Broken

    monkeypatch.setattr(command, "load", load)


@pytest.mark.usefixtures("broken")
def test_half_a_demo_is_removed(sqlite_file: Path) -> None:
    with pytest.raises(Broken):
        run("demo", "--db", str(sqlite_file))
    assert list(sqlite_file.parent.iterdir()) == []


@pytest.mark.usefixtures("broken")
def test_force_replaces_a_database_and_nothing_else(sqlite_file: Path, migrated_sqlite: Callable[[str], str]) -> None:
    sqlite_file.write_text("a letter to grandmother", encoding="utf-8")
    refused = run("demo", "--db", str(sqlite_file), "--force")
    assert refused.code == 2
    assert "is no SQLite file, so it is left alone" in refused.err
    assert sqlite_file.read_text(encoding="utf-8") == "a letter to grandmother"
    database = Path(migrated_sqlite("old").removeprefix("sqlite:///"))
    with pytest.raises(Broken):
        run("demo", "--db", str(database), "--force")
    assert not database.exists()


@pytest.mark.usefixtures("broken")
def test_a_database_with_data_of_crmkit_is_left_alone(migrated_postgres: Callable[[str], str]) -> None:
    refused = run("demo", "--db", migrated_postgres("taken"))
    assert (refused.code, refused.out) == (2, "")
    assert "there is data of crmkit in that database" in refused.err


def test_keep_and_force_do_not_go_together(sqlite_file: Path) -> None:
    assert run("demo", "--db", str(sqlite_file), "--keep", "--force").code == 2
    assert not sqlite_file.exists()


def test_a_database_without_a_demo_cannot_be_shown(migrated_sqlite: Callable[[str], str]) -> None:
    answer = run("demo", "--keep", "--db", migrated_sqlite("empty"))
    assert answer.code == 2
    assert "[unknown_actor]" in answer.err
