"""The OpenFGA sample store ``crm``: its tuples as rows, its model as roles and grants, its tests as decisions.

``ROWS`` and ``GRANTS`` are in an order in which they can be created; ``DECISIONS``, ``OBJECTS`` and ``USERS`` are what
must be answered, in memory and by a database alike. The store's objects are crmkit's nouns: an opportunity is a deal;
engagements, notes and tasks are activities of a kind.

The published files contradict each other in one place: in model.fga only the owner may edit a note, in store.fga.yaml
the users who may edit it are the owner and the admin. The decision is what is followed here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from crmkit.permissions import ACTIONS
from crmkit.query import Expr, F, me
from tests.permissions.world import Row, new_id, new_row

STORE = Path(__file__).parents[1] / "data" / "openfga-crm" / "store.fga.yaml"

ACTIONS_OF_STORE = ACTIONS.with_("convert", "close", "complete")
RELATIONS = {
    "can_view": "read",
    "can_edit": "update",
    "can_delete": "delete",
    "can_convert": "convert",
    "can_close": "close",
    "can_complete": "complete",
}
NOUNS = {
    "account": ("account", {}),
    "contact": ("contact", {}),
    "lead": ("lead", {}),
    "opportunity": ("deal", {}),
    "engagement": ("activity", {"kind": "call"}),
    "note": ("activity", {"kind": "note"}),
    "task": ("activity", {"kind": "task"}),
}

# ------------------------------------------------------------------------------------------------------- the model

EVERYBODY, ADMIN, MANAGER, REP = "everybody", "admin", "sales_manager", "sales_rep"
NOTE, TASK, MINE = F.kind == "note", F.kind == "task", F.owner == me

MODEL: tuple[tuple[str, str, str, str | Expr], ...] = (
    # Whoever owns something may do this with it, in whatever role.
    (EVERYBODY, "account", "read update", "own"),
    (EVERYBODY, "contact", "read update", "own"),
    (EVERYBODY, "contact", "read", F.account.owner == me),
    (EVERYBODY, "lead", "read update convert", "own"),
    (EVERYBODY, "deal", "read update close", "own"),
    (EVERYBODY, "deal", "read", F.account.owner == me),
    (EVERYBODY, "activity", "read update", "own"),
    (EVERYBODY, "activity", "delete", NOTE & MINE),
    (EVERYBODY, "activity", "complete", TASK & MINE),
    (MANAGER, "account", "read update", "all"),
    (MANAGER, "contact", "read", "all"),
    (MANAGER, "lead", "read update convert", "all"),
    (MANAGER, "deal", "read update close", "all"),
    (MANAGER, "activity", "read", "all"),
    (ADMIN, "account", "read update delete", "all"),
    (ADMIN, "contact", "read update delete", "all"),
    (ADMIN, "lead", "read update delete", "all"),
    (ADMIN, "deal", "read update delete", "all"),
    (ADMIN, "activity", "read update", "all"),
    (ADMIN, "activity", "delete", NOTE),
)

ROLES = (EVERYBODY, ADMIN, MANAGER, REP)

GRANTS: tuple[Row, ...] = tuple(
    new_row(
        "grant",
        number * 10 + i,
        role=new_id("role", ROLES.index(role)),
        on=on,
        action=action,
        scope=scope if isinstance(scope, str) else "where",
        where=None if isinstance(scope, str) else scope,
    )
    for number, (role, on, actions, scope) in enumerate(MODEL)
    for i, action in enumerate(actions.split())
)
"""Rows of the type grant; ``where`` is an Expr."""

# ------------------------------------------------------------------------------------------------ the store's file


def parsed(lines: list[tuple[int, str]]) -> Any:
    """The document of the lines, each with its indentation: the part of YAML the store is written in."""
    if not lines[0][1].startswith("- "):
        return {key: _value(rest, below) for key, rest, below in _entries(lines)}
    items = []
    for at, (depth, text) in enumerate(lines):
        if depth == lines[0][0]:
            end = next((i for i in range(at + 1, len(lines)) if lines[i][0] <= depth), len(lines))
            inside = [(depth + 2, text[2:]), *lines[at + 1 : end]]
            items.append(parsed(inside) if ": " in text or text.endswith(":") else text[2:])
    return items


def _entries(lines: list[tuple[int, str]]) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    for at, (depth, text) in enumerate(lines):
        if depth == lines[0][0]:
            end = next((i for i in range(at + 1, len(lines)) if lines[i][0] <= depth), len(lines))
            key, _, rest = text.partition(":")
            yield key, rest.strip(), lines[at + 1 : end]


def _value(rest: str, below: list[tuple[int, str]]) -> Any:
    if below:
        return parsed(below)
    return {"true": True, "false": False}.get(rest, rest)


def document() -> Any:
    """The store's file, read."""
    lines = STORE.read_text(encoding="utf-8").splitlines()
    return parsed([(len(line) - len(line.lstrip()), line.strip()) for line in lines if line.strip()])


DOCUMENT = document()

# --------------------------------------------------------------------------------------------------------- its rows


def _names(kind: str) -> list[str]:
    """The objects of a kind the tuples speak of, each once."""
    mentioned = [name for t in DOCUMENT["tuples"] for name in (t["user"], t["object"])]
    return list(dict.fromkeys(name for name in mentioned if name.startswith(f"{kind}:")))


def id_of(name: str) -> Any:
    """The id of the record a name such as ``note:meeting-notes`` means."""
    kind = name.partition(":")[0]
    if kind == "user":
        return new_id("user", _names("user").index(name))
    kinds = [k for k in NOUNS if NOUNS[k][0] == NOUNS[kind][0]]
    return new_id(NOUNS[kind][0], kinds.index(kind) * 10 + _names(kind).index(name))


def _people() -> Iterator[tuple[str, Row]]:
    for number, role in enumerate(ROLES):
        yield "role", new_row("role", number, name=role)
    for number, name in enumerate(_names("user")):
        word = name.partition(":")[2]
        yield "user", new_row("user", number, name=word, email=f"{word}@acme.example")
        held = [t["relation"] for t in DOCUMENT["tuples"] if t["user"] == name and t["object"] == "organization:acme"]
        for i, role in enumerate([EVERYBODY, *held]):
            values = {"role": new_id("role", ROLES.index(role)), "user": new_id("user", number)}
            yield "role_member", new_row("role_member", number * 10 + i, **values)


def _objects() -> Iterator[tuple[str, Row]]:
    yield "pipeline", new_row("pipeline", 0, name="Sales")
    yield "stage", new_row("stage", 0, name="Open", position=0, pipeline=new_id("pipeline", 0))
    for kind, (type_key, values) in NOUNS.items():
        for name in _names(kind):
            title = "subject" if type_key == "activity" else "name"
            links = {
                t["relation"]: id_of(t["user"])
                for t in DOCUMENT["tuples"]
                if t["object"] == name and t["relation"] in ("owner", "account")
            }
            if type_key == "deal":
                links |= {"pipeline": new_id("pipeline", 0), "stage": new_id("stage", 0)}
            row = new_row(type_key, 0, **{title: name}, **values, **links)
            yield type_key, row | {"id": id_of(name)}


ROWS: tuple[tuple[str, Row], ...] = (*_people(), *(("grant", row) for row in GRANTS), *_objects())
"""Type and row of everything there is, what is referred to before what refers to it."""

# ---------------------------------------------------------------------------------------------------- its decisions


@attrs.frozen
class Check:
    """May this user do this to this object?"""

    user: str
    action: str
    object: str
    expected: bool


@attrs.frozen
class Listing:
    """Which objects of a kind may this user do this to? Or, without a user: which users to this object?"""

    action: str
    expected: tuple[str, ...]
    user: str | None = None
    kind: str | None = None
    object: str | None = None


def _asked(kind: str) -> Iterator[tuple[Any, str, Any]]:
    for test in DOCUMENT["tests"]:
        for case in test.get(kind, ()):
            for relation, expected in case["assertions"].items():
                yield case, RELATIONS[relation], expected


CHECKS = tuple(Check(case["user"], action, case["object"], held) for case, action, held in _asked("check"))
OBJECTS = tuple(
    Listing(action, tuple(names), user=case["user"], kind=case["type"])
    for case, action, names in _asked("list_objects")
)
USERS = tuple(
    Listing(action, tuple(found["users"]), object=case["object"]) for case, action, found in _asked("list_users")
)


def of_kind(kind: str, row: Row) -> bool:
    """Whether a row of the noun is an object of the store's kind."""
    return all(row[key] == value for key, value in NOUNS[kind][1].items())
