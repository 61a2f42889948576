"""Rooms import each other by their own doors; import-linter checks the floors, this file what it cannot say."""

import ast
import re
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


def unmapped(sources: list[Source]) -> list[str]:
    """The modules that the map of their room, its docstring, does not name; a room of a few needs no map."""
    modules: dict[str, list[str]] = {}
    for source in sources:
        if len(source.path.parts) == 2 and source.path.name != "__init__.py":
            modules.setdefault(source.room, []).append(source.path.stem)
    doors = [source for source in sources if source.path.name == "__init__.py" and len(source.path.parts) == 2]
    maps = {source.room: ast.get_docstring(source.tree) or "" for source in doors}
    return [
        f"{room}/{name}"
        for room, names in modules.items()
        for name in names
        if len(names) > 4 and re.search(rf"\b{name}\b", maps.get(room, "")) is None
    ]


def test_the_map_of_a_room_names_every_module_in_it(sources: list[Source]) -> None:
    assert unmapped(sources) == []


def test_a_module_that_the_map_lacks_is_found() -> None:
    rooms = [sample("", f"values/{name}.py") for name in "abcde"]
    assert unmapped([sample('"""The room: a, b, c and d."""', "values/__init__.py"), *rooms]) == ["values/e"]
