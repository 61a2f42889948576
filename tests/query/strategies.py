"""Hypothesis strategies for the query language. Whatever they give type-checks, so that laws are about meaning.

    custom_schemas()                the built-in types with random custom fields, and a custom object ``vessel``
    worlds(schema)                  a ``DictWorld``: records of all types, with dirty text, cycles, empty owners, shares
    expressions(schema, on)         conditions on a type: paths, relations, aggregates, tags, actors, times, segments
    guards(schema)                  what an actor may read: rows by condition, fields never or by condition
    actor_ids(schema)               who me, my_team and my_team_and_below are
    moments()                       instants and zones, some where a clock changes
    segment_sources(schema)         named expressions that contain no other
    cases()                         all of these together

``values_of(type)`` are values a field may have, ``constants_of(type)`` constants it may be compared with.


``SCHEMA`` is one fixed schema with a custom field of every type, half of them indexed, for tests on a database that
define fields once. To make a tenant of a ``CustomSchema`` define its ``objects`` and then its ``definitions`` in their
order; the placement (columns and slots) is that of ``schema``.

Values come from small pools, so that they meet. Numbers stay below 10^15, so that no sum leaves 64 bits. System fields
are left out of expressions but for ``id``, because a database sets them itself.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as PyDecimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st

from crmkit.query import nodes
from crmkit.query.context import Moment
from crmkit.query.lift import ActorIds, Lifted, lift
from crmkit.query.nodes import FALSE, TRUE, Expr, F, Path, Value, all_of, any_of, holds, me, my_team, my_team_and_below
from crmkit.records import BUILTIN_RECORDS, CustomRecord
from crmkit.schema import Field, FieldType, Schema, record_type_of, types
from crmkit.schema.custom import FieldDefinition, ObjectDefinition, place, tenant_schema, to_field
from crmkit.schema.parts import SLOTS
from crmkit.schema.types import field_types
from crmkit.values import Address, Money, PersonName, fold
from tests.query.worlds import NOW, DictWorld, Entry, record_id

SUBJECTS = ("account", "contact", "deal", "activity", "vessel")
"""The types that expressions are about."""

TEXTS = (
    "acme",
    "ACME",
    "straße",
    "STRASSE",
    "Acme ",
    " acme",
    "Straẞe",
    "İstanbul",
    "istanbul",
    "ıstanbul",
    "张三",
    "张",
    "上海宝钢集团",
    "é",
    "e\u0301",
    "ﬁrm",
    "firm",
    "Ａ１",
    "a|b",
    "100%",
    "a_c",
    "\\",
    "'; DROP TABLE crm_deal; --",
    'say "hi"',
    "$.x",
    ":tenant",
    "%s",
    "😀",
    "👩\u200d👧",
    "\U0010ffff",
    "\ud7ff",
    "\ue000",
    "null",
    "true",
    "a\tb",
)
"""Text that folds, sorts or quotes in some way that two systems may not agree on."""

PIECES = (
    "a",
    "A",
    "c",
    "s",
    "ss",
    "ß",
    "i",
    "i\u0307",
    "张",
    "三",
    "\u0301",
    "fi",
    "%",
    "_",
    "|",
    "'",
    "\\",
    " ",
    "😀",
    "\U0010ffff",
)
"""What may be looked for inside of text."""

_OPTIONS = {"hot": "Hot", "cold": "Eis kalt", "温": "温的", "ss": "Sharp", "s": "S"}
_CURRENCIES = ("EUR", "JPY", "CNY")
_TAGS = ("vip", "重要", "Straße", "a|b")


# --------------------------------------------------------------------------------------------------------------- values


def _dates() -> tuple[date, ...]:
    today = date(2026, 3, 16)
    near = [today + timedelta(days=days) for days in (0, -1, -30, 30, -31, -29, 1)]
    return (*near, date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31))


def _instants() -> tuple[datetime, ...]:
    midnight = datetime(2026, 3, 15, 16, 0, tzinfo=UTC)
    near = [NOW + timedelta(days=days) for days in (0, -30, 1, -1)] + [NOW - timedelta(days=30, microseconds=1)]
    return (*near, midnight, midnight - timedelta(microseconds=1), datetime(1969, 12, 31, 23, tzinfo=UTC))


def _integers(field_type: types.Integer) -> tuple[int, ...]:
    low, high = field_type.minimum, field_type.maximum
    pool = (-5, -1, 0, 1, 2, 3, 10**14)
    return tuple(n for n in pool if (low is None or n >= low) and (high is None or n <= high))


def _decimals(field_type: types.Decimal) -> tuple[PyDecimal, ...]:
    low, high = field_type.minimum, field_type.maximum
    step = PyDecimal(1).scaleb(-field_type.scale)
    pool = [PyDecimal(n) for n in (-2, 0, 1, 50, 100)] + [step, 1 + step]
    return tuple(field_type.parse(n) for n in pool if (low is None or n >= low) and (high is None or n <= high))


def _amounts() -> tuple[Money, ...]:
    units = (10_000, 12_345, -10_000, 0, 1, 10**14)
    return tuple(Money.from_units(n, currency) for n in units for currency in _CURRENCIES)


_NAMES = tuple(
    PersonName.parse(text) for text in ("张三", "Ada Lovelace", "ada LOVELACE", "Łukasz Ślązak", "Straße, Ute")
)
_POOLS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "text": lambda t: tuple(text for text in TEXTS if len(text) <= t.max_length),
    "long_text": lambda t: (*TEXTS, "two\nlines", "ACME\r\nstraße"),
    "integer": _integers,
    "decimal": _decimals,
    "percent": _decimals,
    "money": lambda t: _amounts(),
    "boolean": lambda t: (True, False),
    "date": lambda t: _dates(),
    "datetime": lambda t: _instants(),
    "duration": lambda t: tuple(timedelta(seconds=s) for s in (-1, 0, 0.5, 1, 86_400)),
    "choice": lambda t: tuple(t.choices),
    "multi_choice": lambda t: (
        *(t.parse([key]) for key in t.choices),
        t.parse(["ss", "hot"]),
        t.parse(list(t.choices)),
    ),
    "email": lambda t: ("ada@example.com", "bob@example.com", "用户@例子.广告"),
    "phone": lambda t: ("+862112345678", "+49301234567", "+12025550143"),
    "url": lambda t: ("https://example.com/", "https://example.com/Weg", "https://例子.广告/路径"),
    "person_name": lambda t: _NAMES,
    "address": lambda t: (Address(city="北京市", country="CN"), Address(street="1 Main St", country="US")),
    "json": lambda t: ({"a": [1, "张"]}, [1, 2], "text", 5, True),
}


@functools.cache
def values_of(field_type: FieldType) -> tuple[Any, ...]:
    """Normalised values of a type, references excepted: these are ids of a world. The first are there more often."""
    pool = _POOLS[field_type.name](field_type)
    return (*pool, *pool[:4] * (len(pool) // 4))


@functools.cache
def constants_of(field_type: FieldType) -> tuple[Any, ...]:
    """What a field of the type may be compared with: values, and text that means one."""
    values = values_of(field_type)
    match field_type:
        case types.Date() | types.DateTime():
            return (*values, *(value.isoformat() for value in values), *_RELATIVE)
        case types.Choice(choices):
            return (*values, *(label.upper() for label in choices.values() if label.isascii()))
        case types.Integer() | types.Decimal():
            return (*values, -7, 0, 1, 7, *map(str, values))
        case types.Money() | types.Duration():
            return (*values, *map(field_type.to_text, values))
        case types.PersonName():
            return (*values, *(name.full.upper() for name in values), *TEXTS)
        case types.Email() | types.Url():
            return (*values, *map(str.upper, values))
        case types.Boolean():
            return (*values, "yes", "否")
    return values


_RELATIVE = tuple(nodes.RelativeTime(unit, days) for unit in ("now", "today") for days in (-31, -30, -1, 0, 1, 30))


@functools.cache
def _index(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


def _one(draw: st.DrawFn, choices: Sequence[Any]) -> Any:
    """One of them, by a single cheap draw."""
    return choices[draw(_index(len(choices)))]


def moments() -> st.SearchStrategy[Moment]:
    """When an expression runs: the usual instant, and some beside a change of the clock."""
    changes = (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    return st.builds(
        Moment,
        st.sampled_from([NOW, NOW, *changes]),
        st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Kiritimati"]).map(ZoneInfo),
    )


# -------------------------------------------------------------------------------------------------------------- schemas

VESSEL = ObjectDefinition("vessel", "vessels", "Vessel")
DECLARED = Schema.of(record_type_of(record) for record in BUILTIN_RECORDS)


@attrs.frozen
class CustomSchema:
    """A tenant's schema, and the definitions it is made of, in an order in which they can be made."""

    schema: Schema
    objects: tuple[ObjectDefinition, ...]
    definitions: tuple[FieldDefinition, ...]


def custom_schema(wanted: Iterable[tuple[str, str, FieldType, bool]]) -> CustomSchema:
    """The schema with these custom fields: type's key, field's key, type, and whether it is indexed.

    A field that cannot be indexed, or for which no slot is left, is defined unindexed.
    """
    placed: dict[str, list[FieldDefinition]] = {}
    known = field_types()
    bare = tenant_schema(DECLARED, [VESSEL], (), known, record_type_of(CustomRecord))
    for on, key, field_type, indexed in wanted:
        own = placed.setdefault(on, [])
        pool = SLOTS[field_type.slot] if field_type.slot else ()
        free = len(pool) > sum(definition.slot in pool for definition in own)
        plain = FieldDefinition(on, key, field_type.name, field_type.options(), indexed=indexed and free)
        record_type = bare.type(on).with_custom(to_field(definition, known) for definition in own)
        own.append(place(plain, record_type, (), field_types=known))
    definitions = tuple(definition for own in placed.values() for definition in own)
    return CustomSchema(
        tenant_schema(DECLARED, [VESSEL], definitions, known, record_type_of(CustomRecord)), (VESSEL,), definitions
    )


_CUSTOM_TYPES: tuple[FieldType, ...] = (
    types.Text(),
    types.LongText(),
    types.Integer(),
    types.Decimal(scale=2),
    types.Percent(),
    types.Money(),
    types.Boolean(),
    types.Date(),
    types.DateTime(),
    types.Duration(),
    types.Choice(_OPTIONS),
    types.MultiChoice(_OPTIONS),
    types.Email(),
    types.Phone(),
    types.Url(),
    types.PersonName(),
    types.Address(),
    types.Json(),
)


def _references(on: str, index: int) -> tuple[FieldType, ...]:
    return tuple(
        types.Reference(to, back=f"{on}_via_{index}" if back else None)
        for to in ("account", "vessel", "user", "deal")
        for back in (True, False)
    )


@st.composite
def custom_schemas(draw: st.DrawFn) -> CustomSchema:
    """The built-in types and ``vessel`` with up to four random custom fields each."""
    wanted = []
    for on in SUBJECTS:
        for index in range(draw(_index(5))):
            field_type = _one(draw, (*_CUSTOM_TYPES, *_references(on, index)))
            wanted.append((on, f"c{index}_{field_type.name}", field_type, _one(draw, (True, False))))
    return custom_schema(wanted)


SCHEMA = custom_schema(
    [
        *(("account", f"x_{t.name}", t, False) for t in _CUSTOM_TYPES),
        *(("deal", f"x_{t.name}", t, True) for t in _CUSTOM_TYPES),
        ("deal", "vessel", types.Reference("vessel", back="deals"), True),
        ("vessel", "flag", types.Text(), True),
        ("vessel", "sister", types.Reference("vessel", back="sisters"), False),
        ("vessel", "account", types.Reference("account", back="vessels"), False),
        ("contact", "mentor", types.Reference("user"), False),
    ]
)
"""Custom fields of every type, in the JSON column on accounts and in slots, as far as they last, on deals."""


# --------------------------------------------------------------------------------------------------------------- worlds

_SIZES = {
    "user": (2, 3),
    "team": (1, 2),
    "account": (1, 4),
    "contact": (1, 3),
    "account_contact": (0, 2),
    "product": (0, 2),
    "pipeline": (1, 1),
    "stage": (1, 2),
    "vessel": (1, 2),
    "deal": (1, 4),
    "activity": (1, 4),
    "tag": (1, 3),
    "tagging": (0, 6),
    "share": (0, 4),
}
"""How many records of a type a world has, in the order in which they are made."""

MOST = {key: high for key, (_, high) in _SIZES.items()}


def ids_of(schema: Schema, type_key: str) -> list[UUID]:
    """The ids that records of a type have in worlds; not every world has all of them."""
    return [record_id(schema, type_key, number) for number in range(MOST.get(type_key, 0))]


@st.composite
def worlds(draw: st.DrawFn, schema: Schema = SCHEMA.schema) -> DictWorld:
    """Records of all types in ``_SIZES``; references lead to records that are there, or nowhere."""
    ids = {
        key: ids_of(schema, key)[: _one(draw, range(low, high + 1))]
        for key, (low, high) in _SIZES.items()
        if key in schema.types
    }
    entries = [
        Entry(key, identity, _record(draw, schema, key, number, ids))
        for key, found in ids.items()
        if all(_pool(f, ids) for f in schema.type(key).fields)
        for number, identity in enumerate(found)
    ]
    return DictWorld(schema, tuple(_distinct(entries)))


def _distinct(entries: list[Entry]) -> Iterator[Entry]:
    """Without a second tagging of a record with the same tag."""
    seen = set()
    for entry in entries:
        if entry.type_key == "tagging":
            pair = entry.values["tag"], entry.values["record"]
            if pair in seen:
                continue
            seen.add(pair)
        yield entry


def _record(draw: st.DrawFn, schema: Schema, key: str, number: int, ids: Mapping[str, list[UUID]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if key in ("tagging", "share"):
        on = _one(draw, [on for on in SUBJECTS if ids.get(on)])
        values |= {"record_type": on, "record": _one(draw, ids[on])}
    for f in schema.type(key).fields:
        if f.key not in values:
            value = _unique(key, f, number)
            if value is None:
                value = _one(draw, _pool(f, ids))
            if value is not None:
                values[f.key] = value
    return values


def _unique(key: str, f: Field, number: int) -> Any:
    """A value of its own for what must be unique."""
    if key == "tag" and f.key == "name":
        return _TAGS[number]
    if f.key == "email" and key == "user":
        return f"user{number}@example.com"
    if f.key == "position":
        return number
    return f"{key} {number}" if f.key == "name" and (f.unique or key == "stage") else None


def _pool(f: Field, ids: Mapping[str, list[UUID]]) -> Sequence[Any]:
    """What the field may hold, None among it unless it is required."""
    values: Sequence[Any] = ids.get(f.type.to, []) if isinstance(f.type, types.Reference) else values_of(f.type)
    return values if f.required else (None, *values)


def actor_ids(schema: Schema = SCHEMA.schema) -> st.SearchStrategy[ActorIds]:
    """Who acts: a user in teams of some size, or the system, which is nobody."""
    users, teams = ids_of(schema, "user"), ids_of(schema, "team")
    some = st.lists(st.sampled_from(users), unique=True, max_size=2).map(tuple)
    return st.fixed_dictionaries(
        {
            "me": st.lists(st.sampled_from(users), max_size=1).map(tuple),
            "my_team": some,
            "my_team_and_below": some,
            "teams": st.lists(st.sampled_from(teams), unique=True, max_size=2).map(tuple),
        }
    )


# ---------------------------------------------------------------------------------------------------------- expressions

Hidden = frozenset[tuple[str, str]]
"""Type and field that may not be read, so that no expression may name them."""


@attrs.frozen
class _Maker:
    """Makes expressions about the types of one schema, choice by choice: quicker than strategies made of strategies."""

    draw: st.DrawFn
    schema: Schema
    hidden: Hidden
    segments: Mapping[str, str]
    ruled: Hidden
    shared: bool

    def one(self, choices: Iterable[Any]) -> Any:
        return _one(self.draw, list(choices))

    def expression(self, on: str, depth: int) -> Expr:
        if depth <= 0:
            return self.leaf(on, depth)
        match self.one(["leaf", "leaf", "leaf", "not", "and", "or", "holds"]):
            case "not":
                return nodes.Not(self.expression(on, depth - 1))
            case "holds":
                return holds(self.expression(on, depth - 1))
            case "and":
                return all_of(self.several(on, depth))
            case "or":
                return any_of(self.several(on, depth))
        return self.leaf(on, depth)

    def several(self, on: str, depth: int) -> list[Expr]:
        return [self.expression(on, depth - 1) for _ in range(self.one([2, 2, 3]))]

    def leaf(self, on: str, depth: int) -> Expr:
        makers = [self.comparison, self.comparison, self.comparison, self.null_test, self.tag, self.pair, self.constant]
        if any(about == on for about in self.segments.values()):
            makers.append(self.segment)
        if self.shared:
            makers.append(self.share)
        if depth > 0 and self.relations(on):
            makers += [self.quantifier, self.quantifier, self.aggregate, self.aggregate]
        if depth > 0 and self.references(on):
            makers.append(self.within)
        made: Expr = self.one(makers)(on, depth)
        return made

    def constant(self, on: str, depth: int) -> Expr:
        return TRUE if self.one([True, False]) else FALSE

    def share(self, on: str, depth: int) -> Expr:
        return nodes.SharedWith(self.one([("read", "edit"), ("edit",)]))

    def segment(self, on: str, depth: int) -> Expr:
        return nodes.InSegment(self.one([name for name, about in self.segments.items() if about == on]))

    # fields

    def fields(self, on: str) -> list[Field]:
        every = [f for f in self.schema.type(on).by_key.values() if f.key == "id" or not f.system]
        return [f for f in every if (on, f.key) not in self.hidden]

    def references(self, on: str) -> list[tuple[str, str]]:
        """Fields that lead to records of a world, and the type of these."""
        found = [(f.key, f.type.to) for f in self.fields(on) if isinstance(f.type, types.Reference)]
        return [(key, to) for key, to in found if to in _SIZES]

    def relations(self, on: str) -> list[tuple[str, str]]:
        """Name of the way back, and the type of the records there."""
        backs = self.schema.backs(on).values()
        return [(b.name, b.type) for b in backs if b.type in _SIZES and (b.type, b.field) not in self.hidden]

    def column(self, on: str, fits: Callable[[FieldType], Any] = bool) -> tuple[Path, Field]:
        """A field that fits and a path to it, through up to two references."""
        path = F
        for _ in range(self.one([0, 0, 0, 1, 1, 2])):
            if ways := self.references(on):
                key, on = self.one(ways)
                path = path[key]
        f = self.chosen(on, [f for f in self.fields(on) if fits(f.type)])
        return path[f.key], f

    def chosen(self, on: str, fields: list[Field]) -> Field:
        """One of the fields; often one about which there are rules, else one of some type, however rare."""
        if (ruled := [f for f in fields if (on, f.key) in self.ruled]) and self.one([True, False]):
            return self.one(ruled)  # type: ignore[no-any-return]
        name = self.one(sorted({f.type.name for f in fields}))
        return self.one([f for f in fields if f.type.name == name])  # type: ignore[no-any-return]

    def comparison(self, on: str, depth: int) -> Expr:
        path, f = self.column(on, _operators)
        return self.compared(path, f.type)

    def compared(self, left: Value, field_type: FieldType) -> Expr:
        """The value against constants of its type."""
        operator = self.one(_operators(field_type))
        return nodes.Compare(operator, left, self.operand(operator, field_type))

    def operand(self, operator: str, field_type: FieldType) -> Any:
        if isinstance(field_type, types.Reference):
            return self.ids(operator, field_type)
        if isinstance(field_type, types.MultiChoice):
            return self.one(field_type.choices)
        if operator in ("contains", "starts_with", "ends_with"):
            return self.one(("1", "+49", "30 1") if field_type.name == "phone" else _LOOKED_FOR)
        if operator not in ("in", "between"):
            return self.one(constants_of(field_type))
        constants = constants_of(field_type)
        if isinstance(field_type, types.Money):
            currency = self.one(_CURRENCIES)
            constants = tuple(money for money in values_of(field_type) if money.currency == currency)
        count = 2 if operator == "between" else self.one([0, 1, 2, 3])
        return tuple(self.one(constants) for _ in range(count))

    def ids(self, operator: str, field_type: types.Reference) -> Any:
        known = ids_of(self.schema, "account" if field_type.to == "*" else field_type.to) or [UUID(int=5)]
        of_users = field_type.to in ("user", "*")
        if operator == "in":
            if of_users and self.one([True, False]):
                return self.one([my_team, my_team_and_below])
            return tuple(self.one(known) for _ in range(self.one([0, 1, 2])))
        return self.one([*known, str(known[0]), *([me, me] if of_users else [])])

    def pair(self, on: str, depth: int) -> Expr:
        """A field against another of the same type."""
        path, f = self.column(on, _pairwise)
        alike = [other for other in self.fields(on) if _comparable(f, other)]
        if not alike:
            return path.is_null()
        return nodes.Compare(self.one(_pairwise(f.type)), path, F[self.one(alike).key])

    def null_test(self, on: str, depth: int) -> Expr:
        return self.column(on)[0].is_null()

    def tag(self, on: str, depth: int) -> Expr:
        path = self.one([F, *(F[key] for key, _ in self.references(on))])
        found: Expr = path.tags.has(self.one([*_TAGS, "VIP", "STRASSE", "nobody has this"]))
        return found

    # other records

    def quantifier(self, on: str, depth: int) -> Expr:
        relation, there = self.one(self.relations(on))
        return nodes.Quantifier(self.one(["any", "all", "none"]), F[relation], self.where(there, depth))

    def where(self, there: str, depth: int) -> Expr:
        return self.expression(there, min(depth - 1, 1))

    def within(self, on: str, depth: int) -> Expr:
        key, there = self.one(self.references(on))
        return nodes.Within(F[key], self.where(there, depth))

    def aggregate(self, on: str, depth: int) -> Expr:
        relation, there = self.one(self.relations(on))
        where = TRUE if self.one([True, False]) else self.where(there, depth)
        fields = self.fields(there)
        ordered = [f for f in fields if "lt" in f.type.operators]
        over = {
            "sum": [f for f in fields if isinstance(f.type, _SUMMABLE)],
            "min": ordered,
            "max": ordered,
            "latest": [f for f in fields if isinstance(f.type, types.Date | types.DateTime)],
        }
        function = self.one(["count", *(name for name, found in over.items() if found)])
        if function == "count":
            return self.compared(F[relation].count(where), types.Integer())
        f = self.one(over[function])
        term = nodes.Aggregate(function, F[relation], f.key, where)
        return term.is_null() if self.one([False, False, True]) else self.compared(term, f.type)


_LOOKED_FOR = (*PIECES, *(text for text in TEXTS if fold(text)))
_SUMMABLE = (types.Integer, types.Decimal, types.Money, types.Duration)


def _operators(field_type: FieldType) -> list[str]:
    return [operator for operator in nodes.COMPARISONS if operator in field_type.operators]


def _pairwise(field_type: FieldType) -> list[str]:
    return [operator for operator in ("eq", "ne", "lt", "le", "gt", "ge") if operator in field_type.operators]


def _comparable(one: Field, other: Field) -> bool:
    if type(one.type) is not type(other.type) or not _pairwise(other.type):
        return False
    if isinstance(one.type, types.Reference):
        return not one.custom and not other.custom
    return getattr(one.type, "scale", None) == getattr(other.type, "scale", None)


@st.composite
def expressions(
    draw: st.DrawFn,
    schema: Schema,
    on: str,
    *,
    depth: int = 2,
    hidden: Hidden = frozenset(),
    segments: Mapping[str, str] | None = None,
    ruled: Hidden = frozenset(),
    shared: bool = False,
) -> Expr:
    """Conditions on a type, relations within relations up to ``depth``; ``segments`` are names and their types.

    ``ruled`` fields are asked for more often. With ``shared`` there are conditions about shares, which have no text.
    """
    return _Maker(draw, schema, hidden, segments or {}, ruled, shared).expression(on, depth)


@attrs.frozen
class Segments:
    """Named expressions; call it as a SegmentSource."""

    named: Mapping[str, tuple[str, Expr]]

    def __call__(self, name: str) -> tuple[str, Expr] | None:
        return self.named.get(name)

    @property
    def types(self) -> dict[str, str]:
        """Names and the types they are about."""
        return {name: about for name, (about, _) in self.named.items()}


def segment_sources(schema: Schema, hidden: Hidden = frozenset()) -> st.SearchStrategy[Segments]:
    """A segment of deals and one of accounts."""
    return st.builds(
        lambda deals, accounts: Segments({"热": ("deal", deals), "big": ("account", accounts)}),
        expressions(schema, "deal", depth=1, hidden=hidden),
        expressions(schema, "account", depth=1, hidden=hidden),
    )


# --------------------------------------------------------------------------------------------------------------- guards


@attrs.frozen
class PlainGuard:
    """A guard stated as expressions: ``seen`` which records of a type, ``fields`` where a field may be read.

    Types and fields that are not named may be read.
    """

    seen: Mapping[str, Expr]
    fields: Mapping[tuple[str, str], Expr]
    actors: ActorIds

    @property
    def signature(self) -> object:
        """No two are alike."""
        return id(self)

    @property
    def hidden(self) -> Hidden:
        """What no expression may name."""
        return frozenset(place for place, where in self.fields.items() if where is FALSE)

    def rows(self, type_key: str) -> Lifted:
        return lift(self.seen.get(type_key, TRUE), self.actors)

    def scope(self, type_key: str, action: str) -> Lifted:
        return self.rows(type_key)

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        where = self.fields.get((type_key, field_key), TRUE)
        return where.value if isinstance(where, nodes.Constant) else lift(where, self.actors)


@st.composite
def guards(draw: st.DrawFn, schema: Schema, actors: ActorIds) -> PlainGuard:
    """Rows by owner, by share, by condition, all or none; some fields hidden, some where a condition holds."""
    seen: dict[str, Expr] = {}
    fields: dict[tuple[str, str], Expr] = {}
    for on in SUBJECTS:
        usual = [TRUE, TRUE, FALSE, F.owner == me, F.owner.is_in(my_team) | nodes.SharedWith(("read", "edit")), None]
        where = _one(draw, usual)
        seen[on] = draw(expressions(schema, on, depth=0)) if where is None else where
        for _ in range(_one(draw, (0, 0, 1, 2))):
            own = schema.type(on).fields
            f = _one(
                draw, [f for f in own if isinstance(f.type, types.Reference)] if _one(draw, (True, False)) else own
            )
            fields[on, f.key] = draw(expressions(schema, on, depth=0)) if _one(draw, (True, False)) else FALSE
    return PlainGuard(seen, fields, actors)


# ---------------------------------------------------------------------------------------------------------------- cases


CONDITIONS = 5
"""Conditions asked of each world: making one costs more than asking."""


@attrs.frozen
class Case:
    """Everything evaluation depends on. ``tenant`` says how to make the schema, ``world`` what to put into it,
    ``questions`` are conditions and the types they are about.
    """

    tenant: CustomSchema = attrs.field(repr=False)
    world: DictWorld
    moment: Moment
    actors: ActorIds
    guard: PlainGuard
    segments: Segments
    questions: tuple[tuple[str, Expr], ...]


@st.composite
def cases(draw: st.DrawFn, tenant: CustomSchema | None = None, *, guarded: bool = True) -> Case:
    """Conditions with all that surrounds them, in a schema of their own or in the given one."""
    tenant = draw(custom_schemas()) if tenant is None else tenant
    schema = tenant.schema
    actors = draw(actor_ids(schema))
    guard = draw(guards(schema, actors)) if guarded else PlainGuard({}, {}, actors)
    segments = draw(segment_sources(schema, guard.hidden))
    world, moment = draw(worlds(schema)), draw(moments())
    questions = []
    for _ in range(CONDITIONS):
        on = _one(draw, SUBJECTS)
        about: dict[str, Any] = {"hidden": guard.hidden, "segments": segments.types, "ruled": frozenset(guard.fields)}
        questions.append((on, draw(expressions(schema, on, shared=True, **about))))
    return Case(tenant, world, moment, actors, guard, segments, tuple(questions))
