"""A prepared database for each module of tests that destroy it again and again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.integration.restored import Restored, restored_file, restored_server
from tests.integration.units_of_work import Names, prepare, repeatable


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Restored, Names]]:
    """A database with the records that the units of work use, and their ids by name; on SQLite and on PostgreSQL."""
    names: Names = {}

    def fill(url: str) -> None:
        crm = repeatable(url, 3)
        names.update(prepare(crm))
        crm.dispose()

    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        with restored_file(tmp_path_factory.mktemp("kill"), template, fill) as file:
            yield file, names
    else:
        server: URL = request.getfixturevalue("postgres_server")
        with restored_server(server, request.getfixturevalue("postgres_template"), fill) as database:
            yield database, names
