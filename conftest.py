"""The sizes of tests, how workers share them, and the Python examples of README.md and docs/."""

import gc
import os
import tempfile
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tests.parcels import InParcels, longest_first

# ---------------------------------------------------------------------------------------------------------------- sizes

CASES = 20
"""A law of weight 1 tries so many cases, and ``--long TIMES`` so many times TIMES."""


SAID_AGAIN = ("tests/app/", "tests/cli/", "tests/segments/")
"""Folders whose tests are about what crmkit does, and not a database: the long form has them on PostgreSQL."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        type=int,
        default=0,
        metavar="TIMES",
        help="run what the short form leaves out, and each law with TIMES as many cases",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # Hundreds of CRMs are made and dropped: to look for circles as often as by default took a quarter of the time.
    gc.set_threshold(100_000, 20, 20)
    long = config.getoption("long")
    times = max(1, long)
    settings.register_profile(
        "crmkit",
        max_examples=CASES * times,
        deadline=None,
        print_blob=True,
        # The short forms try the same cases each time, so that nobody's change fails by another's luck.
        derandomize=not long,
        # Two workers and a database share two cores: slow generation is no finding.
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("crmkit")
    if times > 1 and config.getoption("timeout") is None:
        config.option.timeout = float(config.getini("timeout")) * times


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what this run is not for."""
    wanted = is_long_form if config.getoption("long") else is_short_form
    left_out = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if wanted(item)]
    longest_first(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def is_short_form(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is None and not is_said_again(item)


def is_long_form(item: pytest.Item) -> bool:
    return is_said_again(item) or any(item.get_closest_marker(mark) is not None for mark in ("long", "law"))


def is_said_again(item: pytest.Item) -> bool:
    """Whether a test says of PostgreSQL what it says of SQLite, where the database is not the point."""
    case = getattr(item, "callspec", None)
    on = () if case is None else case.params.values()
    return item.nodeid.startswith(SAID_AGAIN) and any(value == "postgresql" for value in on)


# -------------------------------------------------------------------------------------------------------------- workers


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InParcels:
    return InParcels(config, log)


# ----------------------------------------------------------------------------------------------------------------- docs


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
