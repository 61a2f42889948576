"""Quota attainment: credit by shares, each deal once."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given

from crmkit.errors import CurrencyMismatch, InvalidValue
from crmkit.features.metrics.forecasts.attainment import attainment
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.values import Money, Period
from tests.analytics.made import FRAME, IN_EUR, MAVEN, MAVEN_FRAME, deal, deals, maven

MAY = Period.month(2024, 5)
DAY = date(2024, 5, 31)
HALVES = (("王芳", Fraction(1, 2)), ("Ben", Fraction(1, 2)))
QUOTAS = {"王芳": Money(100, "EUR"), "Ben": Money(400, "EUR")}


def won(amount: int | Money | None, owner: str | None = None, **more: object) -> DealFact:
    return deal("won", amount, **{"owner": owner, "closed_on": DAY, **more})


def test_a_deal_of_two_owners_is_one_deal_of_the_team() -> None:
    """Elsewhere a team's goal counted it once for each owner."""
    found = attainment([won(300, "Cho", splits=HALVES)], QUOTAS, MAY, FRAME)
    assert (found.team.n, found.team.numerator, found.team.exact) == (1, Money(300, "EUR"), Fraction(300, 500))
    assert {owner: metric.numerator for owner, metric in found.owners.items()} == {
        "王芳": Money(150, "EUR"),
        "Ben": Money(150, "EUR"),
    }
    assert "Cho" not in found.owners, "shares take the place of the owner"


def test_attainment_is_not_capped() -> None:
    found = attainment([won(250, "王芳")], QUOTAS, MAY, FRAME)
    assert (found.owners["王芳"].value, found.owners["王芳"].exact) == (2.5, Fraction(5, 2))
    assert {(metric.name, metric.unit) for metric in (found.team, *found.owners.values())} == {
        ("quota_attainment", "ratio")
    }


def test_the_owner_of_the_fact_is_credited() -> None:
    found = attainment([won(40, "Ben"), won(60, "Ben")], QUOTAS, MAY, FRAME)
    ben, wang = found.owners["Ben"], found.owners["王芳"]
    assert (ben.exact, ben.n, ben.numerator, ben.denominator) == (
        Fraction(1, 4),
        2,
        Money(100, "EUR"),
        Money(400, "EUR"),
    )
    assert (wang.n, wang.value, wang.numerator, wang.denominator) == (0, None, Money(0, "EUR"), Money(100, "EUR"))


def test_the_teams_quota_need_not_be_the_sum() -> None:
    summed, own = (attainment([won(250, "Ben")], QUOTAS, MAY, FRAME, team) for team in (None, Money(1_000, "EUR")))
    assert (summed.team.exact, summed.team.variant) == (Fraction(1, 2), "sum_of_quotas")
    assert (own.team.exact, own.team.variant) == (Fraction(1, 4), "team_quota")
    assert summed.owners["Ben"].exact == own.owners["Ben"].exact


def test_only_what_was_won_in_the_period_counts() -> None:
    facts = [
        won(1, "Ben"),
        won(9, "Ben", closed_on=date(2024, 6, 1)),
        won(9, "Ben", closed_on=None),
        won(9),
        won(None, "Ben"),
        deal("open", 9, owner="Ben", closed_on=DAY),
        deal("lost", 9, owner="Ben", closed_on=DAY),
        deal("disqualified", 9, owner="Ben", closed_on=DAY),
    ]
    found = attainment(facts, QUOTAS, MAY, FRAME)
    assert (found.team.numerator, found.team.n) == (Money(10, "EUR"), 2)
    assert found.team.excluded == {
        "disqualified": 1,
        "lost": 1,
        "no_amount": 1,
        "no_closed_on": 1,
        "open": 1,
        "outside_period": 1,
    }
    assert (found.owners["Ben"].numerator, found.owners["Ben"].n, found.owners["Ben"].excluded) == (
        Money(1, "EUR"),
        1,
        {**found.team.excluded, "not_credited": 1},
    )


def test_who_has_credit_but_no_quota_is_told_too_without_a_ratio() -> None:
    found = attainment([won(5, "Cho")], QUOTAS, MAY, FRAME).owners["Cho"]
    assert (found.value, found.n, found.numerator, found.denominator) == (None, 1, Money(5, "EUR"), None)
    assert found.notes == ("there is no quota",)


def test_a_quota_of_nothing_has_no_ratio() -> None:
    found = attainment([won(5, "Ben")], {"Ben": Money(0, "EUR")}, MAY, FRAME)
    assert (found.owners["Ben"].value, found.team.value, found.team.denominator) == (None, None, Money(0, "EUR"))


@given(deals(("EUR", "USD")))
@pytest.mark.law
def test_credit_adds_up_to_what_the_team_won_but_for_deals_of_nobody(facts: list[DealFact]) -> None:
    found = attainment(facts, QUOTAS, None, IN_EUR)
    whole = [fact for fact in facts if fact.outcome == "won" and fact.amount is not None]
    nobodys = [fact for fact in whole if fact.owner is None and not fact.splits]
    team, ownerless = (
        sum(IN_EUR.worth(fact.amount, fact.closed_on) for fact in some if fact.amount is not None)
        for some in (whole, nobodys)
    )
    assert found.team.n == len(whole)
    quota = Fraction(500)
    if whole:
        assert found.team.exact == team / quota
    quotas = {"王芳": 100, "Ben": 400}
    credited = sum((found.owners[owner].exact or 0) * own for owner, own in quotas.items())
    others = found.owners.get("Cho")
    rounded = others.numerator if others is not None else Money(0, "EUR")
    assert isinstance(rounded, Money)
    assert abs(team - ownerless - credited - Fraction(rounded.units, 10_000)) <= Fraction(1, 20_000)


@pytest.mark.parametrize(
    "splits",
    [
        (("a", Fraction(1, 2)), ("b", Fraction(1, 3))),
        (("a", Fraction(2, 3)), ("b", Fraction(2, 3))),
        (("a", Fraction(3, 2)), ("b", Fraction(-1, 2))),
        (("a", Fraction(1)), ("b", Fraction(0))),
    ],
)
def test_shares_that_do_not_add_up_to_one_are_refused_with_the_deal(
    splits: tuple[tuple[str, Fraction], ...],
) -> None:
    with pytest.raises(InvalidValue) as refused:
        attainment([won(1, id="订单三", splits=splits)], QUOTAS, MAY, FRAME)
    assert refused.value.code == "bad_splits"
    assert refused.value.fields == ("splits",)
    assert "订单三" in str(refused.value)


def test_somebody_named_twice_has_both_shares_of_one_deal() -> None:
    splits = (("Ben", Fraction(1, 3)), ("王芳", Fraction(1, 3)), ("Ben", Fraction(1, 3)))
    found = attainment([won(300, splits=splits)], QUOTAS, MAY, FRAME).owners["Ben"]
    assert (found.numerator, found.n) == (Money(200, "EUR"), 1)


def test_a_quota_below_nothing_and_unlike_currencies_are_refused() -> None:
    with pytest.raises(InvalidValue) as refused:
        attainment([], {"Ben": Money(-1, "EUR")}, MAY, FRAME)
    assert refused.value.code == "negative_quota"
    with pytest.raises(CurrencyMismatch):
        attainment([won(Money(1, "USD"), "Ben")], QUOTAS, MAY, FRAME)
    told = attainment([won(Money(100, "USD"), "Ben")], QUOTAS, MAY, IN_EUR)
    assert told.owners["Ben"].numerator == Money(80, "EUR")


def test_what_maven_won_by_quarter_is_that_computed_elsewhere() -> None:
    agents = {agent: Money(1, "USD") for agent in {fact.owner for fact in maven()}}
    for quarter, value in MAVEN["won_value_by_quarter"].items():
        period = Period.quarter(int(quarter[:4]), int(quarter[-1]))
        found = attainment(maven(), agents, period, MAVEN_FRAME)
        assert found.team.numerator == Money(value, "USD")
        assert sum(
            metric.numerator.units for metric in found.owners.values() if isinstance(metric.numerator, Money)
        ) == (value * 10_000)
    assert attainment(maven(), {}, None, MAVEN_FRAME).team.numerator == Money(MAVEN["won_value"], "USD")


def test_it_is_told_as_json() -> None:
    told = attainment([won(250, "王芳")], QUOTAS, MAY, FRAME).to_dict()
    assert (told["team"]["value"], told["owners"]["王芳"]["value"]) == (0.5, 2.5)
