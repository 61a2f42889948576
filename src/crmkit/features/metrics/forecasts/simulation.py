"""What the open deals may bring: a thousand times over, each deal is won or not, and the sums are looked at.

A Monte Carlo simulation of independent deals. Its mean is near the weighted pipeline; what it adds is how likely the
sum falls short of a target. Traps: deals that depend on each other (one budget, one market) spread wider than this; and
a simulation is no surer than the probabilities it is fed.
"""

import math
import random  # noqa: TID251 - the generator is made from the caller's seed and nothing else
from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from itertools import compress
from typing import Any

import attrs

from crmkit.errors import CurrencyMismatch, UsageError
from crmkit.features.metrics.forecasts.weighted import part_of
from crmkit.features.metrics.statistics.quantile import quantiles
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_money, check_period
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered
from crmkit.features.metrics.tallies.shares import share
from crmkit.features.metrics.tallies.totals import Totals, money_of, settled
from crmkit.values import Money, Period
from crmkit.values.money import UNITS_IN_ONE
from crmkit.values.text import shown

__all__ = ["Simulation", "simulate"]
_MOST_RUNS = 1_000_000


@attrs.frozen(kw_only=True)
class Simulation:
    """What ``runs`` runs gave, in the frame's currency.

    ``p10`` is the sum that one run of ten stays below or at, ``p90`` that which nine of ten do. ``reach`` is the share
    of runs that came to the target or above it, None if none was asked for. ``n`` of the metrics counts deals, that of
    ``reach`` runs.
    """

    seed: int
    runs: int
    mean: Metric
    p10: Metric
    p50: Metric
    p90: Metric
    reach: Metric | None
    target: Money | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "seed": self.seed,
            "runs": self.runs,
            "target": None if self.target is None else str(self.target),
            **{name: getattr(self, name).to_dict() for name in ("mean", "p10", "p50", "p90")},
            "reach": None if self.reach is None else self.reach.to_dict(),
        }


@attrs.frozen
class _Chance:
    worth: Fraction
    probability: float


def simulate(
    deals: Iterable[DealFact],
    period: Period | None,
    frame: Frame,
    *,
    seed: int,
    runs: int = 10_000,
    target: Money | None = None,
) -> Simulation:
    """The sums of open deals expected to close in the period (None: ever), each won with its own probability.

    The same seed gives the same answer, in whatever order the deals come: they take their turns in the order of their
    ids as texts. Overdue deals are left out (``overdue``), and those closed or without a day, a probability or an
    amount, as :mod:`~crmkit.features.metrics.forecasts.weighted` does.
    Takes ``runs`` times deals draws (ten million a second or two).

    Raises UsageError with code ``bad_seed``, ``bad_runs`` (1 to a million) or ``not_money``, InvalidValue with code
    ``bad_probability``, and CurrencyMismatch.
    """
    if type(seed) is not int:
        raise UsageError(f"{shown(seed)} is no seed", code="bad_seed", hint="an int")
    if type(runs) is not int or not 1 <= runs <= _MOST_RUNS:
        raise UsageError(f"{shown(runs)} is no number of runs", code="bad_runs", hint="an int from 1 to a million")
    check_period(period)
    if target is not None:
        check_money(target, "target")
    counted, parts = _chosen(deals, period, frame)
    frame = settled(frame, _totals(counted, target))
    if target is not None and target.currency != frame.currency:
        raise CurrencyMismatch(
            f"a target in {target.currency} is not reached in {frame.currency}", hint="give it in the frame's currency"
        )
    chances = [
        _Chance(frame.worth(amount, None), float(p)) for _, amount, p in sorted(counted, key=lambda c: repr(c[0]))
    ]
    scale = math.lcm(UNITS_IN_ONE, *(chance.worth.denominator for chance in chances))
    sums = _runs(chances, scale, seed, runs)
    return _told(sums, scale, parts, frame, period, (seed, runs, target))


def _chosen(
    deals: Iterable[DealFact], period: Period | None, frame: Frame
) -> tuple[list[tuple[Hashable, Money, Fraction]], Parts]:
    """The deals that take part, and in which part each deal is."""
    today, parts = frame.today, PartsFold(frame)
    chosen: list[tuple[Hashable, Money, Fraction]] = []
    for deal in deals:
        part = part_of(deal, period, today)
        parts.add(part, deal.id)
        if part == "counted" and deal.amount is not None and deal.probability is not None:
            chosen.append((deal.id, deal.amount, deal.probability))
    return chosen, parts.done()


def _totals(chosen: Iterable[tuple[Hashable, Money, Fraction]], target: Money | None) -> Totals:
    """Which currencies there are."""
    moneys = [amount for _, amount, _ in chosen] + ([] if target is None else [target])
    return Totals({(money.currency, None): 0 for money in moneys}, len(moneys))


def _runs(chances: list[_Chance], scale: int, seed: int, runs: int) -> dict[int, int]:
    """How often each sum came out, in whole parts of which ``scale`` make a unit of the currency."""
    draw = random.Random(seed).random  # noqa: S311 - chances of deals, nothing secret
    worths = [int(chance.worth * scale) for chance in chances]
    probabilities = [chance.probability for chance in chances]
    sums: dict[int, int] = {}
    for _ in range(runs):
        total = sum(compress(worths, [draw() < probability for probability in probabilities]))
        sums[total] = sums.get(total, 0) + 1
    return sums


def _told(
    sums: Mapping[int, int],
    scale: int,
    parts: Parts,
    frame: Frame,
    period: Period | None,
    asked: tuple[int, int, Money | None],
) -> Simulation:
    seed, runs, target = asked
    common: dict[str, Any] = {
        "name": "simulated_pipeline",
        "unit": "money",
        "n": parts["counted"],
        "frame": frame,
        "excluded": parts.without("counted"),
        "members": parts.members(frame),
        "period": covered(period, frame),
        "notes": (f"{runs} runs from seed {seed}, deals taken as independent",),
    }

    def metric(variant: str, parts_of_unit: Fraction) -> Metric:
        exact = parts_of_unit / scale if common["n"] else None
        return Metric(variant=variant, value=None if exact is None else money_of(exact, frame), exact=exact, **common)

    mean = Fraction(sum(total * times for total, times in sums.items()), runs)
    low, middle, high = quantiles(sums, (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)))
    return Simulation(
        seed=seed,
        runs=runs,
        target=target,
        mean=metric("mean", mean),
        p10=metric("p10", low or Fraction(0)),
        p50=metric("p50", middle or Fraction(0)),
        p90=metric("p90", high or Fraction(0)),
        reach=None if target is None else _reach(sums, scale, common, asked),
    )


def _reach(sums: Mapping[int, int], scale: int, common: dict[str, Any], asked: tuple[int, int, Money | None]) -> Metric:
    _, runs, target = asked
    needed = 0 if target is None else Fraction(target.units, UNITS_IN_ONE) * scale
    reached = sum(times for total, times in sums.items() if total >= needed) if common["n"] else 0
    more = {key: value for key, value in common.items() if key not in ("name", "unit", "n")}
    return share("probability_to_reach", "simulated", reached, runs if common["n"] else 0, **more)
