"""The same tallies by SQL.

::

    columns  Columns of deals and of their stage intervals, as statements of metrics need them
    tallies  The tallies of metrics from the database: it groups, the same mathematics does the rest
"""
