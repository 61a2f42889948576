"""A forecast from history weighs open deals by what became of others, and names the stages it knows too little of."""

import json
from datetime import date
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch, UsageError
from crmkit.features.metrics.forecasts.stage_forecast import StageForecast, stage_forecast, tally_history
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.values import Money, Period
from tests.analytics.journeys import FRAME, STAGES, Journey, apart, day, eur, journey, some_journeys

APRIL = Period.month(2017, 4)
SOON = date(2017, 4, 20)


def made(*journeys: Journey, period: Period | None = APRIL, **more: Any) -> StageForecast:
    deals, spells = apart(journeys)
    return stage_forecast(Journeys.of(deals, spells, STAGES, FRAME), period, **{"mature": 30, "floor": 4, **more})


def past() -> list[Journey]:
    """Four deals that entered fit and two that were won from it; a deal lost from new besides."""
    return [
        journey(1, ("new", 0), ("fit", 5), ("won", 20), amount=eur(1)),
        journey(2, ("new", 0), ("fit", 5), ("won", 20), amount=eur(1)),
        journey(3, ("new", 0), ("fit", 5), ("lost", 20), amount=eur(1)),
        journey(4, ("new", 0), ("fit", 5), ("junk", 20), amount=eur(1)),
        journey(5, ("new", 0), ("lost", 20), amount=eur(1)),
    ]


def coming(id: object, stage: str, amount: int | None, **more: Any) -> Journey:
    money = None if amount is None else eur(amount)
    return journey(id, (stage, 95), amount=money, **{"expected_close": SOON, **more})


def test_an_open_deal_counts_with_the_share_won_of_those_that_were_in_its_stage() -> None:
    result = made(*past(), coming("a", "fit", 100), coming("b", "new", 50))
    assert result.stages["fit"].exact == Fraction(2, 4)
    assert result.stages["new"].exact == Fraction(2, 5)
    assert result.total.value == eur(70)
    assert result.total.exact == 100 * Fraction(1, 2) + 50 * Fraction(2, 5)
    assert result.pipeline.variance == 100**2 * Fraction(1, 4) + 50**2 * Fraction(6, 25)
    assert [month.value for month in result.pipeline.months] == [eur(70)]


def test_each_probability_has_an_n_and_an_interval() -> None:
    odds = made(*past(), coming("a", "fit", 100)).stages["fit"]
    assert (odds.n, odds.censored) == (4, 1)
    assert odds.interval is not None
    assert odds.interval.low < 0.5 < odds.interval.high


def test_a_stage_with_too_little_history_is_named_and_not_guessed() -> None:
    result = made(*past(), coming("a", "fit", 100), coming("b", "bid", 900))
    assert result.unknown == ("Bid <script>alert(1)</script>",)
    assert result.stages["bid"].value is None
    assert result.total.value == eur(50)
    assert result.total.excluded["too_little_history"] == 1
    assert result.total.notes == ("Bid <script>alert(1)</script>: rests on 0 deals, fewer than 4",)
    assert made(*past(), coming("a", "fit", 100), floor=5).total.value is None


def test_nobody_s_estimate_is_in_it() -> None:
    """What the deal itself states as its probability changes nothing."""
    one, other = (made(*past(), coming("a", "fit", 100, probability=Fraction(p))) for p in (Fraction(0), Fraction(1)))
    assert one.total.exact == other.total.exact == 50


def test_lost_deals_add_nothing_to_a_forecast() -> None:
    closed = [
        journey(id, ("new", 0), (stage, 99), amount=eur(10_000), expected_close=SOON)
        for id, stage in (("lost", "lost"), ("won", "won"), ("junk", "junk"))
    ]
    open_only = made(*past(), coming("a", "bid", 100), floor=0)
    with_closed = made(*past(), *closed, coming("a", "bid", 100), floor=0)
    assert with_closed.total.n == open_only.total.n
    assert with_closed.total.excluded["lost"] == open_only.total.excluded["lost"] + 1
    assert with_closed.total.value == open_only.total.value


def test_young_deals_do_not_tell_of_the_end_unless_the_curve_weighs_them() -> None:
    """Entered five days ago and won already: only the quick can have done that."""
    quick = [journey(f"q{n}", ("fit", 95), ("won", 96)) for n in range(4)]
    assert made(*past(), *quick).stages["fit"].exact == Fraction(1, 2)
    curve = made(*past(), *quick, odds="curve").stages["fit"]
    assert curve.value == pytest.approx(6 / 8)
    assert (curve.n, curve.censored, curve.variant) == (8, 0, "curve")


def test_a_history_counts_from_the_first_entry_to_the_end_or_until_now() -> None:
    deals, spells = apart([*past(), journey("o", ("fit", 90), ("new", 92), ("fit", 99))])
    history = tally_history(Journeys.of(deals, spells, STAGES, FRAME), mature=30).stages["fit"]
    days = {micros // 86_400_000_000: counts for micros, counts in history.ends.items()}
    assert days == {15: {"won": 2, "lost": 2}, 10: {None: 1}}
    assert (history.won, history.matured, history.young) == (2, 4, 1)


def test_a_deal_matures_at_the_very_instant() -> None:
    deals, spells = apart([journey(1, ("fit", 70)), journey(2, ("fit", 70.00001))])
    history = tally_history(Journeys.of(deals, spells, STAGES, FRAME), mature=30).stages["fit"]
    assert (history.matured, history.young) == (1, 1)


def test_the_curve_knows_nothing_of_a_stage_all_are_waiting_in() -> None:
    waiting = [journey(f"w{n}", ("bid", 50)) for n in range(50)]
    assert made(*waiting, odds="curve").stages["bid"].value is None
    assert made(*waiting, odds="matured").stages["bid"].value == 0.0


def test_what_is_overdue_or_beyond_the_period_is_apart() -> None:
    result = made(
        *past(),
        coming("late", "fit", 100, expected_close=date(2017, 4, 1)),
        coming("far", "fit", 100, expected_close=date(2017, 6, 1)),
        coming("never", "fit", 100, expected_close=None),
        coming("blank", "fit", None),
    )
    assert result.total.value is None
    assert result.pipeline.overdue.value == eur(50)
    excluded = result.total.excluded
    assert [excluded[why] for why in ("overdue", "outside_period", "no_expected_close", "no_amount")] == [1, 1, 1, 1]


def test_impossible_histories_teach_nothing() -> None:
    deal, spells = journey("torn", ("new", 0), ("fit", 5), ("won", 20))
    torn = deal, [attrs.evolve(spell, left=day(-1)) for spell in spells]
    assert made(*past(), torn).stages["fit"].exact == Fraction(1, 2)
    assert made(*past(), torn).stages["fit"].excluded == {"impossible_history": 1}


def test_a_forecast_of_nothing_has_no_value() -> None:
    result = made()
    assert (result.total.value, result.total.n, result.spread.value) == (None, 0, None)
    assert result.unknown == ("New", "报价", "Bid <script>alert(1)</script>")


def test_unlike_currencies_do_not_add_up() -> None:
    with pytest.raises(CurrencyMismatch):
        made(*past(), coming("a", "fit", 1), journey("b", ("fit", 95), amount=Money(1, "USD"), expected_close=SOON))


@pytest.mark.parametrize(("bad", "code"), [({"odds": "guess"}, "unknown_variant"), ({"mature": -1}, "bad_days")])
def test_what_does_not_exist_is_refused(bad: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as refusal:
        made(**bad)
    assert refusal.value.code == code


def test_a_forecast_is_json() -> None:
    told = json.loads(json.dumps(made(*past(), coming("a", "fit", 100)).to_dict()))
    assert told["pipeline"]["total"]["value"] == "50.00 EUR"
    assert told["stages"]["fit"]["exact"] == "1/2"


@pytest.mark.law
@given(some_journeys(), st.data(), st.integers(0, 100))
def test_tallies_of_disjoint_deals_add_up_in_any_order(
    journeys: list[Journey], data: st.DataObject, mature: int
) -> None:
    cut = data.draw(st.integers(0, len(journeys)))
    shuffled = data.draw(st.permutations(journeys))
    whole, one, other = (
        tally_history(Journeys.of(*apart(part), STAGES, FRAME), mature=mature)
        for part in (shuffled, journeys[:cut], journeys[cut:])
    )
    assert one + other == whole
    for history in whole.stages.values():
        assert history.won <= history.matured
        assert history.matured + history.young == sum(sum(counts.values()) for counts in history.ends.values())
