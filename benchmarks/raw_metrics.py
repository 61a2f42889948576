"""The raw programs of the figures of deals that moved, and of what is done to many of them at once.

They know what the world holds (a pipeline of four open stages, won and lost, one currency, no group of tags) and give
the same counts, amounts, exclusions and rows as crmkit. The funnel screens the intervals of each deal as crmkit does,
or it would count those of impossible histories.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from benchmarks.raw import AT, CHANGESET, DAY, RawSqlite
from benchmarks.world import ADMIN
from crmkit.features.metrics.figures.win_curve import ClosingTally, WinCurve, curve_of
from crmkit.features.metrics.tallies.frame import Frame
from crmkit.features.metrics.tallies.parts import Parts

__all__ = ["RawFunnel", "funnel", "refresh", "segment", "shuffle", "tag", "win_curve", "win_rate", "win_rate_by_amount"]

_WON = 4
_TAGGING = (
    "tenant_id, id, version, changeset_id, created_at, created_by, recorded_at, tag, record_type, record_type_key, "
    "record, origin, expires_at"
)


@attrs.frozen
class RawFunnel:
    """For each step (four stages, won): how many deals reached it, and their money in ten-thousandths."""

    n: int
    impossible: int
    steps: tuple[tuple[int, int], ...]


def funnel(raw: RawSqlite) -> RawFunnel:
    """How many deals got as far as each stage, won ones through all of them."""
    facts = raw.facts
    stages = [raw.id(stage) for stage in facts.stages]
    heights = " ".join(f"WHEN ? THEN {place}" for place in range(_WON + 1))
    opens = ", ".join("?" * 4)
    last = 'max(CASE WHEN "left" IS NULL THEN entered END)'
    sql = (
        "SELECT s.top, s.sound AND (d.outcome = 'open') = s.opens, d.outcome, count(*), sum(d.amount) FROM ("
        f"SELECT deal, max(CASE stage {heights} END) AS top, "
        'count(*) - count("left") = 1 AND min("left" - entered) >= 0 AND sum("left" - entered) = '
        f"{last} - min(entered) AND sum({_square('left')} - {_square('entered')}) = "
        f"{last} % 1000003 * ({last} % 1000003) - min(entered) % 1000003 * (min(entered) % 1000003) AS sound, "
        f'max(CASE WHEN "left" IS NULL AND stage IN ({opens}) THEN 1 ELSE 0 END) = 1 AS opens '
        "FROM crm_stage_interval WHERE tenant_id = ? GROUP BY deal) AS s "
        "JOIN crm_deal AS d ON d.tenant_id = ? AND d.id = s.deal WHERE d.pipeline = ? GROUP BY 1, 2, 3"
    )
    values = (*stages[:5], *stages[:4], facts.tenant, facts.tenant, raw.id(facts.pipeline))
    n = impossible = 0
    counts, sums = [0] * 5, [0] * 5
    for top, sound, outcome, count, amount in raw.fetch(sql, values):
        if not sound:
            impossible += count
            continue
        n += count
        furthest = _WON if outcome == "won" else min(-1 if top is None else top, 3)
        for place in range(furthest + 1):
            counts[place] += count
            sums[place] += int(amount or 0)
    return RawFunnel(n, impossible, tuple(zip(counts, sums, strict=True)))


def _square(column: str) -> str:
    """That of a remainder: with sums of these, too, a gap is not taken for an overlap that is as long."""
    return f'("{column}" % 1000003) * ("{column}" % 1000003)'


def win_curve(raw: RawSqlite, frame: Frame) -> WinCurve:
    """The curve of deals grouped by age in days and outcome; the mathematics is crmkit's."""
    sql = (
        "SELECT outcome, CASE outcome WHEN 'open' THEN ? ELSE closed_on END - created_at / ? AS days, count(*) "
        "FROM crm_deal WHERE tenant_id = ? AND pipeline = ? GROUP BY 1, 2"
    )
    ages: dict[int, dict[Any, int]] = {}
    parts: dict[str, int] = {}
    for outcome, days, count in raw.fetch(sql, (AT // DAY, DAY, raw.facts.tenant, raw.id(raw.facts.pipeline))):
        ages.setdefault(days, {})[None if outcome == "open" else outcome] = count
        parts[outcome] = parts.get(outcome, 0) + count
    return curve_of(ClosingTally(ages, Parts(parts)), frame)


def win_rate(raw: RawSqlite) -> float:
    """The share won of the deals that were closed."""
    counts: dict[str, int] = dict(raw.fetch(_CLOSED.format("count(*)"), (raw.facts.tenant, raw.id(raw.facts.pipeline))))
    return float(counts["won"] / (counts["won"] + counts["lost"]))


def win_rate_by_amount(raw: RawSqlite) -> float:
    """The share won of the money of deals that were closed."""
    found = raw.fetch(_CLOSED.format("sum(amount)"), (raw.facts.tenant, raw.id(raw.facts.pipeline)))
    sums = {outcome: int(units or 0) for outcome, units in found}
    return sums["won"] / (sums["won"] + sums["lost"])


_CLOSED = "SELECT outcome, {} FROM crm_deal WHERE tenant_id = ? AND pipeline = ? GROUP BY outcome"


def segment(raw: RawSqlite) -> int:
    """How many deals of a region with a tag nobody has done anything about for thirty days."""
    facts = raw.facts
    sql = (
        f"SELECT count(*) FROM crm_deal AS d WHERE d.tenant_id = ? AND d.{facts.slots['region']} = ? "
        "AND d.id IN (SELECT g.record FROM crm_tagging AS g WHERE g.tenant_id = ? AND g.tag = "
        "(SELECT t.id FROM crm_tag AS t WHERE t.tenant_id = ? AND t.name_key = ?) "
        "AND (g.expires_at IS NULL OR g.expires_at > ?)) "
        "AND NOT EXISTS (SELECT 1 FROM crm_activity AS a WHERE a.tenant_id = ? AND a.deal = d.id AND a.at > ?)"
    )
    one = facts.tenant
    return int(raw.fetch(sql, (one, "emea", one, one, "vip", AT, one, AT - 30 * DAY))[0][0])


# ------------------------------------------------------------------------------------------------------------- writing


def tag(raw: RawSqlite, name: str, region: str) -> None:
    """A new tag on all deals of a region."""
    facts, (made, changeset), me = raw.facts, raw.new_ids(2), raw.id(raw.facts.users[ADMIN])
    raw.begin()
    head = (facts.tenant, made, 1, changeset, AT, me, AT)
    columns = "tenant_id, id, version, changeset_id, created_at, created_by, recorded_at, name, name_key, listed"
    raw.insert("crm_tag", columns, [(*head, name, name.lower(), 0)])
    where = f"d.{facts.slots['region']} = ?"
    _tag_all(raw, made, changeset, "person", where, (region,))
    raw.insert("crm_changeset", CHANGESET, [(facts.tenant, changeset, me, ADMIN, AT, "deal.tag_where", "interactive")])
    raw.connection.execute("COMMIT")


def _tag_all(raw: RawSqlite, tag: Any, changeset: Any, origin: str, where: str, values: Iterable[Any]) -> int:
    """The tag on the deals of a condition that do not have it; how many those are."""
    facts, me = raw.facts, raw.id(raw.facts.users[ADMIN])
    sql = (
        f"INSERT INTO crm_tagging ({_TAGGING}) SELECT d.tenant_id, {raw.new_id()}, 1, {raw.cast_id}, ?, {raw.cast_id}, "
        f"?, {raw.cast_id}, 'deal', 'deal', d.id, '{origin}', NULL FROM crm_deal AS d WHERE d.tenant_id = ? "
        f"AND {where} AND d.id NOT IN (SELECT g.record FROM crm_tagging AS g WHERE g.tenant_id = ? AND g.tag = ?)"
    )
    bound = (changeset, AT, me, AT, tag, facts.tenant, *values, facts.tenant, tag)
    return int(raw.connection.execute(raw.sql(sql), bound).rowcount)


def refresh(raw: RawSqlite, roll: Any, region: str) -> tuple[int, int]:
    """The list of those in a region brought up to date; how many came and how many left."""
    facts, changeset, me = raw.facts, raw.new_ids(1)[0], raw.id(raw.facts.users[ADMIN])
    where = f"d.{facts.slots['region']} = ?"
    raw.begin()
    entered = _tag_all(raw, roll, changeset, "rule", where, (region,))
    gone = (
        "tenant_id = ? AND tag = ? AND record NOT IN (SELECT d.id FROM crm_deal AS d WHERE d.tenant_id = ? AND "
        f"{where})"
    )
    values = (facts.tenant, roll, facts.tenant, region)
    raw.run(
        f"INSERT INTO crm_tagging_history ({_TAGGING}, superseded_at, superseded_by) SELECT {_TAGGING}, "
        f"?, {raw.cast_id} FROM crm_tagging WHERE {gone}",
        (AT, changeset, *values),
    )
    left = int(raw.connection.execute(raw.sql(f"DELETE FROM crm_tagging WHERE {gone}"), values).rowcount)
    head = (facts.tenant, changeset, me, ADMIN, AT, "segment.refresh", "interactive")
    raw.insert("crm_changeset", CHANGESET, [head])
    raw.connection.execute("COMMIT")
    return entered, left


def shuffle(raw: RawSqlite, remainder: int) -> None:
    """One deal of twenty changes its region, if it is in one of the two that change."""
    region = raw.facts.slots["region"]
    raw.begin()
    raw.run(
        f"UPDATE crm_deal SET {region} = CASE {region} WHEN 'emea' THEN 'apac' ELSE 'emea' END "
        f"WHERE tenant_id = ? AND {region} IN ('emea', 'apac') AND amount / 10000 % 20 = ?",
        (raw.facts.tenant, remainder),
    )
    raw.connection.execute("COMMIT")
