"""Packages import each other by their own names; import-linter checks the layers, this file what it cannot say."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, imported_names, sample

# These may import names from ``crmkit`` itself; all others are what it is made of, so the import would be a circle.
ABOVE_THE_TOP = frozenset({"", "cli", "testing", "web", "worker"})


def imports_of_the_top(source: Source, packages: frozenset[str]) -> Iterator[str]:
    """Imports of names from ``crmkit`` itself by a package that ``crmkit`` is made of."""
    if source.package in ABOVE_THE_TOP:
        return
    for name, line in sorted(set(imported_names(source.tree, "crmkit"))):
        if name == "crmkit" or (name.count(".") == 1 and name.partition(".")[2] not in packages):
            yield f"{source.path}:{line}: imports {name}; name the package it comes from"


def test_no_package_imports_the_top_package(sources: list[Source]) -> None:
    packages = frozenset(source.package for source in sources)
    assert [problem for source in sources for problem in imports_of_the_top(source, packages)] == []


@pytest.mark.parametrize("code", ["import crmkit", "from crmkit import F", "import crmkit as c"])
def test_an_import_from_the_top_package_is_reported(code: str) -> None:
    assert len(list(imports_of_the_top(sample(code, "store/read/reader.py"), frozenset({"values"})))) == 1
    assert list(imports_of_the_top(sample(code, "cli/main.py"), frozenset({"values"}))) == []


def test_an_import_from_a_package_below_the_top_passes() -> None:
    code = "from crmkit.values import Money\nfrom crmkit import errors\nimport crmkit.values.money"
    assert list(imports_of_the_top(sample(code, "store/read/reader.py"), frozenset({"values", "errors"}))) == []


def unmapped(sources: list[Source]) -> list[str]:
    """The modules that the docstring of their package does not name; a package of a few needs no list."""
    modules: dict[str, list[str]] = {}
    for source in sources:
        if len(source.path.parts) == 2 and source.path.name != "__init__.py":
            modules.setdefault(source.package, []).append(source.path.stem)
    roots = [source for source in sources if source.path.name == "__init__.py" and len(source.path.parts) == 2]
    listed = {source.package: ast.get_docstring(source.tree) or "" for source in roots}
    return [
        f"{package}/{name}"
        for package, names in modules.items()
        for name in names
        if len(names) > 4 and re.search(rf"\b{name}\b", listed.get(package, "")) is None
    ]


def test_the_docstring_of_a_package_names_every_module_in_it(sources: list[Source]) -> None:
    assert unmapped(sources) == []


def test_a_module_that_the_docstring_lacks_is_found() -> None:
    modules = [sample("", f"values/{name}.py") for name in "abcde"]
    assert unmapped([sample('"""A package: a, b, c and d."""', "values/__init__.py"), *modules]) == ["values/e"]
