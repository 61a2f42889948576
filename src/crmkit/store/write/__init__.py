"""Writing rows under a changeset.

::

    locks         Records nobody else may write until a unit of work ends, so that what is found out about them
                  stays true
    revert        The records of a type that a changeset updated once and that nobody has changed since, set back
                  all at once
    update_where  The same values given to all records that meet a condition, in two statements, however many
                  records
    upsert_keys   Keys by which records are upserted: two units of work that use the same one take turns
    writer        The one road by which records change: insert, supersede, delete, in batches, under one changeset
"""
