"""Hypothesis worlds for permissions: users, teams with cycles, roles, grants, denies, shares and records.

``worlds()`` gives a ``Case``: plain rows in an order in which they can be created (references that form a cycle are
set afterwards, see ``Case.later``), so that the same worlds can be written to a database.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import attrs
from hypothesis import strategies as st

from crmkit.query import Expr, F, me, my_team, my_team_and_below, today
from crmkit.values import Money
from tests.permissions.oracle import Oracle
from tests.permissions.world import NOW, DictWorld, Row, new_id, new_row

TYPES = ("deal", "account", "product", "user")
ACTIONS = ("read", "update", "create", "delete", "assign", "see_sensitive")
SCOPES = ("own", "team", "team_and_below", "all", "where")
GRANT_FIELDS = {
    "deal": ("name", "amount", "margin", "owner", "account"),
    "account": ("name", "industry", "owner"),
    "product": ("name", "price"),
    "user": ("name", "email"),
    "*": ("name", "owner"),
}
_FIELD_ACTIONS = ("read", "create", "update", "see_sensitive", "*")
_NAMES = ("alpha", "beta", "gamma", "张伟")
_AMOUNTS = (Money("100", "EUR"), Money("20000", "EUR"), Money("100", "CNY"))
_PEOPLE = {"own": me, "team": my_team, "team_and_below": my_team_and_below}


@attrs.frozen
class Condition:
    """A condition that the oracle reads one way and the query language another."""

    kind: str
    argument: Any = None

    def expr(self) -> Expr:
        """The same in the query language."""
        return _EXPRS[self.kind](self.argument)


def _joined(parts: tuple[Condition, ...], how: Callable[[Expr, Expr], Expr]) -> Expr:
    first, *rest = (part.expr() for part in parts)
    for part in rest:
        first = how(first, part)
    return first


_EXPRS: dict[str, Callable[[Any], Expr]] = {
    "not": lambda inner: ~inner.expr(),
    "and": lambda parts: _joined(parts, lambda a, b: a & b),
    "or": lambda parts: _joined(parts, lambda a, b: a | b),
    "named": lambda name: F.name == name,
    "amount_from": lambda amount: F.amount >= amount,
    "no_amount": lambda _: F.amount.is_null(),
    "closed_before_today": lambda _: F.expected_close < today,
    "account_of": lambda people: F.account.owner == me if people == "own" else F.account.owner.is_in(_PEOPLE[people]),
    "has_deal_from": lambda amount: F.deals.any(F.amount >= amount),
    "tagged": lambda name: F.tags.has(name),
}

_NAMED = st.builds(Condition, st.just("named"), st.sampled_from(_NAMES))
_TAGGED = st.builds(Condition, st.just("tagged"), st.sampled_from(["vip", "重要"]))
_SIMPLE = {
    "deal": st.one_of(
        _NAMED,
        _TAGGED,
        st.builds(Condition, st.just("amount_from"), st.sampled_from(_AMOUNTS)),
        st.sampled_from([Condition("no_amount"), Condition("closed_before_today")]),
        st.builds(Condition, st.just("account_of"), st.sampled_from(tuple(_PEOPLE))),
    ),
    "account": st.one_of(_NAMED, _TAGGED, st.builds(Condition, st.just("has_deal_from"), st.sampled_from(_AMOUNTS))),
    "product": st.one_of(_NAMED, _TAGGED),
    "user": _NAMED,
    "*": _TAGGED,
}


@cache
def conditions(on: str) -> st.SearchStrategy[Condition]:
    """Conditions on a type: a comparison, or a few of them joined and negated."""
    several = st.lists(_SIMPLE[on], min_size=2, max_size=2).map(tuple)
    return st.one_of(
        _SIMPLE[on],
        st.builds(Condition, st.just("not"), _SIMPLE[on]),
        st.builds(Condition, st.sampled_from(["and", "or"]), several),
        st.builds(lambda parts: Condition("not", Condition("and", parts)), several),
    )


@attrs.frozen
class Case:
    """A world, and the conditions of its grants by id in the oracle's form."""

    world: DictWorld
    conditions: dict[UUID, Condition]

    def oracle(self, user: UUID) -> Oracle:
        """The oracle of one user."""
        return Oracle(self.world, self.conditions, user)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Type and row of everything, what is referred to before what refers to it; teams without their parents."""
        for type_key in ORDER:
            for row in self.world.all(type_key):
                yield type_key, row | {"parent": None} if type_key == "team" else row

    def later(self) -> Iterator[tuple[str, Row]]:
        """The rows that ``rows`` gave without a reference, in full."""
        return (("team", row) for row in self.world.all("team") if row["parent"] is not None)

    def with_grant(self, grant: Row, condition: Condition | None) -> "Case":
        """The same case with one more grant."""
        known = self.conditions if condition is None else {**self.conditions, grant["id"]: condition}
        return Case(self.world.with_row("grant", grant), known)


ORDER = (
    "user", "team", "role", "team_member", "role_member", "grant",
    "account", "product", "pipeline", "stage", "deal", "tag", "tagging", "share",
)  # fmt: skip


# A strategy made anew for each draw takes longer than the draw.
_below = cache(lambda count: st.integers(0, count - 1))
_one_of = cache(st.sampled_from)
_BOTH = st.booleans()
_some_of = cache(lambda keys: st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True))
_ENDS = (None, None, NOW - timedelta(days=1), NOW, NOW + timedelta(microseconds=1))
_DAYS = (None, *(NOW.date() + timedelta(days=days) for days in (-1, 0, 1)))


@st.composite
def grants(draw: st.DrawFn, number: int, roles: int, effect: str | None = None) -> tuple[Row, Condition | None]:
    """A grant row, with ``where`` as an Expr, and its condition."""
    on = draw(_one_of((*TYPES, "deal", "deal", "account", "*")))
    action = draw(_one_of(("read", "read", "read", "update", "see_sensitive", *ACTIONS, "*")))
    scope = draw(_one_of(SCOPES if on != "product" else ("all", "where")))
    condition = draw(conditions(on)) if scope == "where" else None
    fields = None
    if action in _FIELD_ACTIONS and draw(_BOTH):
        fields = draw(_some_of(GRANT_FIELDS[on]))
    row = new_row(
        "grant",
        number,
        role=new_id("role", draw(_below(roles))),
        on=on,
        action=action,
        scope=scope,
        where=None if condition is None else condition.expr(),
        fields=fields,
        effect=effect or draw(_one_of(("allow", "allow", "allow", "deny"))),
    )
    return row, condition


def _some(draw: st.DrawFn, type_key: str, count: int, *, optional: bool = True) -> UUID | None:
    """The id of one of the records of a type, or None."""
    if optional and (not count or draw(_below(4)) == 0):
        return None
    return new_id(type_key, draw(_below(count)))


def _pairs(draw: st.DrawFn, link: str, left: tuple[str, int], right: tuple[str, int], most: int) -> list[Row]:
    """Rows of a link between records of two types, each pair once."""
    if not left[1] or not right[1]:
        return []
    drawn = st.tuples(_below(left[1]), _below(right[1]))
    pairs = draw(st.lists(drawn, max_size=most, unique=True))
    return [
        new_row(link, i, **{left[0]: new_id(left[0], a), right[0]: new_id(right[0], b)})
        for i, (a, b) in enumerate(pairs)
    ]


def _people(draw: st.DrawFn, users: int, teams: int, roles: int) -> Iterator[tuple[str, Row]]:
    for n in range(users):
        active = draw(_below(6)) > 0
        yield "user", new_row("user", n, name=_NAMES[n], email=f"user{n}@acme.example", active=active)
    for n in range(teams):
        yield "team", new_row("team", n, name=f"team {n}", parent=_some(draw, "team", teams))
    for n in range(roles):
        yield "role", new_row("role", n, name=f"role {n}")
    yield from (("team_member", row) for row in _pairs(draw, "team_member", ("team", teams), ("user", users), 5))
    yield from (("role_member", row) for row in _pairs(draw, "role_member", ("role", roles), ("user", users), 6))


def _records(draw: st.DrawFn, users: int, accounts: int, count: int, products: int) -> Iterator[tuple[str, Row]]:
    name = _one_of(_NAMES)
    for n in range(accounts):
        yield "account", new_row("account", n, name=draw(name), industry="saas", owner=_some(draw, "user", users))
    for n in range(products):
        yield "product", new_row("product", n, name=_NAMES[n])
    yield "pipeline", new_row("pipeline", 0, name="Sales")
    yield "stage", new_row("stage", 0, name="Open", position=0, pipeline=new_id("pipeline", 0))
    for n in range(count):
        yield "deal", draw(deals(n, users, accounts))


@st.composite
def deals(draw: st.DrawFn, number: int, users: int, accounts: int) -> Row:
    """A deal with a name, and perhaps an owner, an account, an amount, a margin and a day."""
    return new_row(
        "deal",
        number,
        name=draw(_one_of(_NAMES)),
        owner=_some(draw, "user", users),
        account=_some(draw, "account", accounts),
        amount=draw(_one_of((None, *_AMOUNTS))),
        margin=draw(_one_of((None, 0, 40))),
        expected_close=draw(_one_of(_DAYS)),
        pipeline=new_id("pipeline", 0),
        stage=new_id("stage", 0),
    )


@st.composite
def _shares(draw: st.DrawFn, number: int, users: int, teams: int, targets: tuple[tuple[str, int], ...]) -> Row:
    type_key, count = draw(_one_of(targets))
    to_team = bool(teams) and draw(_BOTH)
    return new_row(
        "share",
        number,
        record_type=type_key,
        record=new_id(type_key, draw(_below(count))),
        user=None if to_team else _some(draw, "user", users, optional=False),
        team=_some(draw, "team", teams, optional=False) if to_team else None,
        level=draw(_one_of(("read", "edit"))),
        reason="joint bid",
        expires_at=draw(_one_of(_ENDS)),
    )


def _taggings(draw: st.DrawFn, counts: dict[str, int]) -> Iterator[tuple[str, Row]]:
    for n, name in enumerate(("vip", "重要")):
        yield "tag", new_row("tag", n, name=name)
    targets = [(type_key, n) for type_key, count in counts.items() for n in range(count)]
    drawn = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(targets)), max_size=3, unique=True)
    for i, (tag, (type_key, n)) in enumerate(draw(drawn) if targets else ()):
        values = {"tag": new_id("tag", tag), "record_type": type_key, "record": new_id(type_key, n)}
        values["expires_at"] = draw(_one_of(_ENDS))
        yield "tagging", new_row("tagging", i, **values)


@st.composite
def worlds(draw: st.DrawFn, *, grants_at_least: int = 0) -> Case:
    """A world of up to 3 users, 3 teams in any shape, 3 roles, 7 grants, 2 accounts, 2 products, 3 deals, 3 shares."""
    users, teams, roles = 1 + draw(_below(3)), draw(_below(4)), 1 + draw(_below(3))
    counts = {"account": draw(_below(3)), "product": draw(_below(3)), "deal": 1 + draw(_below(3))}
    rows = [*_people(draw, users, teams, roles)]
    held: dict[UUID, Condition] = {}
    for n in range(grants_at_least + draw(_below(8 - grants_at_least))):
        grant, condition = draw(grants(n, roles))
        rows.append(("grant", grant))
        if condition is not None:
            held[grant["id"]] = condition
    rows += _records(draw, users, counts["account"], counts["deal"], counts["product"])
    rows += _taggings(draw, counts)
    targets = tuple((type_key, counts[type_key]) for type_key in ("deal", "account") if counts[type_key])
    rows += (("share", draw(_shares(n, users, teams, targets))) for n in range(draw(_below(4))))
    return Case(DictWorld.of(rows), held)
