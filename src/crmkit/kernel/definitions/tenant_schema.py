"""What a session needs to know before it starts: the tenant's schema, its segments, who the actor is and may do."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from typing import Any
from uuid import UUID

import attrs

from crmkit.errors import InputError, UnknownActor
from crmkit.permissions.actor import Actor, Teams
from crmkit.permissions.grants import Rule
from crmkit.query import Expr
from crmkit.query.json_form import from_json
from crmkit.query.lift import equal_to
from crmkit.records import BASE_OBJECT
from crmkit.schema import FieldType, Schema
from crmkit.schema.custom import FieldDefinition, ObjectDefinition, tenant_schema, to_field
from crmkit.schema.forms import DefinitionVersion, Forms, forms_of
from crmkit.store.ledger.changesets import Changesets
from crmkit.store.read.reader import Reader
from crmkit.values import fold, to_micros
from crmkit.values.text import shown

__all__ = [
    "POLICY_TYPES",
    "SCHEMA_TYPES",
    "TenantSchema",
    "field_definition",
    "find_user",
    "load_actor",
    "load_forms",
    "load_rules",
    "load_schema",
]

SCHEMA_TYPES = frozenset({"custom_field", "custom_object", "segment"})
"""The record types whose records make a tenant's schema."""
POLICY_TYPES = frozenset({"user", "team", "role", "team_member", "role_member", "grant"})
"""The record types whose records make a tenant's rights."""


@attrs.frozen(eq=False)
class TenantSchema:
    """A tenant's schema and segments; ``token`` is equal for equal contents."""

    schema: Schema
    segments: Mapping[str, tuple[str, Any]]
    token: Hashable

    def segment(self, name: str) -> tuple[str, Expr] | None:
        """The record type and the expression of the segment of that name."""
        found = self.segments.get(fold(name))
        return None if found is None else (found[0], from_json(found[1]))


def load_schema(reader: Reader, declared: Schema, field_types: Mapping[str, type[FieldType]]) -> TenantSchema:
    """The schema of the reader's tenant, at the reader's instant; of equal contents, the same."""
    objects = list(reader.records("custom_object"))
    fields = list(reader.records("custom_field"))
    segments = list(reader.records("segment"))
    made = [ObjectDefinition(o.key, o.plural, o.label) for o in objects]
    added = [field_definition(f) for f in fields]
    named = {fold(s.name): (s.on, s.where) for s in segments}
    token = _token(made, added, named)

    def make() -> TenantSchema:
        schema = tenant_schema(declared, made, added, field_types, declared.types[BASE_OBJECT])
        return TenantSchema(schema, named, token)

    return reader.shelf.get(("schema", token), make)


def _token(*contents: Any) -> str:
    """The same for the same contents only: ids and versions are not enough, since what was rolled back had them too."""
    return hashlib.sha256(repr(contents).encode()).hexdigest() if any(contents) else ""


def load_forms(reader: Reader, changesets: Changesets, field_types: Mapping[str, type[FieldType]]) -> Forms:
    """Every form the custom fields of the reader's tenant have had, seen from the fields at the reader's instant."""
    today = {f.id: to_field(field_definition(f), field_types) for f in reader.records("custom_field")}
    past = attrs.evolve(reader, view=attrs.evolve(reader.view, reading="versions", at=None))
    ends = changesets.all_endings(reader.unit, reader.view.schema.type("custom_field"))

    def version(record: Any) -> DefinitionVersion:
        until, ended_by = ends.get((record.id, record.version), (None, None))
        since = to_micros(record.recorded_at)
        return DefinitionVersion(record.id, record.version, field_definition(record), since, until, ended_by)

    return forms_of(map(version, past.all("custom_field")), today, field_types)


_DEFINITION = tuple(a.name for a in attrs.fields(FieldDefinition))


def field_definition(record: Any) -> FieldDefinition:
    """The definition a custom_field record holds."""
    values = {name: record[name] for name in _DEFINITION}
    values["options"] = values["options"] or {}
    values["labels"] = values["labels"] or {}
    return FieldDefinition(**values)


def find_user(reader: Reader, who: str | UUID) -> Any:
    """The user of that e-mail address or id. Raises UnknownActor."""
    try:
        found = (
            reader.get("user", who)
            if isinstance(who, UUID)
            else next(reader.records("user", equal_to("email", who), limit=1), None)
        )
    except InputError:
        found = None  # no address at all
    if found is None:
        raise UnknownActor(
            f"there is no user {shown(who) if not isinstance(who, UUID) else who} in this tenant",
            hint="the first one is made by crm.migrate(admin=...), others by me.users.create(...)",
        )
    return found


def load_actor(reader: Reader, who: str | UUID) -> Actor:
    """The actor a user is, from the rows that concern the user. Raises UnknownActor."""
    user = find_user(reader, who)
    roles = list(reader.records("role_member", equal_to("user", user.id)))
    if not list(reader.records("team_member", equal_to("user", user.id), limit=1)):
        return Actor.of(user, roles)
    return Actor.of(user, roles, Teams.of(reader.records("team"), reader.records("team_member")))


def load_rules(reader: Reader, role_ids: Iterable[UUID]) -> tuple[Rule, ...]:
    """The rules of these roles."""
    rules: list[Rule] = []
    for role in role_ids:
        rules += (Rule.from_row(row) for row in reader.records("grant", equal_to("role", role)))
    return tuple(rules)
