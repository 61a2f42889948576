"""One grant as a rule: what a role may, or may not, do with which records and which of their fields."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import attrs

from crmkit.errors import InvalidDefinition
from crmkit.permissions.scopes import Level, Reach, Where
from crmkit.query import Expr
from crmkit.query.context import Row
from crmkit.query.json_form import from_json
from crmkit.schema.schema import suggestion

__all__ = ["Effect", "Rule"]

T = TypeVar("T")

Effect: TypeAlias = Literal["allow", "deny"]

_SCOPES = ("own", "team", "team_and_below", "all", "where")
_EFFECTS: tuple[Effect, ...] = ("allow", "deny")


def _scope(value: Any) -> str:
    return _one_of(_SCOPES, "scope", value)


def _effect(value: Any) -> Effect:
    return _one_of(_EFFECTS, "effect", value)


def _one_of(known: tuple[T, ...], name: str, value: Any) -> T:
    if not isinstance(value, str) or value not in known:
        hint = suggestion(str(value), map(str, known))
        raise InvalidDefinition(f"{value!r:.80} is no {name} of a grant", code=f"unknown_{name}", field=name, hint=hint)
    return known[known.index(value)]


def _field_set(fields: Iterable[str] | None) -> frozenset[str] | None:
    if fields is None:
        return None
    keys = () if isinstance(fields, str) or not isinstance(fields, Iterable) else tuple(fields)
    if not keys or not all(isinstance(key, str) for key in keys):
        raise InvalidDefinition(
            "fields is a list of field keys", code="bad_fields", field="fields", hint="without a list, all of them"
        )
    return frozenset(keys)


def _reach(rule: "Rule") -> Reach:
    if rule.scope == "where" and isinstance(rule.where, Expr):
        return Reach(wheres=(Where(rule.where),))
    if rule.scope == "where" or rule.where is not None:
        raise InvalidDefinition("a condition and the scope 'where' need each other", code="bad_where", field="where")
    return Reach(level=Level[rule.scope.upper()])


@attrs.frozen(kw_only=True)
class Rule:
    """A grant read from its row. ``fields`` None means all of them.

    Raises InvalidDefinition for an unknown scope or effect, and for a ``where`` without the scope ``where`` or the
    other way round: a condition that nobody looks at would grant too much.
    """

    role: UUID
    on: str
    action: str
    scope: str = attrs.field(default="all", converter=_scope)
    where: Expr | None = attrs.field(default=None, eq=False)
    fields: frozenset[str] | None = attrs.field(default=None, converter=_field_set)
    effect: Effect = attrs.field(default="allow", converter=_effect)
    reach: Reach = attrs.field(init=False, repr=False, default=attrs.Factory(_reach, takes_self=True))
    """The records the rule concerns."""

    @classmethod
    def from_row(cls, row: Row) -> "Rule":
        """The rule a row of the type grant states. Raises InvalidDefinition or InvalidQuery."""
        where = row["where"]
        return cls(
            role=row["role"],
            on=row["on"],
            action=row["action"],
            scope=row["scope"],
            where=None if where is None else from_json(where),
            fields=row["fields"],
            effect=row["effect"],
        )
