"""What the ground floor offers, and what it does without."""

import subprocess
import sys

import crmkit.values


def test_the_ground_floor_offers_these_names() -> None:
    assert crmkit.values.__all__ == sorted(crmkit.values.__all__)
    assert all(hasattr(crmkit.values, name) for name in crmkit.values.__all__)


def test_importing_it_loads_no_telephone_plans() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, crmkit.values; print('phonenumbers' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "False"
