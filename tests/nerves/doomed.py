"""A process that starts a child for each work it is told to do, and lets it die before its n-th statement.

``python -m tests.nerves.doomed`` reads a JSON document a line, ``{"url", "work", "names", "dies"}``, and answers each:

- ``dies`` is ``n``: ``killed``, or ``done`` and the number of statements if there were fewer;
- ``dies`` is 0: a child does all of it, the answer is ``done`` and the number of statements;
- ``dies`` is null: this process does all of it, the answer is ``rehearsed``. Children are forked from this process, so
  after a rehearsal they need neither start Python nor compile statements.
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
from tests.nerves.works import WORKS, Names, repeatable, rewind

MONTH = 6


class Fate:
    """Counts statements, on both drivers, and kills this process before one of them."""

    def __init__(self, dies: int) -> None:
        self.sent = 0
        self._dies = dies

    def count(self, *_: object) -> None:
        """A statement is about to be sent."""
        self.sent += 1
        if self.sent == self._dies:
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


def fulfil(crm: CRM, work: str, names: Names, dies: int) -> str:
    """In a child: does the work until it is done or dead."""
    fate = Fate(dies)
    fate.watch()
    WORKS[work](crm, names)
    crm.dispose()
    return f"done {fate.sent}"


def outlive(crm: CRM, work: str, names: Names, dies: int) -> str:
    """Starts the child and says how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, fulfil(crm, work, names, dies).encode())
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


def rehearse(crm: CRM, work: str, names: Names) -> str:
    """Does the work, and leaves nothing of it in this process but compiled statements."""
    WORKS[work](crm, names)
    crm.dispose()
    rewind(crm, MONTH)
    return "rehearsed"


def main() -> None:
    """Answers line by line until the input ends."""
    crms: dict[str, CRM] = {}
    for line in sys.stdin:
        task = json.loads(line)
        url, work, dies = task["url"], task["work"], task["dies"]
        crm = crms[url] = crms.get(url) or repeatable(url, MONTH)
        names = {name: UUID(value) for name, value in task["names"].items()}
        answer = rehearse(crm, work, names) if dies is None else outlive(crm, work, names, dies)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
