"""Keeping records: tables derived from the schema, and the one road by which statements reach a database.

::

    columns, tables, system_tables   the schema as tables (index_plan, names: what their parts are called)
    lint                             what every table must be, so that tenants can be sharded
    checker, clauses                 what every statement must be: the wall between tenants
    statement                        checked and compiled once, sent as plain driver SQL
    database, unit                   where, and one unit of work there (drivers, gate: how transactions begin and end)
    failures, server                 what a database's refusal means; what it says of itself
    migrate, migrations              how a database comes to have the tables
    sources, plans                   where a session's records lie; queries compiled once for a view of them
    reader, rows, summary            reading them; rows to records and back, and to groups (json_parts: custom fields)
    writer                           the one road by which they change
    giving, setting_back             and by which many of them get the same values, or go back
    lists, locks                     lists of values in a statement; records nobody else may write
    changesets, seals, outbox        who did what; sealed in order; what plugins are still to be told
    tenants                          the tenants and what of them has a version
"""

from crmkit.store.checker import TENANT, check
from crmkit.store.columns import Codec, IdType, JsonType
from crmkit.store.database import Database
from crmkit.store.drivers import check_references
from crmkit.store.failures import translate
from crmkit.store.lint import lint
from crmkit.store.statement import STATEMENT_OPTION, Statement
from crmkit.store.system_tables import SystemTables
from crmkit.store.tables import Tables
from crmkit.store.unit import Row, Unit

__all__ = [
    "STATEMENT_OPTION",
    "TENANT",
    "Codec",
    "Database",
    "IdType",
    "JsonType",
    "Row",
    "Statement",
    "SystemTables",
    "Tables",
    "Unit",
    "check",
    "check_references",
    "lint",
    "translate",
]
