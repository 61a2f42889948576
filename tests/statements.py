"""Sees every statement that crmkit sends, and finds those that the tenant checker has not passed.

There are three ways out of crmkit: a prepared statement through SQLAlchemy, a cursor on the server, and COPY. All three
are counted by the unit of work; what reaches SQLAlchemy from crmkit without having been counted is found by its engine.
"""

import re
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from crmkit.errors import CrmkitError
from crmkit.store.connection.unit import Unit
from crmkit.store.sql.statement import STATEMENT_OPTION, Statement
from crmkit.store.sql.tenant_check import check

OURS = re.compile(r"\bcrm_[a-z]", re.IGNORECASE)
COPY = re.compile(r"COPY (crm_\w+) \((tenant_id|.*, tenant_id)(, .*)?\) FROM STDIN")


class Watch:
    """What was sent, and what was wrong with it."""

    def __init__(self) -> None:
        self.sent = 0
        self.faults: list[str] = []
        self._checked: dict[tuple[int, str], weakref.ref[Any]] = {}
        self._lock = threading.Lock()

    def counted(self, sql: str, clause: Any) -> None:
        """A unit of work says that it sends this."""
        with self._lock:
            self.sent += 1
            if clause is not None:
                self._check(sql, clause)
            elif COPY.fullmatch(sql) is None:
                self.faults.append(f"neither a checked clause nor COPY with a tenant: {sql}")

    def _check(self, sql: str, clause: Any) -> None:
        key = id(clause), sql
        known = self._checked.get(key)
        # Another clause may have taken the number of one that is gone; to keep them all alive takes gigabytes.
        if known is not None and known() is clause:
            return
        if len(self._checked) > 20_000:
            self._checked.clear()
        self._checked[key] = weakref.ref(clause)
        try:
            check(clause)
        except CrmkitError as error:
            self.faults.append(f"{error}: {sql}")

    def executed(self, statement: str, option: object) -> None:
        """SQLAlchemy is about to send this."""
        if OURS.search(statement) is None:
            return
        if isinstance(option, Statement):
            if option.sql != statement:
                self.faults.append(f"another text than was checked: {statement}")
        elif sent_by_crmkit():
            self.faults.append(f"never checked: {statement}")


def sent_by_crmkit() -> bool:
    """Whether crmkit, and not a test, is sending; migrations state SQL of their own."""
    frame = sys._getframe()
    modules = set()
    while frame is not None:
        modules.add(frame.f_globals.get("__name__", ""))
        frame = frame.f_back  # type: ignore[assignment]
    ours = {name for name in modules if name.startswith("crmkit.")}
    return bool(ours) and not any(name.startswith("crmkit.store.migrat") for name in ours)


@contextmanager
def watching() -> Iterator[Watch]:
    """Watches all units of work and all engines."""
    watch = Watch()
    original = Unit._count

    def count(self: Unit, sql: str, clause: Any) -> None:
        watch.counted(sql, clause)
        original(self, sql, clause)

    def before(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        watch.executed(statement, context.execution_options.get(STATEMENT_OPTION))

    event.listen(Engine, "before_cursor_execute", before)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Unit, "_count", count)
            yield watch
    finally:
        event.remove(Engine, "before_cursor_execute", before)
