"""The two stages: one on SQLite, one on PostgreSQL, each for the whole session."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.conftest import new_database
from tests.equality.stage import Stage


@pytest.fixture(scope="session")
def stages(postgres_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """A stage on SQLite and one on PostgreSQL, each a database of its own."""
    file = tmp_path_factory.mktemp("stage") / "crm.db"
    with new_database(postgres_server, "stage") as url:
        both = [Stage.at(f"sqlite:///{file}"), Stage.at(url)]
        yield both
        for stage in both:
            stage.database.dispose()
