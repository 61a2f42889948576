"""Edits records that others edit at the same time.

It runs in a thread, or as ``python -m tests.integration.concurrent_edits``.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from crmkit import CRM
from crmkit.errors import Conflict, CrmkitError
from tests.staff import ADMIN

Report = dict[str, Any]


def count_up(crm: CRM, records: Sequence[UUID], rounds: int, name: str) -> Report:
    """Adds one to the headcount of the records in turn, as read; who is too late does not try again."""
    done = dict.fromkeys(map(str, records), 0)
    lost: list[list[str]] = []
    other: list[str] = []
    for turn in range(rounds):
        record_id = records[turn % len(records)]
        try:
            with crm.session(ADMIN) as me:
                read = me.accounts.get(record_id)
                me.accounts.update(read, headcount=read.headcount + 1, description=name)
        except Conflict as error:
            lost.append(sorted(error.fields))
        except CrmkitError as error:
            other.append(f"{type(error).__name__}: {error}")
        else:
            done[str(record_id)] += 1
    return {"done": done, "lost": lost, "other": other}


def main(url: str, rounds: str, name: str, *records: str) -> None:
    """Prints the report as JSON."""
    crm = CRM(url)
    sys.stdin.readline()  # all begin together
    report = count_up(crm, [UUID(record) for record in records], int(rounds), name)
    crm.dispose()
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
