"""Collections: the records of one type in a session, their verbs, queries and commands.

::

    collection  The records of one type in a session: the verbs, and queries
    commands    The registry of commands, which makes verbs of them
    naming      What people call things: by the record, its id, the id as text, or the name however it is written
    query       A query: conditions, order and limit on the records of one type; nothing is sent until it is asked
                for its records
    reading     A list that is being read while its session writes: it goes on with the records it began with
    upserting   Upserts: the record that has a key is updated, and where there is none it is created
"""
