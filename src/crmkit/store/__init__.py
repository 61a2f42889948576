"""Keeping records: tables derived from the schema, and the one road by which statements reach a database.

::

    columns, tables, system_tables   the schema as tables (index_plan, names: what their parts are called)
    lint                             what every table must be, so that tenants can be sharded
    checker                          what every statement must be: the wall between tenants
    statement                        checked and compiled once, sent as plain driver SQL
    database, unit                   where, and one unit of work there (drivers, gate: how transactions begin and end)
    failures                         what a database's refusal means
    migrate, migrations              how a database comes to have the tables
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
