"""Medians: of a few runs of something long, of many runs of something short."""

import gc
import os
import statistics
from collections.abc import Callable
from time import perf_counter, process_time

__all__ = ["clock", "long", "short", "timed"]

clock = process_time if os.environ.get("CRMKIT_BENCHMARKS_CPU") else perf_counter
"""Elapsed time; on a machine that is shared, the CPU time of this process says more about SQLite (and nothing about
PostgreSQL).
"""


def timed(work: Callable[[], object]) -> float:
    """Seconds that one run takes; garbage of earlier ones is gone."""
    gc.collect()
    start = clock()
    work()
    return clock() - start


def long(runs: list[float]) -> float:
    """The median of the seconds of runs that were timed one by one."""
    return statistics.median(runs)


def short(works: dict[str, Callable[[], object]], seconds: float, least: int = 15) -> dict[str, float]:
    """The median seconds of each work, one run of each in turn until the time is up, at least so many."""
    for work in works.values():
        work()
    runs: dict[str, list[float]] = {name: [] for name in works}
    gc.collect()
    end = perf_counter() + seconds
    while perf_counter() < end or min(map(len, runs.values())) < least:
        for name, work in works.items():
            start = clock()
            work()
            runs[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in runs.items()}
