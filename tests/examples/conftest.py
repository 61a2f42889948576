"""A migrated database for each example, copied from one that is made once."""

import shutil
from pathlib import Path

import pytest

from crmkit import CRM

ADMIN = "ana@acme.example"


def migrate(url: str) -> str:
    crm = CRM(url)
    crm.migrate(admin=ADMIN)
    crm.dispose()
    return url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that nobody writes to."""
    path = tmp_path_factory.mktemp("migrated") / "crm.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def url(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> str:
    """A database of the test's own with the administrator ana: SQLite, unless ``on_both`` asks for PostgreSQL too."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{shutil.copy(migrated, tmp_path / 'crm.db')}"
    return migrate(request.getfixturevalue("postgres_database")("examples"))
