"""Reading records and their history.

::

    groups   Records grouped by fields, with counts and sums: one statement, and what its rows come to
    history  What a changeset did to each record, and every version a record has had, as the reader's rights allow
    reader   Reading records in a view: pages by key, single records, counts, groups. Every method is one statement
             a page
    rows     Rows to records and back, for one record type as one tenant has it
"""
