"""Work after the commit: telling plugins, sealing the history.

::

    delivery  Telling plugins what was committed: after the commit, from the outbox, at least once
    outbox    Which plugins are to be told of a changeset: noted in its own transaction
    sealing   Tamper evidence: sealing changesets after they were committed, and finding what was changed past
              crmkit
"""
