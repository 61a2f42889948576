"""The hooks, one file a topic.

::

    register     what a plugin adds (collect)
    changes      what is about to change, what was committed (decide, notify)
    operations   a tenant is made, an operator asks
    segments     who came into a segment and who left it (notify)
"""
