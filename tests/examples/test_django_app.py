"""examples/django_app.py: two transactions that make up for each other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.databases import on_both

ROOT = Path(__file__).parents[2]


@pytest.fixture
def answers(url: str, tmp_path: Path) -> dict[str, Any]:
    """What the driver saw: on SQLite Django has a file of its own, on PostgreSQL both have one database."""
    shop = f"sqlite:///{tmp_path / 'shop.db'}" if url.startswith("sqlite") else url
    done = subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).with_name("drive_django.py")],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "CRM_URL": url, "SHOP_URL": shop},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@on_both
def test_the_shop_and_the_crm_agree_in_the_end(answers: dict[str, Any]) -> None:
    assert answers["placed"] == [201, {"order": 1, "in_crm": True}]
    assert answers["deals"] == {"deals": [{"name": "Order 1", "amount": "19.99 EUR", "order": 1}]}
    # The CRM wants a name for the account: the order stands, and its deal follows once there is one.
    assert answers["refused_by_crm"] == [201, {"order": 2, "in_crm": False}]
    assert (answers["catch_up_too_early"], answers["catch_up"]) == (0, [1, 0])
    # Telling the CRM of an order twice makes no second deal.
    assert sorted(deal["order"] for deal in answers["after"]["deals"]) == [1, 2]
    # An order that Django rolls back never reaches the CRM.
    assert answers["rolled_back"] == [2, 2]
    assert (answers["bad_filter"], answers["stranger"]) == (422, 403)
