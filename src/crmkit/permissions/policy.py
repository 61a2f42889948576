"""What one actor may do, as one expression for each record type and action; everything that reads or writes uses it.

A record is within reach of an action if a role of the actor allows it there and none denies it. Precisely:

- A rule concerns a record where its scope is *true*. A scope that is unknown of a record (it compares a value the
  record does not have) neither allows nor denies: an allow needs its condition to hold, and so does a deny. Denies
  are therefore wrapped in ``holds``, or their unknown would hide what nobody denied.
- A record that is shared with the actor is within the scope of each rule that allows the actor to read its type, and,
  shared to edit, of each that allows to update it. A share widens where a right holds; it gives no right.
- A deny that names no fields takes records away; one that names fields takes those fields away on the records it
  concerns. Denies beat allows and shares.
- A field may be read where a rule allows to read the record and covers the field; a sensitive one, where in addition a
  rule allows ``see_sensitive`` and covers it.
- A field may be updated where a rule allows to update the record and covers the field, and the field may be read
  there. Updating the owner takes ``assign`` as well.
- Nothing else is implied. Whoever applies another action than ``create`` to a record applies ``rows`` too, because a
  record that may not be read does not exist for the actor.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import attrs

from crmkit.errors import UsageError
from crmkit.permissions.actions import ANY
from crmkit.permissions.actor import Actor
from crmkit.permissions.grants import Rule
from crmkit.permissions.scopes import NOTHING, Level, Reach, has_owner
from crmkit.permissions.signature import Signature, signature_of
from crmkit.query import Expr
from crmkit.query.lift import Lifted, lift
from crmkit.query.nodes import FALSE, TRUE, Constant, Not, all_of, holds
from crmkit.schema import RecordType, Schema

__all__ = ["SHARE_LEVELS", "Policy"]

SHARE_LEVELS: Mapping[str, tuple[str, ...]] = MappingProxyType({"read": ("read", "edit"), "update": ("edit",)})
"""The actions that shares widen, and the levels of the shares that do."""

_NEVER = ("constant", False)


def _as_tuple(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(rules)


@attrs.frozen(eq=False, slots=False)
class Policy:
    """The rights of one actor under the rules of the actor's roles; other rules are passed over.

    It is the guard of the actor's queries. Expressions are composed when they are first asked for, and kept.
    Unknown record types raise NotFound (``unknown_type``); unknown actions are allowed to nobody.
    """

    actor: Actor
    rules: tuple[Rule, ...] = attrs.field(converter=_as_tuple)
    schema: Schema = attrs.field(repr=False)
    _scopes: dict[tuple[str, ...], Lifted] = attrs.field(init=False, repr=False, factory=dict)
    _fields: dict[tuple[str, str], bool | Lifted] = attrs.field(init=False, repr=False, factory=dict)
    _writable: dict[tuple[str, str, str], bool | Lifted] = attrs.field(init=False, repr=False, factory=dict)
    _reaches: dict[tuple[str, str, str, str | None], Reach] = attrs.field(init=False, repr=False, factory=dict)
    _by_type: dict[str, tuple[Rule, ...]] = attrs.field(init=False, repr=False, factory=dict)

    @property
    def unlimited(self) -> bool:
        """Whether this is the policy of the system, which may do everything."""
        return self.actor.kind == "system"

    @cached_property
    def signature(self) -> Signature:
        """Equal for two actors whose expressions have the same shapes under the same schema."""
        return signature_of(self.actor, self.held_rules)

    def rows(self, type_key: str) -> Lifted:
        """Which records of the type the actor may read."""
        return self.scope(type_key, "read")

    def scope(self, type_key: str, action: str, *others: str) -> Lifted:
        """On which records of the type the action is allowed, and each of the others.

        Of ``create``, the values of the new record are tested instead of a row: who may create own records only must
        be their owner.
        """
        key = (type_key, action, *others)
        try:
            return self._scopes[key]
        except KeyError:
            found = lift(all_of([self.conditions(type_key, action) for action in key[1:]]), self.actor.ids)
            return self._scopes.setdefault(key, found)

    def may(self, type_key: str, action: str) -> bool:
        """Whether the action is allowed on any record of the type at all."""
        return self.scope(type_key, action).shape != _NEVER

    def conditions(self, type_key: str, action: str) -> Expr:
        """``scope`` as an expression."""
        record_type = self.schema.type(type_key)
        if self.unlimited:
            return TRUE
        allowed = self._allowed(record_type, action).expr(record_type)
        return all_of((allowed, _unless(self._denied(record_type, action), record_type)))

    def field(self, type_key: str, field_key: str) -> bool | Lifted:
        """Whether the actor may read the field: of all readable records, of none, or of those that meet a condition."""
        try:
            return self._fields[type_key, field_key]
        except KeyError:
            found = self._answer(self._readable(self.schema.type(type_key), field_key))
            return self._fields.setdefault((type_key, field_key), found)

    def writable(self, type_key: str, field_key: str, action: Literal["create", "update"] = "update") -> bool | Lifted:
        """Whether the actor may set the field, where the action and reading the record are allowed.

        True, False, or a condition: for ``update`` on the record as it was before, for ``create`` on the values of the
        new one. Nobody sets system fields.
        """
        try:
            return self._writable[type_key, field_key, action]
        except KeyError:
            if action not in ("create", "update"):
                raise UsageError(
                    f"{action!r:.80} sets no fields", code="not_a_write", hint="create and update do"
                ) from None
            found = self._answer(self._settable(self.schema.type(type_key), field_key, action))
            return self._writable.setdefault((type_key, field_key, action), found)

    @cached_property
    def held_rules(self) -> tuple[Rule, ...]:
        """The rules of the actor's roles."""
        roles = frozenset(self.actor.role_ids)
        return tuple(rule for rule in self.rules if rule.role in roles)

    def rules_for(self, type_key: str, action: str) -> Iterable[Rule]:
        """The rules of the actor's roles that concern the action on records of the type."""
        rules = self._by_type.get(type_key)
        if rules is None:
            rules = tuple(rule for rule in self.held_rules if rule.on in (type_key, ANY))
            self._by_type[type_key] = rules
        return [rule for rule in rules if rule.action in (action, ANY)]

    def _answer(self, expr: Expr) -> bool | Lifted:
        return expr.value if isinstance(expr, Constant) else lift(expr, self.actor.ids)

    def _allowed(self, on: RecordType, action: str, field_key: str | None = None) -> Reach:
        """Where the action is allowed before denies; of a field, by the rules that cover it."""
        return self._reach("allow", on, action, field_key)

    def _denied(self, on: RecordType, action: str, field_key: str | None = None) -> Reach:
        """Where the action is denied: on the whole record, or on a field by the rules that name it."""
        return self._reach("deny", on, action, field_key)

    def _reach(self, effect: str, on: RecordType, action: str, field_key: str | None) -> Reach:
        key = (effect, on.key, action, field_key)
        found = self._reaches.get(key)
        if found is None:
            concerned = _allows if effect == "allow" else _denies
            reaches = [rule.reach for rule in self.rules_for(on.key, action) if concerned(rule, field_key)]
            shared = SHARE_LEVELS.get(action, ()) if effect == "allow" and has_owner(on) else ()
            found = self._reaches[key] = Reach.union(reaches, shared).on(on) if reaches else NOTHING
        return found

    def _part(self, on: RecordType, action: str, field_key: str | None, outer: Reach) -> Expr:
        """Where the action is allowed on the field, or of None on the record, among the records that ``outer`` reaches.

        True, and no condition at all, if it is allowed on all of them.
        """
        allowed = self._allowed(on, action, field_key)
        granted = TRUE if outer.within(allowed) else allowed.expr(on)
        return all_of((granted, _unless(self._denied(on, action, field_key), on)))

    def _readable(self, on: RecordType, field_key: str) -> Expr:
        """Where the field may be read, among the readable records."""
        field = on.by_key.get(field_key)
        if field is None:
            return FALSE
        if self.unlimited:
            return TRUE
        rows = self._reached(on, "read")
        if not rows:
            return FALSE
        if field.system:
            return TRUE
        expr = self._part(on, "read", field_key, rows)
        if not field.sensitive:
            return expr
        seen = self._part(on, "see_sensitive", field_key, rows)
        return all_of((expr, seen, _unless(self._denied(on, "see_sensitive"), on)))

    def _settable(self, on: RecordType, field_key: str, action: str) -> Expr:
        """Where the field may be set, among the records that may be read and on which the action is allowed."""
        field = on.by_key.get(field_key)
        if field is None or field.system:
            return FALSE
        if self.unlimited:
            return TRUE
        rows = self._reached(on, action)
        if not rows:
            return FALSE
        parts = [self._part(on, action, field_key, rows)]
        if action == "update":
            parts.append(self._readable(on, field_key))
            if field_key == "owner" and has_owner(on):
                parts.append(self._part(on, "assign", None, rows))
        return all_of(parts)

    def _reached(self, on: RecordType, action: str) -> Reach:
        """As ``_allowed``, and nothing where the action is denied on all records."""
        return NOTHING if self._denied(on, action).level is Level.ALL else self._allowed(on, action)


def _allows(rule: Rule, field_key: str | None) -> bool:
    return rule.effect == "allow" and (field_key is None or rule.fields is None or field_key in rule.fields)


def _denies(rule: Rule, field_key: str | None) -> bool:
    if rule.fields is None or field_key is None:
        return rule.effect == "deny" and rule.fields is None and field_key is None
    return rule.effect == "deny" and field_key in rule.fields


def _unless(denied: Reach, on: RecordType) -> Expr:
    """True where nothing is denied; a deny that is unknown of a record does not concern it."""
    if not denied:
        return TRUE
    return FALSE if denied.level is Level.ALL else Not(holds(denied.expr(on)))
