"""Fields, segments and rights that others change while a session is under way."""

from collections.abc import Iterable
from typing import Any

from crmkit.errors import Conflict
from crmkit.kernel.session.unit_of_work import Work
from crmkit.permissions import Rule

__all__ = ["hold_definitions"]


def hold_definitions(session: Work, *, alone: bool = False) -> None:
    """Nobody changes fields, segments or rights until this is committed; ``alone``: nor needs them as they were.

    Raises Conflict if they have changed since the session began, and what it has written depends on that.
    """
    session.may_write()
    state = session.crm.registry.held(session.unit, session.tenant.id, alone=alone)
    if state == session.state:
        return
    before = _depends_on(session)
    session.state = state
    session.resolve()
    if before != _depends_on(session):
        raise Conflict(
            "fields or rights were changed since the session began",
            code="definitions_changed",
            hint="do it again in another session",
        )


def _depends_on(session: Work) -> Any:
    """Who acts, by which rules, and the custom fields of the types that were written."""
    types = session.schema.types
    custom = {key: types[key].custom if key in types else None for key in session.written}
    return custom, session.policy.actor, _texts(session.policy.rules)


def _texts(rules: Iterable[Rule]) -> list[str]:
    """The rules in full: two are equal to each other whatever their conditions."""
    return [f"{rule!r} {rule.where!r}" for rule in rules]
