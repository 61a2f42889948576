"""``crmkit demo``: 8,800 real deals in a database of their own, and what crmkit makes of them.

::

    files     the four files, and what is wrong in them
    people    users, teams and roles;  load: everything else
    figures   the pipeline in numbers
    story     a change, a look into the past, an undo
    show      what is written on the screen;  command: the command itself
"""
