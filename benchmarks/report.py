"""The report: one Markdown table for each database."""

from benchmarks.bench import Line

__all__ = ["heading", "row"]


def heading() -> str:
    """The first two rows of the table."""
    return "| work | raw | crmkit | ratio | goal | met | remarks |\n|---|---|---|---|---|---|---|"


def row(line: Line) -> str:
    """One row: work, times, ratio, goal."""
    goals = [f"<= {line.goal:g}" if line.goal else "", f"<= {_time(line.limit)}" if line.limit else ""]
    cells = (
        line.work,
        _amount(line.raw, line),
        _amount(line.ours, line),
        "" if line.ratio is None else f"{line.ratio:.2f}",
        ", ".join(filter(None, goals)),
        "yes" if line.met else "**no**",
        line.note,
    )
    return f"| {' | '.join(cells)} |"


def _amount(measured: float | None, line: Line) -> str:
    if measured is None:
        return ""
    if line.unit != "s":
        return f"{measured:,.0f} {line.unit}"
    return f"{_time(measured)} ({line.rows / measured:,.0f}/s)" if line.rows else _time(measured)


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{seconds * 1e3:.2f} ms"
        if seconds < 0.01
        else f"{seconds * 1e3:.0f} ms"
    )
