"""What the demo shows, section by section: each a heading, lines of text, and perhaps a table."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from crmkit import CRM, F, Money
from crmkit.cli.demo.figures import DemoFigures, figures
from crmkit.cli.demo.load import BIG_OPEN, Loaded
from crmkit.cli.demo.numbers import numbers
from crmkit.cli.demo.people import HEAD, address_of
from crmkit.cli.demo.section import Section, money
from crmkit.cli.demo.story import GIVER, MANAGER, TAKER, hand_over, meddle, restore, take_back
from crmkit.cli.nouns import columns_of
from crmkit.cli.output import Column, Table
from crmkit.cli.titles import Titles
from crmkit.kernel.session.session import Session
from crmkit.kernel.undo.plan import UndoResult
from crmkit.query import in_segment

__all__ = ["sections", "what_was_loaded"]

_PAGE = 10
_PAGE_FIELDS = ("name", "account", "stage", "amount", "closed_on", "owner")


def what_was_loaded(loaded: Loaded, seconds: float) -> Section:
    """Records, faults of the files, refused rows."""
    counts = ", ".join(f"{count:,} {name}s" for name, count in loaded.counts.items())
    faults = [f"- {fault}" for fault in loaded.faults]
    refused = [f"- {line}" for line in loaded.refused] or ["- none"]
    lines = (f"{counts}, in {seconds:.1f} seconds.", "Found in the files:", *faults, "Rows refused:", *refused)
    return Section("loaded", "The files, loaded", lines)


def sections(crm: CRM) -> Iterator[Section]:
    """Everything that is shown of a loaded database. Records are changed on the way, and changed back at the end."""
    for name, role in ((GIVER, "a rep: own deals"), (MANAGER, "a manager: the team's"), (HEAD, "all deals")):
        with crm.session(address_of(name)) as me:
            yield _first_page(me, name, role)
    with crm.session(address_of(HEAD)) as me:
        found = figures(me)
        yield _pipeline(found)
        yield _winning(found)
        yield _membership(me)
    yield from numbers(crm)
    with crm.session(address_of(MANAGER)) as me:
        yield _rights(me)
    handed = hand_over(crm)
    yield _past(crm, handed.before)
    others = meddle(crm, handed)
    result = take_back(crm, handed)
    with crm.session(address_of(HEAD)) as me:
        yield _undone(me, result)
    restore(crm, handed, others)


def _first_page(me: Session, name: str, role: str) -> Section:
    query = me.deals.order_by(-F.amount).limit(_PAGE)
    page = list(query)
    fields = [me.deals.type.by_key[key] for key in _PAGE_FIELDS]
    titles = Titles.of(me, fields, page)
    total = me.deals.totals(sums=F.amount)
    amount = money(Money.total(total[0].sums[0]) if total else None)
    lines = (f"{len(page)} of {query.count():,} deals, together {amount}",)
    table = Table(columns_of(fields, titles), [[deal[key] for key in _PAGE_FIELDS] for deal in page])
    return Section(f"page_of_{address_of(name)}", f"First page of {name} ({role})", lines, table)


def _pipeline(found: DemoFigures) -> Section:
    table = Table(
        [Column("stage"), Column("deals", right=True), Column("amount", right=True)],
        [(stage.name, f"{stage.deals:,}", money(stage.amount)) for stage in found.stages],
    )
    lines = (f"{found.deals:,} deals, {found.without_account:,} of them without an account.",)
    return Section("pipeline", "Pipeline by stage", lines, table, found.to_dict())


def _winning(found: DemoFigures) -> Section:
    rate = f"{found.win_rate:.4%}" if found.win_rate is not None else "unknown"
    line = f"Win rate of closed deals {rate}; won {money(found.won_value)}"
    means = f"mean {_number(found.mean_won_value)}, median {_number(found.median_won_value)}"
    table = Table(
        [Column("quarter"), Column("won", right=True)],
        [(quarter, money(value)) for quarter, value in found.won_value_by_quarter.items()],
    )
    return Section("winning", "Win rate, and won value by quarter of closing", (f"{line}, {means}.",), table)


def _membership(me: Session) -> Section:
    members = me.deals.where(in_segment(BIG_OPEN))
    deal = members.first()
    title = "Why is a deal in a segment?"
    if deal is None:
        return Section("segment", title, (f"The segment {BIG_OPEN!r} is empty.",))
    lines = (f"{members.count()} deals are in the segment {BIG_OPEN!r}; {deal.name!r} is one of them:",)
    return Section("segment", title, (*lines, *str(members.explain(deal)).splitlines()))


def _rights(me: Session) -> Section:
    deal = next(iter(me.deals))
    rows = []
    for action in ("update", "delete"):
        decision = me.explain(deal, action)
        rows += [(action, decision.allowed, reason.source, reason.held) for reason in decision.reasons]
    lines = (f"{me.actor.name} and {deal.name!r}:",)
    return Section(
        "rights", "Why may a manager do this, and not that?", lines, Table.of("action allowed rule held", rows)
    )


def _past(crm: CRM, before: Any) -> Section:
    rows = []
    for when, at in (("before", before), ("now", None)):
        with crm.session(address_of(HEAD), as_of=at) as me:
            counts = {group.key[0]: group.count for group in me.deals.totals(by=F.owner)}
            rows.append((when, *(counts.get(me.users.one(name=name).id, 0) for name in (GIVER, TAKER))))
    lines = (f"{MANAGER} has given deals of {GIVER} to {TAKER}. Read as of {before.isoformat()}, and now:",)
    columns = [Column("read"), Column(GIVER, right=True), Column(TAKER, right=True)]
    return Section("as_of", "The past", lines, Table(columns, rows))


def _undone(me: Session, result: UndoResult) -> Section:
    buckets = (("reverted", result.reverted), ("kept", result.kept), ("refused", result.refused))
    names = me.deals.get_many(entry.id for _, entries in buckets for entry in entries)
    rows = [
        (bucket, names[entry.id]["external_id"], entry.fields, entry.reason)
        for bucket, entries in buckets
        for entry in entries
    ]
    lines = (
        f"{MANAGER} takes it back. Since then {TAKER} has planned one deal anew, and another one has gone to",
        "the office of the West and is shared with him to read:",
        f"{len(result.reverted)} reverted, {len(result.kept)} kept, {len(result.refused)} refused.",
    )
    return Section("undo", "Undo", lines, Table.of("bucket deal fields reason", rows))


def _number(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"
