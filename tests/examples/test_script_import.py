"""examples/script_import.py, run as a program."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crmkit import CRM
from tests.examples.databases import on_both

ROOT = Path(__file__).parents[2]
ROWS = """\
name,industry,annual_revenue,headcount
宝钢,steel,"1.234,50 €","12,000"
,saas,,2
ACME,saas,5000 EUR,many
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, url: str) -> Run:
    (tmp_path / "accounts.csv").write_text(ROWS, encoding="utf-8")

    def run(*arguments: str, user: str = "ana@acme.example") -> subprocess.CompletedProcess[str]:
        program = [sys.executable, str(ROOT / "examples" / "script_import.py"), url]
        return subprocess.run(
            [*program, *arguments, "--as", user],
            env={"PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def crm(url: str, open_crm: Callable[..., CRM]) -> CRM:
    return open_crm(url)


def accounts(crm: CRM) -> list[tuple[str, str, int | None]]:
    with crm.system() as me:
        return [(a.name, str(a.annual_revenue), a.headcount) for a in me.accounts.order_by("name")]


@on_both
def test_good_rows_are_kept_and_refused_ones_can_be_mended(run: Run, crm: CRM, tmp_path: Path) -> None:
    first = run("accounts.csv")
    assert first.returncode == 1
    assert "1 created, 2 refused" in first.stdout
    assert "row 2: name: name needs a value" in first.stdout
    assert "row 3: headcount: 'many' is not a whole number" in first.stdout
    assert accounts(crm) == [("宝钢", "1234.50 EUR", 12_000)]
    left = tmp_path / "accounts.csv.refused.csv"
    mended = left.read_text(encoding="utf-8").replace("\n,saas", "\n上海,saas").replace("many,", "7,")
    left.write_text(mended, encoding="utf-8")
    second = run(left.name)
    assert (second.returncode, second.stdout.splitlines()[1]) == (0, "2 created")
    assert len(accounts(crm)) == 3


def test_a_dry_run_says_the_same_and_keeps_nothing(run: Run, crm: CRM) -> None:
    dry = run("accounts.csv", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (1, "dry run: nothing was kept")
    assert "1 created, 2 refused" in dry.stdout
    assert accounts(crm) == []


def test_an_import_can_be_taken_back(run: Run, crm: CRM) -> None:
    changeset = re.findall(r"--undo (\S+)", run("accounts.csv").stdout)
    assert run("--undo", *changeset, "--dry-run").stdout == "1 reverted, 0 kept, 0 refused\n"
    assert len(accounts(crm)) == 1
    assert run("--undo", *changeset).stdout == "1 reverted, 0 kept, 0 refused\n"
    assert accounts(crm) == []


def test_a_stranger_imports_nothing(run: Run, crm: CRM) -> None:
    refused = run("accounts.csv", user="eve@evil.example")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "there is no user 'eve@evil.example'" in refused.stderr
    assert accounts(crm) == []
