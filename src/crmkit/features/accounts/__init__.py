"""Accounts: the life cycle of a customer.

::

    commands  An account goes on, or back
"""
