"""A world of plain dict rows: what policies are evaluated on in memory, and what the oracle reads."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs

from crmkit.permissions import Directory, Evaluation, Policy, Rule
from crmkit.permissions.evaluation import Test
from crmkit.query.context import Moment
from crmkit.query.json_form import to_json
from crmkit.query.lift import Lifted
from crmkit.records import BUILTIN_RECORDS
from crmkit.schema import Field, Schema, record_type_of
from crmkit.schema.types import Integer

Row = dict[str, Any]

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
MOMENT = Moment(NOW, ZoneInfo("Asia/Shanghai"))

CUSTOM_FIELDS = {"deal": (Field("margin", Integer(), labels={"zh": "利润"}, custom=True, sensitive=True),)}
"""The custom fields of the worlds: built-in records have none that is sensitive."""

BUILTIN_SCHEMA = Schema.of(record_type_of(record) for record in BUILTIN_RECORDS)
SCHEMA = BUILTIN_SCHEMA.with_custom(CUSTOM_FIELDS)
_ORDER = {type_key: place for place, type_key in enumerate(SCHEMA.types, start=1)}


def new_id(type_key: str, number: int) -> UUID:
    """The id of the record of a type with a number: the same in every world."""
    return UUID(int=(_ORDER[type_key] << 32) + number)


def new_row(type_key: str, number: int, **values: Any) -> Row:
    """A row with every field of its type: the given values, else the defaults."""
    fields = SCHEMA.type(type_key).by_key
    assert values.keys() <= fields.keys(), f"{type_key} has no {sorted(values.keys() - fields.keys())}"
    return {key: f.default for key, f in fields.items()} | {"id": new_id(type_key, number)} | values


@attrs.frozen(slots=False, eq=False)
class DictWorld:
    """Rows by type. The ``where`` of a grant is an Expr."""

    rows: Mapping[str, tuple[Row, ...]]
    schema: Schema = SCHEMA
    _tests: dict[tuple[Any, ...], Any] = attrs.field(init=False, factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, Row]]) -> "DictWorld":
        """From pairs of type and row."""
        by_type: dict[str, list[Row]] = {}
        for type_key, row in rows:
            by_type.setdefault(type_key, []).append(row)
        return cls({type_key: tuple(found) for type_key, found in by_type.items()})

    def all(self, type_key: str) -> tuple[Row, ...]:
        return self.rows.get(type_key, ())

    def get(self, type_key: str, record_id: UUID) -> Row | None:
        return next((row for row in self.all(type_key) if row["id"] == record_id), None)

    def related(self, type_key: str, field_key: str, record_id: UUID) -> list[Row]:
        return [row for row in self.all(type_key) if row[field_key] == record_id]

    def without(self, type_key: str, record_id: UUID) -> "DictWorld":
        """The same world without one record."""
        kept = tuple(row for row in self.all(type_key) if row["id"] != record_id)
        return attrs.evolve(self, rows={**self.rows, type_key: kept})

    def with_row(self, type_key: str, row: Row) -> "DictWorld":
        """The same world with one more record."""
        return attrs.evolve(self, rows={**self.rows, type_key: (*self.all(type_key), row)})

    @cached_property
    def directory(self) -> Directory:
        """Everybody of this world."""
        return Directory.of(
            self.schema,
            users=self.all("user"),
            role_members=self.all("role_member"),
            grants=map(stored, self.all("grant")),
            teams=self.all("team"),
            team_members=self.all("team_member"),
        )

    @cached_property
    def evaluation(self) -> Evaluation:
        """Conditions tested in this world."""
        return Evaluation(self.schema, self, MOMENT)

    def allowed(self, policy: Policy, type_key: str, action: str, row: Row) -> bool:
        """Whether the policy's own expression allows the action on the row."""
        return self._test(policy, type_key, policy.scope(type_key, action))(row) is True

    def readable(self, policy: Policy, type_key: str, row: Row) -> set[str]:
        """The fields of a readable row that may be read."""
        return self._fields(policy, type_key, row, lambda key: policy.field(type_key, key))

    def writable(self, policy: Policy, type_key: str, row: Row, action: Any = "update") -> set[str]:
        """The fields of a row that may be set, where the action is allowed."""
        return self._fields(policy, type_key, row, lambda key: policy.writable(type_key, key, action))

    def _fields(self, policy: Policy, type_key: str, row: Row, answer: Any) -> set[str]:
        found = set()
        for f in self.schema.type(type_key).fields:
            held = answer(f.key)
            if held is True or (held is not False and self._test(policy, type_key, held)(row) is True):
                found.add(f.key)
        return found

    def _test(self, policy: Policy, type_key: str, condition: Lifted) -> Test:
        """The condition, bound once for all rows."""
        key = policy, type_key, condition.shape, condition.values
        if key not in self._tests:
            self._tests[key] = self.evaluation.test(condition, type_key, policy.actor.ids)
        found: Test = self._tests[key]
        return found


def stored(grant: Row) -> Row:
    """A grant row whose ``where`` is an Expr, as a database keeps it."""
    return grant | {"where": None if grant["where"] is None else to_json(grant["where"])}


def rule_of(grant: Row) -> Rule:
    """The rule of a grant row whose ``where`` is an Expr."""
    return Rule.from_row(stored(grant))
