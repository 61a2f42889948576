"""What works are measured with: databases to copy, and one measurement as a line of the report."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import attrs

from benchmarks.deals import write_deals
from benchmarks.places import Place
from benchmarks.raw import RawSqlite, raw_on
from benchmarks.world import NOW, Facts, FixedClock, crm_on, furnish, furnish_deals, ground
from crmkit import CRM

__all__ = ["Bench", "Line", "same"]


@attrs.frozen
class Line:
    """One measurement. ``raw`` and ``ours`` are seconds, or what ``unit`` says; ``goal`` is the highest ratio,
    ``limit`` the most seconds.
    """

    work: str
    raw: float | None
    ours: float
    goal: float | None = None
    limit: float | None = None
    rows: int = 0
    note: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        return None if self.raw is None else self.ours / self.raw

    @property
    def met(self) -> bool:
        within = self.goal is None or self.ratio is None or self.ratio <= self.goal
        return within and (self.limit is None or self.ours <= self.limit)


class Bench:
    """A place with the databases that works copy: a ground (accounts, users), a world (everything), and worlds of deals
    that moved.
    """

    def __init__(self, place: Place, rows: int, runs: int, seconds: float, deals: int) -> None:
        self.place, self.rows, self.runs, self.seconds, self.deals = place, rows, runs, seconds, deals
        self._moved: dict[int, str] = {}

    @property
    def sqlite(self) -> bool:
        return self.place.dialect == "sqlite"

    @cached_property
    def ground(self) -> str:
        """Accounts and users."""
        return self._grounded[0]

    @cached_property
    def facts(self) -> Facts:
        """What a raw program has to know of the ground."""
        return self._grounded[1]

    @cached_property
    def _grounded(self) -> tuple[str, Facts]:
        name, clock = self.place.new(), FixedClock(NOW)
        with self.crm(name, clock=clock) as crm:
            facts = ground(crm, clock, self.rows)
        self.place.settle(name)
        return name, facts

    @cached_property
    def world(self) -> str:
        """The ground, furnished through crmkit."""
        name, clock = self.place.copy(self.ground), FixedClock(NOW)
        with self.crm(name, clock=clock) as crm:
            furnish(crm, clock, self.facts, self.rows)
        self.place.settle(name)
        return name

    def moved(self, count: int) -> str:
        """The ground with so many deals that moved five times each, written raw."""
        if count not in self._moved:
            name, clock = self.place.copy(self.ground), FixedClock(NOW)
            with self.crm(name, clock=clock) as crm:
                furnish_deals(crm, self.facts)
            with self.raw(name) as raw:
                write_deals(raw, count)
            self.place.settle(name)
            self._moved[count] = name
        return self._moved[count]

    @contextmanager
    def raw(self, name: str) -> Iterator[RawSqlite]:
        connection = self.place.connect(name)
        try:
            yield raw_on(self.place.dialect, connection, self.facts)
        finally:
            connection.close()

    @contextmanager
    def crm(self, name: str, **options: Any) -> Iterator[CRM]:
        crm = crm_on(self.place.url(name), **options)
        try:
            yield crm
        finally:
            crm.dispose()

    @contextmanager
    def copy(self, name: str) -> Iterator[str]:
        made = self.place.copy(name)
        try:
            yield made
        finally:
            self.place.drop(made)

    def digest(self, name: str, table: str, order: str, without: tuple[str, ...]) -> Any:
        """What a table holds, short of columns that differ from run to run."""
        with self.raw(name) as raw:
            columns = [r[0] for r in raw.fetch(raw.columns_of, (table,)) if r[0] not in without]
            listed = ", ".join(f'"{c}"' for c in columns)
            return raw.fetch(f"SELECT {listed} FROM {table} ORDER BY {order}", ())


def same(left: Any, right: Any, what: str) -> None:
    """The two programs did the same, or the comparison is worth nothing."""
    if left != right:
        differing = [pair for pair in zip(left, right, strict=False) if pair[0] != pair[1]][:1]
        raise AssertionError(f"{what}: raw and crmkit differ: {len(left)} and {len(right)} rows, first {differing}")
