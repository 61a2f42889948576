"""Check a lifted expression against a schema and the actor's rights, and make it ready to run.

What the actor may not read does not exist here: an unreadable field and an unknown one give the same error.
"""

from collections.abc import Callable
from typing import Any

import attrs

from crmkit.errors import InvalidQuery
from crmkit.query.bound import Comparison, Conjunction, Fixed, Inside, Missing, Negation, Related, Shared, Tagged
from crmkit.query.condition import Bound
from crmkit.query.context import ALL_RIGHTS, Guard, Ref, Values
from crmkit.query.lift import NOBODY, ActorIds, Lifted, Shape, lift
from crmkit.query.nodes import AGGREGATES, COMPARISONS, QUANTIFIERS, Expr, now
from crmkit.query.operators import OPERATORS
from crmkit.query.terms import SUMMABLE, Aggregation, Column, Operands, Scalar, Step
from crmkit.query.weight import CLAUSES, WAYS, Scale
from crmkit.schema import Field, FieldType, RecordType, Schema
from crmkit.schema.record_type import SYSTEM_FIELDS
from crmkit.schema.schema import Back, suggestion
from crmkit.schema.types import Date, DateTime, Reference, Text
from crmkit.values.text import shown

__all__ = ["CONSTANT_SPACE", "Binder", "SegmentSource", "no_segments"]

CONSTANT_SPACE = (now,)
"""The last space of every plan, found as ``values[-1]``: constants the binder itself needs."""

SegmentSource = Callable[[str], tuple[str, Expr] | None]
"""Gives the record type and the expression of a segment by name, or None."""

_NAME_TYPE = Text()


def no_segments(name: str) -> None:
    """The segments of a place that has none."""
    return


@attrs.define
class Binder:
    """Binds expressions of one session: schema, guard, who the actor is, which segments there are.

    Bound conditions refer to constants by space and number: space 0 is the caller's, the others belong to guards and
    segments met on the way. A plan made from the result keeps ``origins`` to fetch these anew for another actor of the
    same signature; ``values`` gives all of them.
    """

    schema: Schema
    guard: Guard = ALL_RIGHTS
    segments: SegmentSource = no_segments
    actors: ActorIds = attrs.field(factory=lambda: NOBODY)
    origins: list[Callable[["Binder"], tuple[Any, ...]]] = attrs.field(factory=list)
    _open_segments: tuple[str, ...] = ()
    _bound: dict[tuple[str, str], Bound] = attrs.field(factory=dict)
    _weights: dict[tuple[str, str], int] = attrs.field(factory=dict)
    scale: Scale = attrs.field(init=False, factory=Scale)

    def bind(self, shape: Shape, type_key: str) -> Bound:
        """The condition of the caller's shape on a record type. Raises InvalidQuery."""
        with self.scale.measured():
            return _Binding(self, self.guard, 0).expr(shape, self.schema.type(type_key))

    def values(self, own: tuple[Any, ...] = ()) -> Values:
        """The constants of everything bound so far, by space; ``own`` are the caller's."""
        return (own, *(origin(self) for origin in self.origins), CONSTANT_SPACE)

    def column(self, names: tuple[str, ...], type_key: str) -> Column:
        """The field a path leads to. Raises InvalidQuery."""
        with self.scale.measured():
            return _Binding(self, self.guard, 0).column(names, self.schema.type(type_key))

    def rows(self, type_key: str) -> Bound:
        """Which records of the type the guard lets through."""
        return self._guarding(self.guard, "rows", type_key, "")

    def allowed(self, type_key: str, action: str) -> Bound:
        """On which records of the type the guard allows an action."""
        return self._guarding(self.guard, "action", type_key, action)

    def _guarding(self, guard: Guard, what: str, type_key: str, field_key: str) -> Bound:
        """The guard's own condition; policies see everything they decide on, so it binds without a guard."""
        if guard is ALL_RIGHTS:
            return Fixed(True)
        key = (what + type_key, field_key)
        if key not in self._bound:
            answer = _ask(guard, what, type_key, field_key)
            if isinstance(answer, bool):
                self._bound[key] = Fixed(answer)
            else:

                def values(binder: "Binder") -> tuple[Any, ...]:
                    again = _ask(binder.guard, what, type_key, field_key)
                    return again.values if isinstance(again, Lifted) else ()

                self.origins.append(values)
                binding = _Binding(self, ALL_RIGHTS, len(self.origins))
                with self.scale.measured():
                    self._bound[key] = binding.expr(answer.shape, self.schema.type(type_key))
                    self._weights[key] = self.scale.weight
        self.scale.add(self._weights.get(key, 0))
        return self._bound[key]

    def mask(self, guard: Guard, type_key: str, field: Field) -> Bound | None:
        """The condition under which the field may be read; None if always. Raises KeyError if never."""
        if guard is ALL_RIGHTS or field.key in SYSTEM_FIELDS:
            return None
        answer = guard.field(type_key, field.key)
        if answer is True:
            return None
        if answer is False:
            raise KeyError(field.key)
        return self._guarding(guard, "field", type_key, field.key)


def _ask(guard: Guard, what: str, type_key: str, key: str) -> bool | Lifted:
    match what:
        case "rows":
            return guard.rows(type_key)
        case "action":
            return guard.scope(type_key, key)
    return guard.field(type_key, key)


@attrs.frozen
class _Binding:
    """One walk over one shape, whose constants are in one space."""

    binder: Binder
    guard: Guard
    space: int

    def expr(self, shape: Shape, on: RecordType) -> Bound:
        with self.binder.scale.nested(CLAUSES.get(shape[0], 0), clauses=1):
            return self._expr(shape, on)

    def _expr(self, shape: Shape, on: RecordType) -> Bound:
        match shape:
            case ("compare", str(operator), left, right):
                return self.compare(operator, left, right, on)
            case ("and", *items):
                return Conjunction(tuple(self.expr(item, on) for item in items))
            case ("or", *items):
                return Conjunction(tuple(self.expr(item, on) for item in items), dual=True)
            case ("not", item):
                return Negation(self.expr(item, on))
            case ("null", left):
                return Missing(self.scalar(left, on))
            case ("constant", bool(value)):
                return Fixed(value)
            case ("within", tuple(names), where):
                return self.within(names, where, on)
            case ("quantifier", str(kind), tuple(names), where):
                return self.related(names, on, kind, lambda *found: self.quantifier(kind, where, *found))
            case ("tag", int(index)):
                return Tagged(Operands(_NAME_TYPE, (Ref(self.space, index),), "eq", "tags"), _present())
            case ("segment", str(name)):
                return self.segment(name, on)
        return self.of_rights(shape, on)

    def of_rights(self, shape: Shape, on: RecordType) -> Bound:
        """What policies and figures ask and nobody can write."""
        match shape:
            case ("shared", tuple(levels), tuple(users), tuple(teams)):
                return self.shared(levels, users, teams)
            case ("readable", str(name)):
                return self.mask(on, self.field(name, on)) or Fixed(True)
        raise InvalidQuery("this is not a condition", code="not_a_condition")

    def compare(self, operator: str, left: Shape, right: Shape, on: RecordType) -> Bound:
        scalar = self.scalar(left, on)
        name = left[1][-1] if left[0] == "path" else left[3] or left[1]
        known = [known for known in COMPARISONS if known in scalar.type.operators]
        if operator not in known:
            raise InvalidQuery(
                f"{name} is a {scalar.type.name} and knows no {shown(operator)}",
                code="unknown_operator",
                field=name,
                hint=f"it knows: {', '.join(known) or 'only null tests'}",
            )
        if right[0] in _CONSTANTS:
            return Comparison(OPERATORS[operator], scalar, self.operands(operator, scalar, right, name))
        other = self.scalar(right, on)
        if not isinstance(other, Column) or operator not in _PAIRWISE or not _comparable(scalar, other):
            raise InvalidQuery(
                f"{name} cannot be compared with that field",
                code="type_mismatch",
                field=name,
                hint="fields of the same type compare, an aggregate on the left",
            )
        return Comparison(OPERATORS[operator], scalar, other)

    def operands(self, operator: str, scalar: Scalar, right: Shape, name: str) -> Operands:
        listed = right[0] in ("values", "actors")
        if (operator in _LISTS) is not listed or (operator == "between" and len(right) != 3):
            raise InvalidQuery(
                f"{operator!r} takes {'a list of' if operator in _LISTS else 'one of'} the values of {name}",
                code="bad_operand",
                field=name,
                hint="in takes a list or my_team, between two values, all others one value or me",
            )
        if right[0] in ("actor", "actors") and not _names_users(scalar.type):
            raise InvalidQuery(
                f"{name} does not refer to a user", code="type_mismatch", field=name, hint="me and my_team are users"
            )
        return Operands(scalar.type, tuple(Ref(self.space, index) for index in right[1:]), operator, name)

    def scalar(self, shape: Shape, on: RecordType) -> Scalar:
        match shape:
            case ("path", tuple(names)):
                return self.column(names, on)
            case ("aggregate", str(function), tuple(names), field, where):
                found: list[Scalar] = []

                def aggregate(back: Back, rows: Bound, target: RecordType) -> Bound:
                    found.append(self.aggregation(function, back, rows, field, where, target))
                    return Fixed(True)

                if len(names) != 1:
                    raise InvalidQuery("an aggregate starts at a relation of the record", code="bad_aggregate")
                self.related(names, on, "aggregate", aggregate)
                return found[0]
        raise InvalidQuery("this is not a field", code="not_a_field")

    def column(self, names: tuple[str, ...], on: RecordType) -> Column:
        if not names:
            raise InvalidQuery("a path needs a field", code="empty_path")
        steps, at = self.steps(names[:-1], on)
        with self.binder.scale.nested(WAYS["step"] * len(steps)):
            field = self.field(names[-1], at)
            return Column(steps, field, self.mask(at, field))

    def steps(self, names: tuple[str, ...], on: RecordType) -> tuple[tuple[Step, ...], RecordType]:
        steps: list[Step] = []
        at = on
        for name in names:
            field = self.field(name, at)
            if not isinstance(field.type, Reference) or field.type.to == "*":
                raise InvalidQuery(
                    f"{shown(name)} of {at.key} leads to no other record",
                    code="not_a_reference",
                    field=name,
                    hint="only references can be followed; related records need any, all, none or an aggregate",
                )
            with self.binder.scale.nested(WAYS["step"] * (len(steps) + 1)):
                rows = self.binder._guarding(self.guard, "rows", field.type.to, "")
            steps.append(Step(field, field.type.to, rows, self.mask(at, field)))
            at = self.binder.schema.type(field.type.to)
        return tuple(steps), at

    def field(self, name: str, on: RecordType) -> Field:
        field = on.by_key.get(name)
        if field is None or not self.readable(on, field):
            raise self.unknown(name, on)
        return field

    def readable(self, on: RecordType, field: Field) -> bool:
        return field.key in SYSTEM_FIELDS or self.guard.field(on.key, field.key) is not False

    def unknown(self, name: str, on: RecordType) -> InvalidQuery:
        relations = self.relations(on)
        if name in relations:
            return InvalidQuery(
                f"{on.key} has many {name}",
                code="not_a_field",
                field=name,
                hint=f"ask for any, all or none of them, or for their count: any({name}), count({name}) > 1",
            )
        known = [f.key for f in on.by_key.values() if self.readable(on, f)]
        hint = 'write "vip" in tags' if name == "tags" else suggestion(name, [*known, *relations])
        return InvalidQuery(f"{on.key} has no field {shown(name)}", code="unknown_field", field=_place(name), hint=hint)

    def relations(self, on: RecordType) -> dict[str, Back]:
        """The ways back the actor may use; one along an unreadable field does not exist."""
        schema = self.binder.schema
        return {name: back for name, back in schema.backs(on.key).items() if self.usable(back)}

    def usable(self, back: Back) -> bool:
        target = self.binder.schema.type(back.type)
        return self.readable(target, target.by_key[back.field])

    def mask(self, on: RecordType, field: Field) -> Bound | None:
        return self.binder.mask(self.guard, on.key, field)

    def within(self, names: tuple[str, ...], where: Shape, on: RecordType) -> Bound:
        steps, at = self.steps(names, on)
        with self.binder.scale.nested(WAYS["step"] * len(steps)):
            return Inside(Column(steps, SYSTEM_FIELDS["id"]), self.expr(where, at))

    def related(
        self, names: tuple[str, ...], on: RecordType, way: str, make: Callable[[Back, Bound, RecordType], Bound]
    ) -> Bound:
        if not names:
            raise InvalidQuery("a relation is missing", code="empty_path")
        steps, at = self.steps(names[:-1], on)
        back = self.binder.schema.backs(at.key).get(names[-1])
        if back is None or not self.usable(back):
            raise InvalidQuery(
                f"{at.key} has no relation {shown(names[-1])}",
                code="unknown_relation",
                field=_place(names[-1]),
                hint=suggestion(names[-1], self.relations(at)),
            )
        target = self.binder.schema.type(back.type)
        with self.binder.scale.nested(WAYS["step"] * len(steps) + WAYS.get(way, 0)):
            rows = self.binder._guarding(self.guard, "rows", target.key, "")
            mask = self.mask(target, target.by_key[back.field])
            if mask is not None:
                rows = Conjunction((rows, mask))
            made = make(back, rows, target)
        return made if not steps else Inside(Column(steps, SYSTEM_FIELDS["id"]), made)

    def quantifier(self, kind: str, where: Shape, back: Back, rows: Bound, target: RecordType) -> Bound:
        if kind not in QUANTIFIERS:
            raise InvalidQuery(f"there is no quantifier {shown(kind)}", code="unknown_quantifier")
        return Related(kind, back.type, back.field, rows, self.expr(where, target))

    def aggregation(
        self, function: str, back: Back, rows: Bound, field_key: str | None, where: Shape, target: RecordType
    ) -> Aggregation:
        condition = self.expr(where, target)
        if function == "count":
            return Aggregation("count", back.type, back.field, None, rows, condition)
        if function not in AGGREGATES or field_key is None:
            raise InvalidQuery(f"there is no aggregate {shown(function)}", code="unknown_aggregate")
        field = self.field(field_key, target)
        fits = {
            "sum": isinstance(field.type, SUMMABLE),
            "latest": isinstance(field.type, Date | DateTime),
        }.get(function, "lt" in field.type.operators)
        if not fits:
            raise InvalidQuery(
                f"there is no {function} of {field.key}, a {field.type.name}", code="bad_aggregate", field=field.key
            )
        return Aggregation(function, back.type, back.field, field, rows, condition, self.mask(target, field))

    def segment(self, name: str, on: RecordType) -> Bound:
        binder = self.binder
        found = binder.segments(name)
        if found is None or found[0] != on.key:
            raise _unknown_segment(name, on)
        if name in binder._open_segments:
            raise InvalidQuery(f"segment {shown(name)} contains itself", code="segment_cycle")
        outer, binder._open_segments = binder._open_segments, (*binder._open_segments, name)
        try:
            lifted = lift(found[1], binder.actors)

            def values(again: Binder) -> tuple[Any, ...]:
                current = again.segments(name)
                return () if current is None else lift(current[1], again.actors).values

            binder.origins.append(values)
            return _Binding(binder, self.guard, len(binder.origins)).expr(lifted.shape, on)
        except InvalidQuery as error:
            if self.guard is ALL_RIGHTS or error.code in _ABOUT_SEGMENTS:
                raise
            # Its clauses may be about what the actor may not read, so nothing is said of them.
            raise _unknown_segment(name, on) from None
        finally:
            binder._open_segments = outer

    def shared(self, levels: tuple[str, ...], users: Shape, teams: Shape) -> Bound:
        user, team = Reference("user"), Reference("team")

        def refs(indexes: Shape) -> tuple[Ref, ...]:
            return tuple(Ref(self.space, index) for index in indexes)

        return Shared(
            levels,
            Operands(user, refs(users), "in", "user"),
            Operands(team, refs(teams), "in", "team"),
            _present(),
        )


def _present() -> Operands:
    """The moment, for what expires."""
    return Operands(DateTime(), (Ref(-1, 0),), "gt", "expires_at")


_LISTS = frozenset({"in", "between"})
_PAIRWISE = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
_CONSTANTS = frozenset({"value", "values", "actor", "actors"})
_ABOUT_SEGMENTS = frozenset({"unknown_segment", "segment_cycle", "too_large"})


def _place(name: str) -> str | None:
    """The name as the place of a problem, if it can be printed there."""
    return name if name.isprintable() and len(name) <= 80 else None


def _unknown_segment(name: str, on: RecordType) -> InvalidQuery:
    return InvalidQuery(f"there is no segment {shown(name)} of {on.plural}", code="unknown_segment")


def _names_users(field_type: FieldType) -> bool:
    return isinstance(field_type, Reference) and field_type.to in ("user", "*")


def _comparable(left: Scalar, right: Column) -> bool:
    one, other = left.type, right.type
    if isinstance(one, Reference) and isinstance(other, Reference):
        return not right.field.custom and not (isinstance(left, Column) and left.field.custom)
    return type(one) is type(other) and getattr(one, "scale", None) == getattr(other, "scale", None)
