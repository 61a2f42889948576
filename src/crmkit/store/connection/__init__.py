"""Connections: which database, one unit of work on it, how its transactions begin, end and fail.

::

    abandoned          Units of work that were dropped and not closed: what they leave behind is put in order, and
                       somebody is told
    database           A database: SQLite or PostgreSQL, given as a URL or as the host's own engine
    drivers            What differs between the two databases: how a transaction begins and ends on a bare driver
                       connection
    failures           What a database's refusal means: driver errors become crmkit's own, and name fields where
                       they can
    host_savepoints    The savepoints of a host's transaction: what the host takes back, the unit of work joined to
                       it has not done
    joined             A unit of work in a host's transaction: the savepoint in which it writes, and what the host
                       does to it meanwhile
    server             What a database says of itself: which release it is, how it keeps text, whether it checks
                       references
    shared_connection  One connection for everybody: how units of work take turns on a database in memory
    translating        The frame around whatever is sent: what the database refuses is raised as crmkit's error
    unit               A unit of work: everything crmkit sends to a database goes through here
"""
