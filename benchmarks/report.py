"""The report: one Markdown table for each database."""

from benchmarks.works import Line

__all__ = ["heading", "row"]


def heading() -> str:
    """The first two rows of the table."""
    return "| work | raw | crmkit | ratio | goal | met | remarks |\n|---|---|---|---|---|---|---|"


def row(line: Line) -> str:
    """One row: work, times, ratio, goal."""
    goals = [f"<= {line.goal:g}" if line.goal else "", f"<= {_time(line.limit)}" if line.limit else ""]
    cells = (
        line.work,
        _amount(line.raw, line.rows),
        _amount(line.ours, line.rows),
        "" if line.ratio is None else f"{line.ratio:.2f}",
        ", ".join(filter(None, goals)),
        "yes" if line.met else "**no**",
        line.note,
    )
    return f"| {' | '.join(cells)} |"


def _amount(seconds: float | None, rows: int) -> str:
    if seconds is None:
        return ""
    return f"{_time(seconds)} ({rows / seconds:,.0f}/s)" if rows else _time(seconds)


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{seconds * 1e3:.2f} ms"
        if seconds < 0.01
        else f"{seconds * 1e3:.0f} ms"
    )
