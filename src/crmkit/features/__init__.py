"""What a CRM does, each feature in a folder of its own: a plugin like any other, which every CRM has.

::

    tags          words on records, and what became of them
    segments      named conditions and lists, who comes and who leaves
    pipelines     deals and the stages they go through
    customising   fields and record types that a tenant adds
    metrics       numbers about deals and leads

Features do not import each other; what one needs of another it asks the session for.
"""
