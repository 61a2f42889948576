"""Every public name says what it gives, and what it refuses."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.docs.docstrings import modules, silent_about_errors, undocumented

MODULES = modules(
    "crmkit",
    "crmkit.errors",
    "crmkit.features.accounts.commands",
    "crmkit.features.activities.commands",
    "crmkit.features.activities.last_contact",
    "crmkit.features.customising.collections",
    "crmkit.features.customising.commands",
    "crmkit.features.metrics.facts",
    "crmkit.features.metrics.metrics",
    "crmkit.features.metrics.quotas",
    "crmkit.features.metrics.readability",
    "crmkit.features.metrics.selection",
    "crmkit.features.ownership.assign",
    "crmkit.features.ownership.share",
    "crmkit.features.pipelines.collections",
    "crmkit.features.pipelines.move",
    "crmkit.features.pipelines.split",
    "crmkit.features.segments.collection",
    "crmkit.features.segments.commands",
    "crmkit.features.tags.commands",
    "crmkit.features.tags.tagging",
    "crmkit.kernel.*",
    "crmkit.permissions",
    "crmkit.query",
    "crmkit.schema",
    "crmkit.schema.types",
    "crmkit.sdk",
    "crmkit.sdk.intake",
    "crmkit.testing",
    "crmkit.values",
)

NAMES = [(module, name) for module in MODULES for name in getattr(module, "__all__", ())]

SAMPLE = '''
__all__ = ["LIMIT", "SIZE", "Good", "bad"]

SIZE = 1
"""How large."""
LIMIT = 2


class Good:
    """Fine."""

    def checked(self):
        """Looks at it. Raises ValueError."""
        raise ValueError

    def silent(self):
        """Looks at it."""
        raise ValueError

    def mute(self):
        return 1


def bad():
    return 1
'''


def test_every_public_name_and_method_has_a_docstring() -> None:
    assert sorted(set(undocumented(NAMES))) == []


def test_whatever_raises_says_so() -> None:
    assert sorted(set(silent_about_errors(NAMES))) == []


def test_names_without_a_word_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docstring_sample.py").write_text(SAMPLE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sample = import_module("docstring_sample")
    names = [(sample, name) for name in sample.__all__]
    assert list(undocumented(names)) == [f"docstring_sample.{name}" for name in ("LIMIT", "Good.mute", "bad")]
    assert list(silent_about_errors(names)) == ["docstring_sample.Good.silent"]
