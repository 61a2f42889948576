"""The floors below the features name no record type that a feature owns: what they need to know of it, it declares."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import pytest

from crmkit.kernel.session.crm import BUILTIN_PLUGINS
from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import record_type_of
from tests.architecture.sources import Source, sample

FLOORS = frozenset({"errors", "kernel", "permissions", "query", "schema", "sdk", "store", "values"})

OWN = frozenset(
    {"custom_field", "custom_object", "object"}  # what makes the schema
    | {"user", "team", "role", "team_member", "role_member", "grant"}  # what makes rights
)
"""The record types that the floors themselves are about, with their plurals."""

LEFT: Mapping[str, frozenset[str]] = {
    # Named conditions are a part of the expression language, and of a tenant's schema.
    "kernel/definitions/tenant_schema.py": frozenset({"segment"}),
    "kernel/undo/undo.py": frozenset({"segment"}),
    "query/bind.py": frozenset({"segment", "tag", "tags"}),
    "query/json_form.py": frozenset({"segment", "tag"}),
    "query/json_schema.py": frozenset({"segment", "tag"}),
    "query/lift.py": frozenset({"segment", "tag"}),
    # ``"vip" in tags`` is an operator of the language, and asks taggings; a grant may reach as far as shares do.
    "query/bound.py": frozenset({"share", "tag", "tagging"}),
    "query/nodes.py": frozenset({"tags"}),
    "query/text/writer.py": frozenset({"tags"}),
    "query/weight.py": frozenset({"tag"}),
    "schema/field.py": frozenset({"tags"}),
    "permissions/explain.py": frozenset({"share"}),
}
"""What is left, and why; it may only become less."""


def nouns() -> frozenset[str]:
    """The keys and plurals of the record types that features own, and the names of the built-in plugins."""
    types = [record_type_of(record) for record in BUILTIN_RECORDS]
    words = {word for t in types if t.key not in OWN for word in (t.key, t.plural)}
    return frozenset(words | {plugin.rpartition(".")[2] for plugin in BUILTIN_PLUGINS})


def named(source: Source, words: frozenset[str]) -> Iterator[tuple[str, int]]:
    """The nouns that stand as texts in the code of a module, with their lines; what docstrings say is for people."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words:
            yield node.value, node.lineno


def test_the_floors_below_the_features_name_no_record_type_of_theirs(sources: list[Source]) -> None:
    words = nouns()
    below = [s for s in sources if s.package in FLOORS and not s.path.is_relative_to("store/migrations")]
    found = {str(s.path): {word for word, _ in named(s, words)} for s in below}
    assert {path: names for path, names in found.items() if names - LEFT.get(path, frozenset())} == {}
    assert {path: names for path, names in LEFT.items() if names - found[path]} == {}, "these are gone: take them out"


@pytest.mark.parametrize("code", ['if key == "deal": pass', 'x = {"stage_interval": 1}', 'f("sales_pipeline")'])
def test_a_noun_in_the_kernel_is_reported(code: str) -> None:
    source = sample(code, "kernel/writes/steps.py")
    assert source.path == PurePosixPath("kernel/writes/steps.py")
    assert len(list(named(source, nouns()))) == 1


def test_what_is_said_to_people_and_what_the_floors_own_is_not(sources: list[Source]) -> None:
    assert list(named(sample('"""A deal moves."""\nx = "custom_field"\ny = "the deal"'), nouns())) == []
