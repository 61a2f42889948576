"""Doubles for tests of products and plugins that stand on crmkit; nothing in the package imports them."""

from crmkit.testing.clock import FakeClock

__all__ = ["FakeClock"]
