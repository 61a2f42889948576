"""Names of constraints and indexes: explicit, the same on every machine, and short enough for a shard's suffix."""

import re
from collections.abc import Iterable
from hashlib import sha256

__all__ = ["LONGEST", "LONGEST_TABLE", "SHARD_SUFFIX", "named", "shortened", "told_apart"]

LONGEST = 50
"""PostgreSQL cuts names at 63 bytes; a sharding engine appends up to 13 to those of constraints and indexes."""

LONGEST_TABLE = 54
"""Room for the number of a shard (``_102008``) within 63."""

SHARD_SUFFIX = re.compile(r"_\d{6,}$")
"""What a sharding engine appends to the names of one shard; no name of ours may end like it."""


def shortened(name: str) -> str:
    """The name, or if it is too long its beginning and a hash of all of it."""
    return name if len(name) <= LONGEST else told_apart(name, [name])


def told_apart(name: str, what: Iterable[str]) -> str:
    """The beginning of a name and a hash of ``what`` it stands for.

    The hash starts with a letter, so that it never looks like the number of a shard.
    """
    mark = "_h" + sha256("\0".join(what).encode()).hexdigest()[:8]
    return name[: LONGEST - len(mark)] + mark


def named(prefix: str, table: str, columns: Iterable[str] = ()) -> str:
    """``prefix_table_columns`` without the tenant that leads all of them."""
    return shortened("_".join((prefix, table, *(column for column in columns if column != "tenant_id"))))
