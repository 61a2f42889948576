"""Rooms import each other by their own doors; import-linter checks the floors, this file what it cannot say."""

from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, imported_names, sample

# These stand above the package's own front door; every room below it would import itself through the roof.
ABOVE_THE_DOOR = frozenset({"", "cli", "testing", "web", "worker"})


def through_the_roof(source: Source, rooms: frozenset[str]) -> Iterator[str]:
    """Imports of names from ``crmkit`` itself by a room that ``crmkit`` is made of."""
    if source.room in ABOVE_THE_DOOR:
        return
    for name, line in sorted(set(imported_names(source.tree, "crmkit"))):
        if name == "crmkit" or (name.count(".") == 1 and name.partition(".")[2] not in rooms):
            yield f"{source.path}:{line}: imports {name}; name the room it comes from"


def test_no_room_imports_the_package_it_is_part_of(sources: list[Source]) -> None:
    rooms = frozenset(source.room for source in sources)
    assert [problem for source in sources for problem in through_the_roof(source, rooms)] == []


@pytest.mark.parametrize("code", ["import crmkit", "from crmkit import F", "import crmkit as c"])
def test_an_import_through_the_roof_is_reported(code: str) -> None:
    assert len(list(through_the_roof(sample(code, "store/reader.py"), frozenset({"values"})))) == 1
    assert list(through_the_roof(sample(code, "cli/main.py"), frozenset({"values"}))) == []


def test_an_import_by_the_door_of_a_room_passes() -> None:
    code = "from crmkit.values import Money\nfrom crmkit import errors\nimport crmkit.values.money"
    assert list(through_the_roof(sample(code, "store/reader.py"), frozenset({"values", "errors"}))) == []
