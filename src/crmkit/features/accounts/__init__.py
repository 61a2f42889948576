"""Accounts: the life cycle of a customer.

::

    commands  An account goes on, or back
    hooks     What the feature adds to a CRM
"""
