"""Sessions: one actor, one tenant, one transaction, one changeset.

::

    access        Rights and conditions decided in memory, on one record at a time, by the same expressions lists
                  are filtered by
    crm           The front door: one CRM over one database
    extensions    What plugins add to sessions and to collections
    health        Is everything as it should be: what an operator wants to know of a database before anybody
                  complains
    memory        What a session keeps of what it has read: schema, actor, rights, readers, parsers
    refusals      What is said of a record that is not there for the actor, or that they may not do this with
    runtime       What all sessions of a CRM stand on: declared schema, plugins, tables, database, and what was
                  loaded before
    session       A session: one actor, one tenant, one transaction, one changeset
    tenants       Tenants by API: made with what a sales team starts with, listed, and given their first
                  administrator
    unit_of_work  A unit of work: what an actor, a tenant and a transaction have in common, before there are verbs
"""
