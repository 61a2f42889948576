"""The works on deals that moved: figures, a segment, and what is done to many of them at once."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import raw_metrics
from benchmarks.bench import Bench, Line, same
from benchmarks.measure import long, short, timed
from benchmarks.raw_metrics import RawFunnel
from benchmarks.world import ADMIN
from crmkit import CRM, F
from crmkit.features.metrics.figures.funnel import Funnel
from crmkit.features.metrics.figures.win_rate import Variant
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.query import in_segment

__all__ = ["METRICS"]


def _ask(crm: CRM, question: Callable[[Any], Any]) -> Any:
    """A question asked in a session of its own."""
    with crm.session(ADMIN) as me:
        return question(me)


def _funnel(me: Any) -> Funnel:
    return me.metrics().funnel()  # type: ignore[no-any-return]


def _curve(me: Any) -> Any:
    return me.metrics().win_curve()


def _rate(variant: Variant, me: Any) -> Any:
    return me.metrics().win_rate(None, variant).value


def _quiet(me: Any) -> int:
    return int(me.deals.where(in_segment("quiet")).count())


QUESTIONS: dict[str, Callable[[Any], Any]] = {"funnel": _funnel, "win_curve": _curve}


def funnel(bench: Bench) -> Iterator[Line]:
    """W11: counts, amounts and conversion of each stage, impossible histories left out."""
    name = bench.moved(bench.deals)
    with bench.raw(name) as raw, bench.crm(name) as crm:
        ours = partial(_ask, crm, _funnel)
        same(raw_metrics.funnel(raw), _plain(ours()), "W11")
        times = short({"raw": partial(raw_metrics.funnel, raw), "ours": ours}, bench.seconds, bench.runs)
    yield Line("W11 funnel", times["raw"], times["ours"], 1.2)


def _plain(funnel: Funnel) -> RawFunnel:
    steps = [(sum(step.outcomes.values()), int((step.amount.exact or 0) * 10_000)) for step in funnel.steps]
    return RawFunnel(funnel.n, funnel.excluded.get("impossible_history", 0), tuple(steps))


def win_curve(bench: Bench) -> Iterator[Line]:
    """W12: the share won, lost and open at each age."""
    name = bench.moved(bench.deals)
    with bench.raw(name) as raw, bench.crm(name) as crm:
        ours = partial(_ask, crm, _curve)
        curve = ours()
        frame: Frame = curve.frame
        same(raw_metrics.win_curve(raw, frame).to_dict(), curve.to_dict(), "W12")
        works: dict[str, Callable[[], object]] = {"raw": partial(raw_metrics.win_curve, raw, frame), "ours": ours}
        times = short(works, bench.seconds, bench.runs)
    yield Line("W12 win curve", times["raw"], times["ours"], 1.2)


def win_rate(bench: Bench) -> Iterator[Line]:
    """W13: the share won of what was closed, by count and by amount."""
    name = bench.moved(bench.deals)
    asked: dict[Variant, Any] = {
        "closed_count": raw_metrics.win_rate,
        "closed_amount": raw_metrics.win_rate_by_amount,
    }
    with bench.raw(name) as raw, bench.crm(name) as crm:
        for variant, by_hand in asked.items():
            ours = partial(_ask, crm, partial(_rate, variant))
            same([by_hand(raw)], [ours()], "W13")
            times = short({"raw": partial(by_hand, raw), "ours": ours}, bench.seconds, bench.runs)
            yield Line(f"W13 win rate, {variant}", times["raw"], times["ours"], 1.2)


def segment(bench: Bench) -> Iterator[Line]:
    """W14: how many deals are in a stored segment of three conditions."""
    name = bench.moved(bench.deals)
    with bench.raw(name) as raw, bench.crm(name) as crm:
        ours = partial(_ask, crm, _quiet)
        same([raw_metrics.segment(raw)], [ours()], "W14")
        times = short({"raw": partial(raw_metrics.segment, raw), "ours": ours}, bench.seconds, bench.runs)
    yield Line("W14 segment count", times["raw"], times["ours"], 1.3)


# ------------------------------------------------------------------------------------------------------------- writing


def tag(bench: Bench) -> Iterator[Line]:
    """W15: a new tag on a quarter of the deals, each run another."""
    raws, ours = [], []
    with bench.copy(bench.moved(bench.deals)) as name, bench.raw(name) as raw, bench.crm(name) as crm:
        count = _ask(crm, lambda me: me.deals.where(F.region == "emea").count())
        for run in range(bench.runs):
            raws.append(timed(partial(raw_metrics.tag, raw, f"raw {run}", "emea")))
            ours.append(timed(partial(_ask, crm, partial(_tag, f"ours {run}", count))))
        by_hand, tagged = (raw.fetch(_TAGGED, (f"{who} 0",)) for who in ("raw", "ours"))
        same(by_hand, tagged, "W15")
    yield Line("W15 tag all of a condition", long(raws), long(ours), 1.5, rows=count)


_TAGGED = (
    "SELECT g.record, g.version, g.created_at, g.created_by, g.recorded_at, g.record_type, g.record_type_key, "
    "g.origin, g.expires_at, g.custom FROM crm_tagging AS g JOIN crm_tag AS t "
    "ON t.tenant_id = g.tenant_id AND t.id = g.tag WHERE t.name_key = ? ORDER BY g.record"
)


def _tag(name: str, count: int, me: Any) -> None:
    result = me.deals.where(F.region == "emea").tag(name)
    if result.counts["updated"] != count:
        raise AssertionError(result.counts)


def refresh(bench: Bench) -> Iterator[Line]:
    """W16: who came into a watched segment of a quarter of the deals, and who left it."""
    raws, ours = [], []
    with bench.copy(bench.moved(bench.deals)) as name, bench.raw(name) as raw, bench.crm(name) as crm:
        roll = _ask(crm, _watch)
        bench.place.settle(name)
        for run in range(bench.runs):
            raw_metrics.shuffle(raw, run)
            found: list[tuple[int, int]] = []
            raws.append(timed(lambda: found.append(raw_metrics.refresh(raw, raw.id(roll), "emea"))))  # noqa: B023
            ours.append(timed(lambda: found.append(_ask(crm, _refresh))))  # noqa: B023
            same([found[0]], [found[1]], "W16")
    yield Line("W16 refresh a watched segment", long(raws), long(ours), 1.5, note=f"{sum(found[0]):,} came or left")


def _watch(me: Any) -> Any:
    """Two segments of the same condition, one for each program; the list of the raw one."""
    rolls = [_watched(me, name) for name in ("ours", "raw")]
    return rolls[1]


def _watched(me: Any, name: str) -> Any:
    me.segments.create(name=name, on="deal", where=F.region == "emea")
    return me.segments.watch(name).roll


def _refresh(me: Any) -> tuple[int, int]:
    (change,) = me.segments.refresh("ours")
    return len(change.entered), len(change.left)


# -------------------------------------------------------------------------------------------------------------- memory


def memory(bench: Bench) -> Iterator[Line]:
    """W17: the most memory a process has that asks one question, of few deals and of many."""
    sizes = [bench.deals // 100, bench.deals // 10, bench.deals]
    for question in ("funnel", "win_curve"):
        peaks = [_peak(bench, bench.moved(size), question) for size in sizes]
        shown = ", ".join(f"{peak:.0f} of {size:,}" for peak, size in zip(peaks, sizes, strict=True))
        yield Line(f"W17 memory, {question}", peaks[0], peaks[-1], 1.1, unit="MB", note=f"{shown} deals")


def _peak(bench: Bench, name: str, question: str) -> float:
    """The peak of a process, in megabytes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "benchmarks.peak", bench.place.url(name), question]
    told = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return float(told.stdout) / 1024


METRICS: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "W11": funnel,
    "W12": win_curve,
    "W13": win_rate,
    "W14": segment,
    "W15": tag,
    "W16": refresh,
    "W17": memory,
}
