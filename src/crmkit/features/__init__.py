"""What every CRM does: features, a plugin each, that never import one another.

::

    accounts/     Accounts: the life cycle of a customer
    activities/   Activities: tasks that are completed, and what counts as a contact
    customising/  Custom fields and custom objects
    metrics/      Numbers a manager can trust: ``me.metrics(...)``
    ownership/    Ownership: assigning records and sharing them
    pipelines/    Pipelines: how deals go through stages
    segments/     Segments: lists of records by condition, and ready-made ones
    tags/         Tags on records of any type
"""
