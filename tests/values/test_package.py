"""What the package of values exports, and what it does not import."""

import subprocess
import sys

import crmkit.values


def test_the_exported_names_are_sorted_and_exist() -> None:
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
