"""A small pipeline, and deals that travel through it, for the tests of this folder."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from crmkit.features.metrics.tallies.facts import DealFact, Outcome, Spell, StageFact
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.values import Money

NEW = StageFact(id="new", name="New", position=0, probability=Fraction(1, 10), idle_days=14)
FIT = StageFact(id="fit", name="报价", position=1, probability=Fraction(3, 10), idle_days=7)
BID = StageFact(id="bid", name="Bid <script>alert(1)</script>", position=2, probability=Fraction(6, 10))
WON = StageFact(id="won", name="Signed", position=3, kind="won")
LOST = StageFact(id="lost", name="Lost", position=4, kind="lost")
JUNK = StageFact(id="junk", name="Junk", position=5, kind="disqualified")
STAGES = (NEW, FIT, BID, WON, LOST, JUNK)
BY_ID = {stage.id: stage for stage in STAGES}

START = datetime(2017, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=100)
FRAME = Frame(as_of=NOW)

Journey = tuple[DealFact, list[Spell]]


def day(number: float) -> datetime:
    """So many days of 86,400 seconds after the start of 2017."""
    return START + timedelta(days=number)


def eur(amount: int | str) -> Money:
    return Money(amount, "EUR")


def journey(id: object, *moves: tuple[str, float], amount: Money | None = None, **more: Any) -> Journey:
    """A deal that entered stages on days, and is in the last of them: ``journey("a", ("new", 0), ("won", 9))``.

    The amount is that of now; spells have what ``then`` says, or the same.
    """
    then: Sequence[Money | None] = more.pop("then", [amount] * len(moves))
    last = BY_ID[moves[-1][0]]
    ends = [day(number) for _, number in moves[1:]] + [None]
    spells = [
        Spell(
            deal=id,
            stage=stage,
            entered=day(number),
            left=left,
            position=BY_ID[stage].position,
            kind=BY_ID[stage].kind,
            amount=money,
        )
        for (stage, number), left, money in zip(moves, ends, then, strict=True)
    ]
    outcome: Outcome = last.kind
    facts: dict[str, Any] = {
        "created_at": day(moves[0][1]),
        "stage": last.id,
        "amount": amount,
        "closed_on": None if outcome == "open" else day(moves[-1][1]).date(),
    }
    return DealFact(id=id, outcome=outcome, **{**facts, **more}), spells


def apart(journeys: Iterable[Journey]) -> tuple[list[DealFact], list[Spell]]:
    """The deals, and the spells of all of them."""
    made = list(journeys)
    return [deal for deal, _ in made], [spell for _, spells in made for spell in spells]


_MOVES = st.lists(
    st.tuples(st.sampled_from(sorted(BY_ID)), st.integers(0, 30), st.none() | st.integers(0, 900).map(eur)),
    min_size=1,
    max_size=6,
)


def some_journeys() -> st.SearchStrategy[list[Journey]]:
    """Sound journeys of up to eight deals, with going back, skipping, passing through and reopening."""
    return st.lists(_MOVES, max_size=8).map(
        lambda found: [_travelled(number, moves) for number, moves in enumerate(found)]
    )


def _travelled(id: int, moves: list[tuple[str, int, Money | None]]) -> Journey:
    """The journey with days since the move before, none of them after the hundredth."""
    days = [min(100, sum(gap for _, gap, _ in moves[: place + 1])) for place in range(len(moves))]
    amounts = [amount for _, _, amount in moves]
    stages = [stage for stage, _, _ in moves]
    return journey(id, *zip(stages, days, strict=True), amount=amounts[-1], then=amounts)
