"""What a package offers is stated, sorted, and there."""

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import ModuleType

import pytest

from tests.architecture.sources import Source, sample


def reading_order(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    """Constants, then classes, then the rest, numbers by their value: the order in which ruff sorts ``__all__``."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2
    parts = re.findall(r"\d+|\D+", name)
    return kind, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def wrong_exports(module: ModuleType) -> Iterator[str]:
    """What is wrong with a module's ``__all__``."""
    names: Iterable[str] = module.__all__
    listed = list(names)
    for earlier, later in pairwise(listed):
        if reading_order(earlier) >= reading_order(later):
            yield f"{module.__name__}.__all__: {later!r} stands after {earlier!r}"
    for name in listed:
        if not hasattr(module, name):
            yield f"{module.__name__}.__all__: there is no {name!r}"


def module_with(**names: object) -> ModuleType:
    module = ModuleType("sample")
    vars(module).update(names)
    return module


def public_packages(sources: list[Source]) -> list[str]:
    """The packages whose names have no leading underscore, and modules that are a floor by themselves."""
    return [
        source.module
        for source in sources
        if (source.path.name == "__init__.py" or len(source.path.parts) == 1)
        and not any(part.startswith("_") for part in source.module.split("."))
    ]


def test_every_public_package_lists_what_it_offers(sources: list[Source]) -> None:
    """A package that offers nothing itself may have a docstring and no names."""
    silent = [
        name
        for name in public_packages(sources)
        if not hasattr(module := importlib.import_module(name), "__all__")
        and any(not key.startswith("__") and not isinstance(value, ModuleType) for key, value in vars(module).items())
    ]
    assert silent == []


def test_every_export_is_sorted_and_exists(sources: list[Source]) -> None:
    modules = [importlib.import_module(name) for name in public_packages(sources)]
    assert [problem for module in modules if hasattr(module, "__all__") for problem in wrong_exports(module)] == []


def test_a_sorted_list_of_names_that_exist_passes() -> None:
    names = ["CRM", "MAX_10", "Account", "F", "Money", "Money2", "Money10", "days_ago", "today"]
    assert list(wrong_exports(module_with(__all__=names, **dict.fromkeys(names)))) == []


@pytest.mark.parametrize("names", [["Money", "Account"], ["today", "Money"], ["Money", "Money"], ["Money10", "Money2"]])
def test_a_list_out_of_order_is_reported(names: list[str]) -> None:
    assert len(list(wrong_exports(module_with(__all__=names, **dict.fromkeys(names))))) == 1


def test_a_name_that_is_not_there_is_reported() -> None:
    problems = list(wrong_exports(module_with(__all__=["Account", "Money"], Account=1)))
    assert problems == ["sample.__all__: there is no 'Money'"]


def unlisted(sources: list[Source]) -> list[str]:
    """Names that one module takes from another, which does not list them."""
    modules = {source.module: source for source in sources}
    offered = {name: names for name, source in modules.items() if (names := _listed(source.tree)) is not None}
    return sorted(
        {
            f"{module}.{alias.name}"
            for source in sources
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ImportFrom) and (module := node.module or "") in offered
            for alias in node.names
            if alias.name not in offered[module] and f"{module}.{alias.name}" not in modules
        }
    )


def _listed(tree: ast.Module) -> set[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def test_what_one_module_takes_from_another_is_listed_there(sources: list[Source]) -> None:
    assert unlisted(sources) == []


def test_a_name_that_is_taken_and_not_listed_is_reported() -> None:
    listing = sample('__all__ = ["a"]\na = b = 1', "values/one.py")
    assert unlisted([listing, sample("from crmkit.values.one import a, b")]) == ["crmkit.values.one.b"]
