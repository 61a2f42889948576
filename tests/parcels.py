"""How pytest-xdist's workers share the tests: in parcels small enough that all workers end at about the same time.

Not by the mark ``xdist_group``: xdist writes it into a test's id, and pytest 9.2 no longer lets it.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from xdist.scheduler import LoadScopeScheduling

PARCEL = 10
"""At most so many tests of one file are given to a worker at once."""

SHARING = (
    # Later examples of a page use the names of earlier ones.
    (re.compile(r"[^:]+\.md(?=::)"), r"\g<0>"),
    # The fixtures of these take seconds to make, for each database.
    (re.compile(r"tests/cli/test_demo_.*\bpostgresql\b.*"), "the demo on PostgreSQL"),
    (re.compile(r"tests/cli/test_demo_.*"), "the demo"),
    (re.compile(r"(tests/integration/test_(?:kill|savepoints)\.py)::.*\[(sqlite|postgresql)\b.*"), r"\1 \2"),
    # Each of these takes as long as a parcel of others.
    (re.compile(r"tests/(integration/test_histories|integration/test_values|equality/test_\w+)\.py::.*"), r"\g<0>"),
)
"""Which tests stay in one worker, and a name for them."""

FIRST = re.compile(r"tests/(equality|integration/test_(histories|kill|savepoints|values|tenants|bulk)|cli/test_demo_)")
"""What takes longest begins first, so that no worker is left alone with it."""


def longest_first(tests: list[Any]) -> None:
    """Sorts tests in the order in which workers are to take them."""
    tests.sort(key=lambda test: FIRST.match(test.nodeid) is None)


def parcels(ids: Iterable[str]) -> dict[str, str]:
    """The name of the parcel of each test, by id."""
    counted: Counter[str] = Counter()
    found = {}
    for test in ids:
        name = next((known.expand(to) for pattern, to in SHARING if (known := pattern.match(test))), None)
        if name is None:
            file = test.partition("::")[0]
            name = f"{file} {counted[file] // PARCEL}"
            counted[file] += 1
        found[test] = name
    return found


class InParcels(LoadScopeScheduling):
    """Gives a worker the next parcel when it has done its own, in the order of the tests."""

    def __init__(self, config: Any, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._parcels: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        if not self._parcels:
            self._parcels = parcels(self.collection or ())
        return self._parcels[nodeid]
