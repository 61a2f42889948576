"""What is recorded beside the records: changesets, seals, deliveries, tenants.

::

    changesets  Changesets: who changed what, when, by which command; and which records one touched
    outbox      The outbox: what was committed and is still to be told to plugins, one row for each plugin and
                changeset
    seals       Seals: changesets in order, each with a hash of itself, of what it wrote, and of the seal before it
    tenants     The registry of tenants and the state of each
"""
