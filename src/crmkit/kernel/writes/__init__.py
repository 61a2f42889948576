"""Writing records: the one road from values to rows.

::

    batching     Rows in blocks: what is written together
    managed      Records that are kept by verbs of their own: the verbs of every record do not write them
    pipeline     The write path, from values to changes: parse and authorise, in batches; ``finishing`` makes rows
                 of the changes
    references   What records refer to is there and may be read; what is deleted is not referred to
    results      What became of each row of a bulk verb
    steps        From changes to rows: plugins are asked, what one record alone cannot tell is checked, and
                 everything is written
    unique_keys  Unique values are free, in the database and among the changes themselves
"""
