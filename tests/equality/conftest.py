"""Two databases for generated worlds, one on SQLite and one on PostgreSQL, each for the whole session."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.equality.stored_worlds import WorldDatabase
from tests.postgres import new_database


@pytest.fixture(scope="session")
def world_databases(postgres_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[WorldDatabase]]:
    """One on SQLite and one on PostgreSQL."""
    file = tmp_path_factory.mktemp("worlds") / "crm.db"
    with new_database(postgres_server, "worlds") as url:
        both = [WorldDatabase.at(f"sqlite:///{file}"), WorldDatabase.at(url)]
        yield both
        for one in both:
            one.database.dispose()
