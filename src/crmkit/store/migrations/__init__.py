"""How a database comes to have the tables of this release.

``HEAD`` is the newest revision in ``versions``, known without loading alembic. The first revisions are made by
``python -m crmkit.store.migrations.generate`` from the record types; once a release has them, they never change again,
and what a later release needs is a revision of its own, one theme of DDL in each.
"""

__all__ = ["HEAD", "VERSION_TABLE"]

HEAD = "0002"
VERSION_TABLE = "crmkit_version"
