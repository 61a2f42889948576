"""Medians: of a few runs of something long, of many runs of something short."""

import gc
import statistics
from collections.abc import Callable
from time import perf_counter

__all__ = ["long", "short", "timed"]


def timed(work: Callable[[], object]) -> float:
    """Seconds that one run takes; garbage of earlier ones is gone."""
    gc.collect()
    start = perf_counter()
    work()
    return perf_counter() - start


def long(runs: list[float]) -> float:
    """The median of the seconds of runs that were timed one by one."""
    return statistics.median(runs)


def short(works: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The median seconds of each work, one run of each in turn until the time is up, at least fifteen."""
    for work in works.values():
        work()
    runs: dict[str, list[float]] = {name: [] for name in works}
    gc.collect()
    end = perf_counter() + seconds
    while perf_counter() < end or min(map(len, runs.values())) < 15:
        for name, work in works.items():
            start = perf_counter()
            work()
            runs[name].append(perf_counter() - start)
    return {name: statistics.median(times) for name, times in runs.items()}
