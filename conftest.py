"""Runs the Python examples of README.md and docs/, each page in an empty folder of its own."""

import os
import tempfile
from contextlib import ExitStack
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser


def enter_empty_folder(namespace: dict[str, Any]) -> None:
    """The examples of one page share a namespace and a folder, where ``sqlite:///crm.db`` is their own file."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crmkit-docs-"))
        stack.callback(os.chdir, os.getcwd())
        os.chdir(folder)
        namespace["_leave_folder"] = stack.pop_all()


def leave_folder(namespace: dict[str, Any]) -> None:
    namespace["_leave_folder"].close()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=enter_empty_folder,
    teardown=leave_folder,
).pytest()
