"""Ownership: assigning records and sharing them.

::

    assign  Give a record to another owner
    hooks   What the feature adds to a CRM
    share   Share one record with a user or a team, with a reason and perhaps until a day
"""
