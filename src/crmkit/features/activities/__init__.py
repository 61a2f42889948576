"""Activities: tasks that are completed, and what counts as a contact.

::

    commands      A task is done
    contacts      When somebody was in touch: which activities are contacts, about what, and when each happened
    hooks         What the feature adds to a CRM
    last_contact  When somebody was last in touch about a deal or with an account, of which the actor may read
"""
