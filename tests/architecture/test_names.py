"""Modules are named for what they hold."""

from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, sample

NAMES_OF_NOTHING = frozenset({"common", "core", "helper", "helpers", "misc", "util", "utilities", "utils"})


def names_of_nothing(source: Source) -> Iterator[str]:
    """The parts of a module's path that could hold anything."""
    for part in source.path.with_suffix("").parts:
        if any(word in NAMES_OF_NOTHING for word in part.lower().split("_")):
            yield f"{source.path}: {part!r} says nothing about what it holds"


def test_no_module_of_the_package_has_a_name_that_says_nothing(sources: list[Source]) -> None:
    assert [problem for source in sources for problem in names_of_nothing(source)] == []


@pytest.mark.parametrize("path", ["values/money.py", "query/__init__.py", "store/commonplace.py", "schema/score.py"])
def test_a_name_that_says_something_passes(path: str) -> None:
    assert list(names_of_nothing(sample("", path))) == []


@pytest.mark.parametrize("path", ["values/utils.py", "core/money.py", "store/_helpers.py", "query/sql_common.py"])
def test_a_name_that_says_nothing_is_reported(path: str) -> None:
    assert len(list(names_of_nothing(sample("", path)))) == 1
