"""Definitions that are data: schema, rights and configuration of a tenant, as a session holds them.

::

    checks         Records that define fields, objects and rights: checked when they are written, not when they are
                   needed
    concurrent     Fields, segments and rights that others change while a session is under way
    tenant_schema  What a session needs to know before it starts: the tenant's schema, its segments, who the actor
                   is and may do
    used           Which definitions others have used since a changeset: taking them back would take their work with
                   them
"""
