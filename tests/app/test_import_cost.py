"""Whoever imports crmkit pays for what is used, and not before."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.staff import ADMIN

HEAVY = {"alembic", "marshmallow", "jsonschema"}

COST = """
import sys
from resource import RUSAGE_SELF, getrusage
def spent():
    usage = getrusage(RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
before = spent()
{statement}
print(spent() - before, *(name for name in sys.modules if "." not in name or "dialects" in name))
"""


def imported(statement: str) -> tuple[float, set[str]]:
    """The seconds of CPU a statement takes in a process of its own, and the top modules and dialects loaded by it."""
    program = COST.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    seconds, *modules = done.stdout.split()
    return float(seconds), set(modules)


def test_importing_crmkit_takes_less_than_half_a_second_and_loads_nothing_heavy() -> None:
    seconds, modules = imported("import crmkit")
    assert "crmkit" in modules
    assert modules & {*HEAVY, "asyncio", "sqlalchemy"} == set()
    assert seconds < 0.5


@pytest.mark.parametrize("statement", ["from crmkit import CRM", "from crmkit import CRM; CRM('sqlite://').commands"])
def test_the_top_package_loads_no_migrations_no_web_forms_and_no_validator(statement: str) -> None:
    """Nor does a CRM that was made and not used."""
    _, modules = imported(statement)
    assert {"crmkit", "sqlalchemy"} <= modules
    assert modules & HEAVY == set()


def test_a_query_on_sqlite_loads_nothing_of_postgresql(migrated_sqlite: Callable[[str], str]) -> None:
    query = f"with CRM({migrated_sqlite('crm')!r}).session({ADMIN!r}) as me: list(me.deals.where().limit(50))"
    _, modules = imported(f"from crmkit import CRM\n{query}")
    assert {"sqlite3", "sqlalchemy.dialects.sqlite"} <= modules
    assert {name for name in modules if "postgresql" in name or "psycopg" in name} == set()
