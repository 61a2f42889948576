"""The two stages: one on SQLite, one on PostgreSQL, each for the whole session."""

from collections.abc import Iterator

import pytest

from tests.equality.stage import Stage


@pytest.fixture(scope="session")
def stages(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """A stage on SQLite and one on PostgreSQL."""
    file = tmp_path_factory.mktemp("stage") / "crm.db"
    both = [Stage.at(f"sqlite:///{file}"), Stage.at(postgres_url)]
    yield both
    for stage in both:
        stage.database.dispose()
