"""What of a policy decides the shapes of its expressions, without their constants."""

from collections.abc import Iterable
from typing import Any

import attrs

from crmkit.permissions.actions import ANY
from crmkit.permissions.actor import Actor
from crmkit.permissions.grants import Rule
from crmkit.permissions.scopes import Level, Reach, Where

__all__ = ["Signature", "signature_of"]

_WHO = {Level.OWN: "me", Level.TEAM: "my_team", Level.TEAM_AND_BELOW: "my_team_and_below"}
_SHARED = frozenset({"read", "update", ANY})


@attrs.frozen(cache_hash=True)
class Signature:
    """Hashed once, compared by value. ``rules`` says what is granted, ``sizes`` how many ids stand for whom."""

    rules: tuple[Any, ...]
    sizes: tuple[tuple[str, int], ...]


def signature_of(actor: Actor, rules: Iterable[Rule]) -> Signature:
    """The signature of an actor under the rules of the actor's roles.

    Rules that differ in nothing but their scope are one here, so that of two roles the wider one is left. Conditions
    are numbered, because two that are equal are one where they meet, and two that merely look alike are not.
    """
    if actor.kind == "system":
        return Signature(("system",), ())
    groups: dict[tuple[Any, ...], list[Reach]] = {}
    for rule in rules:
        fields = (rule.fields is not None, *sorted(rule.fields or ()))
        groups.setdefault((rule.effect, rule.on, rule.action, fields), []).append(rule.reach)
    numbers: dict[Where, int] = {}
    used: set[str] = set()
    lines = []
    for key, reaches in sorted(groups.items(), key=lambda item: item[0]):
        reach = Reach.union(reaches)
        wheres = tuple((where.form, numbers.setdefault(where, len(numbers))) for where in reach.wheres)
        lines.append((*key, int(reach.level), wheres))
        used |= _actors(key[2] if key[0] == "allow" else "", reach)
    return Signature(tuple(lines), tuple((who, len(actor.ids.get(who, ()))) for who in sorted(used)))


def _actors(allowed: str, reach: Reach) -> set[str]:
    """Whose ids the expressions of a reach contain."""
    used = {who for where in reach.wheres for who in where.form[1] if who is not None}
    if reach.level in _WHO:
        used.add(_WHO[reach.level])
    if reach.level is not Level.ALL and allowed in _SHARED:
        used |= {"me", "teams"}
    return used
