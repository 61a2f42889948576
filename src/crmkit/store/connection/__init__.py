"""Connections: which database, one unit of work on it, how its transactions begin, end and fail.

::

    database           A database: SQLite or PostgreSQL, given as a URL or as the host's own engine
    drivers            What differs between the two databases: how a transaction begins and ends on a bare driver
                       connection
    failures           What a database's refusal means: driver errors become crmkit's own, and name fields where
                       they can
    server             What a database says of itself: which release it is, how it keeps text, whether it checks
                       references
    shared_connection  One connection for everybody: how units of work take turns on a database in memory
    unit               A unit of work: everything crmkit sends to a database goes through here
"""
