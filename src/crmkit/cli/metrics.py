"""``crmkit metrics NAME``: the numbers of a pipeline, each with what it rests on and what it leaves out."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast, get_args

import attrs
import click

from crmkit.cli.access import Access, access_options, as_of_option, format_option
from crmkit.cli.charts import ChartFile
from crmkit.cli.output import Column, Format, Table, visible, write, write_document
from crmkit.cli.rates_file import rates_in
from crmkit.errors import UsageError
from crmkit.features.metrics.tallies.metric import Interval, Metric
from crmkit.values import Money, Period
from crmkit.values.rates import Policy
from crmkit.values.text import shown

if TYPE_CHECKING:
    from crmkit.features.metrics.metrics import Metrics
    from crmkit.kernel.session.session import Session

__all__ = ["METRICS", "Figures", "Kind", "Question", "metrics"]

Figures = Iterable[tuple[str, Metric]]
"""Metrics, each with what it is of: a stage, a month, an age; nothing of all that was asked about."""

_AGES = (30, 60, 90, 120, 180, 365)
_MONTHS = 6


@attrs.frozen(kw_only=True)
class Question:
    """What was asked besides the deals. ``variant`` are the arguments a variant stands for."""

    period: Period | None = None
    variant: Mapping[str, Any] = attrs.field(factory=dict)
    quota: Money | None = None
    months: int = _MONTHS
    where: str = "true"


@attrs.frozen(kw_only=True)
class Kind:
    """A metric the command knows: how it is asked, and what of the answer is printed, drawn and told to programs.

    ``takes`` are the options that mean something to it besides those of all, ``needs`` those it cannot do without.
    """

    ask: Callable[["Metrics", Question], Any]
    figures: Callable[["Metrics", Any], Figures]
    variants: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    takes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    document: Callable[[Any], Any] = lambda result: result.to_dict()
    vega: Callable[[Any], Any] | None = None


# -------------------------------------------------------------------------------------------------------------- figures


def _named(*names: str) -> Callable[["Metrics", Any], Figures]:
    """The metrics of these attributes; a dot goes one deeper."""

    def figures(metrics: "Metrics", result: Any) -> Figures:
        for name in names:
            metric = result
            for part in name.split("."):
                metric = getattr(metric, part)
            yield "", metric

    return figures


def _funnel(metrics: "Metrics", result: Any) -> Figures:
    for step in result.steps:
        found = (step.reached, step.amount, step.onward, step.overall)
        yield from ((step.name, metric) for metric in found if metric is not None)


def _win_curve(metrics: "Metrics", result: Any) -> Figures:
    yield from _named(
        "win_rate", "naive_win_rate", "median_days_to_close", "naive_median_days", "naive_mean_days",
        "naive_mean_days_won", "naive_mean_days_lost",
    )(metrics, result)  # fmt: skip
    longest = result.points()[-1]["days"] if result.points() else 0
    for days in _AGES:
        if days <= longest:
            for outcome in ("won", "lost", "open"):
                share = result.share(outcome, days)
                # Its first note says the age once more.
                yield f"{days} days", attrs.evolve(share, notes=share.notes[1:])


def _weighted(metrics: "Metrics", result: Any) -> Figures:
    yield from _named("total", "spread", "unweighted", "overdue")(metrics, result)
    yield from (("" if month.period is None else month.period.label, month) for month in result.months)


def _stage_forecast(metrics: "Metrics", result: Any) -> Figures:
    yield from _weighted(metrics, result.pipeline)
    names = {stage.id: stage.name for stage in metrics.stages}
    yield from ((names[stage], odds) for stage, odds in result.stages.items())


def _dwell(metrics: "Metrics", result: Any) -> Figures:
    for stage in result:
        yield from ((stage.name, stage.median), (stage.name, stage.naive_mean))


def _dwell_document(result: Any) -> Any:
    return [
        {
            "stage": str(stage.stage),
            "name": stage.name,
            "median": stage.median.to_dict(),
            "naive_mean": stage.naive_mean.to_dict(),
        }
        for stage in result
    ]


def _calibration(metrics: "Metrics", result: Any) -> Figures:
    yield from _named("brier", "reliability", "resolution", "uncertainty")(metrics, result)
    for row in result.table:
        said = f"{float(row.low):.0%} to {float(row.high):.0%}"
        yield from ((said, row.mean_forecast), (said, row.observed))


def _backtest(metrics: "Metrics", result: Any) -> Figures:
    for row in result.rows:
        for what in ("forecast", "actual", "error"):
            value = getattr(row, what)
            told: dict[str, Any] = {"name": what, "variant": "month_ahead", "unit": "money", "value": value}
            yield row.period.label, Metric(**told, n=int(value is not None), frame=row.frame, period=row.period)
    yield from _named("bias", "mae", "mape")(metrics, result)


# -------------------------------------------------------------------------------------------------------------- metrics


def _each(argument: str, *values: str) -> Mapping[str, Mapping[str, Any]]:
    """Variants that are the values of one argument."""
    return {value: {argument: value} for value in values}


def _funnels() -> Mapping[str, Mapping[str, Any]]:
    every = itertools.product(("implied", "strict"), ("now", "then"), ("now", "then"))
    whole = {f"{r}_{o}_amount_{a}": {"reaching": r, "order": o, "amounts": a} for r, o, a in every}
    return {**_each("reaching", "implied", "strict"), **whole}


def _periodic(name: str) -> Callable[["Metrics", Question], Any]:
    return lambda metrics, asked: getattr(metrics, name)(asked.period, **asked.variant)


def _drawn(name: str) -> Callable[[Any], Any]:
    def document(result: Any) -> Any:
        from crmkit.features.metrics import charts as vega  # needed for charts only

        return getattr(vega, name)(result)

    return document


_WIN_RATES = ("closed_count", "closed_amount", "created_cohort", "narrow", "broad")
_PERIODIC = frozenset({"period"})
_AGED = frozenset({"period", "start"})
_CYCLE = ("mean", "median", "kaplan_meier_median")
_LEVERS = ("velocity", "opportunities", "average_won_value", "win_rate", *(f"cycle.{name}" for name in _CYCLE))

METRICS: Mapping[str, Kind] = MappingProxyType(
    {
        "funnel": Kind(
            ask=_periodic("funnel"), figures=_funnel, variants=_funnels(), takes=_PERIODIC, vega=_drawn("funnel")
        ),
        "win-rate": Kind(
            ask=_periodic("win_rate"),
            figures=lambda metrics, result: [("", result)],
            variants=_each("variant", *_WIN_RATES),
            takes=_PERIODIC,
        ),
        "win-curve": Kind(ask=_periodic("win_curve"), figures=_win_curve, takes=_AGED, vega=_drawn("win_curve")),
        "weighted": Kind(ask=_periodic("weighted"), figures=_weighted, takes=_PERIODIC, vega=_drawn("forecast")),
        "categories": Kind(
            ask=_periodic("categories"),
            figures=_named("omitted", "pipeline", "best_case", "commit", "closed"),
            variants=_each("rollup", "cumulative", "single"),
            takes=_PERIODIC,
        ),
        "stage-forecast": Kind(
            ask=_periodic("stage_forecast"),
            figures=_stage_forecast,
            variants=_each("odds", "matured", "curve"),
            takes=_PERIODIC,
            vega=lambda result: _drawn("forecast")(result.pipeline),
        ),
        "velocity": Kind(
            ask=_periodic("velocity"),
            figures=_named(*_LEVERS),
            variants=_each("variant", "open", "closed"),
            takes=_AGED,
        ),
        "cycle": Kind(ask=_periodic("cycle"), figures=_named(*_CYCLE), takes=_AGED),
        "dwell": Kind(
            ask=lambda metrics, asked: metrics.dwell(**asked.variant),
            figures=_dwell,
            variants=_each("stay", "first", "latest", "cumulative"),
            document=_dwell_document,
        ),
        "calibration": Kind(
            ask=lambda metrics, asked: metrics.calibration(**asked.variant),
            figures=_calibration,
            variants=_each("not_won", "narrow", "broad"),
        ),
        "backtest": Kind(
            ask=lambda metrics, asked: metrics.backtest(asked.months, **asked.variant),
            figures=_backtest,
            variants=_each("forecast", "weighted", "stages"),
            takes=frozenset({"months"}),
            vega=_drawn("backtest"),
        ),
        "coverage": Kind(
            # _question has seen that both are there.
            ask=lambda metrics, asked: metrics.coverage(
                cast("Money", asked.quota), cast("Period", asked.period), **asked.variant
            ),
            figures=_named("coverage", "open", "won"),
            variants=_each("variant", "remaining", "full"),
            takes=_PERIODIC | {"quota"},
            needs=_PERIODIC | {"quota"},
        ),
        "response-time": Kind(
            ask=lambda metrics, asked: metrics.response_time(asked.period, where=asked.where),
            figures=_named("p50", "p90", "within", "naive_mean"),
            takes=_PERIODIC,
        ),
    }
)
"""The metrics by the name the command gives them."""


# -------------------------------------------------------------------------------------------------------------- command


@click.command()
@click.argument("name", type=click.Choice([*METRICS]), metavar="NAME")
@click.option(
    "--pipeline", metavar="NAME", help="The pipeline, by name or id; else all deals, or of stages the only one."
)
@click.option("--where", metavar="TEXT", help="Only deals that meet a condition (response-time: leads).")
@click.option("--period", metavar="PERIOD", help="2017, 2017Q3, 2017-08, 2017-08-15 or 2017-08-01/2017-08-15.")
@click.option("--variant", metavar="NAME", help="Which of the numbers of that name; a wrong one lists them.")
@click.option("--currency", metavar="CODE", help="The currency to tell amounts in, such as EUR.")
@click.option("--rates", metavar="FILE", help="Exchange rates as CSV: from,to,first,rate. Needs --currency.")
@click.option(
    "--policy",
    metavar="NAME",
    type=click.Choice(get_args(Policy)),
    help="Which rate counts: booking (unless told), current or budget.",
)
@click.option("--start", metavar="FIELD", help="The date at which a deal's age begins; else created_at.")
@click.option("--quota", metavar="MONEY", help="Of coverage: what is to be won, such as '10000 EUR'.")
@click.option("--months", metavar="N", type=int, help=f"Of backtest: how many months to look back; else {_MONTHS}.")
@as_of_option
@click.option("--chart", metavar="FILE", help="Draw a chart into FILE.svg or FILE.png as well.")
@click.option("--force", is_flag=True, help="Replace the chart's file if there is one.")
@format_option
@access_options
def metrics(
    access: Access, name: str, form: Format, as_of: Any, chart: str | None, force: bool, **options: Any
) -> None:
    """A number about the deals of a pipeline, with what it rests on.

    NAME is funnel, win-rate, win-curve, weighted, categories, stage-forecast, velocity, cycle, dwell, calibration,
    backtest, coverage or response-time; docs/pipeline-math.md says what each means. It covers what you may see.
    """
    kind = METRICS[name]
    asked = _question(name, kind, options)
    if chart is not None and kind.vega is None:
        drawable = ", ".join(known for known, other in METRICS.items() if other.vega is not None)
        raise UsageError(f"there is no chart of {name}", code="no_chart", hint=f"there is one of {drawable}")
    file = None if chart is None else ChartFile.at(chart, force=force)
    with access.session(as_of=as_of) as me:
        found = _metrics(me, name, options)
        result = kind.ask(found, asked)
        if file is not None and kind.vega is not None:
            file.save(kind.vega(result))
        _print(kind, found, result, form)


def _metrics(me: "Session", name: str, options: Mapping[str, Any]) -> "Metrics":
    given = {key: options[key] for key in ("where", "currency", "policy", "start") if options[key] is not None}
    if options["rates"] is None and options["policy"] is not None:
        raise UsageError("--policy without --rates", code="missing", hint="name a file of rates")
    if options["rates"] is not None:
        if options["currency"] is None:
            raise UsageError("--rates to which currency", code="missing", hint="add --currency EUR")
        given["rates"] = rates_in(options["rates"], planned=options["policy"] == "budget")
    if name == "response-time":
        given.pop("where", None)  # it is about leads
    return me.metrics(options["pipeline"], **given)


def _question(name: str, kind: Kind, options: Mapping[str, Any]) -> Question:
    """What was asked, read. Raises UsageError (``not_for_this``, ``missing``, ``unknown_variant``), InvalidValue."""
    for option in ("period", "start", "quota", "months"):
        if options[option] is not None and option not in kind.takes:
            takers = ", ".join(known for known, other in METRICS.items() if option in other.takes)
            raise UsageError(f"--{option} means nothing to {name}", code="not_for_this", hint=f"it is for {takers}")
        if options[option] is None and option in kind.needs:
            raise UsageError(f"{name} needs --{option}", code="missing", hint=f"crmkit metrics {name} --{option} ...")
    variant = options["variant"]
    if variant is not None and variant not in kind.variants:
        hint = ", ".join(kind.variants) or "it has none"
        raise UsageError(f"there is no {name} {shown(variant)}", code="unknown_variant", hint=hint)
    return Question(
        period=None if options["period"] is None else Period.parse(options["period"]),
        variant=kind.variants[variant] if variant is not None else {},
        quota=None if options["quota"] is None else Money.parse(options["quota"], options["currency"]),
        months=_MONTHS if options["months"] is None else options["months"],
        where="true" if options["where"] is None else options["where"],
    )


# ------------------------------------------------------------------------------------------------------------- printing

_CSV = (
    "figure of variant unit value n numerator denominator excluded censored low high period currency policy as_of zone "
    "scope"
)


def _print(kind: Kind, found: "Metrics", result: Any, form: Format) -> None:
    if form == "json":
        write_document(kind.document(result))
        return
    figures = list(kind.figures(found, result))
    if form == "csv":
        write(Table.of(_CSV, (_cells(of, metric) for of, metric in figures)), form)
        return
    write(_table(figures), form)
    for line in _told_beside([metric for _, metric in figures]):
        click.echo(visible(line))


def _cells(of: str, metric: Metric) -> tuple[Any, ...]:
    value, frame, interval = metric.value, metric.frame, metric.interval
    amount = value.amount if isinstance(value, Money) else value
    period = None if metric.period is None else metric.period.label
    return (
        metric.name, of or None, metric.variant, metric.unit, amount, metric.n, metric.numerator, metric.denominator,
        _counts(metric.excluded) or None, metric.censored, None if interval is None else interval.low,
        None if interval is None else interval.high, period, frame.currency, frame.told_policy, frame.as_of,
        frame.zone, frame.scope,
    )  # fmt: skip


def _table(figures: list[tuple[str, Metric]]) -> Table:
    keys = ("figure", "variant", "of", "value", "n", "left out", "censored", "interval")
    rows = [
        (m.name.replace("_", " "), m.variant, of, _value(m), f"{m.n:,}", _counts(m.excluded), m.censored, _interval(m))
        for of, m in figures
    ]
    kept = [place for place, key in enumerate(keys) if key != "of" or any(of for of, _ in figures)]
    columns = [Column(keys[place], right=keys[place] in ("value", "n", "censored")) for place in kept]
    return Table(columns, ([row[place] for place in kept] for row in rows))


def _told_beside(metrics: list[Metric]) -> Iterator[str]:
    """In what the figures are told, and the sentences a reader must know, each once."""
    frame = metrics[-1].frame
    told_in = next((m.frame for m in metrics if m.frame.currency is not None), frame)
    currency, policy = told_in.currency, told_in.told_policy
    periods = {m.period for m in metrics if m.period is not None}
    levels = {m.interval.level for m in metrics if m.interval is not None}
    yield ", ".join(
        [
            f"as of {frame.as_of.isoformat(sep=' ', timespec='seconds')}",
            f"days of {frame.zone}",
            *(f"in {period.label}" for period in periods if len(periods) == 1),
            *([f"amounts in {currency}{f' at {policy} rates' if policy else ''}"] if currency else []),
            *(f"intervals of {level:.0%}" for level in levels),
            f"of {'all there is' if frame.scope == 'all' else frame.scope}",
        ]
    )
    yield from dict.fromkeys(f"note: {note}" for m in metrics for note in m.notes)


def _value(metric: Metric) -> str:
    value = metric.value
    if value is None:
        return "nothing"
    if isinstance(value, Money):
        rounded = value.quantized()
        return f"{rounded.amount:,f} {rounded.currency}{' a day' if metric.unit == 'money per day' else ''}"
    return _number(value, metric.unit)


def _number(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{value:.1%}"
    if unit == "score":
        return f"{value:.4f}"
    if unit != "days":
        return f"{value:,}"
    if value and value < 1:
        return f"{value * 24:.1f} hours" if value >= 1 / 24 else f"{value * 1440:.1f} minutes"
    return f"{value:,.1f} days"


def _interval(metric: Metric) -> str:
    told: Interval | None = metric.interval
    return "" if told is None else f"{_number(told.low, metric.unit)} to {_number(told.high, metric.unit)}"


def _counts(excluded: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {number:,}" for reason, number in excluded.items())
