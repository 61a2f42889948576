"""A unit of work that was dropped: its connection goes back to the pool as it came."""

import warnings
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from crmkit.store.connection.drivers import Driver

__all__ = ["abandoned"]


def abandoned(connection: Connection, driver: Driver, state: Any) -> None:
    """A unit of work was dropped and not closed: its connection goes back all the same, and somebody is told.

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
    warnings.warn(
        "a session of crmkit was neither used in a with block nor closed; what it had not committed is rolled back",
        ResourceWarning,
        stacklevel=2,
    )
