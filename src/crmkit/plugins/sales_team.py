"""What a new tenant starts with: one pipeline and four roles, all of them ordinary records it may change."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from crmkit.sdk import hookimpl

__all__ = ["LINKS", "OWNED", "SHARED", "crmkit_new_tenant", "name"]

name = "sales_team"

_STAGES = (
    ("new", "open", "10"),
    ("qualified", "open", "25"),
    ("proposal", "open", "50"),
    ("negotiation", "open", "75"),
    ("won", "won", "100"),
    ("lost", "lost", "0"),
)

SHARED = ("product", "pipeline", "stage", "tag", "tagging", "user", "team", "segment", "custom_field", "custom_object")
"""The record types that everybody reads."""
OWNED = ("account", "contact", "lead", "deal", "activity")
"""The record types whose records are somebody's."""
LINKS = ("account_contact",)
"""What links them."""

_ROLES: Mapping[str, tuple[str, tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...]]] = {
    "admin": ("Everything", ((("*",), ("*",), "all"),)),
    "manager": (
        "The records of the teams below, and all that is shared by everybody",
        (
            (SHARED, ("read", "history"), "all"),
            (OWNED, ("read", "create", "update", "assign", "export", "history"), "team_and_below"),
            (LINKS, ("read", "create", "update", "delete"), "all"),
            (("segment",), ("create", "update"), "all"),
        ),
    ),
    "automation": (
        "Plugins: reads everything, writes activities",
        ((("*",), ("read", "history"), "all"), (("activity",), ("create", "update", "assign"), "all")),
    ),
    "rep": (
        "Own records, and all that is shared by everybody",
        (
            (SHARED, ("read", "history"), "all"),
            (OWNED, ("read", "create", "update", "history"), "own"),
            (LINKS, ("read", "create", "update", "delete"), "all"),
        ),
    ),
}


@hookimpl
def crmkit_new_tenant(session: Any) -> None:
    """Makes the pipeline "Sales" and the roles admin, manager, rep and automation."""
    pipeline = session.pipelines.create(name="Sales")
    for position, (name, kind, probability) in enumerate(_STAGES):
        values = {"name": name, "position": position, "kind": kind, "probability": Decimal(probability)}
        session.stages.create(values, pipeline=pipeline)
    for name, (description, grants) in _ROLES.items():
        role = session.roles.create(name=name, description=description)
        rows = [
            {"role": role.id, "on": on, "action": action, "scope": scope}
            for types, actions, scope in grants
            for on in types
            for action in actions
        ]
        session.records("grant").create_many(rows, stop=True)
