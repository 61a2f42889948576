"""No module imports, at whatever level and for whatever use, one that leads back to it."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from tests.architecture.sources import Source, sample


def imports(source: Source, modules: frozenset[str]) -> set[str]:
    """The modules of the package that a module imports, also inside functions and for type checkers alone."""
    found: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.update(
                name if (name := f"{node.module}.{alias.name}") in modules else node.module for alias in node.names
            )
    return found & modules


def circles(sources: Iterable[Source]) -> Iterator[set[str]]:
    """The sets of modules that import each other in a circle."""
    listed = list(sources)
    modules = frozenset(source.module for source in listed)
    # The front door names the types of what it loads late, and everybody may name the front door's package.
    graph = {source.module: imports(source, modules) for source in listed if source.module != "crmkit"}
    reached = {module: _reachable(module, graph) for module in graph}
    met: set[str] = set()
    for module in sorted(graph):
        if module in reached[module] and module not in met:
            circle = {other for other in reached[module] if module in reached.get(other, ())}
            met |= circle
            yield circle


def _reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = list(graph[start])
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left.extend(graph.get(module, ()))
    return found


def test_no_modules_import_each_other_in_a_circle(sources: list[Source]) -> None:
    assert list(circles(sources)) == []


def test_a_circle_is_found_also_through_a_function_and_through_a_third_module() -> None:
    one = sample("from crmkit.values.two import a", "values/one.py")
    two = sample("from crmkit.values import three", "values/two.py")
    three = sample("def late():\n    from crmkit.values.one import b", "values/three.py")
    assert list(circles([one, two, three])) == [{"crmkit.values.one", "crmkit.values.two", "crmkit.values.three"}]
    assert list(circles([one, two, sample("", "values/three.py")])) == []
