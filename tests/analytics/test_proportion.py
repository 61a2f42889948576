"""The interval of Wilson."""

import math
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import InvalidValue, UsageError
from crmkit.features.metrics.statistics.proportion import critical, wilson

LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(8, 10, 0.4901624715, 0.9433178485), (0, 10, 0.0, 0.2775327999), (15, 148, 0.0624, 0.1605), (1, 1, 0.2065, 1.0)],
)
def test_it_has_the_published_bounds(successes: int, n: int, low: float, high: float) -> None:
    """The first two by statsmodels, the third from Newcombe (1998), table I, method 3."""
    found = wilson(successes, n)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert (found.level, found.method) == (0.95, "wilson")


@pytest.mark.law
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), LEVELS)
def test_its_bounds_are_the_shares_that_lie_so_many_of_their_own_errors_away(
    counted: tuple[int, int], level: float
) -> None:
    successes, n = counted
    found = wilson(successes, n, level)
    assert found is not None
    share, z = successes / n, NormalDist().inv_cdf(0.5 + level / 2)
    assert 0 <= found.low <= share <= found.high <= 1
    assert found.low < found.high
    for bound in (found.low, found.high):
        if bound not in (0.0, 1.0):
            assert abs(share - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / n), abs=1e-7)


@pytest.mark.law
@given(st.integers(0, 500), st.integers(0, 500), LEVELS)
def test_failures_have_the_mirrored_interval(successes: int, failures: int, level: float) -> None:
    one, other = wilson(successes, successes + failures, level), wilson(failures, successes + failures, level)
    assert (one is None) == (other is None) == (successes + failures == 0)
    if one is not None and other is not None:
        assert (one.low, one.high) == (pytest.approx(1 - other.high), pytest.approx(1 - other.low))


def test_nothing_has_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (1, 0), (0, -1)])
def test_a_share_that_is_none_is_refused(successes: int, n: int) -> None:
    with pytest.raises(InvalidValue) as refused:
        wilson(successes, n)
    assert refused.value.code == "out_of_range"


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, math.nan])
def test_a_level_outside_zero_and_one_is_refused(level: Any) -> None:
    for call in (lambda: wilson(1, 2, level), lambda: wilson(0, 0, level), lambda: critical(level)):
        with pytest.raises(UsageError) as refused:
            call()
        assert refused.value.code == "bad_level"


def test_the_usual_level_is_ninety_five_percent() -> None:
    assert critical(0.95) == pytest.approx(1.959963984540054)
