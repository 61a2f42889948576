"""Units of work that were dropped and not closed: what they leave behind is put in order, and somebody is told.

None of these knows the unit, which is gone by then.
"""

import warnings
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from crmkit.store.connection.drivers import Driver
from crmkit.store.connection.host_savepoints import HostSavepoints
from crmkit.store.connection.joined import JoinedSavepoint
from crmkit.store.connection.shared_connection import Gate

__all__ = ["abandoned", "abandoned_in_host", "abandoned_in_memory"]


def abandoned(connection: Connection, driver: Driver, state: Any) -> None:
    """On a connection of its own, which goes back to the pool as it came.

    Left as it is, the pool would hand the connection out in autocommit, and the next rollback on it would keep rows.
    """
    try:
        driver.rollback(connection)
        driver.release(connection, state)
    except Exception:  # noqa: BLE001 - nobody could catch it here
        with suppress(Exception):
            connection.invalidate()
    with suppress(Exception):
        connection.close()
    _tell()


def abandoned_in_memory(connection: Connection, driver: Driver, gate: Gate, holder: object) -> None:
    """On the connection of a database in memory: what was written is undone, and the others get their turn."""
    if gate.held_by(holder):
        with suppress(Exception):
            driver.rollback(connection)
        gate.give(holder)
    _tell()


def abandoned_in_host(savepoint: JoinedSavepoint, savepoints: HostSavepoints) -> None:
    """In a host's transaction: what was written is undone, and nothing of the host's."""
    with suppress(Exception):
        savepoints.stop()
        savepoint.abandon()
    _tell()


def _tell() -> None:
    warnings.warn(
        "a session of crmkit was neither used in a with block nor closed; what it had not committed is rolled back",
        ResourceWarning,
        stacklevel=3,
    )
