import pytest

from tests.architecture.sources import Source, package_sources


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """The modules of the package; never an empty list, or no rule could be broken."""
    found = package_sources()
    assert any(source.module == "crmkit.errors" for source in found)
    return found
