"""Ownership: assigning records and sharing them.

::

    assign  Give a record to another owner
    share   Share one record with a user or a team, with a reason and perhaps until a day
"""
