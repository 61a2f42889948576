"""Whoever learns from the pages and the examples uses a session in a ``with`` block, which alone surely ends it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


def left_open(source: str) -> list[str]:
    """The calls of ``crm.session`` or ``crm.system`` that are no context of a ``with`` block."""
    tree = ast.parse(source)
    contexts = {id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items}
    return [ast.unparse(node) for node in ast.walk(tree) if opens(node) and id(node) not in contexts]


def opens(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("session", "system")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id.endswith("crm")
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_open_sessions_in_with_blocks(page: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert [call for block in blocks for call in left_open(block)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_open_sessions_in_with_blocks(example: Path) -> None:
    assert left_open(example.read_text(encoding="utf-8")) == []


def test_a_session_outside_a_with_block_is_seen() -> None:
    assert left_open("me = crm.session('ana')\nwith crm.system() as me:\n    pass") == ["crm.session('ana')"]
