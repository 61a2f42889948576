"""A migrated database for each example."""

import pytest


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own with the administrator ana: SQLite, unless ``on_both`` asks for PostgreSQL too."""
    kind = getattr(request, "param", "sqlite")
    made: str = request.getfixturevalue(f"migrated_{kind}")("crm")
    return made
