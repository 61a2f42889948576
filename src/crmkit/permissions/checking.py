"""Whether a grant means something in a schema: asked before it is stored, as one that does not stops its whole role."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs

from crmkit.errors import InvalidDefinition, InvalidQuery, InvalidValue, Problem
from crmkit.permissions.actions import ACTIONS, ANY, FIELD_ACTIONS, Actions
from crmkit.permissions.evaluation import Evaluation
from crmkit.permissions.grants import Rule
from crmkit.permissions.scopes import Level, owner_path
from crmkit.query.bind import SegmentSource, no_segments
from crmkit.query.context import Moment, Row
from crmkit.query.nodes import Not, SharedWith, all_of, any_of, holds
from crmkit.schema import RecordType, Schema
from crmkit.schema.schema import suggestion

__all__ = ["check"]


def check(rule: Rule, schema: Schema, actions: Actions = ACTIONS, segments: SegmentSource = no_segments) -> None:
    """Raises InvalidDefinition with everything that is wrong with the rule.

    Codes: ``unknown_type``, ``unknown_action``, ``unknown_field``, ``no_fields`` (the action concerns no single
    fields), ``no_owner`` (an owner's scope on a type without owners), and those of the query language for a ``where``
    that does not fit; on ``*`` it has to fit every type.
    """
    problems: list[Problem] = []
    try:
        actions.checked(rule.action)
    except InvalidDefinition as error:
        problems.extend(error.problems)
    types = _types(rule, schema)
    if not types:
        hint = suggestion(rule.on, schema.types)
        problems.append(Problem("unknown_type", f"there is no record type {rule.on!r:.80}", "on", hint=hint))
    else:
        problems.extend(_owner_problems(rule, types))
        problems.extend(_field_problems(rule, types))
        problems.extend(_where_problems(rule, types, schema, segments))
    if problems:
        raise InvalidDefinition(problems)


def _types(rule: Rule, schema: Schema) -> list[RecordType]:
    if rule.on == ANY:
        return list(schema.types.values())
    return [schema.types[rule.on]] if rule.on in schema.types else []


def _owner_problems(rule: Rule, types: list[RecordType]) -> Iterator[Problem]:
    if Level.NONE < rule.reach.level < Level.ALL and all(owner_path(t) is None for t in types):
        message = f"{types[0].plural} have no owner, so none are in the scope {rule.scope!r}"
        yield Problem("no_owner", message, "scope", hint="use all, or a condition")


def _field_problems(rule: Rule, types: list[RecordType]) -> Iterator[Problem]:
    if rule.fields is None:
        return
    if rule.action != ANY and rule.action not in FIELD_ACTIONS:
        hint = f"these do: {', '.join(sorted(FIELD_ACTIONS))}"
        yield Problem("no_fields", f"{rule.action!r:.80} concerns records, not fields", "fields", hint=hint)
    known = {f.key for t in types for f in t.fields}
    for key in sorted(rule.fields - known):
        message = f"{rule.on} has no field {key!r:.80}" if rule.on != ANY else f"no record type has a field {key!r:.80}"
        yield Problem("unknown_field", message, "fields", hint=suggestion(key, known))


class _NoRecords:
    """A world without records."""

    def get(self, type_key: str, record_id: UUID) -> Row | None:
        return None

    def related(self, type_key: str, field_key: str, record_id: UUID) -> Iterable[Row]:
        return ()


_SOME_MOMENT = Moment(datetime(2000, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))


def _where_problems(rule: Rule, types: list[RecordType], schema: Schema, segments: SegmentSource) -> Iterator[Problem]:
    if rule.where is None:
        return
    # As deep as a policy nests it, beside other rules and as a deny, so that none is refused later for its size.
    among_others = any_of((rule.where, SharedWith(("read", "edit"))))
    composed = all_of((among_others, Not(holds(among_others))))
    evaluation = Evaluation(schema, _NoRecords(), _SOME_MOMENT, segments)
    for record_type in types:
        try:
            evaluation.check(composed, record_type.key)
        except (InvalidQuery, InvalidValue) as error:
            yield from (attrs.evolve(problem, field="where") for problem in error.problems)
            return
