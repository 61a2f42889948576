"""docs/architecture.md draws the packages that there are."""

import re
from pathlib import Path

from crmkit.store.tables.lint import _RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_drawing_names_every_package_and_no_other() -> None:
    package = ROOT / "src" / "crmkit"
    packages = {path.parent.name for path in package.glob("*/__init__.py")} | {"errors"}
    drawing = PAGE[PAGE.index("```text\n") + 8 :].partition("```")[0]
    assert {line.split()[0] for line in drawing.splitlines()} == packages


def test_every_module_and_test_it_names_is_there() -> None:
    tests = set(re.findall(r"`((?:tests/|conftest)[\w./]*)`", PAGE))
    modules = set(re.findall(r"`((?:kernel|features|store|query|schema)(?:\.\w+)+)`", PAGE))
    assert len(tests) > 10
    assert len(modules) > 5
    assert [path for path in tests if not (ROOT / path).exists()] == []
    places = {name: ROOT / "src" / "crmkit" / name.replace(".", "/") for name in modules}
    there = {name for name, path in places.items() if path.with_suffix(".py").exists() or path.is_dir()}
    assert modules - there == set()


def test_the_rules_for_tables_are_those_that_are_checked() -> None:
    assert re.findall(r"^\| (S\d+) \|", PAGE, flags=re.MULTILINE) == [number for number, _ in _RULES]
