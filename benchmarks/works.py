"""The works: each measures crmkit and the raw program in turn and gives one or more lines of the report."""

import csv
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.bench import Bench, Line, same
from benchmarks.measure import clock, long, short, timed
from benchmarks.metrics import METRICS
from benchmarks.world import ADMIN, NOW, new_contacts
from crmkit import CRM, F, days_ago

__all__ = ["WORKS"]

_REP = "rep4@house.example"
_LAST_MONTH = NOW - timedelta(days=30)


# ------------------------------------------------------------------------------------------------------------- W1, W10


def create_many(bench: Bench) -> Iterator[Line]:
    """W1: contacts created in bulk by a rep, and W10, all of it undone."""
    owner = bench.facts.users[_REP]
    rows = list(new_contacts(bench.facts, bench.rows, _REP))
    raws, ours, undos = [], [], []
    for run in range(bench.runs):
        with bench.copy(bench.ground) as one, bench.copy(bench.ground) as other:
            with bench.raw(one) as raw:
                plain = raw.prepared(rows)
                raws.append(timed(partial(raw.create_contacts, plain, owner)))
            with bench.crm(other) as crm:
                _warm(crm, _REP)
                changesets: list[Any] = []
                ours.append(timed(partial(_create_all, crm, rows, changesets)))
                if run == 0:
                    crm.dispose()
                    skipped = ("id", "changeset_id")
                    left, right = (bench.digest(n, "crm_contact", "unique_1", skipped) for n in (one, other))
                    same(left, right, "W1")
                undos.append(timed(partial(_undo, crm, changesets[0], bench.rows)))
    yield Line("W1 create in bulk", long(raws), long(ours), 1.7, rows=bench.rows)
    yield Line("W10 undo of W1", long(ours), long(undos), 2, rows=bench.rows, note="raw: crmkit's W1")


def _warm(crm: CRM, who: str) -> None:
    """A process that has been running: schema and rights are known."""
    with crm.session(who) as me:
        me.contacts.where().first()


def _create_all(crm: CRM, rows: list[dict[str, Any]], changesets: list[Any]) -> None:
    with crm.session(_REP) as me:
        result = me.contacts.create_many(rows)
    if result.refused:
        raise AssertionError(result.refused[0])
    changesets.append(result.changeset_id)


def _undo(crm: CRM, changeset: Any, count: int) -> None:
    with crm.session(ADMIN) as me:
        result = me.undo(changeset)
    if len(result.reverted) != count:
        raise AssertionError(f"{len(result.reverted)} of {count} undone: {(result.kept + result.refused)[:1]}")


# ------------------------------------------------------------------------------------------------------------------ W2


def create_one(bench: Bench) -> Iterator[Line]:
    """W2: one contact in a unit of work of its own."""
    owner = bench.facts.users[_REP]
    with bench.copy(bench.ground) as one, bench.copy(bench.ground) as other:
        sent: list[str] = []
        with bench.raw(one) as raw, bench.crm(other, audit=lambda sql, clause: sent.append(sql)) as crm:
            plain, rows = (
                iter(raw.prepared(new_contacts(bench.facts, 20_000, _REP))),
                new_contacts(bench.facts, 20_000, _REP),
            )

            def ours() -> None:
                with crm.session(_REP) as me:
                    me.contacts.create(next(rows))

            ours()
            sent.clear()
            ours()
            statements = len(sent)
            times = short({"raw": lambda: raw.create_contact(next(plain), owner), "ours": ours}, bench.seconds)
    goal = 3 if bench.sqlite else 1.5
    yield Line("W2 create one", times["raw"], times["ours"], goal, note=f"{statements} statements (5 at most)")


# -------------------------------------------------------------------------------------------------------------- W3, W9


def page(bench: Bench) -> Iterator[Line]:
    """W3: the first page of a rep's deals by amount, and how the thousandth page of all contacts compares."""
    owner = bench.facts.users[_REP]
    sent: list[str] = []
    with bench.raw(bench.world) as raw, bench.crm(bench.world, audit=lambda sql, clause: sent.append(sql)) as crm:
        ours = partial(_page, crm)
        same([raw_id(r[1]) for r in raw.page(owner)], [d.id for d in ours()], "W3")
        sent.clear()
        ours()
        statements = len(sent)
        times = short({"raw": lambda: raw.page(owner), "ours": ours}, bench.seconds)
        first, last = _depth(crm, bench)
    yield Line("W3 first page", times["raw"], times["ours"], 4, 1.2e-3, note=f"{statements} statements (2 at most)")
    yield Line(
        "W3 page at depth",
        first,
        last,
        1.5,
        note=f"500 contacts after {bench.rows // 2}; raw: the first 500 of the list",
    )


def raw_id(value: Any) -> Any:
    from uuid import UUID

    return UUID(bytes=value) if isinstance(value, bytes) else value


def _page(crm: CRM, as_of: Any = None) -> list[Any]:
    with crm.session(_REP, as_of=as_of) as me:
        open_here = me.deals.where(F.outcome == "open", F.region == "emea")
        return list(open_here.order_by(-F.amount).limit(50))


def _depth(crm: CRM, bench: Bench) -> tuple[float, float]:
    """Median seconds of 500 contacts at the beginning of a sorted list, and in the middle of it."""
    first, last = [], []
    for _ in range(5):
        with crm.session(ADMIN) as me:
            contacts = iter(me.contacts.where().order_by("name"))
            start = clock()
            list(islice(contacts, 500))
            first.append(clock() - start)
            list(islice(contacts, bench.rows // 2 - 500))
            start = clock()
            list(islice(contacts, 500))
            last.append(clock() - start)
    return median(first), median(last)


def page_as_of(bench: Bench) -> Iterator[Line]:
    """W9: the page of W3 as it was last month, before a fifth of the deals changed."""
    owner, at = bench.facts.users[_REP], int(_LAST_MONTH.timestamp()) * 1_000_000
    with bench.raw(bench.world) as raw, bench.crm(bench.world) as crm:
        ours = partial(_page, crm, _LAST_MONTH)
        same([raw_id(r[1]) for r in raw.page_as_of(owner, at)], [d.id for d in ours()], "W9")
        times = short({"raw": lambda: raw.page_as_of(owner, at), "ours": ours}, bench.seconds)
    yield Line("W9 page as of last month", times["raw"], times["ours"], 2)


# -------------------------------------------------------------------------------------------------------------- W4, W5


def segment(bench: Bench) -> Iterator[Line]:
    """W4: how many gold contacts with a tag nobody has talked to for thirty days."""
    with bench.raw(bench.world) as raw, bench.crm(bench.world) as crm:

        def ours() -> int:
            with crm.session(ADMIN) as me:
                quiet = F.activities.none(F.at > days_ago(30))
                return me.contacts.where(F.tier == "gold", F.tags.has("vip"), quiet).count()

        same([raw.segment()], [ours()], "W4")
        times = short({"raw": raw.segment, "ours": ours}, bench.seconds)
    yield Line("W4 segment count", times["raw"], times["ours"], 1.3)


def summary(bench: Bench) -> Iterator[Line]:
    """W5: count and sum of amounts for each stage."""
    with bench.raw(bench.world) as raw, bench.crm(bench.world) as crm:

        def ours() -> Any:
            with crm.session(ADMIN) as me:
                return me.deals.totals(by=F.stage, sums=F.amount)

        expected = {raw_id(stage): count for stage, (count, _) in raw.funnel().items()}
        same(sorted(expected.items()), sorted((g.key[0], g.count) for g in ours()), "W5")
        times = short({"raw": raw.funnel, "ours": ours}, bench.seconds)
    yield Line("W5 count and sum by stage", times["raw"], times["ours"], 1.2)


# ------------------------------------------------------------------------------------------------------------------ W6


def export(bench: Bench) -> Iterator[Line]:
    """W6: all contacts to a CSV file."""
    raws, ours = [], []
    with TemporaryDirectory() as folder, bench.raw(bench.world) as raw, bench.crm(bench.world) as crm:
        one, other = Path(folder, "raw.csv"), Path(folder, "ours.csv")
        _warm(crm, ADMIN)
        for _ in range(bench.runs):
            raws.append(timed(partial(raw.export, one)))
            ours.append(timed(partial(_export, crm, other)))
        left, right = (sorted(path.read_text(encoding="utf-8").splitlines()) for path in (one, other))
        same(left, right, "W6")
    yield Line("W6 export to CSV", long(raws), long(ours), 2 if bench.sqlite else 4, rows=bench.rows)


def _export(crm: CRM, path: Path) -> None:
    with crm.session(ADMIN) as me, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for block in me.contacts.where().blocks():
            writer.writerows([_cells(contact) for contact in block])


def _cells(contact: Any) -> tuple[Any, ...]:
    custom = contact.custom
    return (
        contact.id, contact.name.full, contact.email, contact.phone, contact.title, contact.account,
        contact.address.one_line, int(contact.do_not_contact), contact.owner,
        custom["external_id"], custom["tier"], custom["score"],
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- W7, W10


def assign_many(bench: Bench) -> Iterator[Line]:
    """W7: all deals get another owner, and W10, all of it undone."""
    owner = bench.facts.users["manager0@house.example"]
    raws, ours, undos = [], [], []
    count = bench.rows // 5
    for run in range(bench.runs):
        with bench.copy(bench.world) as one, bench.copy(bench.world) as other:
            with bench.raw(one) as raw:
                raws.append(timed(partial(raw.change_owner, owner)))
            with bench.crm(other) as crm:
                _warm(crm, ADMIN)
                changesets: list[Any] = []
                ours.append(timed(partial(_assign_all, crm, owner, count, changesets)))
                if run == 0:
                    crm.dispose()
                    for table, order in (("crm_deal", "id"), ("crm_deal_history", "id, version")):
                        skipped = ("changeset_id", "superseded_by")
                        left, right = (bench.digest(n, table, order, skipped) for n in (one, other))
                        same(left, right, "W7")
                undos.append(timed(partial(_undo, crm, changesets[0], count)))
    yield Line("W7 change 20k owners", long(raws), long(ours), 1.5, rows=count)
    yield Line("W10 undo of W7", long(ours), long(undos), 2, rows=count, note="raw: crmkit's W7")


def _assign_all(crm: CRM, owner: Any, count: int, changesets: list[Any]) -> None:
    with crm.session(ADMIN) as me:
        result = me.deals.where().update(owner=owner)
    if result.counts["updated"] != count:
        raise AssertionError(result.counts)
    changesets.append(result.changeset_id)


# ------------------------------------------------------------------------------------------------------------------ W8


def start(bench: Bench) -> Iterator[Line]:
    """W8: CPU seconds to import crmkit, and to answer the first query of a process."""
    url = bench.place.url(bench.world)
    with TemporaryDirectory() as bytecode:
        cpu = partial(_cpu, bench, bytecode)
        bare = cpu("pass")
        package = cpu("import crmkit") - bare
        door = cpu("from crmkit import CRM") - bare
        driver = f"import psycopg\npsycopg.connect({url.replace('+psycopg', '')!r})"
        connect = "import sqlite3" if bench.sqlite else driver
        raw = cpu(connect) - bare
        query = f"from crmkit import CRM\nwith CRM({url!r}).session({ADMIN!r}) as me: list(me.deals.where().limit(50))"
        first = cpu(query) - bare
    yield Line("W8 import crmkit", None, package, limit=0.5, note="CPU seconds")
    yield Line("W8 from crmkit import CRM", None, door, limit=0.5, note="CPU seconds")
    yield Line("W8 first query", raw, first - door, limit=0.15, note="CPU seconds after the import")


def _cpu(bench: Bench, bytecode: str, code: str) -> float:
    """Median CPU seconds of a process that finds its modules compiled, as an installed package has them."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
    runs = []
    for _ in range(max(bench.runs, 3) + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        runs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(runs[1:])


WORKS: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "W1": create_many,
    "W2": create_one,
    "W3": page,
    "W4": segment,
    "W5": summary,
    "W6": export,
    "W7": assign_many,
    "W8": start,
    "W9": page_as_of,
    **METRICS,
}
"""W10 is measured with W1 and W7, which it undoes."""
