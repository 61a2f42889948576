"""Deals made for tests: one at a time, at random, and those of the Maven data set."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from hypothesis import strategies as st

from crmkit.cli.demo.files import rows_of
from crmkit.features.metrics.tallies.facts import DealFact, Outcome
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.values import Money
from crmkit.values.rates import Rates

TRUTHS = json.loads((Path(__file__).parents[1] / "data" / "pipeline-truths" / "truths.json").read_text("utf-8"))
MAVEN = TRUTHS["maven"]
NOON = datetime(2024, 6, 15, 12, tzinfo=UTC)
FRAME = Frame(as_of=NOON)
RATES = Rates(
    [("USD", "EUR", date(2020, 1, 1), "0.9"), ("USD", "EUR", date(2024, 3, 1), "0.8")],
    budget=[("USD", "EUR", date(2020, 1, 1), "0.85")],
)
IN_EUR = Frame(as_of=NOON, currency="EUR", rates=RATES)
ZONES = ["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"]


def deal(outcome: Outcome = "open", amount: int | str | Money | None = None, **more: Any) -> DealFact:
    """A deal created at noon of the first of January 2024; plain amounts are EUR."""
    money = amount if isinstance(amount, Money) or amount is None else Money(amount, "EUR")
    given = {"id": object(), "created_at": datetime(2024, 1, 1, 12, tzinfo=UTC), **more}
    return DealFact(outcome=outcome, amount=money, **given)


_DAYS = st.sampled_from([None, *(date(2024, month, day) for month in range(1, 13) for day in (1, 15))])


def deals(currencies: tuple[str, ...] = ("EUR",), max_size: int = 10) -> st.SearchStrategy[list[DealFact]]:
    """Any deals, also those with gaps and those closed before they were created."""
    shares = (("王芳", Fraction(1, 3)), ("Ben", Fraction(2, 3)))
    fact = st.builds(
        DealFact,
        id=st.just(None),
        outcome=st.sampled_from(["open", "won", "lost", "disqualified"]),
        created_at=st.integers(0, 5000).map(lambda hours: datetime(2023, 12, 1, tzinfo=UTC) + timedelta(hours=hours)),
        amount=st.none() | st.builds(Money.from_units, st.integers(0, 10**12), st.sampled_from(currencies)),
        probability=st.sampled_from([None, *(Fraction(k, 20) for k in range(21))]),
        stage=st.sampled_from([None, "第一阶段", 2]),
        category=st.sampled_from([None, "omitted", "pipeline", "best_case", "commit", "closed"]),
        expected_close=_DAYS,
        closed_on=_DAYS,
        owner=st.sampled_from([None, "王芳", "Ben"]),
        splits=st.sampled_from([(), (), shares, (("Cho", Fraction(1)),)]),
    )
    return st.lists(fact, max_size=max_size).map(
        lambda facts: [attrs.evolve(fact, id=number) for number, fact in enumerate(facts)]
    )


@cache
def maven() -> tuple[DealFact, ...]:
    """The engaged deals of Maven; those in Prospecting have no day of creation."""
    outcomes: dict[str, Outcome] = {"Won": "won", "Lost": "lost", "Engaging": "open"}
    return tuple(
        DealFact(
            id=row["opportunity_id"],
            outcome=outcomes[row["deal_stage"]],
            created_at=datetime.combine(date.fromisoformat(row["engage_date"]), time(12), UTC),
            closed_on=date.fromisoformat(row["close_date"]) if row["close_date"] else None,
            amount=Money(row["close_value"], "USD") if row["close_value"] else None,
            owner=row["sales_agent"],
        )
        for row in rows_of("sales_pipeline.csv")
        if row["engage_date"]
    )


MAVEN_FRAME = Frame(as_of=datetime(2017, 12, 31, 12, tzinfo=UTC))


def as_printed(value: object, printed: float) -> float:
    """The value rounded to as many decimals as the truth was printed with."""
    assert isinstance(value, int | float | Fraction)
    return float(round(value, len(repr(printed).partition(".")[2])))


def elsewhere(fact: DealFact) -> DealFact:
    """The same deal, its instant told on the clock of another zone."""
    return attrs.evolve(fact, created_at=fact.created_at.astimezone(timezone(timedelta(hours=9))))


def metrics_in(found: object) -> Iterator[Metric]:
    """All metrics in a result, however deep."""
    if isinstance(found, Metric):
        yield found
    elif isinstance(found, tuple):
        for part in found:
            yield from metrics_in(part)
    elif isinstance(found, Mapping):
        for part in found.values():
            yield from metrics_in(part)
    elif attrs.has(type(found)):
        for field in attrs.fields(type(found)):
            yield from metrics_in(getattr(found, field.name))
