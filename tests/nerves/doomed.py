"""A process that starts a child for each unit of work it is told to do, and lets it die before its n-th statement.

``python -m tests.nerves.doomed`` reads a JSON document a line, ``{"url", "work", "names", "dies"}``, and answers each
with a word: ``killed``, or ``done`` if there were fewer statements. Children are forked: Python is started once.
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

from tests.nerves.works import WORKS, repeatable
from tests.staff import ADMIN


class Fate:
    """Counts statements, on both drivers, and kills this process before one of them."""

    def __init__(self, dies: int) -> None:
        self.left = dies

    def count(self, *_: object) -> None:
        """A statement is about to be sent."""
        self.left -= 1
        if self.left == 0:
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

        psycopg.Connection.wait = counted  # type: ignore[method-assign]


def work(task: dict[str, Any]) -> None:
    """One unit of work, until it is done or dead."""
    names = {name: UUID(value) if isinstance(value, str) else value for name, value in task["names"].items()}
    crm = repeatable(task["url"], 6)
    Fate(task["dies"]).watch()
    with crm.session(ADMIN) as me:
        WORKS[task["work"]](me, names)
    crm.dispose()


def main() -> None:
    """Answers line by line until the input ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(json.loads(line))
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the parent is to read it
                sys.stderr.write(repr(error))
                os._exit(1)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("killed\n" if killed else "done\n" if status == 0 else f"failed {status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
