"""The files become records. A row with a fault is kept, and the fault is reported; a row that is refused is, too.

What the files say is kept as they say it. A lost deal has the amount 0 because the file gives it the close value 0. The
name of a deal is made of the product, as the file spells it, and the account. ``revenue`` is in millions of dollars, as
in the file. Days come as dates, money in US dollars.

Deals are entered week by week, as the sales agents would have: made when they were engaged, closed when they were
closed. Two things the files do not say and a forecast needs: while a deal is open its amount is the list price of the
product, and its expected close is sixty days after it was engaged. Deals without a day of engagement are entered last.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from crmkit import CRM, Money
from crmkit.cli.demo.calendar import LAST_DAY, Calendar, batches, noon
from crmkit.cli.demo.files import COUNTRIES, SECTORS, Fault, Matcher, blanks, rows_of, strange_words
from crmkit.cli.demo.people import ADMIN, People, hire
from crmkit.kernel.session.session import Session
from crmkit.kernel.writes.results import BulkResult
from crmkit.schema import types

__all__ = ["BIG_OPEN", "CURRENCY", "KEY_ACCOUNT", "LARGE_CUSTOMERS", "Loaded", "Progress", "load"]

CURRENCY = "USD"
PIPELINE = "Hardware"
KEY_ACCOUNT = "key account"
EXPENSIVE = "expensive"
LARGE_CUSTOMERS = "large customers"
BIG_OPEN = "open with key accounts"

_STAGES = (
    ("Prospecting", "open", "10"),
    ("Engaging", "open", "40"),
    ("Won", "won", "100"),
    ("Lost", "lost", "0"),
)
_SEGMENTS = (
    (LARGE_CUSTOMERS, "account", 'employees >= 5000 and count(deals, outcome == "won") >= 50'),
    (BIG_OPEN, "deal", f'outcome == "open" and "{KEY_ACCOUNT}" in account.tags'),
)
_FIELDS: tuple[tuple[str, str, Any, str, dict[str, bool]], ...] = (
    ("account", "sector", types.Text(max_length=100), "Sector", {"indexed": True}),
    ("account", "year_established", types.Integer(), "Established", {"indexed": True}),
    ("account", "revenue", types.Decimal(scale=2), "Revenue (million USD)", {"indexed": True}),
    ("account", "employees", types.Integer(minimum=0), "Employees", {"indexed": True}),
    ("account", "office_location", types.Text(max_length=100), "Office", {}),
    ("deal", "external_id", types.Text(max_length=20), "Opportunity", {"unique": True}),
    ("deal", "engaged_on", types.Date(), "Engaged", {"indexed": True}),
)

Progress = Callable[[int], None]
_Dated = tuple[int, date, dict[str, Any]]
"""A row of ``sales_pipeline.csv`` (0 for the first), the day it is entered at the earliest, and values of its deal."""

_OPEN = "Engaging"
_PLANNED = timedelta(days=60)


@attrs.frozen
class Loaded:
    """What was made of the files: records by record type, faults of the files, rows that were refused and why."""

    counts: Mapping[str, int]
    faults: tuple[Fault, ...]
    refused: tuple[str, ...]


def load(crm: CRM, calendar: Calendar, progress: Progress | None = None) -> Loaded:
    """Fills the default tenant of a new database; ``calendar`` is the clock of the CRM. Deals are counted to
    ``progress`` as they are made.
    """
    crm.migrate(admin=ADMIN)
    with crm.session(ADMIN, origin="setup", reason="how the demo sells") as me:
        stages = _furnish(me)
    with crm.session(ADMIN, origin="import", reason="sales_teams.csv") as me:
        people = hire(me, rows_of("sales_teams.csv"))
    with crm.session(ADMIN, origin="import", reason="accounts.csv and products.csv") as me:
        accounts, made = _accounts(me)
        products = _products(me)
    deals = _Deals(people, accounts, products, stages)
    refused = _sold(crm, calendar, deals, progress)
    with crm.session(ADMIN, origin="setup", reason="tags of the demo") as me:
        _tag(me)
    with crm.system() as me:
        counts = {name: me.records(name).count() for name in ("deal", "account", "product", "user", "team", "tag")}
    return Loaded(counts, tuple(deals.faults()), (*_refused("accounts.csv", made), *refused))


def _sold(crm: CRM, calendar: Calendar, deals: "_Deals", progress: Progress | None) -> list[str]:
    """Enters the deals, a batch of days after another; tells what was refused."""
    refused: list[str] = []
    ids: dict[int, UUID] = {}
    made, closed = list(deals.rows()), list(deals.closings())
    for day in batches():
        calendar.set(day)
        with crm.session(ADMIN, origin="import", reason=f"sales_pipeline.csv until {day.isoformat()}") as me:
            new, made = _due(made, day)
            result = me.deals.create_many((cells for _, _, cells in new), form="text", progress=progress)
            refused += _refused("sales_pipeline.csv", result, [line for line, _, _ in new])
            ids |= {new[outcome.row][0]: outcome.id for outcome in result.outcomes if outcome.id is not None}
            ended, closed = _due(closed, day)
            ended = [row for row in ended if row[0] in ids]
            result = me.deals.update_many((ids[line], values) for line, _, values in ended)
            refused += _refused("sales_pipeline.csv", result, [line for line, _, _ in ended])
    return refused


def _due(rows: list[_Dated], day: date) -> tuple[list[_Dated], list[_Dated]]:
    """Rows up to a day, and those after it."""
    return [row for row in rows if row[1] <= day], [row for row in rows if row[1] > day]


def _furnish(me: Session) -> dict[str, UUID]:
    """One pipeline instead of the one every tenant starts with, custom fields and segments; the stages by name."""
    for pipeline in list(me.pipelines):
        me.stages.where(pipeline=pipeline).delete(stop=True)
        me.pipelines.delete(pipeline)
    pipeline = me.pipelines.create(name=PIPELINE)
    rows = [
        {"pipeline": pipeline, "name": name, "position": position, "kind": kind, "probability": Decimal(probability)}
        for position, (name, kind, probability) in enumerate(_STAGES)
    ]
    stages = me.stages.create_many(rows, stop=True).ids
    for on, key, type_, label, options in _FIELDS:
        me.fields.add(on, key, type_, label=label, **options)
    for name, on, where in _SEGMENTS:
        me.segments.create(name=name, on=on, where=where)
    return dict(zip((name for name, _, _ in _STAGES), stages, strict=True))


def _accounts(me: Session) -> tuple[dict[str, UUID], BulkResult]:
    """The accounts by name. A parent may stand below its subsidiary, so parents are set when all are there."""
    rows = rows_of("accounts.csv")
    result = me.accounts.create_many(map(_account, rows), form="text")
    ids = {rows[made.row]["account"]: made.id for made in result.outcomes if made.id is not None}
    parents = [(ids[row["account"]], {"parent": ids[row["subsidiary_of"]]}) for row in rows if row["subsidiary_of"]]
    me.accounts.update_many(parents, stop=True)
    return ids, result


def _account(row: Mapping[str, str]) -> dict[str, str]:
    keys = ("sector", "year_established", "revenue", "employees", "office_location")
    return {"name": row["account"], "owner": "", **{key: row[key] for key in keys}}


def _products(me: Session) -> dict[str, UUID]:
    rows = rows_of("products.csv")
    cells = ({"name": r["product"], "family": r["series"], "price": f"{r['sales_price']} {CURRENCY}"} for r in rows)
    made = me.products.create_many(cells, form="text", stop=True)
    return dict(zip((row["product"] for row in rows), made.ids, strict=True))


@attrs.define
class _Deals:
    """The rows of ``sales_pipeline.csv`` as cells of deals, and what was wrong with them."""

    people: People
    accounts: Mapping[str, UUID]
    products: Mapping[str, UUID]
    stages: Mapping[str, UUID]
    file: str = "sales_pipeline.csv"
    matchers: dict[str, Matcher[UUID]] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.matchers["sales_agent"] = Matcher("sales agent", "sales_teams.csv", self.people.users)
        self.matchers["account"] = Matcher("account", "accounts.csv", self.accounts)
        self.matchers["product"] = Matcher("product", "products.csv", self.products)
        self.matchers["deal_stage"] = Matcher("stage", "the pipeline", self.stages)

    def rows(self) -> Iterator[_Dated]:
        """The cells of each deal as it began."""
        prices = {row["product"]: row["sales_price"] for row in rows_of("products.csv")}
        for line, row in enumerate(rows_of(self.file)):
            product = row["product"] if row["product"] in prices else self.matchers["product"].closest(row["product"])
            engaged = _day(row["engage_date"])
            yield (
                line,
                engaged or LAST_DAY,
                {
                    "name": f"{row['product']} for {row['account']}" if row["account"] else row["product"],
                    "external_id": row["opportunity_id"],
                    "owner": self._id(row, "sales_agent"),
                    "account": self._id(row, "account"),
                    "product": self._id(row, "product"),
                    "stage": str(self.stages[_OPEN]) if row["close_date"] else self._id(row, "deal_stage"),
                    "stage_since": noon(engaged).isoformat() if engaged else "",
                    "amount": f"{prices[product]} {CURRENCY}" if product is not None else "",
                    "engaged_on": row["engage_date"],
                    "expected_close": (engaged + _PLANNED).isoformat() if engaged else "",
                },
            )

    def closings(self) -> Iterator[_Dated]:
        """How deals ended: the stage, the day, the value."""
        for line, row in enumerate(rows_of(self.file)):
            closed = _day(row["close_date"])
            if closed is not None:
                yield (
                    line,
                    closed,
                    {
                        "stage": self.stages[row["deal_stage"]],
                        "stage_since": noon(closed),
                        "closed_on": closed,
                        "amount": Money(row["close_value"], CURRENCY) if row["close_value"] else None,
                    },
                )

    def _id(self, row: Mapping[str, str], column: str) -> str:
        found = self.matchers[column].find(row[column])
        return "" if found is None else str(found)

    def faults(self) -> Iterator[Fault]:
        """What was wrong, once all rows have been read."""
        for matcher in self.matchers.values():
            yield from matcher.faults(self.file, "deals")
        rows, accounts = rows_of(self.file), rows_of("accounts.csv")
        yield from blanks(self.file, rows, "account", "deals name no account; kept without one")
        yield from blanks(self.file, rows, "engage_date", "deals have no engage_date; kept without one")
        yield from _worthless(self.file, rows)
        yield from _idle(self.people, rows)
        yield from strange_words("accounts.csv", accounts, "sector", SECTORS)
        yield from strange_words("accounts.csv", accounts, "office_location", COUNTRIES)


def _worthless(file: str, rows: list[dict[str, str]]) -> Iterator[Fault]:
    counts = Counter(row["deal_stage"] for row in rows if row["close_value"] == "0")
    for stage, count in counts.items():
        yield Fault(file, "close_value", "0", count, f"{count:,} deals are {stage} with the close_value 0; kept as 0")


def _idle(people: People, rows: list[dict[str, str]]) -> Iterator[Fault]:
    selling = {row["sales_agent"] for row in rows}
    idle = sorted(set(people.manager_of) - selling)
    if idle:
        said = f"{len(idle)} sales agents have no deal: {', '.join(idle)}"
        yield Fault("sales_teams.csv", "sales_agent", ", ".join(idle), len(idle), said)


def _tag(me: Session) -> None:
    for account in list(me.accounts.where("employees >= 10000")):
        me.accounts.tag(account, KEY_ACCOUNT)
    for product in list(me.products.where(f'price > money("10000", "{CURRENCY}")')):
        me.products.tag(product, EXPENSIVE)


def _refused(file: str, result: BulkResult, rows: Sequence[int] | None = None) -> Iterator[str]:
    """Why a row of a file was left out, counted as an editor counts lines: the first row is line 2.

    ``rows`` are the rows of the file that were asked for, if those were not all.
    """
    for outcome in result.refused:
        row = outcome.row if rows is None else rows[outcome.row]
        for problem in outcome.problems:
            yield f"{file}, line {row + 2}: {attrs.evolve(problem, row=None)}"


def _day(cell: str) -> date | None:
    return date.fromisoformat(cell) if cell else None
