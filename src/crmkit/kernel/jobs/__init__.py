"""Work after the commit: telling plugins, sealing the history.

::

    delivery  Telling plugins what was committed: after the commit, at least once
    noting    Records which plugins must be told of a changeset, in the transaction of the changeset
    sealing   Tamper evidence: sealing changesets after they were committed, and finding what was changed past
              crmkit
"""
