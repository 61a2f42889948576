"""A process that forks a child for each unit of work, and the child kills itself before its n-th statement.

``python -m tests.integration.killed_process`` reads a JSON document a line,
``{"url", "work", "names", "killed_before"}``, and answers each:

- ``killed_before`` is ``n``: ``killed``, or ``done`` and the number of statements if there were fewer;
- ``killed_before`` is 0: a child does all of it, the answer is ``done`` and the number of statements;
- ``killed_before`` is null: this process does all of it, the answer is ``warm``. Children are forked from this process,
  so after that they need neither start Python nor compile statements.
"""

import json
import os
import signal
import sqlite3
import sys
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, event

from crmkit import CRM
from tests.integration.units_of_work import WORKS, Names, repeatable, rewind

MONTH = 6


class StatementCounter:
    """Counts statements, on both drivers, and kills this process before one of them."""

    def __init__(self, killed_before: int) -> None:
        self.sent = 0
        self._killed_before = killed_before

    def count(self, *_: object) -> None:
        """A statement is about to be sent."""
        self.sent += 1
        if self.sent == self._killed_before:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """From now on: each statement of SQLite, BEGIN and COMMIT too; each exchange with PostgreSQL."""

        def connected(raw: Any, _record: object) -> None:
            if isinstance(raw, sqlite3.Connection):
                raw.set_trace_callback(self.count)

        event.listen(Engine, "connect", connected)
        exchange = psycopg.Connection.wait

        def counted(connection: Any, *arguments: Any, **named: Any) -> Any:
            self.count()
            return exchange(connection, *arguments, **named)

        psycopg.Connection.wait = counted  # type: ignore[method-assign, assignment]


def do_counted(crm: CRM, work: str, names: Names, killed_before: int) -> str:
    """In a child: does the work until it is done or the child is killed."""
    counter = StatementCounter(killed_before)
    counter.watch()
    WORKS[work](crm, names)
    crm.dispose()
    return f"done {counter.sent}"


def do_in_child(crm: CRM, work: str, names: Names, killed_before: int) -> str:
    """Starts the child and says how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, do_counted(crm, work, names, killed_before).encode())
        finally:
            # Whatever was raised, a child must not go on reading its parent's tasks.
            os._exit(1 if sys.exc_info()[0] else 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        done = answer.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return done if status == 0 else f"failed {status}"


def do_here(crm: CRM, work: str, names: Names) -> str:
    """Does the work, and leaves nothing of it in this process but compiled statements."""
    WORKS[work](crm, names)
    crm.dispose()
    rewind(crm, MONTH)
    return "warm"


def main() -> None:
    """Answers line by line until the input ends."""
    crms: dict[str, CRM] = {}
    for line in sys.stdin:
        task = json.loads(line)
        url, work, killed_before = task["url"], task["work"], task["killed_before"]
        crm = crms[url] = crms.get(url) or repeatable(url, MONTH)
        names = {name: UUID(value) for name, value in task["names"].items()}
        answer = do_here(crm, work, names) if killed_before is None else do_in_child(crm, work, names, killed_before)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
