"""docs/plugins.md says what every hook is, and every hook is used by a real plugin."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from crmkit import sdk
from crmkit.kernel.session.crm import BUILTIN_PLUGINS, FEATURES
from crmkit.sdk import hooks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


def specs() -> Iterator[ast.FunctionDef]:
    """The hooks as they are written in crmkit.sdk.hooks."""
    for path in sorted(Path(str(hooks.__file__)).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and "hookspec" in map(ast.unparse, node.decorator_list):
                yield node


SPECS = {node.name: node for node in specs()}


def signature(node: ast.FunctionDef) -> str:
    """``name(argument: Type, ...) -> Type``, without self."""
    arguments = ", ".join(ast.unparse(argument) for argument in node.args.args if argument.arg != "self")
    returns = "None" if node.returns is None else ast.unparse(node.returns)
    return f"{node.name}({arguments}) -> {returns}"


def test_there_are_hooks_to_look_at() -> None:
    assert {"crmkit_record_types", "crmkit_before_change", "crmkit_after_commit"} <= SPECS.keys()


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_is_documented_with_its_exact_signature(name: str) -> None:
    assert f"\n### {name}\n\n```text\n{signature(SPECS[name])}\n```\n" in PAGE


def test_no_hook_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^### (crmkit_\w+)$", PAGE, flags=re.MULTILINE)) == SPECS.keys()


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_says_when_it_fires_what_it_takes_and_what_an_exception_does(name: str) -> None:
    told = " ".join((ast.get_docstring(SPECS[name]) or "").split())
    assert [word for word in ("Fires", "Return", "exception") if word not in told] == []


@pytest.mark.parametrize("name", SPECS)
def test_every_hook_is_used_by_a_real_plugin(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "plugin"))
    plugins = [import_module(module) for module in (*BUILTIN_PLUGINS, *FEATURES, "crmkit_quotes")]
    assert any(hasattr(plugin, name) for plugin in plugins)


def test_the_table_of_the_sdk_lists_what_it_offers() -> None:
    table = PAGE[PAGE.index("## What `crmkit.sdk` offers") :]
    assert set(re.findall(r"`(\w+)`", table[table.index("|---") :].partition("\n\n")[0])) == set(sdk.__all__)
