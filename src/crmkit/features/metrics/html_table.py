"""Results as HTML tables, for notebooks: every text is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from html import escape

from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.values import Money, Period

__all__ = ["figure_text", "html_table", "money_text", "month_label", "subtitle"]


def html_table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], excluded: Mapping[str, int] | None = None
) -> str:
    """Texts as an HTML table, all of them escaped; below it what was left out and why."""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    left_out = ", ".join(f"{reason}: {number}" for reason, number in (excluded or {}).items())
    foot = f'<tfoot><tr><td colspan="{len(head)}">left out: {escape(left_out)}</td></tr></tfoot>' if left_out else ""
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr></thead>"
        f"<tbody>{body}</tbody>{foot}</table>"
    )


def subtitle(variant: str, n: int, frame: Frame, period: Period | None) -> str:
    """What a table or a chart says below its title: variant, number of deals, period, instant and zone."""
    when = "" if period is None else f", {period.label}"
    return f"{variant}, n = {n}{when}, as of {frame.as_of.isoformat()}, {frame.zone}"


def figure_text(metric: Metric) -> str:
    """A metric's value as text: a share in percent, money with its currency, a dash where there is none."""
    if metric.value is None:
        return "–"
    if isinstance(metric.value, Money):
        return money_text(metric.value)
    if metric.unit == "ratio":
        return f"{metric.value:.1%}"
    return f"{metric.value:,.1f}" if isinstance(metric.value, float) else f"{metric.value:,}"


def money_text(money: Money | None) -> str:
    """An amount in the minor digits of its currency; a dash for None."""
    return "–" if money is None else str(money.quantized())


def month_label(period: Period | None) -> str:
    """Year and month in which the period begins; empty for all time."""
    first: date | None = None if period is None else period.start
    return "" if first is None else f"{first.year:04}-{first.month:02}"
