"""A funnel counts deals, not moves, and names its policies."""

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmkit.errors import CurrencyMismatch, UsageError
from crmkit.features.metrics.figures.funnel import WON, Amounts, Funnel, funnel, funnel_of, tally
from crmkit.features.metrics.tallies.facts import StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.journeys import Journeys
from crmkit.features.metrics.tallies.ladder import Order, Reaching
from crmkit.values import Money, Period
from crmkit.values.rates import Rates
from tests.analytics.journeys import BID, FIT, FRAME, NEW, STAGES, Journey, apart, day, eur, journey, some_journeys

POLICIES = st.fixed_dictionaries(
    {
        "reaching": st.sampled_from(get_args(Reaching)),
        "order": st.sampled_from(get_args(Order)),
        "amounts": st.sampled_from(get_args(Amounts)),
    }
)


def made(*journeys: Journey, frame: Frame = FRAME, stages: tuple[StageFact, ...] = STAGES, **policies: Any) -> Funnel:
    deals, spells = apart(journeys)
    return funnel(Journeys.of(deals, spells, stages, frame), **policies)


def reached(result: Funnel) -> dict[object, object]:
    return {step.stage: step.reached.value for step in result.steps}


def test_a_reentered_stage_counts_a_deal_once() -> None:
    back_and_forth = journey("a", ("new", 0), ("fit", 1), ("new", 2), ("fit", 3), ("new", 4), ("fit", 5))
    for reaching in get_args(Reaching):
        assert reached(made(back_and_forth, reaching=reaching)) == {"new": 1, "fit": 1, "bid": 0, None: 0}


def test_the_creation_stage_is_in_the_funnel() -> None:
    """A deal that was created in a stage and never moved has reached it."""
    assert reached(made(journey("a", ("new", 0)), reaching="strict"))["new"] == 1
    assert reached(made(journey("a", ("bid", 0)), reaching="strict")) == {"new": 0, "fit": 0, "bid": 1, None: 0}


def test_lost_deals_are_kept_in_every_stage_they_reached() -> None:
    result = made(journey("a", ("new", 0), ("fit", 1), ("lost", 2)), journey("b", ("new", 0), ("junk", 1)))
    assert reached(result) == {"new": 2, "fit": 1, "bid": 0, None: 0}
    assert result.steps[0].outcomes == {"lost": 1, "disqualified": 1}


def test_a_deal_that_skipped_a_stage_is_in_it_by_implication_only() -> None:
    skipped = journey("a", ("new", 0), ("bid", 1))
    assert reached(made(skipped, reaching="strict")) == {"new": 1, "fit": 0, "bid": 1, None: 0}
    assert reached(made(skipped, reaching="implied")) == {"new": 1, "fit": 1, "bid": 1, None: 0}


def test_a_won_deal_has_reached_everything_by_implication() -> None:
    won = journey("a", ("new", 0), ("won", 1))
    assert reached(made(won, reaching="strict")) == {"new": 1, "fit": 0, "bid": 0, None: 1}
    assert reached(made(won, reaching="implied")) == {"new": 1, "fit": 1, "bid": 1, None: 1}


def test_the_place_of_lost_in_the_pipeline_implies_nothing() -> None:
    """Lost stands behind all stages, yet who is lost from the first has reached no other."""
    assert reached(made(journey("a", ("new", 0), ("lost", 1)))) == {"new": 1, "fit": 0, "bid": 0, None: 0}


def test_a_reopened_deal_leaves_what_is_won_and_keeps_how_far_it_was() -> None:
    reopened = journey("a", ("new", 0), ("won", 1), ("fit", 2))
    assert reached(made(reopened, reaching="implied")) == {"new": 1, "fit": 1, "bid": 1, None: 0}


def test_a_renamed_stage_breaks_nothing() -> None:
    renamed = tuple(attrs.evolve(stage, name=f"{stage.name} 二") for stage in STAGES)
    deal = journey("a", ("new", 0), ("fit", 1))
    before, after = made(deal), made(deal, stages=renamed)
    assert reached(before) == reached(after)
    assert [step.name for step in after.steps] == ["New 二", "报价 二", "Bid <script>alert(1)</script> 二", "Won"]


def test_the_order_of_stages_is_that_of_then_or_that_of_now() -> None:
    """Bid stood behind fit when the deal was in it; today it stands before new."""
    moved = tuple(attrs.evolve(stage, position=-1) if stage is BID else stage for stage in STAGES)
    deal = journey("a", ("bid", 0))
    assert reached(made(deal, stages=moved, order="then")) == {"bid": 1, "new": 1, "fit": 1, None: 0}
    assert reached(made(deal, stages=moved, order="now")) == {"bid": 1, "new": 0, "fit": 0, None: 0}


def test_conversion_to_the_next_step_and_overall_are_shares_of_the_same_deals() -> None:
    """Four in the first stage, two of them in the second; one of these was won, and one was won from outside."""
    result = made(
        journey(1, ("new", 0)),
        journey(2, ("new", 0), ("lost", 1)),
        journey(3, ("new", 0), ("fit", 1)),
        journey(4, ("new", 0), ("fit", 1), ("won", 2)),
        journey(5, ("bid", 0), ("won", 2)),
        reaching="strict",
    )
    first, second, third, won = result.steps
    assert first.onward is not None
    assert (first.onward.exact, first.onward.n) == (Fraction(1, 2), 4)
    assert first.onward.interval is not None
    assert second.onward is not None
    assert (second.onward.exact, second.onward.n) == (Fraction(0), 2)
    assert third.onward is not None
    assert (third.onward.exact, third.onward.n) == (Fraction(1), 1)
    assert won.onward is None
    assert (result.overall.numerator, result.overall.denominator) == (1, 4)


def test_amounts_are_those_of_then_or_those_of_now() -> None:
    deal = journey("a", ("new", 0), ("bid", 1), ("won", 2), amount=eur(900), then=[eur(100), eur(500), eur(800)])
    now, then = made(deal, amounts="now"), made(deal, amounts="then")
    assert [step.amount.value for step in now.steps] == [eur(900)] * 4
    assert [step.amount.value for step in then.steps] == [eur(100), eur(500), eur(500), eur(800)]
    assert then.steps[0].amount.variant == "implied_now_amount_then"


def test_the_amount_then_is_that_of_the_first_time() -> None:
    deal = journey("a", ("new", 0), ("fit", 1), ("new", 2), amount=eur(9), then=[eur(1), eur(2), eur(3)])
    assert made(deal, amounts="then").steps[0].amount.value == eur(1)


def test_a_deal_without_an_amount_counts_as_a_deal_and_not_as_money() -> None:
    result = made(journey("a", ("new", 0), amount=eur(5)), journey("b", ("new", 0)))
    first = result.steps[0]
    assert first.reached.value == 2
    assert (first.amount.value, first.amount.n, first.amount.excluded) == (eur(5), 1, {"no_amount": 1})


def test_unlike_currencies_do_not_add_up() -> None:
    mixed = journey(1, ("new", 0), amount=eur(5)), journey(2, ("new", 0), amount=Money(5, "USD"))
    with pytest.raises(CurrencyMismatch):
        made(*mixed)


def test_the_rate_of_an_amount_then_is_that_of_the_day_of_entering() -> None:
    rates = Rates([("USD", "EUR", date(2017, 1, 1), Decimal("0.5")), ("USD", "EUR", date(2017, 2, 1), Decimal("0.8"))])
    frame = attrs.evolve(FRAME, currency="EUR", rates=rates)
    usd = Money(100, "USD")
    deal = journey("a", ("new", 0), ("fit", 40), ("won", 41), amount=usd)
    then, now = made(deal, frame=frame, amounts="then"), made(deal, frame=frame, amounts="now")
    assert [step.amount.value for step in then.steps] == [eur(50), eur(80), eur(80), eur(80)]
    assert [step.amount.value for step in now.steps] == [eur(80)] * 4
    reopened = journey("a", ("won", 0), ("new", 1), amount=usd, closed_on=day(0).date())
    assert made(reopened, frame=frame, amounts="now").steps[0].amount.value == eur(80)


def test_impossible_histories_are_left_out_and_counted() -> None:
    (deal, spells), sound = journey("a", ("new", 0), ("fit", 5)), journey("b", ("new", 0))
    torn = [attrs.evolve(spells[0], left=day(-1)), spells[1]]
    result = made((deal, torn), sound)
    assert result.excluded == {"impossible_history": 1}
    assert reached(result) == {"new": 1, "fit": 0, "bid": 0, None: 0}
    assert result.steps[0].reached.excluded == {"impossible_history": 1}


def test_a_closed_deal_without_any_history_is_left_out_and_counted_unless_it_is_won() -> None:
    gone = [(journey(number, (stage, 0))[0], []) for number, stage in enumerate(["won", "lost"])]
    implied, strict = made(*gone, reaching="implied"), made(*gone, reaching="strict")
    assert (implied.n, implied.excluded) == (1, {"no_history": 1})
    assert reached(implied) == {"new": 1, "fit": 1, "bid": 1, None: 1}
    assert (strict.n, strict.excluded) == (0, {"no_history": 2})


def test_only_deals_created_in_the_period_are_counted_by_the_days_of_the_frame() -> None:
    """At 17:00 UTC on the last of January, February has begun in Shanghai."""
    deals = journey(1, ("new", 0)), journey(2, ("new", 30 + 17 / 24)), journey(3, ("new", 70))
    period = Period.month(2017, 2)
    in_utc = made(*deals, period=period)
    in_shanghai = made(*deals, period=period, frame=attrs.evolve(FRAME, zone="Asia/Shanghai"))
    assert (in_utc.n, in_utc.excluded) == (0, {"outside_period": 3})
    assert (in_shanghai.n, in_shanghai.excluded) == (1, {"outside_period": 2})


def test_members_are_listed_where_the_frame_asks() -> None:
    frame = attrs.evolve(FRAME, members=True)
    result = made(journey("b", ("new", 0), ("fit", 1)), journey("a", ("new", 0)), frame=frame)
    assert result.steps[0].reached.members == {"reached": ("a", "b")}
    assert result.steps[1].reached.members == {"reached": ("b",)}
    assert made(journey("b", ("new", 0))).steps[0].reached.members is None


def test_a_funnel_of_nothing_has_steps_and_no_figures() -> None:
    result = made()
    assert [(step.reached.value, step.reached.n, step.amount.value, step.overall.value) for step in result.steps] == [
        (None, 0, None, None)
    ] * 4
    assert result.overall.value is None
    assert made(stages=()).steps[0].name == "Won"


@pytest.mark.parametrize("policy", ["reaching", "order", "amounts"])
def test_a_policy_that_does_not_exist_is_refused(policy: str) -> None:
    with pytest.raises(UsageError, match="there is no") as refusal:
        made(**{policy: "all"})
    assert refusal.value.code == "unknown_variant"


def test_a_funnel_is_json() -> None:
    told = json.loads(json.dumps(made(journey("a", ("new", 0), ("won", 3), amount=eur(5))).to_dict()))
    assert told["variant"] == "implied_now_amount_now"
    assert [step["reached"]["value"] for step in told["steps"]] == [1, 1, 1, 1]
    assert told["steps"][0]["amount"]["value"] == "5.00 EUR"
    assert told["steps"][-1]["onward"] is None


@pytest.mark.law
@given(some_journeys(), POLICIES, st.data())
def test_tallies_of_disjoint_deals_add_up_in_any_order(
    journeys: list[Journey], policies: dict[str, Any], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(journeys)))
    shuffled = data.draw(st.permutations(journeys))
    frame = attrs.evolve(FRAME, members=True)
    whole = tally(Journeys.of(*apart(shuffled), STAGES, frame), **policies)
    one, other = (
        tally(Journeys.of(*apart(part), STAGES, frame), **policies) for part in (journeys[:cut], journeys[cut:])
    )
    assert one + other == whole
    assert tally(Journeys.of([], [], STAGES, frame), **policies) + whole == whole
    deals, spells = apart(journeys)
    assert tally(Journeys.of(deals, data.draw(st.permutations(spells)), STAGES, frame), **policies) == whole


@pytest.mark.law
@given(some_journeys(), POLICIES)
def test_what_is_implied_only_falls_and_holds_what_is_strict(journeys: list[Journey], policies: dict[str, Any]) -> None:
    implied = tally(Journeys.of(*apart(journeys), STAGES, FRAME), **{**policies, "reaching": "implied"})
    strict = tally(Journeys.of(*apart(journeys), STAGES, FRAME), **{**policies, "reaching": "strict"})
    counts = [implied.steps[key].reached for key in ("new", "fit", "bid", WON)]
    assert counts == sorted(counts, reverse=True)
    for key, step in strict.steps.items():
        assert step.reached <= implied.steps[key].reached
        assert step.onward <= step.reached
        assert step.from_first <= strict.steps["new"].reached
    assert implied.steps[WON].reached == sum(deal.outcome == "won" for deal, _ in journeys)
    assert strict.n + strict.excluded.get("no_history", 0) == len(journeys)


@pytest.mark.law
@settings(max_examples=settings().max_examples // 2)
@given(some_journeys(), POLICIES, st.sampled_from(["Asia/Shanghai", "America/New_York"]))
def test_the_zone_that_facts_are_told_in_does_not_matter(
    journeys: list[Journey], policies: dict[str, Any], name: str
) -> None:
    deals, spells = apart(journeys)
    elsewhere = [
        attrs.evolve(
            spell,
            entered=spell.entered.astimezone(ZoneInfo(name)),
            left=None if spell.left is None else spell.left.astimezone(ZoneInfo(name)),
        )
        for spell in spells
    ]
    assert tally(Journeys.of(deals, elsewhere, STAGES, FRAME), **policies) == tally(
        Journeys.of(deals, spells, STAGES, FRAME), **policies
    )


def test_each_fact_is_read_once() -> None:
    """Deals and spells may come from anywhere, once: twice the facts are twice the reading."""

    class Counted(tuple[Any, ...]):
        looks = 0

        def __iter__(self) -> Any:
            for each in tuple.__iter__(self):
                Counted.looks += 1
                yield each

    looks = []
    for size in (50, 100):
        deals, spells = apart(journey(number, ("new", 0), ("fit", 1), ("bid", 2)) for number in range(size))
        Counted.looks = 0
        tally(Journeys.of(Counted(deals), Counted(spells), STAGES, FRAME))
        looks.append(Counted.looks)
    assert looks == [50 * 4, 100 * 4]


def test_steps_of_a_tally_made_elsewhere_tell_the_same_funnel() -> None:
    deals, spells = apart([journey("a", ("new", 0), ("fit", 3), amount=eur(7))])
    folded = tally(Journeys.of(deals, spells, STAGES, FRAME))
    assert funnel_of(folded, STAGES, FRAME) == funnel(Journeys.of(deals, spells, STAGES, FRAME))
    assert (NEW.id in folded.steps, FIT.id in folded.steps) == (True, True)
    assert folded.n == 1
