"""Tables from the schema, and the rules they keep.

::

    columns        The four primitives of :class:`~crmkit.schema.Kind` as columns, and what the bare drivers make of
                   them
    index_plan     Which indexes a record type's two tables carry
    lint           The rules a table must keep so that tenants can be spread over a sharded database, checked on
                   metadata alone
    names          Names of constraints and indexes: explicit, the same on every machine, and short enough for a
                   shard's suffix
    record_tables  Tables from the schema: one road for built-in types, types of plugins, and custom objects
    system_tables  The tables that are no nouns: tenants, their state, changesets, jobs and the keys of upserts
"""
