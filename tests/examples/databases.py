"""Which databases a test of an example runs on."""

import pytest

on_both = pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
"""The fixture ``url`` is SQLite's for most tests; with this the test runs on PostgreSQL as well."""
