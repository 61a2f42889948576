"""What a person types against: CRM, Session, collections, queries and commands.

::

    crm, foundation      the front door, and what all its sessions stand on
    tenants              tenants by API
    extensions           what plugins add to sessions and collections
    session, work        one actor, one transaction, one changeset: what is asked of it, and what it is
    loading, meanwhile   schema, actor and rights of a session, and what others change of them meanwhile
    collection, naming   the verbs of a record type; what people call records
    query, reading       conditions, order, totals; loops that write what they read
    deals, segments, facades    what only deals, pipelines, segments, fields and objects can do
    commands/            one use case a file; tagging, stages, setting_back: what several have to write
    writing, finishing   the write path: from values to changes, from changes to rows
    blocks, outcomes     rows in batches, and what became of each
    by_hand, definitions, references, uniqueness    what is checked on the way
    belonging, used_definitions    what goes with a record, and what others rely on
    planned, taking_back    the steps of an undo, taken as a whole
    making_way, standing    who gives up a unique value for whom; what is taken back together or not at all
    judge, refusals      rights on single records, and what is said where they lack
    metrics, measuring, quotas     numbers: which there are, of what, held against what
    facts, last_contact, sight     what they are made of, and how much of it the actor sees
    outbox, delivery     telling plugins after the commit
    sealing, health      tamper evidence; is everything as it should be
"""
