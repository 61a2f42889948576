"""What is recorded beside the records: changesets, seals, deliveries, tenants.

::

    changesets  Changesets: who changed what, when, by which command; and which records one touched
    jobs        Jobs: what is to be done after a commit, noted in its transaction, a row for each piece of work
    seals       Seals: changesets in order, each with a hash of itself, of what it wrote, and of the seal before it
    tenants     The registry of tenants and the state of each
"""
