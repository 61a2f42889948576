"""Mean, median and quantiles of counted values."""

import math
import statistics
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.statistics.quantile import mean, median, quantile, quantiles
from tests.analytics.made import MAVEN, maven

WHOLE = st.lists(st.integers(-1000, 1000), min_size=2, max_size=40)


@pytest.mark.law
@given(WHOLE, st.integers(2, 20))
def test_quantiles_are_those_the_standard_library_calls_inclusive(values: list[int], parts: int) -> None:
    shares = [Fraction(k, parts) for k in range(1, parts)]
    exact = statistics.quantiles([Fraction(value) for value in values], n=parts, method="inclusive")
    assert list(quantiles(Counter(values), shares)) == exact


@pytest.mark.law
@given(WHOLE)
def test_mean_median_and_ends_are_exact(values: list[int]) -> None:
    counts = Counter(values)
    assert mean(counts) == Fraction(sum(values), len(values))
    assert median(counts) == Fraction(statistics.median([Fraction(value) for value in values]))
    assert quantiles(counts, (0, 1)) == (min(values), max(values))
    assert isinstance(median(counts), Fraction)


@pytest.mark.law
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_of_floats_they_are_floats(values: list[float]) -> None:
    counts = Counter(values)
    assert median(counts) == pytest.approx(statistics.median(values))
    assert mean(counts) == pytest.approx(statistics.fmean(values))
    quarters = statistics.quantiles(values, n=4, method="inclusive")
    assert quantiles(counts, (0.25, 0.5, 0.75)) == pytest.approx(tuple(quarters))


def test_the_median_of_an_even_number_lies_half_way() -> None:
    assert median({1: 1, 2: 1}) == Fraction(3, 2)
    assert median({1: 3, 10: 3}) == Fraction(11, 2)
    assert median({Fraction(1, 3): 1}) == Fraction(1, 3)


def test_a_share_written_as_a_float_is_the_decimal_it_shows() -> None:
    counts = dict.fromkeys(range(11), 1)
    for share in (0.9, Decimal("0.9"), Fraction(9, 10)):
        assert quantile(counts, share) == 9


def test_nothing_has_no_middle() -> None:
    for nothing in ({}, {5: 0}):
        assert mean(nothing) is median(nothing) is quantile(nothing, 0.9) is None
        assert quantiles(nothing, (0.5, 0.9)) == (None, None)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf, "0.5", None, Decimal("NaN")])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    for counts in ({1: 1}, {}):
        with pytest.raises(UsageError) as refused:
            quantile(counts, share)
        assert refused.value.code == "bad_share"


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({1: -1}, "negative_count"),
        ({1: 1.5}, "negative_count"),
        ({math.nan: 1}, "not_a_number"),
        ({math.inf: 1}, "not_a_number"),
        ({"五": 1}, "not_a_number"),
        ({True: 1}, "not_a_number"),
    ],
)
def test_what_is_not_counted_is_refused(counts: Any, code: str) -> None:
    for call in (mean, median):
        with pytest.raises(InvalidValue) as refused:
            call(counts)
        assert refused.value.code == code


def test_the_median_value_of_the_deals_won_at_maven_is_that_computed_elsewhere() -> None:
    amounts = Counter(deal.amount.units for deal in maven() if deal.outcome == "won" and deal.amount is not None)
    middle = median(amounts)
    assert middle is not None
    assert middle / 10_000 == MAVEN["median_won_value"]
