"""The exception tree of crmkit, and who can act on each branch.

::

    CrmkitError                 catch this to catch everything crmkit raises on purpose
    ├── InputError              whoever supplied the data or the expression
    │   ├── InvalidValue        one value does not fit its type
    │   │   └── CurrencyMismatch    two currencies met where one was needed
    │   ├── InvalidRecord       a record does not fit its schema (all problems, not the first)
    │   ├── InvalidQuery        an expression, sort key or path does not type-check
    │   ├── InvalidDefinition   a field, object, role, grant or plugin definition is wrong
    │   ├── Duplicate           a unique value is taken
    │   └── NotFound            no such record, or none this actor may see (never says which)
    ├── AccessError             whoever grants rights
    │   ├── Denied              the actor lacks the right
    │   └── UnknownActor        nobody of that name in this tenant
    ├── Conflict                the caller: read again and decide (names the fields)
    ├── Vetoed                  the caller, after reading the plugin's reason
    ├── BulkStopped             the caller: a bulk verb told to stop did; carries the problems of the row
    ├── UsageError              the developer: the API was called in a way it forbids
    ├── PluginError             the plugin's author (names the plugin)
    └── StorageError            the operator
        ├── NotMigrated         the schema in the database is missing or older than this release
        └── Unavailable         the database refused, timed out or went away: run the unit of work again
"""

from collections.abc import Iterable

import attrs

__all__ = [
    "AccessError",
    "BulkStopped",
    "Conflict",
    "CrmkitError",
    "CurrencyMismatch",
    "Denied",
    "Duplicate",
    "InputError",
    "InvalidDefinition",
    "InvalidQuery",
    "InvalidRecord",
    "InvalidValue",
    "NotFound",
    "NotMigrated",
    "PluginError",
    "Problem",
    "StorageError",
    "Unavailable",
    "UnknownActor",
    "UsageError",
    "Vetoed",
]


@attrs.frozen
class Problem:
    """One thing that is wrong.

    ``code`` is stable and meant for programs (``too_long``, ``unknown_field``); ``message`` and ``hint`` are English
    for people. ``row`` is the zero-based index in the batch, ``field`` the path of the field; either may be None.
    """

    code: str
    message: str
    field: str | None = None
    row: int | None = None
    hint: str | None = None

    def at(self, *, field: str | None = None, row: int | None = None) -> "Problem":
        """The same problem placed at a field and a row; a place it already has is kept."""
        return attrs.evolve(
            self,
            field=self.field if self.field is not None else field,
            row=self.row if self.row is not None else row,
        )

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                None if self.row is None else f"row {self.row}",
                self.field,
            )
            if part
        )
        text = f"[{self.code}] {self.message}"
        if place:
            text = f"{place}: {text}"
        return f"{text} ({self.hint})" if self.hint else text


class CrmkitError(Exception):
    """Base of every error crmkit raises on purpose; ``problems`` is never empty."""

    default_code = "error"

    def __init__(
        self,
        message: str | Iterable[Problem],
        *,
        code: str | None = None,
        field: str | None = None,
        row: int | None = None,
        hint: str | None = None,
    ) -> None:
        if isinstance(message, str):
            self.problems: tuple[Problem, ...] = (Problem(code or self.default_code, message, field, row, hint),)
        else:
            self.problems = tuple(message)
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def code(self) -> str:
        """The code of the first problem."""
        return self.problems[0].code

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the problems name, in order, each once."""
        return tuple(dict.fromkeys(p.field for p in self.problems if p.field is not None))

    def at(self, *, field: str | None = None, row: int | None = None) -> "CrmkitError":
        """The same error placed at a field and a row."""
        return type(self)([p.at(field=field, row=row) for p in self.problems])

    def alone(self) -> "CrmkitError":
        """The same error of a record that was no row among others; itself, if it names no row."""
        if all(p.row is None for p in self.problems):
            return self
        return type(self)([attrs.evolve(p, row=None) for p in self.problems])

    def __reduce__(self) -> tuple[type, tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class InputError(CrmkitError):
    """The data or the expression is wrong; the caller can mend it."""

    default_code = "invalid_input"


class InvalidValue(InputError, ValueError):
    """One value does not fit its type."""

    default_code = "invalid_value"


class CurrencyMismatch(InvalidValue):
    """Two currencies met where one was needed."""

    default_code = "currency_mismatch"


class InvalidRecord(InputError):
    """A record does not fit its schema; carries every problem found, not the first only."""

    default_code = "invalid_record"


class InvalidQuery(InputError):
    """An expression, a sort key or a path does not type-check against the schema."""

    default_code = "invalid_query"


class InvalidDefinition(InputError):
    """A definition (field, object, role, grant, plugin) is wrong."""

    default_code = "invalid_definition"


class Duplicate(InputError):
    """A unique value is taken."""

    default_code = "duplicate"


class NotFound(InputError, LookupError):
    """No such record, or none this actor may see; the two are not told apart."""

    default_code = "not_found"


class AccessError(CrmkitError):
    """A right is missing."""

    default_code = "access"


class Denied(AccessError):
    """The actor lacks the right."""

    default_code = "denied"


class UnknownActor(AccessError):
    """Nobody of that name in this tenant."""

    default_code = "unknown_actor"


class Conflict(CrmkitError):
    """Somebody changed the record since it was read; ``fields`` names what differs."""

    default_code = "conflict"


class Vetoed(CrmkitError):
    """A plugin refused the change; the message is its reason and names it."""

    default_code = "vetoed"


class BulkStopped(CrmkitError):
    """A bulk verb that was told to stop at the first refusal did so; nothing was kept."""

    default_code = "bulk_stopped"


class UsageError(CrmkitError):
    """The API was called in a way it forbids (a closed session, a write in a reading session, ...)."""

    default_code = "usage"


class PluginError(CrmkitError):
    """A plugin broke its contract; the message names the plugin."""

    default_code = "plugin"


class StorageError(CrmkitError):
    """The database, not the data, is the problem."""

    default_code = "storage"


class NotMigrated(StorageError):
    """The schema in the database is missing or older than this release."""

    default_code = "not_migrated"


class Unavailable(StorageError):
    """The database refused, timed out or went away; run the unit of work again."""

    default_code = "unavailable"
