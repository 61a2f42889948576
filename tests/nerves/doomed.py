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
from sqlalchemy import Engine, event, make_url

from crmkit import CRM
from crmkit.store.plans import Shelf
from crmkit.store.tenants import Registry
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


class Doctor:
    """Makes a CRM for each database, with statements compiled before, so that a child has nothing to do but die."""

    def __init__(self) -> None:
        self._crms: dict[str, CRM] = {}
        self._shelves: dict[tuple[str, str], Shelf] = {}

    def crm(self, task: dict[str, Any]) -> CRM:
        """A CRM that has opened nothing yet."""
        url, place = task["url"], (make_url(task["url"]).get_backend_name(), task["work"])
        if place not in self._shelves:
            warm = repeatable(url, 6)
            with warm.session(ADMIN, dry_run=True) as me:
                WORKS[task["work"]](me, _names(task))
            warm.dispose()
            self._shelves[place] = warm.shelf
        if url not in self._crms:
            self._crms[url] = repeatable(url, 6)
        crm = self._crms[url]
        crm.shelf = self._shelves[place]
        crm.registry = Registry(crm.database, crm.shelf, crm.tables.system)
        return crm


def _names(task: dict[str, Any]) -> dict[str, Any]:
    return {name: UUID(value) if isinstance(value, str) else value for name, value in task["names"].items()}


def work(crm: CRM, task: dict[str, Any]) -> None:
    """One unit of work, until it is done or dead."""
    Fate(task["dies"]).watch()
    with crm.session(ADMIN) as me:
        WORKS[task["work"]](me, _names(task))
    crm.dispose()


def main() -> None:
    """Answers line by line until the input ends."""
    doctor = Doctor()
    for line in sys.stdin:
        task = json.loads(line)
        crm = doctor.crm(task)
        child = os.fork()
        if child == 0:
            try:
                work(crm, task)
            finally:
                # Whatever was raised, a child must not go on reading its parent's tasks.
                os._exit(1 if sys.exc_info()[0] else 0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        sys.stdout.write("killed\n" if killed else "done\n" if status == 0 else f"failed {status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
