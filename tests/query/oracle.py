"""What conditions mean, said a second time: slowly, record by record, from the documentation and not from the code.

The rules, as the docstrings of ``crmkit.query.nodes`` and ``bound`` and docs/querying.md state them:

- A comparison of a field without a value is unknown. ``and``, ``or``, ``not`` are Kleene's.
- A tag or a share counts until it expires, and from that instant on not any more.
- Null tests, quantifiers, tags, shares, ``within`` and ``holds`` are true or false, never unknown.
- Text compares folded, by code points. Money compares with money of its currency, else it is unknown.
- ``all`` of none is true. A sum, a least or a greatest of none, or of two currencies, is no value; a count is 0.
- What the actor may not see is not there: a record on the way or at its end, and a field where it is masked.
"""

import operator as op
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import attrs

from crmkit.query import nodes
from crmkit.query.context import Moment
from crmkit.query.lift import ActorIds
from crmkit.query.nodes import TRUE, Expr
from crmkit.schema import Field, RecordType, Schema, types
from crmkit.values import Money, PersonName, fold
from tests.query.worlds import DictWorld, Row

Truth = bool | None

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": op.eq,
    "ne": op.ne,
    "lt": op.lt,
    "le": op.le,
    "gt": op.gt,
    "ge": op.ge,
}


@attrs.frozen
class Oracle:
    """Decides conditions in one world, for one actor; ``seen`` and ``fields`` are what a PlainGuard says."""

    schema: Schema
    world: DictWorld
    moment: Moment
    actors: ActorIds
    segments: Callable[[str], tuple[str, Expr] | None]
    seen: Mapping[str, Expr]
    fields: Mapping[tuple[str, str], Expr]

    def test(self, expr: Expr, on: str, row: Row) -> Truth:
        """Whether the condition holds of the record of the type."""
        match expr:
            case nodes.Constant(value):
                return value
            case nodes.And(items):
                return _all(self.test(item, on, row) for item in items)
            case nodes.Or(items):
                return _not(_all(_not(self.test(item, on, row)) for item in items))
            case nodes.Not(item):
                return _not(self.test(item, on, row))
            case nodes.Compare(operator, left, right):
                return self.compare(operator, left, right, on, row)
            case nodes.IsNull(left):
                return self.value(left, on, row)[1] is None
            case nodes.Quantifier(kind, relation, where):
                return self.quantified(kind, relation.names, where, on, row)
            case nodes.Within(path, where):
                reached = self.follow(path.names, on, row)
                return reached is not None and self.test(where, *reached) is True
            case nodes.HasTag(tag):
                return fold(tag) in self.tags(row)
            case nodes.InSegment(name):
                found = self.segments(name)
                assert found is not None
                return self.test(found[1], on, row)
            case nodes.SharedWith(levels):
                return any(self.reaches(share, levels) for share in self.world.related("share", "record", row["id"]))
        raise AssertionError(expr)

    # what is there for the actor

    def unguarded(self) -> "Oracle":
        """Rules of rights are decided without regard to rights."""
        return attrs.evolve(self, seen={}, fields={})

    def visible(self, on: str, row: Row) -> bool:
        return self.unguarded().test(self.seen.get(on, TRUE), on, row) is True

    def readable(self, on: str, key: str, row: Row) -> bool:
        return self.unguarded().test(self.fields.get((on, key), TRUE), on, row) is True

    def field(self, on: str, key: str) -> tuple[RecordType, Field]:
        record_type = self.schema.type(on)
        return record_type, record_type.by_key[key]

    def follow(self, names: Iterable[str], on: str, row: Row) -> tuple[str, Row] | None:
        for name in names:
            _, f = self.field(on, name)
            assert isinstance(f.type, types.Reference)
            target = None
            if self.readable(on, name, row) and row.get(name) is not None:
                target = self.world.get(f.type.to, row[name])
            if target is None or not self.visible(f.type.to, target):
                return None
            on, row = f.type.to, target
        return on, row

    def related(self, name: str, on: str, row: Row) -> tuple[str, list[Row]]:
        back = self.schema.backs(on)[name]
        found = self.world.related(back.type, back.field, row["id"])
        return back.type, [r for r in found if self.visible(back.type, r) and self.readable(back.type, back.field, r)]

    # conditions

    def quantified(self, kind: str, names: tuple[str, ...], where: Expr, on: str, row: Row) -> bool:
        reached = self.follow(names[:-1], on, row)
        if reached is None:
            return False
        there, rows = self.related(names[-1], *reached)
        held = [self.test(where, there, r) is True for r in rows]
        return {"any": any(held), "all": all(held), "none": not any(held)}[kind]

    def tags(self, row: Row) -> set[str]:
        """The names of the tags on the record that are not over, folded."""
        taggings = self.world.related("tagging", "record", row["id"])
        current = [t for t in taggings if t["expires_at"] is None or t["expires_at"] > self.moment.now]
        return {fold(tag["name"]) for t in current if (tag := self.world.get("tag", t["tag"]))}

    def reaches(self, share: Row, levels: tuple[str, ...]) -> bool:
        """Whether a share is for the actor, and not over."""
        mine = share["user"] in self.actors["me"] or share["team"] in self.actors.get("teams", ())
        over = share["expires_at"] is not None and share["expires_at"] <= self.moment.now
        return mine and share["level"] in levels and not over

    def compare(self, operator: str, left: nodes.Value, right: Any, on: str, row: Row) -> Truth:
        field_type, value = self.value(left, on, row)
        if isinstance(right, nodes.Value):
            others = [self.value(right, on, row)[1]]
        elif isinstance(right, nodes.Actors):
            ids = self.actors[right.who]
            others = list(ids) if operator == "in" else [ids[0] if ids else None]
        else:
            constants = right if isinstance(right, tuple) else (right,)
            others = [self.constant(field_type, c, operator) for c in constants]
        if value is None or None in others:
            return None
        if isinstance(value, Money):
            if any(other.currency != value.currency for other in others):
                return None
            value, others = value.amount, [other.amount for other in others]
        return self.holds(operator, value, others)

    def holds(self, operator: str, value: Any, others: list[Any]) -> bool:
        match operator:
            case "in":
                return any(value == other for other in others)
            case "between":
                return bool(others[0] <= value <= others[1])
            case "contains" | "has":
                return others[0] in value
            case "starts_with":
                return bool(value.startswith(others[0]))
            case "ends_with":
                return bool(value.endswith(others[0]))
        return _ORDER[operator](value, others[0])

    # values

    def value(self, term: nodes.Value, on: str, row: Row) -> tuple[Any, Any]:
        """The type of a term and its value, as it compares."""
        if isinstance(term, nodes.Aggregate):
            return self.aggregate(term, on, row)
        assert isinstance(term, nodes.Path)
        f = self.end(term.names, on)
        reached = self.follow(term.names[:-1], on, row)
        if reached is None or not self.readable(reached[0], f.key, reached[1]):
            return f.type, None
        return f.type, _comparable(f.type, reached[1].get(f.key))

    def end(self, names: tuple[str, ...], on: str) -> Field:
        for name in names[:-1]:
            _, f = self.field(on, name)
            assert isinstance(f.type, types.Reference)
            on = f.type.to
        return self.field(on, names[-1])[1]

    def aggregate(self, term: nodes.Aggregate, on: str, row: Row) -> tuple[Any, Any]:
        there, rows = self.related(term.relation.names[0], on, row)
        rows = [r for r in rows if self.test(term.where, there, r) is True]
        if term.function == "count" or term.field is None:
            return types.Integer(), len(rows)
        field_type = self.field(there, term.field)[1].type
        found = [_comparable(field_type, r.get(term.field)) for r in rows if self.readable(there, term.field, r)]
        values = [value for value in found if value is not None]
        if not values or len({value.currency for value in values if isinstance(value, Money)}) > 1:
            return field_type, None
        if term.function == "sum":
            return field_type, sum(values[1:], start=values[0])
        return field_type, min(values) if term.function == "min" else max(values)

    def constant(self, field_type: Any, value: Any, operator: str) -> Any:
        """What is on the right, as the type on the left understands it."""
        if isinstance(value, nodes.RelativeTime):
            return self.time(field_type, value)
        if isinstance(field_type, types.Text | types.LongText | types.Email | types.Url | types.PersonName):
            return fold(value.full if isinstance(value, PersonName) else value)
        if isinstance(field_type, types.Phone):
            return "".join(c for c in value if c not in " .-()/\t")
        if isinstance(field_type, types.MultiChoice):
            return value
        if isinstance(value, str) or (isinstance(field_type, types.Decimal) and isinstance(value, int)):
            bare = (
                attrs.evolve(field_type, minimum=None, maximum=None) if hasattr(field_type, "minimum") else field_type
            )
            return bare.parse_text(str(value))
        return value

    def time(self, field_type: Any, value: nodes.RelativeTime) -> Any:
        local = self.moment.now.astimezone(self.moment.zone)
        moved = (local + timedelta(days=value.days)).replace(fold=local.fold)
        day = moved.astimezone(UTC).astimezone(self.moment.zone).date()
        if isinstance(field_type, types.Date):
            return day
        if value.unit == "today":
            return datetime.combine(day, time(), self.moment.zone).astimezone(UTC)
        return moved.astimezone(UTC)


def _comparable(field_type: Any, value: Any) -> Any:
    """A value as it compares: text folded, a name by the whole of it."""
    if value is None or isinstance(value, bool | date):
        return value
    if isinstance(value, PersonName):
        return fold(value.full)
    if isinstance(field_type, types.Text | types.LongText | types.Email | types.Url):
        return fold(value)
    return value


def _not(value: Truth) -> Truth:
    return None if value is None else not value


def _all(values: Iterable[Truth]) -> Truth:
    found = list(values)
    if False in found:
        return False
    return None if None in found else True
