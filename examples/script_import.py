"""Imports accounts from a CSV file: says what is refused and why, shows what would happen, takes it back.

::

    python examples/script_import.py crm.db accounts.csv --as ana@acme.example --dry-run
    python examples/script_import.py crm.db accounts.csv --as ana@acme.example
    python examples/script_import.py crm.db --undo 0190a5d0-... --as ana@acme.example

The database is one that ``crmkit migrate`` has made. The first line of the file names fields, custom ones too. Refused
rows go to ``accounts.csv.refused.csv``, to be mended and imported again; the status is 1 then.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from crmkit import CRM, CrmkitError, Session
from crmkit.kernel.writes.results import BulkResult

REASONS = "refused"
"""The column that is added to refused rows."""


def main(arguments: list[str]) -> int:
    """Returns the status: 0 for all rows, 1 for some refused, 2 for nothing done."""
    parser = argparse.ArgumentParser(description="Import accounts from a CSV file")
    parser.add_argument("database", help="an SQLite file, or a URL")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--as", dest="user", required=True, help="the e-mail address of who does it")
    parser.add_argument("--dry-run", action="store_true", help="show what would happen, keep nothing")
    parser.add_argument("--undo", type=UUID, metavar="CHANGESET", help="take an import back")
    given = parser.parse_args(arguments)
    if (given.file is None) is (given.undo is None):
        parser.error("give a file or --undo")
    crm = CRM(given.database if "://" in given.database else f"sqlite:///{given.database}")
    try:
        reason = f"import of {given.file.name}" if given.file else f"undo of {given.undo}"
        with crm.session(given.user, origin="import", reason=reason, dry_run=given.dry_run) as me:
            return undo(me, given.undo) if given.undo else load(me, given.file)
    except CrmkitError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        crm.dispose()


def load(me: Session, path: Path) -> int:
    """Imports the file. Cells are text as people write it: 1.234,50 €, 12,000, 2026-05-01, yes."""
    result = me.accounts.create_many(rows_of(path), form="text", progress=lambda n: print(f"{n} rows read"))
    print(", ".join(f"{count} {status}" for status, count in sorted(result.counts.items())) or "no rows")
    for outcome in result.refused:
        for problem in outcome.problems:
            print(f"row {outcome.row + 1}: {problem.field}: {problem.message} ({problem.hint or problem.code})")
    if result.refused:
        write_refused(path, result)
    if result.dry_run:
        print("dry run: nothing was kept")
    elif result.changeset_id is not None:
        print(f"to take it back: --undo {result.changeset_id}")
    return 1 if result.refused else 0


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows, one at a time, never all in memory, without the reasons of an earlier refusal."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, restval=""):
            row.pop(REASONS, None)
            yield row


def write_refused(path: Path, result: BulkResult) -> None:
    """The refused rows beside the file, with a column that says why."""
    refused = {outcome.row: "; ".join(map(str, outcome.problems)) for outcome in result.refused}
    with path.with_name(f"{path.name}.refused.csv").open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        for number, row in enumerate(rows_of(path)):
            if number in refused:
                if writer is None:
                    writer = csv.DictWriter(file, [*row, REASONS], extrasaction="ignore")
                    writer.writeheader()
                writer.writerow({**row, REASONS: refused[number]})


def undo(me: Session, changeset_id: UUID) -> int:
    """Takes an import back; what somebody edited since is kept and named."""
    result = me.undo(changeset_id)
    print(f"{len(result.reverted)} reverted, {len(result.kept)} kept, {len(result.refused)} refused")
    for entry in (*result.kept, *result.refused):
        print(f"{entry.type_key} {entry.id}: {entry.reason}")
    return 1 if result.refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
