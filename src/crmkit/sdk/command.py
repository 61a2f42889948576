"""A command: one use case, declared once, reachable from every surface.

::

    @command("deal.reopen", action="update")
    class ReopenDeal(Command[Deal]):
        deal: Target
        reason: str

        def run(self, me: Session) -> Deal: ...

It is ``me.deals.reopen(deal, reason="...")`` and ``me.do(ReopenDeal(deal=deal, reason="..."))``; the first field is
what the verb acts on. It is a verb of queries as well, ``me.deals.where(...).reopen(reason="...")``: done to each
record in one changeset, with an outcome for each; a command that can do many at once says how in ``run_many``.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, dataclass_transform
from uuid import UUID

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.schema import Record

__all__ = ["Command", "Target", "command"]

Result = TypeVar("Result")
C = TypeVar("C", bound="Command[Any]")

Target: TypeAlias = Record | UUID | str
"""A record, or its id."""


@attrs.frozen
class Command(Generic[Result]):
    """A change of state as an object: frozen, comparable, storable. ``run`` does it in a session."""

    name: ClassVar[str] = ""
    action: ClassVar[str] = "update"
    """The right it needs on its record type; the writes inside are authorised on their own besides."""

    def run(self, me: Any) -> Result:
        """Do it. Raises what the writes raise."""
        raise InvalidDefinition(f"{type(self).__name__} has no run()", code="bad_command")

    def run_many(self, me: Any, chosen: Any, tally: Any) -> bool:
        """Do it to all records of a query at once, and tell the outcome of each; False to have ``run`` done one by one.

        ``self`` is the command with the query as its target, ``chosen`` the conditions that choose the records;
        ``tally`` takes the outcomes (``did``, ``refuse``).
        """
        return False


@dataclass_transform(frozen_default=True)
def command(name: str, *, action: str = "update") -> Callable[[type[C]], type[C]]:
    """Declare a command by its name ``noun.verb``; ``*.verb`` is a verb of every record type."""

    def declare(cls: type[C]) -> type[C]:
        noun, dot, verb = name.partition(".")
        if not dot or not verb.isidentifier() or not (noun == "*" or noun.isidentifier()):
            raise InvalidDefinition(f"{name!r} is not a command name", code="bad_command", hint="noun.verb")
        declared = attrs.frozen(cls)
        declared.name = name
        declared.action = action
        return declared

    return declare
