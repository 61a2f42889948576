"""Quota attainment: how much of a quota is won.

What was won in the period, credited to who owned the deal at the close, by shares where several did. Source: Salesforce
help (credited closed-won, splits). Traps: a deal of two owners is one deal; nothing caps it at 100 %; a team's quota
need not be the sum of its members'; today's owner need not be the owner at the close, so the facts must bear that one.
"""

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import attrs

from crmkit.errors import InvalidValue
from crmkit.features.metrics.tallies.facts import DealFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.metric import Metric
from crmkit.features.metrics.tallies.parameters import check_money, check_period
from crmkit.features.metrics.tallies.parts import Parts, PartsFold
from crmkit.features.metrics.tallies.periods import covered, within
from crmkit.features.metrics.tallies.shares import added, joined, listed
from crmkit.features.metrics.tallies.totals import Totals, TotalsFold, money_of, settled
from crmkit.values import Money, Period

__all__ = ["Attainment", "AttainmentTally", "Share", "attainment", "attainment_of", "ended_part", "goal_of", "tally"]

Share: TypeAlias = tuple[Hashable, Fraction]
"""Who is credited, and with what share of the amount."""


@attrs.frozen
class AttainmentTally:
    """What was won in the period: ``won`` each deal once, ``credit`` the amounts by who has which share of them.

    ``deals`` says with how many deals somebody is credited, ``members`` with which, if asked for. ``parts`` are ``won``
    and ``no_owner`` (won, but credited to nobody), and the reasons ``open``, ``lost``, ``disqualified``,
    ``no_closed_on`` and ``outside_period``.
    """

    won: Totals = attrs.field(factory=Totals)
    credit: Mapping[Share, Totals] = attrs.field(factory=dict)
    deals: Mapping[Hashable, int] = attrs.field(factory=dict)
    parts: Parts = attrs.field(factory=Parts)
    members: Mapping[Hashable, frozenset[Hashable]] = attrs.field(factory=dict)

    def __add__(self, other: "AttainmentTally") -> "AttainmentTally":
        if not isinstance(other, AttainmentTally):
            return NotImplemented
        credit = dict(self.credit)
        for share, own in other.credit.items():
            credit[share] = credit.get(share, Totals()) + own
        deals = added(self.deals, other.deals)
        members = joined(self.members, other.members)
        return AttainmentTally(self.won + other.won, credit, deals, self.parts + other.parts, members)


@attrs.frozen(kw_only=True)
class Attainment:
    """What share of the quota is won: of the team, where each deal counts once, and of each who has a quota or credit.

    The numerators of ``owners`` add up to that of ``team``, but for deals of the part ``no_owner``.
    """

    team: Metric
    owners: Mapping[Hashable, Metric]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "team": self.team.to_dict(),
            "owners": {str(owner): metric.to_dict() for owner, metric in self.owners.items()},
        }


def tally(deals: Iterable[DealFact], period: Period | None, frame: Frame) -> AttainmentTally:
    """The deals won in the period, by who is credited with them; a period of None is all time.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``bad_splits`` unless shares are above 0 and add up to one.
    """
    check_period(period)
    parts, won = PartsFold(frame), TotalsFold()
    credit: dict[Share, TotalsFold] = {}
    credited: dict[Hashable, int] = {}
    members: dict[Hashable, set[Hashable]] = {}
    for deal in deals:
        part = "open" if deal.outcome == "open" else ended_part(deal, period)
        shares = _shares(deal) if part == "won" else ()
        parts.add("no_owner" if part == "won" and not shares else part, deal.id)
        if part != "won":
            continue
        won.add(deal.amount, deal.closed_on)
        for share in shares:
            credit.setdefault(share, TotalsFold()).add(deal.amount, deal.closed_on)
            credited[share[0]] = credited.get(share[0], 0) + 1
            if frame.members:
                members.setdefault(share[0], set()).add(deal.id)
    credits = {share: fold.done() for share, fold in credit.items()}
    ids = {owner: frozenset(own) for owner, own in members.items()}
    return AttainmentTally(won.done(), credits, credited, parts.done(), ids)


def attainment_of(
    counted: AttainmentTally,
    quotas: Mapping[Hashable, Money],
    frame: Frame,
    team_quota: Money | None = None,
    period: Period | None = None,
) -> Attainment:
    """The attainment of quotas by a tally of that period; the team's quota is the sum of all unless it is given.

    Quotas in another currency are told at today's rate. Raises :class:`~crmkit.errors.InvalidValue` with code
    ``negative_quota``, and what :meth:`~crmkit.features.metrics.tallies.totals.Totals.worth` does.
    """
    goals = {owner: goal_of(quota) for owner, quota in quotas.items()}
    team_goal = sum(goals.values(), Totals()) if team_quota is None else goal_of(team_quota)
    frame = settled(frame, counted.won, team_goal, *goals.values())
    earned: dict[Hashable, Fraction] = dict.fromkeys(goals, Fraction(0))
    without: dict[Hashable, int] = {}
    for (owner, share), totals in counted.credit.items():
        earned[owner] = earned.get(owner, Fraction(0)) + share * totals.worth(frame)
        without[owner] = without.get(owner, 0) + totals.without
    common: dict[str, Any] = {"frame": frame, "period": covered(period, frame)}
    left_out = counted.parts.without("won", "no_owner")
    variant = "team_quota" if team_quota is not None else "sum_of_quotas"
    return Attainment(
        team=_attained(
            variant, counted.won.worth(frame), counted.won.counted, counted.won.without, team_goal, left_out,
            {**common, "members": counted.parts.members(frame)},
        ),
        owners={
            owner: _attained(
                "credited", worth, counted.deals.get(owner, 0) - without.get(owner, 0), without.get(owner, 0),
                goals.get(owner, Totals()), _not_of(counted, owner),
                {**common, "members": _credited(counted, owner, frame)},
            )
            for owner, worth in earned.items()
        },
    )  # fmt: skip


def attainment(
    deals: Iterable[DealFact],
    quotas: Mapping[Hashable, Money],
    period: Period | None,
    frame: Frame,
    team_quota: Money | None = None,
) -> Attainment:
    """What share of each quota is won in the period. Raises as :func:`tally` and :func:`attainment_of` do."""
    return attainment_of(tally(deals, period, frame), quotas, frame, team_quota, period)


def _credited(counted: AttainmentTally, owner: Hashable, frame: Frame) -> dict[str, tuple[Hashable, ...]] | None:
    ids = counted.members.get(owner)
    return listed({"credited": ids} if ids else {}, frame)


def _not_of(counted: AttainmentTally, owner: Hashable) -> dict[str, int]:
    """What somebody is not credited with, by reason."""
    others = counted.won.n - counted.deals.get(owner, 0)
    return {**counted.parts.without("won", "no_owner"), **({"not_credited": others} if others else {})}


def ended_part(deal: DealFact, period: Period | None) -> str:
    """The part of a deal that is not open: its outcome, or why a won one is not in the period."""
    if deal.outcome != "won" or period is None:
        return deal.outcome
    if deal.closed_on is None:
        return "no_closed_on"
    return "won" if within(period, deal.closed_on) else "outside_period"


def goal_of(quota: Money) -> Totals:
    """A quota as totals, of today.

    Raises :class:`~crmkit.errors.InvalidValue` with code ``negative_quota``, :class:`~crmkit.errors.UsageError` with
    code ``not_money``.
    """
    check_money(quota, "quota")
    if quota.units < 0:
        raise InvalidValue(f"{quota} is no quota", code="negative_quota", hint="quotas are 0 or more")
    return Totals({(quota.currency, None): quota.units}, 1)


def _attained(
    variant: str,
    worth: Fraction,
    n: int,
    without: int,
    goal: Totals,
    excluded: dict[str, int],
    common: dict[str, Any],
) -> Metric:
    frame: Frame = common["frame"]
    quota = goal.worth(frame)
    exact = worth / quota if n and quota else None
    return Metric(
        name="quota_attainment",
        variant=variant,
        unit="ratio",
        value=None if exact is None else float(exact),
        exact=exact,
        n=n,
        numerator=money_of(worth, frame),
        denominator=money_of(quota, frame) if goal.counted else None,
        excluded={**excluded, **({"no_amount": without} if without else {})},
        notes=() if goal.counted else ("there is no quota",),
        **common,
    )


def _shares(deal: DealFact) -> tuple[Share, ...]:
    """Who is credited with what share, each once."""
    if not deal.splits:
        return () if deal.owner is None else ((deal.owner, Fraction(1)),)
    shares: dict[Hashable, Fraction] = {}
    for owner, share in deal.splits:
        if share <= 0:
            raise _bad_splits(deal)
        shares[owner] = shares.get(owner, Fraction(0)) + share
    if sum(shares.values()) != 1:
        raise _bad_splits(deal)
    return tuple(shares.items())


def _bad_splits(deal: DealFact) -> InvalidValue:
    return InvalidValue(
        f"the shares of deal {deal.id} are not above 0 or do not add up to one",
        code="bad_splits",
        field="splits",
        hint="exact fractions, such as Fraction(1, 3) for each of three",
    )
