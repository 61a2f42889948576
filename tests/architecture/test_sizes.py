"""Files, functions and folders stay small enough to be read at once."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.architecture.sources import Source, sample

FILE_LINES = 500
FUNCTION_LINES = 80
FOLDER_MODULES = 15


def oversized(source: Source) -> Iterator[str]:
    """What is too long in a module, one line each."""
    length = len(source.text.splitlines())
    if length > FILE_LINES:
        yield f"{source.path}: {length} lines, at most {FILE_LINES}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{source.path}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"


def function_of(lines: int, *, word: str = "def") -> str:
    return f"{word} work():\n" + "    step()\n" * (lines - 1)


def test_no_file_or_function_of_the_package_is_too_long(sources: list[Source]) -> None:
    assert [problem for source in sources for problem in oversized(source)] == []


def test_the_longest_allowed_file_and_function_pass() -> None:
    assert list(oversized(sample("x = 1\n" * FILE_LINES))) == []
    assert list(oversized(sample(function_of(FUNCTION_LINES)))) == []


def test_one_line_more_is_reported_with_its_place() -> None:
    assert list(oversized(sample("x = 1\n" * (FILE_LINES + 1)))) == ["values/sample.py: 501 lines, at most 500"]
    for word in ("def", "async def"):
        problems = list(oversized(sample("\n" + function_of(FUNCTION_LINES + 1, word=word))))
        assert problems == ["values/sample.py:2: work has 81 lines, at most 80"]


def test_a_method_and_a_function_inside_a_function_count_too() -> None:
    inner = "".join(f"    {line}\n" for line in function_of(FUNCTION_LINES + 1).splitlines())
    assert len(list(oversized(sample("class A:\n" + inner)))) == 1
    assert len(list(oversized(sample("def outer():\n" + inner)))) == 2


def crowded(sources: Iterable[Source]) -> Iterator[str]:
    """The folders with too many modules; the one that says what a folder holds does not count."""
    modules = Counter(source.path.parent for source in sources if source.path.name != "__init__.py")
    for folder, number in sorted(modules.items()):
        if number > FOLDER_MODULES:
            yield f"{folder}: {number} modules, at most {FOLDER_MODULES}"


def test_no_folder_of_the_package_has_too_many_modules(sources: list[Source]) -> None:
    assert list(crowded(sources)) == []


def test_one_module_more_is_reported_with_its_folder() -> None:
    modules = [sample("", f"values/m{number}.py") for number in range(FOLDER_MODULES)]
    described = [*modules, sample("", "values/__init__.py"), sample("", "query/one.py")]
    assert list(crowded(described)) == []
    assert list(crowded([*described, sample("", "values/more.py")])) == ["values: 16 modules, at most 15"]
