"""The source files of the package, read once for the checks of this folder."""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

import attrs

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "crmkit"


@attrs.frozen(slots=False)
class Source:
    """One module: its path below ``src/crmkit`` and its text."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def package(self) -> str:
        """The package below ``crmkit`` that the module is in; ``""`` for ``crmkit`` itself."""
        return "" if self.path == PurePosixPath("__init__.py") else PurePosixPath(self.path.parts[0]).stem

    @property
    def module(self) -> str:
        """The dotted name by which the module is imported."""
        parts = ("crmkit", *self.path.with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sample(text: str, path: str = "values/sample.py") -> Source:
    """A module that exists only in a test of a check."""
    return Source(PurePosixPath(path), text)


def package_sources() -> list[Source]:
    """Every module of the package, in the order of their paths."""
    return [
        Source(PurePosixPath(path.relative_to(PACKAGE).as_posix()), path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def imported_names(tree: ast.Module, top: str) -> Iterator[tuple[str, int]]:
    """Each dotted name below package ``top`` that a module imports or reaches through an import, with its line.

    ``import sqlalchemy as sa; sa.sql.text`` gives ``sqlalchemy``, ``sqlalchemy.sql`` and ``sqlalchemy.sql.text``.
    """
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == top:
                    bound[alias.asname or top] = alias.name if alias.asname else top
                    yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] == top:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}", node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := dotted(node, bound)):
            yield name, node.lineno


def dotted(node: ast.expr, bound: dict[str, str]) -> str | None:
    """The full name of ``a.b.c`` where ``a`` was bound by an import, else None."""
    if isinstance(node, ast.Name):
        return bound.get(node.id)
    if isinstance(node, ast.Attribute) and (start := dotted(node.value, bound)):
        return f"{start}.{node.attr}"
    return None
