"""Undo: a changeset is taken back as one change of many records.

::

    dependencies     What an undo takes back together or not at all, since one means nothing, or does not hold,
                     without the other
    execute          The steps of an undo taken as a whole: what there is after all of them must be consistent, not
                     after each
    in_sets          What an undo sets back for many records at once, where nothing has to be decided for each of
                     them
    plan             What undoing a changeset would do today. Later work by others is kept, field by field, and said
    steps            What an undo is about to do, record by record, and what came of it
    undo             Take a changeset back, keeping what others did since
    unique_handover  Unique values that an undo hands on: who holds one that another record gets back, and how it
                     makes way
"""
