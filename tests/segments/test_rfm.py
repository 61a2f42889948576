"""RFM scores: against CDNOW computed another way, with ties, and as laws."""

import csv
from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue
from crmkit.features.segments.rfm import Cell, Purchases, cut_points, rfm_expressions, scores

DATA = Path(__file__).parents[1] / "data" / "cdnow" / "customers.csv"
END = date(1998, 6, 30)


def cdnow() -> list[Purchases]:
    """The first customers of CDNOW: each purchase a row of customer, day, value."""
    bought: dict[str, list[tuple[date, Decimal]]] = {}
    with DATA.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["date"])
            bought.setdefault(row["customer"], []).append((day, Decimal(row["value"])))
    return [
        Purchases(customer, (END - max(day for day, _ in rows)).days, len(rows), sum((v for _, v in rows), Decimal()))
        for customer, rows in bought.items()
    ]


def by_share(value: Fraction, values: list[Fraction]) -> int:
    """The definition: 1 + the number of fifths that lie wholly below."""
    return 1 + int(5 * Fraction(sum(v < value for v in values), len(values)))


def exact_mean(customer: Purchases) -> Fraction:
    assert customer.total is not None
    return Fraction(customer.total) / customer.count


def test_the_scores_of_cdnow_are_those_of_the_definition() -> None:
    customers = cdnow()
    days, counts = ([Fraction(getattr(c, key)) for c in customers] for key in ("days", "count"))
    means = [exact_mean(c) for c in customers]
    found = scores(customers, cut_points(customers))
    assert len(found) == 400
    for customer, score in zip(customers, found, strict=True):
        assert score.r == 6 - by_share(Fraction(customer.days), days)
        assert score.f == by_share(Fraction(customer.count), counts)
        assert score.m == by_share(exact_mean(customer), means)


def test_cdnow_has_no_customers_of_middling_frequency() -> None:
    """Half of them bought once; equal values have equal scores, so that scores 2 and 3 are nobody's."""
    customers = cdnow()
    cuts = cut_points(customers)
    once = sum(c.count == 1 for c in customers)
    found = Counter(score.f for score in scores(customers, cuts))
    assert found[1] == once
    assert cuts.count[:2] == (1, 1)
    assert found[2] == 0
    assert sum(found.values()) == cuts.n == 400


def test_scores_by_cut_points_once_made_do_not_move_when_others_buy() -> None:
    customers = [Purchases(n, 10 * n, n, Decimal(100)) for n in range(1, 11)]
    cuts = cut_points(customers)
    assert (cuts.days, cuts.count) == ((20, 40, 60, 80), (2, 4, 6, 8))
    before = {s.id: s for s in scores(customers, cuts)}
    crowd = [Purchases(f"客户 {n}", 1, 100, Decimal(10**6)) for n in range(1_000)]
    after = {s.id: s for s in scores([*customers, *crowd], cuts)}
    assert {i: after[i] for i in before} == before


def test_of_nobody_there_are_no_cut_points_and_no_scores() -> None:
    cuts = cut_points([Purchases(1, 5, 0, None)])
    assert (cuts.n, cuts.days, cuts.value) == (0, (), ())
    assert scores([Purchases(1, 5, 0, None)], cuts) == []


def test_who_has_no_known_value_has_no_m() -> None:
    customers = [Purchases(1, 5, 1, None), Purchases(2, 5, 1, Decimal(7))]
    assert [s.m for s in scores(customers, cut_points(customers))] == [None, 1]


def test_a_mean_is_of_the_purchases_whose_value_is_known() -> None:
    some = Purchases("王", 5, 10, Decimal(1000), 2)
    assert (some.value("mean"), some.value("total")) == (500, 1000)
    assert Purchases("王", 5, 10, Decimal(1000)).value("mean") == 100


def test_conditions_on_means_are_refused() -> None:
    customers = [Purchases(n, n, n, Decimal(n)) for n in range(1, 9)]
    cuts = cut_points(customers, monetary="mean", currency="EUR")
    with pytest.raises(InvalidValue) as refused:
        rfm_expressions(cuts, {"x": Cell(m=(5, 5))})
    assert refused.value.code == "not_total"
    assert list(rfm_expressions(cuts, {"x": Cell(r=(2, 3))})) == ["x"]


def test_where_nobody_had_a_value_nobody_is_in_a_cell_that_asks_for_one() -> None:
    cuts = cut_points([Purchases(1, 1, 1, None)], monetary="total", currency="EUR")
    assert rfm_expressions(cuts, {"x": Cell(m=(5, 5)), "y": Cell()}).keys() == {"x", "y"}


CUSTOMERS = st.lists(
    st.builds(
        Purchases,
        st.uuids(),
        st.integers(0, 50),
        st.integers(0, 8),
        st.none() | st.decimals(0, 1_000, places=2, allow_nan=False),
    ),
    max_size=40,
    unique_by=lambda c: c.id,
)


@pytest.mark.law
@given(CUSTOMERS, st.sampled_from(["mean", "total"]))
def test_equal_values_have_equal_scores_and_greater_ones_no_lower(customers: list[Purchases], monetary: str) -> None:
    cuts = cut_points(customers, monetary=monetary)  # type: ignore[arg-type]
    bought = [c for c in customers if c.count]
    found = dict(zip([c.id for c in bought], scores(bought, cuts), strict=True))
    for a in bought:
        for b in bought:
            if a.days <= b.days:
                assert found[a.id].r >= found[b.id].r
            if a.count <= b.count:
                assert found[a.id].f <= found[b.id].f
    if bought:
        counts = [Fraction(c.count) for c in bought]
        assert [found[c.id].f for c in bought] == [by_share(Fraction(c.count), counts) for c in bought]
    assert scores(reversed(bought), cut_points(reversed(customers), monetary=monetary)) == [  # type: ignore[arg-type]
        found[c.id] for c in reversed(bought)
    ]
