"""Deals that moved, written raw: the rows crmkit would leave of each deal as it is now (the deal, an interval for each
stay in a stage, two activities, a tag on every tenth), without the history of how they became so.

A deal goes through five moves: four among the open stages (one on, two on, one back), the fifth to won, to lost or to
another open stage. One deal of two thousand has intervals that cannot have happened, by turns of three kinds.
"""

from random import Random
from typing import Any

import attrs

from benchmarks.raw import AT, CHANGESET, DAY, RawSqlite
from benchmarks.world import ADMIN, REGIONS, TAGS

__all__ = ["BAD", "MOVES", "write_deals"]

MOVES = 5
BAD = 2_000
"""One deal of so many has an impossible history."""

_OPEN, _WON, _LOST = 4, 4, 5
_KINDS = ("open", "open", "open", "open", "won", "lost")
_PROBABILITIES = (1_000, 2_500, 5_000, 7_500, 10_000, 0)
_HOUR = 3_600_000_000
_BLOCK = 20_000

_HEAD = "tenant_id, id, version, changeset_id, created_at, created_by, recorded_at"
_DEAL = (
    f"{_HEAD}, name, name_key, account, pipeline, stage, stage_since, outcome, amount, amount_currency, probability, "
    "forecast_category, expected_close, closed_on, owner, credited_to, {region}"
)
_INTERVAL = f'{_HEAD}, deal, stage, position, kind, entered, "left", amount, amount_currency, "by"'
_ACTIVITY = f"{_HEAD}, kind, subject, subject_key, at, automatic, deal, owner"
_TAGGING = f"{_HEAD}, tag, record_type, record_type_key, record, origin"


def write_deals(raw: RawSqlite, count: int) -> None:
    """Writes so many deals, in blocks and in one transaction."""
    author = _Author(raw)
    with raw.building(("crm_deal", "crm_stage_interval", "crm_activity", "crm_tagging")):
        raw.insert("crm_changeset", CHANGESET, [author.changeset_row()])
        for start in range(0, count, _BLOCK):
            for deal, number in zip(raw.new_ids(min(_BLOCK, count - start)), range(start, count), strict=False):
                author.add(deal, number)
            author.flush()


@attrs.define
class _Author:
    """Rows on their way into the tables."""

    raw: RawSqlite
    random: Random = attrs.field(factory=lambda: Random(11))
    rows: dict[str, list[tuple[Any, ...]]] = attrs.field(init=False, factory=dict)
    me: Any = attrs.field(init=False)
    changeset: Any = attrs.field(init=False)
    stages: list[Any] = attrs.field(init=False)
    owners: list[tuple[Any, list[Any]]] = attrs.field(init=False)
    tags: list[Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        facts, key = self.raw.facts, self.raw.id
        self.me, self.changeset = key(facts.users[ADMIN]), self.raw.new_ids(1)[0]
        self.stages = [key(stage) for stage in facts.stages]
        self.owners = [
            (key(facts.users[email]), [key(account) for account in facts.accounts[facts.users[email]]])
            for email in facts.reps
        ]
        self.tags = [key(facts.tags[name]) for name in TAGS]

    def changeset_row(self) -> tuple[Any, ...]:
        return self.raw.facts.tenant, self.changeset, self.me, ADMIN, AT, "deal.import", "import"

    def flush(self) -> None:
        """Hands the rows to the database: deals, what lies on them, and ids as they are needed."""
        region = self.raw.facts.slots["region"]
        columns = {"deal": _DEAL.format(region=region), "stage_interval": _INTERVAL, "activity": _ACTIVITY}
        columns["tagging"] = _TAGGING
        for table, listed in columns.items():
            rows = self.rows.pop(table, [])
            if table != "deal":
                rows = [(row[0], new, *row[1:]) for row, new in zip(rows, self.raw.new_ids(len(rows)), strict=True)]
            self.raw.insert(f"crm_{table}", listed, rows)

    def add(self, deal: Any, number: int) -> None:
        """A deal and what lies on it."""
        random = self.random
        owner, accounts = self.owners[number % len(self.owners)]
        amount = None if random.random() < 0.03 else random.randrange(500, 250_000) * 10_000
        money = (amount, None if amount is None else "EUR")
        path, times = self._path(), self._times()
        stage, since = path[-1], times[-1]
        kind = _KINDS[stage]
        closed = None if kind == "open" else since // DAY
        tail = (self.changeset, times[0], self.me)
        name = f"Deal {number}"
        self._put(
            "deal", deal, MOVES + 1, *tail, since, name, name.lower(), accounts[number % len(accounts)],
            self.raw.id(self.raw.facts.pipeline), self.stages[stage], since, kind, *money, _PROBABILITIES[stage],
            {"open": "pipeline", "won": "closed"}.get(kind, "omitted"), AT // DAY + random.randrange(120), closed,
            owner, None if closed is None else owner, random.choice(REGIONS),
        )  # fmt: skip
        spans = list(zip(times, [*times[1:], None], strict=True))
        if number % BAD == BAD // 2:
            _spoil(spans, number // BAD % 3)
        for place, (entered, left) in zip(path, spans, strict=True):
            head = (1 if left is None else 2, self.changeset, entered, self.me, entered if left is None else left)
            self._put(
                "stage_interval", *head, deal, self.stages[place], place, _KINDS[place], entered, left, *money, self.me
            )
        for _ in range(2):
            at = AT - random.randrange(90 * 24 * 60) * 60_000_000
            self._put("activity", 1, *tail[:1], at, self.me, at, "call", "Talk", "talk", at, 0, deal, owner)
        if number % 10 == 0:
            tag = self.tags[number // 10 % 3]
            self._put("tagging", 1, *tail[:1], AT, self.me, AT, tag, "deal", "deal", deal, "import")

    def _put(self, table: str, *values: Any) -> None:
        self.rows.setdefault(table, []).append((self.raw.facts.tenant, *values))

    def _path(self) -> list[int]:
        """The places of the stages a deal goes through."""
        random = self.random
        path = [0 if random.random() < 0.9 else 1]
        for _ in range(MOVES - 1):
            path.append(self._next(path[-1]))
        end = random.random()
        path.append(_WON if end < 0.3 else _LOST if end < 0.6 else self._next(path[-1]))
        return path

    def _next(self, at: int) -> int:
        step = self.random.choice((1, 1, 1, 2, -1))
        to = at + step
        return to if 0 <= to < _OPEN else at - 1 if at else 1

    def _times(self) -> list[int]:
        """When the deal was made and when it moved, in microseconds, whole days ago up to now."""
        random = self.random
        back = [random.randrange(1, 30 * 24) * _HOUR + random.randrange(_HOUR) for _ in range(MOVES)]
        now = AT - random.randrange(1, 300 * 24) * _HOUR
        times = [now]
        for step in back:
            times.append(times[-1] - step)
        return times[::-1]


def _spoil(spans: list[tuple[int, Any]], kind: int) -> None:
    """Makes intervals impossible: left before entered, in two stages to this day, in two stages for an hour."""
    entered, left = spans[1]
    spans[1] = (entered, (entered - DAY, None, left + _HOUR)[kind])
