"""The rules a table must keep so that tenants can be spread over a sharded database, checked on metadata alone.

The numbers are those of the design's rules; docs/architecture.md has them. The walk is over every table of a MetaData,
those of plugins as well.
"""

from collections.abc import Callable, Iterator

from sqlalchemy import BigInteger, Column, Constraint, Index, MetaData, Sequence, Table, UniqueConstraint

from crmkit.store.tables.names import LONGEST, LONGEST_TABLE, SHARD_SUFFIX

__all__ = ["lint"]

_SCOPES = ("tenant", "reference", "local")
_WAYS = (("tenant", "tenant"), ("tenant", "reference"), ("reference", "reference"), ("local", "local"))
_ACTIONS = frozenset({"NO ACTION", "RESTRICT", "CASCADE"})


def lint(metadata: MetaData) -> list[str]:
    """What breaks a rule, one line each (``S2 crm_deal: ...``); empty when all is well."""
    return [
        f"{number} {table.name}: {problem}"
        for table in metadata.sorted_tables
        for number, rule in _RULES
        for problem in rule(table)
    ]


def _is_tenants(table: Table) -> bool:
    return table.info.get("scope") == "tenant"


def _scope(table: Table) -> Iterator[str]:
    if table.info.get("scope") not in _SCOPES:
        yield f"declares no scope (one of {', '.join(_SCOPES)}) in Table.info"


def _tenant_first(table: Table) -> Iterator[str]:
    if not _is_tenants(table):
        return
    first = next(iter(table.columns), None)
    if first is None or first.name != "tenant_id" or first.nullable:
        yield "tenant_id is not the first column, or may be NULL"
    key = tuple(column.name for column in table.primary_key.columns)
    if not key or key[0] != "tenant_id":
        yield "the primary key does not start with tenant_id"
    elif table.info.get("role") == "live" and key != ("tenant_id", "id"):
        yield "the primary key is not (tenant_id, id)"


def _unique_by_tenant(table: Table) -> Iterator[str]:
    if not _is_tenants(table):
        return
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and not _starts_with_tenant(list(constraint.columns)):
            yield f"the unique constraint {constraint.name} does not start with tenant_id"
    for index in table.indexes:
        if index.unique and not _starts_with_tenant(list(index.expressions)):
            yield f"the unique index {index.name} does not start with tenant_id"


def _indexed_by_tenant(table: Table) -> Iterator[str]:
    if _is_tenants(table):
        for index in table.indexes:
            if not index.unique and not _starts_with_tenant(list(index.expressions)):
                yield f"the index {index.name} does not start with tenant_id"


def _starts_with_tenant(expressions: list[object]) -> bool:
    return bool(expressions) and isinstance(expressions[0], Column) and expressions[0].name == "tenant_id"


def _composite_keys(table: Table) -> Iterator[str]:
    for key in table.foreign_key_constraints:
        target = key.referred_table
        pairs = [(element.parent.name, element.column.name) for element in key.elements]
        composite = pairs[0] == ("tenant_id", "tenant_id") and [to for _, to in pairs] == ["tenant_id", "id"]
        if _is_tenants(table) and _is_tenants(target) and not composite:
            yield f"the foreign key {key.name} is not (tenant_id, x) -> (tenant_id, id)"


def _directions(table: Table) -> Iterator[str]:
    """Global tables never point at tenants' tables, and node-local ones neither point nor are pointed at."""
    for key in table.foreign_key_constraints:
        scopes = (table.info.get("scope"), key.referred_table.info.get("scope"))
        if scopes not in _WAYS:
            yield f"the foreign key {key.name} leads from a {scopes[0]} table to a {scopes[1]} one"


def _actions(table: Table) -> Iterator[str]:
    for key in table.foreign_key_constraints:
        for action in (key.ondelete, key.onupdate):
            if action is not None and action.upper() not in _ACTIONS:
                yield f"the foreign key {key.name} has the action {action}"


def _one_key_type(table: Table) -> Iterator[str]:
    if "tenant_id" in table.columns and not isinstance(table.columns["tenant_id"].type, BigInteger):
        yield "tenant_id is not a BigInteger"


def _no_sequences(table: Table) -> Iterator[str]:
    if table.autoincrement_column is not None:
        yield f"the column {table.autoincrement_column.name} numbers itself"
    for column in table.columns:
        if column.identity is not None or isinstance(column.default, Sequence):
            yield f"the column {column.name} takes its values from a sequence"


def _plain(table: Table) -> Iterator[str]:
    """No defaults made by the server, nothing deferrable, no EXCLUDE, no inheritance."""
    for column in table.columns:
        if column.server_default is not None or column.server_onupdate is not None:
            yield f"the column {column.name} gets a value from the server"
    for constraint in table.constraints:
        if constraint.deferrable or constraint.initially:
            yield f"the constraint {constraint.name} is deferrable"
        if constraint.__visit_name__ == "exclude_constraint":
            yield f"the constraint {constraint.name} is an EXCLUDE"
    if table.dialect_options["postgresql"].get("inherits"):
        yield "inherits from another table"


def _named(table: Table) -> Iterator[Constraint | Index]:
    """Constraints and indexes; an empty primary key is none in the database."""
    for constraint in table.constraints:
        if constraint is not table.primary_key or list(table.primary_key.columns):
            yield constraint
    yield from table.indexes


def _names(table: Table) -> Iterator[str]:
    if len(table.name) > LONGEST_TABLE:
        yield f"the table's name has more than {LONGEST_TABLE} characters"
    for thing in _named(table):
        if not isinstance(thing.name, str):
            yield f"a {type(thing).__name__} has no explicit name"
        elif len(thing.name) > LONGEST:
            yield f"the name {thing.name} has more than {LONGEST} characters"


def _no_shard_numbers(table: Table) -> Iterator[str]:
    for name in (table.name, *(thing.name for thing in _named(table))):
        if isinstance(name, str) and SHARD_SUFFIX.search(name):
            yield f"the name {name} ends like the number of a shard"


_RULES: tuple[tuple[str, Callable[[Table], Iterator[str]]], ...] = (
    ("S1", _tenant_first),
    ("S2", _unique_by_tenant),
    ("S3", _composite_keys),
    ("S4", _actions),
    ("S5", _one_key_type),
    ("S6", _directions),
    ("S7", _no_sequences),
    ("S8", _plain),
    ("S9", _names),
    ("S10", _no_shard_numbers),
    ("S11", _indexed_by_tenant),
    ("S12", _scope),
)
