"""What a person types against: CRM, Session, collections, queries and commands.

::

    crm          the front door; tenants, template: what a tenant starts with
    session      one actor, one transaction, one changeset
    collection   the verbs of a record type; query: conditions, order, totals
    commands/    one use case a file
    writing      the write path; outcomes: what became of each row; judge: rights on single records
    loading      schema, actor and rights of a session
    outbox       telling plugins after the commit
"""
