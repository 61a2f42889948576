"""Statements: checked, compiled once, sent as plain driver SQL.

::

    clauses       Reading SQLAlchemy's statements for the checker: which tables FROM shows, and what WHERE binds
    json_parts    Parts of custom fields read typed out of the JSON column; ids and documents in one form on either
                  database
    lists         Lists of values in a statement: one array on PostgreSQL, and on SQLite, which has none, a
                  parameter for each value
    plans         Queries compiled once: a shape, in a schema, under rights of one shape, is one prepared statement
    sources       Where the records of a session lie: live rows, rows as of an instant, or every version there ever
                  was
    statement     A statement that was checked and compiled once, to be sent many times as plain driver SQL
    tenant_check  The wall between tenants: a walk over a finished statement that lets no table of a tenant pass
                  unbound
"""
