"""Reads docstrings the way a reader of the source finds them."""

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import crmkit

PACKAGE = Path(str(crmkit.__file__)).parent


def modules(*names: str) -> list[ModuleType]:
    """The modules of these names; ``crmkit.kernel.*`` stands for all modules below."""
    found = []
    for name in names:
        if name.endswith(".*"):
            folder = PACKAGE.joinpath(*name.split(".")[1:-1])
            paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(folder.rglob("*.py")))
            found += [".".join(part for part in path.parts if part != "__init__") for path in paths]
        else:
            found.append(name)
    return [importlib.import_module(name) for name in found]


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8"))


def home(module: ModuleType, name: str) -> str:
    """The module that defines a name which others hand on."""
    here = module.__name__
    while True:
        found = _imported_from(here, name)
        if found is None:
            return here
        here = found


def _imported_from(module: str, name: str) -> str | None:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and any((a.asname or a.name) == name for a in node.names):
            return node.module
    return None


def docstring_of(module: ModuleType, name: str) -> str:
    """The docstring of a public name; of a constant, the text below its assignment. Empty if there is none."""
    value = getattr(module, name)
    if isinstance(value, ModuleType):
        return value.__doc__ or ""
    where = home(module, name)
    body = _tree(where).body
    for i, node in enumerate(body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
        if name in _assigned(node):
            return _text_below(body, i)
    return ""


def _assigned(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}


def _text_below(body: list[ast.stmt], index: int) -> str:
    """The text of the first statement below a run of assignments."""
    for node in body[index + 1 :]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return node.value.value
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            return ""
    return ""


def public_methods(module: ModuleType, name: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The public methods and properties that a class of the module defines itself."""
    if not inspect.isclass(getattr(module, name)):
        return
    for node in _tree(home(module, name)).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_") and not _is_empty(method):
                    yield method.name, method


def _is_empty(method: ast.FunctionDef) -> bool:
    """Only ``...``: a protocol's, documented where it is implemented."""
    body = method.body
    return len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0]) == "..."


def inherited(module: ModuleType, name: str, method: str) -> bool:
    """Whether a base class of ours documents the method already."""
    bases: tuple[Any, ...] = getattr(module, name).__mro__[1:]
    return any(method in vars(base) and (vars(base)[method].__doc__ or "") for base in bases)


def raises_itself(node: ast.FunctionDef) -> bool:
    """Whether there is a ``raise`` of an error in the function, not counting functions inside it."""
    inner = {leaf for child in ast.walk(node) if child is not node and _is_function(child) for leaf in ast.walk(child)}
    raised = (leaf for leaf in ast.walk(node) if isinstance(leaf, ast.Raise) and leaf not in inner)
    return any(leaf.exc is not None and "AssertionError" not in ast.unparse(leaf) for leaf in raised)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.Lambda)


def undocumented(names: Iterable[tuple[ModuleType, str]]) -> Iterator[str]:
    """Public names, and public methods of public classes, without a docstring of their own or an inherited one."""
    for module, name in names:
        if not docstring_of(module, name).strip():
            yield f"{module.__name__}.{name}"
        for method, node in public_methods(module, name):
            if not ast.get_docstring(node) and not inherited(module, name, method):
                yield f"{module.__name__}.{name}.{method}"


def silent_about_errors(names: Iterable[tuple[ModuleType, str]]) -> Iterator[str]:
    """Public methods that raise an error of which neither they nor their class say a word."""
    for module, name in names:
        told = docstring_of(module, name)
        for method, node in public_methods(module, name):
            said = "aise" in (ast.get_docstring(node) or "") + told
            if raises_itself(node) and not said and not inherited(module, name, method):
                yield f"{module.__name__}.{name}.{method}"
