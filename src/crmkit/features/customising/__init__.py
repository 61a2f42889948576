"""Custom fields and custom objects.

::

    collections  Custom fields and objects as a person types against them: ``me.fields``, ``me.objects``
    commands     Fields and record types a tenant adds at run time, as commands that can be undone like any other
    hooks        What the feature adds to a CRM
"""
