"""The kernel: what every record of every type goes through, whoever declares the type.

::

    collections/  Collections: the records of one type in a session, their verbs, queries and commands
    definitions/  Definitions that are data: schema, rights and configuration of a tenant, as a session holds them
    jobs/         Work after the commit: telling plugins, sealing the history
    session/      Sessions: one actor, one tenant, one transaction, one changeset
    undo/         Undo: a changeset is taken back as one change of many records
    writes/       Writing records: the one road from values to rows
"""
