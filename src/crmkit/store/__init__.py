"""Keeping records: tables derived from the schema, and the one road by which statements reach a database.

::

    connection/  Connections: which database, one unit of work on it, how its transactions begin, end and fail
    ledger/      What is recorded beside the records: changesets, seals, deliveries, tenants
    migrations/  How a database comes to have the tables of this release
    read/        Reading records and their history
    sql/         Statements: checked, compiled once, sent as plain driver SQL
    tables/      Tables from the schema, and the rules they keep
    write/       Writing rows under a changeset
"""

from crmkit.store.connection.database import Database
from crmkit.store.connection.drivers import check_references
from crmkit.store.connection.failures import translate
from crmkit.store.connection.unit import Row, Unit
from crmkit.store.sql.statement import STATEMENT_OPTION, Statement
from crmkit.store.sql.tenant_check import TENANT, check
from crmkit.store.tables.columns import Codec, IdType, JsonType
from crmkit.store.tables.lint import lint
from crmkit.store.tables.record_tables import Tables
from crmkit.store.tables.system_tables import SystemTables

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
